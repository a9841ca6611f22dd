"""Run the checks over a project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tools.contracts.check import Check
from tools.contracts.checks import CHECKS
from tools.contracts.markers import split
from tools.contracts.outcome import Report, Violation
from tools.contracts.project import Project

__all__ = ["run_checks"]


def run_checks(project: Project, checks: Sequence[Check] = CHECKS) -> Report:
    """Run ``checks`` and return what they found.

    :raises Malformed: a contract or a marker can not be read.
    """
    violations: list[Violation] = []
    markers: Counter[str] = Counter()
    for check in checks:
        found = list(check.find(project))
        if check.marker is not None:
            found, markers[check.marker] = _marked(project, check.marker, found)
        violations += found
    return Report(
        violations=tuple(sorted(set(violations))),
        markers=dict(markers),
        packages=len(project.packages),
        modules=sum(1 for _ in project.modules()),
    )


def _marked(project: Project, marker: str, found: list[Violation]) -> tuple[list[Violation], int]:
    left: list[Violation] = []
    used = 0
    for module in project.modules():
        mine = [violation for violation in found if violation.file == module.file]
        marked = split(module, marker, mine)
        left += marked.violations
        used += marked.used
    return left, used
