"""The lowest layer stands on two dependencies."""

from __future__ import annotations

from collections.abc import Iterator

from tools.contracts.check import Check
from tools.contracts.outcome import Violation
from tools.contracts.project import Project
from tools.contracts.requirements import requirements_of

__all__ = ["LEAN_FOUNDATION"]

_RULE = "lean-foundation"
_ALLOWED = frozenset({"pydantic", "typing-extensions"})


def _find(project: Project) -> Iterator[Violation]:
    for package in project.packages:
        if package.row.layer != 0:
            continue
        for requirement in requirements_of(project, package):
            if requirement.name not in _ALLOWED:
                message = f"{package.row.distribution} depends on {requirement.name}"
                remedy = f"keep layer 0 to {' and '.join(sorted(_ALLOWED))}; move the code up"
                yield Violation(package.project_file, requirement.line, _RULE, message, remedy)


LEAN_FOUNDATION = Check(
    rule=_RULE,
    says="The packages of layer 0 depend on pydantic and typing-extensions alone.",
    find=_find,
)
