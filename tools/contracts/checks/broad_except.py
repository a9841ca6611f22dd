"""Only three modules may catch everything."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tools.contracts.check import Check
from tools.contracts.imports import dotted
from tools.contracts.outcome import Violation
from tools.contracts.project import Module, Project

__all__ = ["BROAD_EXCEPT"]

_RULE = "broad-except"
_PASSES = frozenset({"return", "return None", "return False"})
_BROAD = frozenset({"Exception", "BaseException", "builtins.Exception", "builtins.BaseException"})


def _broad(node: ast.expr | None) -> bool:
    if node is None:
        return True
    if isinstance(node, ast.Tuple):
        return any(_broad(item) for item in node.elts)
    return dotted(node) in _BROAD


def _caught(module: Module) -> Iterator[tuple[int, str]]:
    for node in module.nodes:
        if isinstance(node, ast.ExceptHandler) and _broad(node.type):
            yield node.lineno, f"except {ast.unparse(node.type)}" if node.type else "bare except"
        elif isinstance(node, ast.Call) and _suppresses(node):
            yield node.lineno, ast.unparse(node)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and _stops(node):
            yield node.lineno, f"{node.name} that lets not everything through"


def _stops(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether the end of a ``with`` block may swallow or change what the block raised."""
    if node.name not in ("__exit__", "__aexit__"):
        return False
    return any(
        isinstance(part, ast.Raise)
        or (isinstance(part, ast.Return) and ast.unparse(part) not in _PASSES)
        for part in ast.walk(node)
    )


def _suppresses(node: ast.Call) -> bool:
    last = (dotted(node.func) or "").rpartition(".")[2]
    return last == "suppress" and any(_broad(argument) for argument in node.args)


def _find(project: Project) -> Iterator[Violation]:
    boundaries = project.policy.except_boundaries
    for module in project.modules():
        if module.name in boundaries:
            continue
        for line, shown in _caught(module):
            message = f"{module.name} has {shown}"
            remedy = f"name the errors; only {', '.join(sorted(boundaries))} catch everything"
            yield Violation(module.file, line, _RULE, message, remedy)


BROAD_EXCEPT = Check(
    rule=_RULE,
    says="Exception is caught at the three boundaries and nowhere else.",
    find=_find,
)
