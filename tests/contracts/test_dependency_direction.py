"""Imports point downwards, use public names, and close no cycle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tools.contracts.checks.cycles import NO_CYCLES
from tools.contracts.checks.direction import IMPORT_DIRECTION
from tools.contracts.checks.private_names import PUBLIC_NAMES

Plant = Callable[..., Any]


@pytest.mark.parametrize(
    "statement",
    [
        "import mts1b_oms",
        "from mts1b_oms.client import OmsClient",
        "def later():\n    from mts1b_oms import client",
        "from importlib import import_module\nx = import_module('mts1b_oms.client')",
        "import mts1b_operations",
    ],
)
def test_an_upward_or_sideways_import_is_caught(plant: Plant, statement: str) -> None:
    planted = plant({"mts1b_datalake/reader.py": f"{statement}  # <-\n"})
    (violation,) = planted.found_by(IMPORT_DIRECTION)
    assert violation.rule == "import-direction"
    assert "layer" in violation.message
    assert "protocol" in violation.remedy


def test_downward_own_and_relative_imports_pass(plant: Plant) -> None:
    source = "import mts1b_platform.clock\nfrom mts1b_datalake import a\nfrom . import b\n"
    assert plant({"mts1b_datalake/reader.py": source}).found_by(IMPORT_DIRECTION) == []


def test_a_declared_upward_dependency_is_caught(plant: Plant) -> None:
    planted = plant(
        {"mts1b_platform/clock.py": ""},
        dependencies={"mts1b_platform": '"pydantic>=2",\n"mts1b_OMS>=0.1",  # <-\n'},
    )
    (violation,) = planted.found_by(IMPORT_DIRECTION)
    assert "mts1b-platform depends on mts1b-oms" in violation.message


@pytest.mark.parametrize(
    "statement",
    [
        "from mts1b_platform._inside import thing",
        "from mts1b_platform.clock import _epoch",
        "import mts1b_platform.clock\nx = mts1b_platform.clock._epoch",
        "from mts1b_platform import clock\nx = clock._epoch",
        "from mts1b_platform.clock import helper",
    ],
)
def test_a_private_name_of_another_package_is_caught(plant: Plant, statement: str) -> None:
    planted = plant(
        {
            "mts1b_platform/clock.py": '__all__ = ["now"]\nnow = helper = _epoch = 1\n',
            "mts1b_oms/orders.py": f"{statement}  # <-\n",
        }
    )
    (violation,) = planted.found_by(PUBLIC_NAMES)
    assert violation.rule == "public-names"
    assert "public name" in violation.remedy


def test_public_names_submodules_and_own_private_names_pass(plant: Plant) -> None:
    planted = plant(
        {
            "mts1b_platform/clock.py": '__all__ = ["now"]\nnow = 1\n',
            "mts1b_oms/orders.py": (
                "from mts1b_platform import clock\n"
                "from mts1b_platform.clock import now\n"
                "from mts1b_oms._rows import _row\n"
                "import foreign._inside\n"
            ),
        }
    )
    assert planted.found_by(PUBLIC_NAMES) == []


def test_a_cycle_is_told_once_with_its_way(plant: Plant) -> None:
    planted = plant(
        {
            "mts1b_brokers/a.py": "import mts1b_marketdata  # <-\n",
            "mts1b_marketdata/b.py": "import mts1b_quantkit\n",
            "mts1b_quantkit/c.py": "import mts1b_brokers\n",
        }
    )
    (violation,) = planted.found_by(NO_CYCLES)
    assert violation.rule == "no-cycles"
    way = "mts1b_brokers -> mts1b_marketdata -> mts1b_quantkit -> mts1b_brokers"
    assert way in violation.message


def test_a_diamond_is_no_cycle(plant: Plant) -> None:
    planted = plant(
        {
            "mts1b_oms/a.py": "import mts1b_brokers\nimport mts1b_platform\n",
            "mts1b_brokers/b.py": "import mts1b_platform\n",
            "mts1b_platform/c.py": "",
        }
    )
    assert planted.found_by(NO_CYCLES) == []
