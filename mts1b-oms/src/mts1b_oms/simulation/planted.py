"""Run seeds with one fault planted in the source. A script: it must come before every import.

Reads one JSON object from standard input (module, old, new, seeds, orders; faults by name with
the strength that they have in every seed) and prints one.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any


class _Planted(Loader):
    def __init__(self, path: str, old: str, new: str) -> None:
        self._path = path
        self._old = old
        self._new = new

    def create_module(self, spec: ModuleSpec) -> None:
        """Let the import system make the module."""

    def exec_module(self, module: ModuleType) -> None:
        text = Path(self._path).read_text(encoding="utf-8")
        if text.count(self._old) != 1:
            raise LookupError(
                f"{self._path}: {text.count(self._old)} times {self._old!r}, not once"
            )
        exec(compile(text.replace(self._old, self._new), self._path, "exec"), module.__dict__)


class _Finder(MetaPathFinder):
    def __init__(self, name: str, old: str, new: str) -> None:
        self._name = name
        self._old = old
        self._new = new

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        found = PathFinder.find_spec(fullname, path, target)
        if found is None or found.origin is None:
            return None
        loader = _Planted(found.origin, self._old, self._new)
        return importlib.util.spec_from_file_location(fullname, found.origin, loader=loader)


def main() -> None:
    """Run the seeds until one is violated."""
    asked = json.load(sys.stdin)
    sys.meta_path.insert(0, _Finder(asked["module"], asked["old"], asked["new"]))
    from mts1b_platform.rng import SeededRng
    from mts1b_platform.simulation import Faults

    from mts1b_oms.simulation.world import run_seed  # not earlier: the fault is planted now

    if asked["module"] not in sys.modules:
        raise LookupError(f"{asked['module']} is not part of the order path")
    found: dict[str, Any] = {"seeds": 0, "violation": ""}
    for seed in asked["seeds"]:
        found["seeds"] += 1
        faults = replace(Faults.swarm(SeededRng(seed)), **asked.get("faults", {}))
        found["violation"] = run_seed(seed, orders=asked["orders"], faults=faults).violation
        if found["violation"]:
            break
    print(json.dumps(found))


if __name__ == "__main__":
    main()
