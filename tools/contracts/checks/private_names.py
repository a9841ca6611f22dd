"""Of another package, only public names are used."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tools.contracts.check import Check
from tools.contracts.imports import Import, aliases, imports_of, resolve
from tools.contracts.outcome import Violation
from tools.contracts.project import Module, Project

__all__ = ["PUBLIC_NAMES"]

_RULE = "public-names"


def _private(part: str) -> bool:
    return part.startswith("_") and not part.startswith("__")


def _exported(module: Module) -> frozenset[str] | None:
    """Return the names in ``__all__``, or None where there is none to read."""
    for node in module.tree.body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id="__all__")],
                value=ast.List(elts=items) | ast.Tuple(elts=items),
            ):
                texts = [item.value for item in items if isinstance(item, ast.Constant)]
                return frozenset(str(text) for text in texts)
    return None


def _problem(project: Project, found: Import) -> str | None:
    parts = [*found.module.split("."), *([found.name] if found.name else [])]
    hidden = next((part for part in parts if _private(part)), None)
    if hidden is not None:
        return f"{'.'.join(parts)} is private ({hidden})"
    target = project.module(found.module)
    if target is None or found.name in {None, "*"}:
        return None
    exported = _exported(target)
    submodule = project.module(f"{found.module}.{found.name}") is not None
    if exported is None or found.name in exported or submodule:
        return None
    return f"{found.module} does not export {found.name} (see its __all__)"


def _reached(module: Module) -> Iterator[tuple[int, str]]:
    """Yield private attributes read through another package's module."""
    bound = aliases(module)
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and _private(node.attr):
            path = resolve(node, bound)
            if path is not None:
                yield node.lineno, path


def _find(project: Project) -> Iterator[Violation]:
    tops = {row.import_name for row in project.policy.layers}
    for module in project.modules():
        others = tops - {module.top}
        problems = [
            (found.line, _problem(project, found))
            for found in imports_of(module)
            if found.top in others
        ]
        problems += [
            (line, f"{path} is private")
            for line, path in _reached(module)
            if path.partition(".")[0] in others
        ]
        for line, problem in problems:
            if problem is not None:
                remedy = "use a public name, or have its owner export it"
                yield Violation(module.file, line, _RULE, problem, remedy)


PUBLIC_NAMES = Check(
    rule=_RULE,
    says="Of another package, only names that it exports are used.",
    find=_find,
)
