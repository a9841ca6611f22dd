"""Read the dependencies that a project file declares, with their lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.contracts.outcome import Malformed
from tools.contracts.project import Package, Project

__all__ = ["Requirement", "canonical", "requirements_of"]

_NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


@dataclass(frozen=True)
class Requirement:
    """One declared dependency; ``extra`` is None for one that is always installed."""

    name: str
    extra: str | None
    line: int


def canonical(name: str) -> str:
    """Return a distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements_of(project: Project, package: Package) -> Iterator[Requirement]:
    """Yield what a package declares.

    :raises Malformed: an entry does not begin with a name.
    """
    lines = (project.root / package.project_file).read_text(encoding="utf-8").splitlines()
    table = package.project.get("project", {})
    for text in table.get("dependencies", ()):
        yield _requirement(package, text, None, lines)
    for extra, texts in table.get("optional-dependencies", {}).items():
        for text in texts:
            yield _requirement(package, text, extra, lines)


def _requirement(package: Package, text: str, extra: str | None, lines: list[str]) -> Requirement:
    found = _NAME.match(text)
    if found is None:
        raise Malformed(
            package.project_file, f"{text!r} names no dependency", "Write 'name>=version'"
        )
    line = next((n for n, shown in enumerate(lines, start=1) if _quoted(text, shown)), 1)
    return Requirement(canonical(found[1]), extra, line)


def _quoted(text: str, line: str) -> bool:
    return f'"{text}"' in line or f"'{text}'" in line


def first_line(path: Path, text: str) -> int:
    """Return the first line of a file that holds ``text``, or 1."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, start=1) if text in line), 1)
