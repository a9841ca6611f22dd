"""Inline markers: ``# seam-ok: reason`` lets one line pass one rule, and is counted."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tools.contracts.outcome import Malformed, Violation
from tools.contracts.project import Module

__all__ = ["MARKERS", "Marked", "split"]

MARKERS = ("seam-ok", "float-ok")
_PATTERN = re.compile(r"#\s*(?P<marker>seam-ok|float-ok)\b(?P<rest>.*)$")
_REASON = re.compile(r"^:\s*\S+\s+\S+")


@dataclass(frozen=True)
class Marked:
    """What is left of a module's violations once its markers are taken into account."""

    violations: tuple[Violation, ...]
    used: int


def _lines(module: Module, marker: str) -> Iterator[int]:
    for number, line in enumerate(module.lines, start=1):
        found = _PATTERN.search(line)
        if found is None or found["marker"] != marker or "`" in found["rest"]:
            continue
        if not _REASON.match(found["rest"]):
            raise Malformed(
                f"{module.file}:{number}",
                f"# {marker} has no reason",
                f"Write '# {marker}: why this line may do so'",
            )
        yield number


def split(module: Module, marker: str, found: list[Violation]) -> Marked:
    """Drop what a marker on the same line, or alone on the line above, lets pass.

    A marker that lets nothing pass is a violation itself.

    :raises Malformed: a marker has no reason.
    """
    strings = _string_lines(module)
    marked = {number for number in _lines(module, marker) if number not in strings}
    covers = {number: _covered(module, number) for number in marked}
    covered = set().union(*covers.values()) if covers else set()
    hit = {violation.line for violation in found}
    left = [violation for violation in found if violation.line not in covered]
    left += [_unused(module, marker, number) for number in marked if not covers[number] & hit]
    return Marked(tuple(left), sum(1 for number in marked if covers[number] & hit))


def _covered(module: Module, number: int) -> set[int]:
    alone = module.lines[number - 1].lstrip().startswith("#")
    return {number, number + 1} if alone else {number}


def _string_lines(module: Module) -> set[int]:
    lines: set[int] = set()
    for node in module.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            lines.update(range(node.lineno, node.end_lineno or node.lineno))
    return lines


def _unused(module: Module, marker: str, number: int) -> Violation:
    return Violation(
        module.file, number, "unused-marker", f"# {marker} lets nothing pass", "remove the marker"
    )
