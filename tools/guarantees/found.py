"""The tests and simulator counters that exist in a workspace."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Found", "find"]

_IDS = re.compile(r"^test_((?:[a-hjk]\d{1,2}_)+)")
_COUNTER_FILES = ("mts1b-*/src/*/simulation*.py", "mts1b-*/src/*/simulation/*.py")


@dataclass(frozen=True, slots=True)
class Found:
    """What exists.

    :ivar tests: file of each ``module::test``, relative to the workspace.
    :ivar simulation: the text of everything that counts in the simulator.
    """

    tests: Mapping[str, str]
    simulation: str

    def of_scenario(self, scenario: str) -> list[str]:
        """Return the tests whose name carries the id."""
        return sorted(
            name for name in self.tests if scenario.lower() in _ids_of(name.partition("::")[2])
        )

    def counts(self, counter: str) -> bool:
        """Return whether some simulator source has this counter."""
        return f'"{counter}' in self.simulation


def _ids_of(test: str) -> list[str]:
    match = _IDS.match(test)
    return match[1].strip("_").split("_") if match else []


def find(root: Path) -> Found:
    """Read the workspace; imports nothing of it."""
    tests: dict[str, str] = {}
    for path in sorted([*root.glob("mts1b-*/tests/test_*.py"), *root.glob("tests/*/test_*.py")]):
        for name in _tests_of(path):
            tests[f"{path.stem}::{name}"] = path.relative_to(root).as_posix()
    texts = [path.read_text() for pattern in _COUNTER_FILES for path in sorted(root.glob(pattern))]
    return Found(tests, "\n".join(texts))


def _tests_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(
            "test_"
        ):
            yield node.name
