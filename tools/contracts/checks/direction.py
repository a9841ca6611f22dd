"""Imports and declared dependencies point strictly downwards."""

from __future__ import annotations

from collections.abc import Iterator

from tools.contracts.check import Check
from tools.contracts.imports import imports_of
from tools.contracts.layers import Row
from tools.contracts.outcome import Violation
from tools.contracts.project import Package, Project
from tools.contracts.requirements import canonical, requirements_of

__all__ = ["IMPORT_DIRECTION"]

_RULE = "import-direction"


def _why(source: Row, target: Row) -> str | None:
    if target.import_name == source.import_name or target.layer < source.layer:
        return None
    if target.layer == source.layer:
        return f"both are on layer {source.layer}"
    return f"layer {source.layer} may not look up to layer {target.layer}"


def _remedy(source: Row, target: Row) -> str:
    return (
        f"move what both need to a layer below {min(source.layer, target.layer)}, "
        "or pass the object in through a protocol of mts1b_foundation"
    )


def _imports(project: Project, package: Package) -> Iterator[Violation]:
    for module in package.modules:
        for found in imports_of(module):
            target = project.policy.row_of(found.top)
            why = _why(package.row, target) if target else None
            if target and why:
                message = f"{module.name} imports {found.module}: {why}"
                remedy = _remedy(package.row, target)
                yield Violation(module.file, found.line, _RULE, message, remedy)


def _declared(project: Project, package: Package) -> Iterator[Violation]:
    rows = {canonical(row.distribution): row for row in project.policy.layers}
    for requirement in requirements_of(project, package):
        target = rows.get(requirement.name)
        why = _why(package.row, target) if target else None
        if target and why:
            yield Violation(
                package.project_file,
                requirement.line,
                _RULE,
                f"{package.row.distribution} depends on {target.distribution}: {why}",
                _remedy(package.row, target),
            )


def _find(project: Project) -> Iterator[Violation]:
    for package in project.packages:
        yield from _imports(project, package)
        yield from _declared(project, package)


IMPORT_DIRECTION = Check(
    rule=_RULE, says="A package imports only packages of strictly lower layers.", find=_find
)
