"""What is imported is declared, and what is declared is imported."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions

from tools.contracts.check import Check
from tools.contracts.imports import imports_of
from tools.contracts.layers import PLUGIN_LAYER
from tools.contracts.outcome import Violation
from tools.contracts.project import Package, Project
from tools.contracts.requirements import canonical, requirements_of
from tools.contracts.tables.allowances import PART_OF, DependencyAllowance

__all__ = ["DECLARED_DEPENDENCIES"]

_RULE = "declared-dependencies"
_TABLE = "tools/contracts/tables/allowances.py"
_WORKSHOP = frozenset({"test", "tests", "dev", "docs", "lint"})
"""Extras of a plugin for whoever works on it: no module of the package imports them."""


@cache
def _installed() -> Mapping[str, frozenset[str]]:
    """Map each importable top-level name to the distributions that bring it."""
    return {
        name: frozenset(canonical(found) for found in distributions)
        for name, distributions in packages_distributions().items()
    }


def _providers(project: Project, import_name: str) -> frozenset[str]:
    """Return the distributions that an import may come from; by its own name when unknown."""
    row = project.policy.row_of(import_name)
    if row is not None:
        return frozenset({canonical(row.distribution)})
    if import_name in PART_OF:
        return frozenset({PART_OF[import_name]})
    return _installed().get(import_name, frozenset({canonical(import_name)}))


def _imported(package: Package) -> dict[str, tuple[str, int]]:
    """Map each foreign top-level import to the first place that imports it."""
    own = {"", package.row.import_name}
    first: dict[str, tuple[str, int]] = {}
    for module in package.modules:
        for found in imports_of(module):
            if found.top not in own and found.top not in sys.stdlib_module_names:
                first.setdefault(found.top, (module.file, found.line))
    return first


def _undeclared(project: Project, package: Package) -> Iterator[Violation]:
    declared = {requirement.name for requirement in requirements_of(project, package)}
    for name, (file, line) in _imported(package).items():
        providers = _providers(project, name)
        if not providers & declared:
            message = f"{package.row.distribution} imports {name} and does not declare it"
            remedy = f"add {' or '.join(sorted(providers))} to {package.project_file}"
            yield Violation(file, line, _RULE, message, remedy)


def _unused(project: Project, package: Package) -> Iterator[Violation]:
    used = {name for top in _imported(package) for name in _providers(project, top)}
    allowed = {row.dependency for row in _allowances(project, package)}
    for requirement in requirements_of(project, package):
        if package.row.layer == PLUGIN_LAYER and requirement.extra in _WORKSHOP:
            continue
        if requirement.name not in used | {canonical(name) for name in allowed}:
            message = f"{package.row.distribution} declares {requirement.name}, imports it nowhere"
            remedy = f"remove it, or give the reason in {_TABLE}"
            yield Violation(package.project_file, requirement.line, _RULE, message, remedy)


def _allowances(project: Project, package: Package) -> list[DependencyAllowance]:
    rows = project.policy.dependency_allowances
    return [row for row in rows if row.distribution == package.row.distribution]


def _stale(project: Project, package: Package) -> Iterator[Violation]:
    declared = {requirement.name for requirement in requirements_of(project, package)}
    used = {name for top in _imported(package) for name in _providers(project, top)}
    for row in _allowances(project, package):
        name = canonical(row.dependency)
        if name not in declared or name in used:
            message = f"the allowance of {row.dependency} in {row.distribution} is not needed"
            yield Violation(_TABLE, 1, _RULE, message, "remove the row")


def _find(project: Project) -> Iterator[Violation]:
    for package in project.packages:
        yield from _undeclared(project, package)
        yield from _unused(project, package)
        yield from _stale(project, package)


DECLARED_DEPENDENCIES = Check(
    rule=_RULE,
    says="A package declares what it imports and imports what it declares.",
    find=_find,
)
