"""Plant a small workspace and say where a check must strike: at the lines that end in ``# <-``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tools.contracts import Policy, Project, Violation, default_policy, read_project, run_checks
from tools.contracts.check import Check
from tools.contracts.layers import LAYERS

ROOT = Path(__file__).resolve().parents[2]
MARK = "# <-"


@dataclass(frozen=True)
class Planted:
    """A workspace on disk, and the places where it breaks a rule."""

    root: Path
    places: frozenset[tuple[str, int]]
    policy: Policy

    def project(self) -> Project:
        """Read it as the command line does."""
        return read_project(self.root, self.policy)

    def found_by(self, check: Check) -> list[Violation]:
        """Return what one check finds, having compared it with the marked lines."""
        found = list(run_checks(self.project(), [check]).violations)
        assert {(one.file, one.line) for one in found} == self.places
        assert all(one.message and one.remedy for one in found)
        return found


Plant = Callable[..., Planted]


def _folder_of(import_name: str) -> str:
    rows = {row.import_name: row.distribution for row in LAYERS}
    return rows.get(import_name, import_name.replace("_", "-"))


def _project_file(name: str, dependencies: str) -> str:
    return f'[project]\nname = "{name}"\nversion = "0.1.0"\ndependencies = [\n{dependencies}]\n'


def _marks(root: Path) -> frozenset[tuple[str, int]]:
    return frozenset(
        (path.relative_to(root).as_posix(), number)
        for path in root.rglob("*")
        if path.suffix in {".py", ".toml"}
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if line.rstrip().endswith(MARK)
    )


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Return a function that writes modules (``mts1b_x/y.py``) and their packages."""

    def write(
        modules: Mapping[str, str],
        *,
        dependencies: Mapping[str, str] | None = None,
        **tables: object,
    ) -> Planted:
        changes: dict[str, Any] = {"stale_allowances": False, **tables}
        policy = replace(default_policy(), **changes)
        for path, text in modules.items():
            import_name = path.split("/")[0]
            folder = tmp_path / _folder_of(import_name)
            target = folder / "src" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            (folder / "src" / import_name / "__init__.py").touch()
            declared = (dependencies or {}).get(import_name, "")
            (folder / "pyproject.toml").write_text(_project_file(folder.name, declared))
        return Planted(tmp_path, _marks(tmp_path), policy)

    return write


@pytest.fixture
def workspace() -> Path:
    """Return the root of this workspace."""
    return ROOT
