"""No package reaches itself through others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tools.contracts.check import Check
from tools.contracts.imports import imports_of
from tools.contracts.outcome import Violation
from tools.contracts.project import Project

__all__ = ["NO_CYCLES"]


@dataclass(frozen=True)
class _Edge:
    target: str
    file: str
    line: int


_Graph = Mapping[str, Mapping[str, _Edge]]


def _graph(project: Project) -> _Graph:
    known = {package.row.import_name for package in project.packages}
    graph: dict[str, dict[str, _Edge]] = {name: {} for name in sorted(known)}
    for module in project.modules():
        for found in imports_of(module):
            if found.top in known and found.top != module.top:
                edge = _Edge(found.top, module.file, found.line)
                graph[module.top].setdefault(found.top, edge)
    return graph


def _path_back(graph: _Graph, start: str) -> list[str] | None:
    """Return the shortest way from ``start`` back to itself, both ends included."""
    paths = [[start]]
    seen: set[str] = set()
    while paths:
        path = paths.pop(0)
        for target in sorted(graph[path[-1]]):
            if target == start:
                return [*path, start]
            if target not in seen:
                seen.add(target)
                paths.append([*path, target])
    return None


def _find(project: Project) -> Iterator[Violation]:
    graph = _graph(project)
    told: set[frozenset[str]] = set()
    for start in graph:
        path = _path_back(graph, start)
        if path is None or frozenset(path) in told:
            continue
        told.add(frozenset(path))
        edge = graph[path[0]][path[1]]
        remedy = "cut one of these imports, or move what they share down one layer"
        message = f"cycle between packages: {' -> '.join(path)}"
        yield Violation(edge.file, edge.line, "no-cycles", message, remedy)


NO_CYCLES = Check(
    rule="no-cycles", says="No package imports itself through other packages.", find=_find
)
