"""Imports and project files agree, and the lowest layer stays lean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tools.contracts import run_checks
from tools.contracts.checks.dependencies import DECLARED_DEPENDENCIES
from tools.contracts.checks.foundation import LEAN_FOUNDATION
from tools.contracts.tables.allowances import DependencyAllowance

Plant = Callable[..., Any]


def test_an_undeclared_import_is_caught_with_the_distribution_to_declare(plant: Plant) -> None:
    planted = plant(
        {"mts1b_platform/config.py": "import os\nimport yaml  # <-\n"}, dependency_allowances=()
    )
    (violation,) = planted.found_by(DECLARED_DEPENDENCIES)
    assert violation.message == "mts1b-platform imports yaml and does not declare it"
    assert violation.remedy == "add pyyaml to mts1b-platform/pyproject.toml"


def test_an_undeclared_sibling_is_caught(plant: Plant) -> None:
    planted = plant(
        {"mts1b_oms/a.py": "import mts1b_foundation  # <-\n", "mts1b_foundation/b.py": ""}
    )
    (violation,) = planted.found_by(DECLARED_DEPENDENCIES)
    assert "add mts1b-foundation" in violation.remedy


def test_an_unused_dependency_is_caught_at_its_line(plant: Plant) -> None:
    planted = plant(
        {"mts1b_platform/config.py": "import yaml\n"},
        dependencies={"mts1b_platform": '"PyYAML>=6",\n"tenacity[doc]>=9",  # <-\n'},
        dependency_allowances=(),
    )
    (violation,) = planted.found_by(DECLARED_DEPENDENCIES)
    assert "declares tenacity, imports it nowhere" in violation.message


def test_extras_parts_and_reasoned_drivers_pass(plant: Plant) -> None:
    row = DependencyAllowance("mts1b-platform", "aiosqlite", "a driver loaded by its URL")
    planted = plant(
        {
            "mts1b_platform/a.py": (
                "import typing, pydantic_core, numpy\nfrom mts1b_platform import b\n"
            )
        },
        dependencies={
            "mts1b_platform": '"pydantic>=2",\n"aiosqlite>=0.20",\n]\n'
            'optional-dependencies.numbers = ["numpy>=1.26"\n'
        },
        dependency_allowances=(row,),
    )
    assert planted.found_by(DECLARED_DEPENDENCIES) == []


def test_an_allowance_that_nothing_needs_is_caught(plant: Plant) -> None:
    row = DependencyAllowance("mts1b-platform", "aiosqlite", "a driver loaded by its URL")
    planted = plant({"mts1b_platform/a.py": ""}, dependency_allowances=(row,))
    (violation,) = run_checks(planted.project(), [DECLARED_DEPENDENCIES]).violations
    assert "is not needed" in violation.message


def test_a_third_dependency_of_the_foundation_is_caught(plant: Plant) -> None:
    planted = plant(
        {"mts1b_foundation/a.py": ""},
        dependencies={"mts1b_foundation": '"pydantic>=2",\n"typing_extensions",\n"numpy",  # <-\n'},
    )
    (violation,) = planted.found_by(LEAN_FOUNDATION)
    assert violation.rule == "lean-foundation"
    assert violation.message == "mts1b-foundation depends on numpy"


def test_other_layers_may_depend_on_more(plant: Plant) -> None:
    planted = plant({"mts1b_platform/a.py": ""}, dependencies={"mts1b_platform": '"numpy",\n'})
    assert planted.found_by(LEAN_FOUNDATION) == []
