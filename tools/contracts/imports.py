"""Find what a module imports, wherever the statement stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from tools.contracts.project import Module

__all__ = ["Import", "aliases", "dotted", "imports_of", "resolve"]


@dataclass(frozen=True)
class Import:
    """One imported module, and the name taken from it (None: the module itself)."""

    module: str
    name: str | None
    line: int

    @property
    def top(self) -> str:
        """Return the top-level package."""
        return self.module.partition(".")[0]


@cache
def imports_of(module: Module) -> tuple[Import, ...]:
    """Return the imports of a module, also those inside functions and ``importlib`` calls."""
    return tuple(_imports(module))


def _imports(module: Module) -> Iterator[Import]:
    for node in module.nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, None, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(module, node)
            for alias in node.names:
                yield Import(source, alias.name, node.lineno)
        elif isinstance(node, ast.Call):
            yield from _dynamic(node)


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    parts = module.name.split(".")
    kept = len(parts) - node.level + (1 if module.is_package else 0)
    return ".".join([*parts[:kept], *([node.module] if node.module else [])])


def _dynamic(node: ast.Call) -> Iterator[Import]:
    called = dotted(node.func) or ""
    if called.rpartition(".")[2] not in {"import_module", "__import__"} or not node.args:
        return
    first = node.args[0]
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        yield Import(first.value, None, node.lineno)


@cache
def aliases(module: Module) -> Mapping[str, str]:
    """Map each name that an import binds to the dotted name it stands for."""
    bound: dict[str, str] = {}
    for node in module.nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.partition(".")[0]
                bound[alias.asname or whole] = whole
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(module, node)
            for alias in node.names:
                bound[alias.asname or alias.name] = f"{source}.{alias.name}"
    return bound


def dotted(node: ast.expr | None) -> str | None:
    """Return ``a.b.c`` for a chain of names, None for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])


def resolve(node: ast.expr, bound: Mapping[str, str]) -> str | None:
    """Return the full dotted name of a chain that begins with an imported name."""
    chain = dotted(node)
    if chain is None:
        return None
    head, _, rest = chain.partition(".")
    if head not in bound:
        return None
    return f"{bound[head]}.{rest}" if rest else bound[head]
