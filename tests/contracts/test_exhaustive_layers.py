"""The layer table and the folders say the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.contracts import run_checks
from tools.contracts.checks.exhaustive import EXHAUSTIVE_LAYERS
from tools.contracts.layers import LAYERS, Row

Plant = Callable[..., Any]
ONE_ROW = (Row(0, "mts1b-foundation", "mts1b_foundation"),)


def _found(planted: Any) -> list[tuple[str, str]]:
    report = run_checks(planted.project(), [EXHAUSTIVE_LAYERS])
    assert all(one.rule == "exhaustive-layers" and one.remedy for one in report.violations)
    return [(one.file, one.message) for one in report.violations]


def test_a_folder_without_a_row_is_caught(plant: Plant) -> None:
    planted = plant({"mts1b_foundation/a.py": "", "mts1b_treasury/b.py": ""}, layers=ONE_ROW)
    assert _found(planted) == [("mts1b-treasury/pyproject.toml", "mts1b-treasury is in no layer")]


def test_a_row_without_a_folder_is_caught(plant: Plant) -> None:
    layers = (*ONE_ROW, Row(1, "mts1b-platform", "mts1b_platform"))
    ((file, message),) = _found(plant({"mts1b_foundation/a.py": ""}, layers=layers))
    assert file == "tools/contracts/layers.py"
    assert message == "mts1b-platform is listed on layer 1 and has no folder"


def test_a_package_of_another_name_is_caught(plant: Plant) -> None:
    planted = plant({"mts1b_foundation/a.py": ""}, layers=ONE_ROW)
    file = planted.root / "mts1b-foundation" / "pyproject.toml"
    file.write_text(file.read_text().replace("mts1b-foundation", "mts1b-base"))
    ((_, message),) = _found(planted)
    assert "named mts1b-base" in message


def test_a_package_that_the_workspace_does_not_source_is_caught(plant: Plant) -> None:
    planted = plant({"mts1b_foundation/a.py": ""}, layers=ONE_ROW)
    (planted.root / "pyproject.toml").write_text("[tool.uv.sources]\n")
    ((file, message),) = _found(planted)
    assert (file, "does not name mts1b-foundation" in message) == ("pyproject.toml", True)


def test_the_table_has_one_row_a_package(workspace: Path) -> None:
    names = [row.distribution for row in LAYERS]
    assert sorted(names) == sorted({path.parent.name for path in workspace.glob("mts1b-*/src")})
    assert len(names) == len(set(names))
    assert all(row.import_name == row.distribution.replace("-", "_") for row in LAYERS)
