"""Imports and declared dependencies point strictly downwards, by whatever way they are made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tools.contracts.check import Check
from tools.contracts.imports import Import, computed_imports, imports_of, named_in
from tools.contracts.layers import Row
from tools.contracts.outcome import Violation
from tools.contracts.project import Module, Package, Project
from tools.contracts.requirements import canonical, first_line, requirements_of

__all__ = ["IMPORT_DIRECTION"]

_RULE = "import-direction"
_TABLE = "tools/contracts/tables/allowances.py"
_COMPUTED = "computed"


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


def _reach(project: Project, package: Package, found: Import) -> tuple[Row, str] | None:
    """Return the package that an import may not reach, and why."""
    target = project.policy.row_of(found.top)
    why = _why(package.row, target) if target else None
    return (target, why) if target and why else None


def _imports(project: Project, package: Package) -> Iterator[Violation]:
    for module in package.modules:
        for found in imports_of(module):
            reached = _reach(project, package, found)
            if reached is not None:
                message = f"{module.name} imports {found.module}: {reached[1]}"
                remedy = _remedy(package.row, reached[0])
                yield Violation(module.file, found.line, _RULE, message, remedy)


def _texts(project: Project, package: Package, needed: set[tuple[str, str]]) -> Iterator[Violation]:
    """Find names of higher modules in texts: a table of lazy imports, ``sys.modules``."""
    for module in package.modules:
        imported = {(found.line, found.module) for found in imports_of(module)}
        for found in named_in(module):
            reached = _reach(project, package, found)
            if reached is None or (found.line, found.module) in imported:
                continue
            if not _allowed(project, module, found.module, needed):
                message = f"{module.name} names {found.module} in a text: {reached[1]}"
                remedy = f"{_remedy(package.row, reached[0])}; a mere name: say why in {_TABLE}"
                yield Violation(module.file, found.line, _RULE, message, remedy)


def _computed(
    project: Project, package: Package, needed: set[tuple[str, str]]
) -> Iterator[Violation]:
    """Find imports that nobody can read, where there is a package that may not be imported."""
    if not any(_why(package.row, row) for row in project.policy.layers):
        return
    for module in package.modules:
        for line, shown in computed_imports(module):
            if not _allowed(project, module, _COMPUTED, needed):
                message = f"{module.name} imports or runs what is only known later: {shown}"
                remedy = f"write the name out, load a plugin by its entry point, or see {_TABLE}"
                yield Violation(module.file, line, _RULE, message, remedy)


def _allowed(project: Project, module: Module, name: str, needed: set[tuple[str, str]]) -> bool:
    key = (module.name, name)
    rows = {(row.module, row.name) for row in project.policy.reach_allowances}
    needed |= {key} & rows
    return key in rows


def _entry_points(project: Project, package: Package) -> Iterator[Violation]:
    table = package.project.get("project", {})
    groups = [table.get("scripts", {}), table.get("gui-scripts", {})]
    groups += table.get("entry-points", {}).values()
    for group in groups:
        for value in _values(group):
            reached = _reach(project, package, Import(value.partition(":")[0].strip(), None, 1))
            if reached is not None:
                message = f"{package.row.distribution} offers {value}: {reached[1]}"
                line = first_line(project.root / package.project_file, value)
                remedy = "let the package that has it offer it"
                yield Violation(package.project_file, line, _RULE, message, remedy)


def _values(group: object) -> list[str]:
    return [str(value) for value in group.values()] if isinstance(group, Mapping) else []


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


def _stale(project: Project, needed: set[tuple[str, str]]) -> Iterator[Violation]:
    present = {package.row.import_name for package in project.packages}
    for row in project.policy.reach_allowances:
        here = row.module.partition(".")[0] in present
        if here and project.policy.stale_allowances and (row.module, row.name) not in needed:
            message = f"the allowance of {row.name} in {row.module} is not needed"
            yield Violation(_TABLE, 1, _RULE, message, "remove the row")


def _find(project: Project) -> Iterator[Violation]:
    needed: set[tuple[str, str]] = set()
    for package in project.packages:
        yield from _imports(project, package)
        yield from _texts(project, package, needed)
        yield from _computed(project, package, needed)
        yield from _entry_points(project, package)
        yield from _declared(project, package)
    yield from _stale(project, needed)


IMPORT_DIRECTION = Check(
    rule=_RULE, says="A package imports only packages of strictly lower layers.", find=_find
)
