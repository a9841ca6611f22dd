"""What code says in text: names that are put together, ``getattr`` by a name, code in a string."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

__all__ = ["UNKNOWN", "constants_of", "executed", "fold", "walk"]

UNKNOWN = "?"
"""Stands in a folded text for a part that only the running program knows."""

_RUNS = frozenset({"exec", "eval"})


def walk(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every node, and after them what ``getattr`` and code in strings stand for.

    ``getattr(x, "y")`` is also the node ``x.y``; ``exec("...")`` also the nodes of its text, on
    the line of the call.
    """
    found = list(ast.walk(tree))
    yield from found
    for node in found:
        if not isinstance(node, ast.Call):
            continue
        attribute = _attribute(node)
        if attribute is not None:
            yield attribute
        text = executed(node)
        if text is not None and UNKNOWN not in text:
            yield from _parsed(text, node)


def _attribute(call: ast.Call) -> ast.Attribute | None:
    """Return ``x.y`` for ``getattr(x, "y")``."""
    match call:
        case ast.Call(func=ast.Name(id="getattr"), args=[value, ast.Constant(value=str(name)), *_]):
            return ast.copy_location(ast.Attribute(value, name, ast.Load()), call)
        case _:
            return None


def executed(call: ast.Call) -> str | None:
    """Return the text that a call runs as code, ``?`` where it is not known; None for others."""
    if not (isinstance(call.func, ast.Name) and call.func.id in _RUNS and call.args):
        return None
    code = call.args[0]
    if isinstance(code, ast.Call) and isinstance(code.func, ast.Name) and code.args:
        code = code.args[0] if code.func.id == "compile" else code
    return fold(code, {})


def _parsed(text: str, call: ast.Call) -> Iterator[ast.AST]:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if hasattr(node, "lineno"):
            ast.copy_location(node, call)
    yield from walk(tree)


def constants_of(tree: ast.Module) -> Mapping[str, str]:
    """Return the module's own names of one text each."""
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def fold(node: ast.expr | None, known: Mapping[str, str]) -> str:
    """Return the text of an expression, with ``?`` for what is not known."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return known.get(name, UNKNOWN)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return fold(left, known) + fold(right, known)
        case ast.JoinedStr(values=parts):
            return "".join(fold(part, known) for part in parts)
        case ast.FormattedValue(value=value):
            return fold(value, known)
        case ast.Call(
            func=ast.Attribute(value=ast.Constant(value=str(between)), attr="join"),
            args=[ast.List(elts=parts) | ast.Tuple(elts=parts)],
        ):
            return between.join(fold(part, known) for part in parts)
        case _:
            return UNKNOWN
