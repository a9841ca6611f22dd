"""Find what a module imports, wherever the statement stands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from tools.contracts.project import Module
from tools.contracts.spelled import UNKNOWN, constants_of, executed, fold

__all__ = ["Import", "aliases", "computed_imports", "dotted", "imports_of", "named_in", "resolve"]

_LOADERS = frozenset(
    {
        "__import__",
        "builtins.__import__",
        "importlib.__import__",
        "importlib.import_module",
        "pkgutil.resolve_name",
        "runpy.run_module",
    }
)
_NAMED = ("name", "mod_name")
_MODULE_TEXT = re.compile(r"[A-Za-z]\w*(\.\w+)*(:[\w.]+)?")


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
            loaded = _loaded(module, node)
            if loaded is not None and UNKNOWN not in loaded.partition(".")[0]:
                yield Import(loaded.partition(":")[0], None, node.lineno)


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    parts = module.name.split(".")
    kept = len(parts) - node.level + (1 if module.is_package else 0)
    return ".".join([*parts[:kept], *([node.module] if node.module else [])])


def _loaded(module: Module, node: ast.Call) -> str | None:
    """Return what a call loads by name, ``?`` where that is not known; None for other calls."""
    called = dotted(node.func) or ""
    path = resolve(node.func, aliases(module)) or called
    if path not in _LOADERS and path.rpartition(".")[2] != "import_module":
        return None
    given = {word.arg: word.value for word in node.keywords}
    named = next((given[word] for word in _NAMED if word in given), None)
    known = _known(module)
    name = fold(node.args[0] if node.args else named, known)
    if not name.startswith("."):
        return name
    package = fold(node.args[1] if len(node.args) > 1 else given.get("package"), known)
    return package + "." + name.lstrip(".")


@cache
def _known(module: Module) -> Mapping[str, str]:
    package = module.name if module.is_package else module.name.rpartition(".")[0]
    return {**constants_of(module.tree), "__name__": module.name, "__package__": package}


def computed_imports(module: Module) -> Iterator[tuple[int, str]]:
    """Yield the calls that import or run what only the running program knows."""
    for node in module.nodes:
        if not isinstance(node, ast.Call):
            continue
        loaded, code = _loaded(module, node), executed(node)
        if (loaded and UNKNOWN in loaded.partition(".")[0]) or (code and UNKNOWN in code):
            yield node.lineno, ast.unparse(node)


def named_in(module: Module) -> Iterator[Import]:
    """Yield what looks like a module's name in a text: whoever has it can import it."""
    words = {
        id(node.value)
        for node in module.nodes
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in module.nodes:
        if not isinstance(node, ast.Constant) or id(node) in words:
            continue
        if isinstance(node.value, str) and _MODULE_TEXT.fullmatch(node.value):
            yield Import(node.value.partition(":")[0], None, node.lineno)


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
    _follow(module, bound)
    return bound


def _follow(module: Module, bound: dict[str, str]) -> None:
    """Add the names that are only another name of something imported: ``tick = time.time``."""
    for node in module.nodes:
        if not isinstance(node, (ast.Assign, ast.AnnAssign)):
            continue
        if not isinstance(node.value, (ast.Name, ast.Attribute)):
            continue
        path = resolve(node.value, bound)
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if path is not None and isinstance(target, ast.Name):
                bound.setdefault(target.id, path)


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
