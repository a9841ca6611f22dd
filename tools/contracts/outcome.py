"""What a run of the checks comes to: violations, or a contract that can not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Malformed", "Report", "Violation"]


class Malformed(Exception):
    """A contract can not be checked: a table, a project file or a source can not be read.

    :param where: the file, as far as it is known.
    :param problem: what is wrong with it.
    :param remedy: what to do.
    """

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        super().__init__(f"{where}: {problem}. {remedy}")
        self.where = where
        self.problem = problem
        self.remedy = remedy


@dataclass(frozen=True, order=True)
class Violation:
    """One place that breaks one rule. ``file`` is relative to the root; ``line`` starts at 1."""

    file: str
    line: int
    rule: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: [{self.rule}] {self.message}. Remedy: {self.remedy}."


@dataclass(frozen=True)
class Report:
    """All violations in order of file and line, and how often each marker was used."""

    violations: tuple[Violation, ...]
    markers: Mapping[str, int]
    packages: int
    modules: int

    @property
    def clean(self) -> bool:
        """Tell whether nothing is broken."""
        return not self.violations
