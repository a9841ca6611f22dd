"""What a module defines: by ``def``, ``class``, ``lambda``, or by another name for one of these."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard

from tools.contracts.imports import dotted
from tools.contracts.project import Module

__all__ = ["Definition", "computed_in", "definitions_of", "last", "snake"]

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_IMPORTS = (ast.Import, ast.ImportFrom)
_MAKERS = frozenset(
    {
        "make_dataclass", "create_model", "new_class", "NewType", "namedtuple", "NamedTuple",
        "TypedDict",
    }
)  # fmt: skip
_ROUNDING = frozenset({"abs", "float", "int", "max", "min", "round"})
_SPACES = frozenset({"globals", "vars", "locals"})


@dataclass(frozen=True)
class Definition:
    """A name that is defined on a line, and the name that it only hands its arguments on to."""

    line: int
    name: str
    forwards: str = ""


def snake(name: str) -> str:
    """Return a name as functions spell it."""
    return _HUMP.sub("_", name).lower()


def last(node: ast.expr) -> str:
    """Return the last name of a chain."""
    return (dotted(node) or "").rpartition(".")[2]


def definitions_of(module: Module) -> Iterator[Definition]:
    """Yield everything that a module defines, wherever it stands."""
    made = {
        node.name: _forwards_to(node) if not isinstance(node, ast.ClassDef) else ""
        for node in module.nodes
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    }
    for node in module.nodes:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if not _silent(node):
                yield Definition(node.lineno, node.name, _forwards_to(node))
        elif isinstance(node, ast.ClassDef):
            if not _is_shape(node):
                yield Definition(node.lineno, node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            yield from _bound(node, made)
        elif isinstance(node, ast.Call):
            yield from _built(node)


def computed_in(module: Module) -> Iterator[Definition]:
    """Yield the names of values that are worked out where they are used: ``x = a / b``."""
    for node in module.nodes:
        for name, value in _valued(node):
            if _is_arithmetic(value):
                yield Definition(value.lineno, name)


def _valued(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield names with the expressions that give them their values."""
    match node:
        case ast.Assign(targets=targets, value=value):
            yield from ((last(target), value) for target in targets)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield last(target), value
        case ast.NamedExpr(target=ast.Name(id=name), value=value):
            yield name, value
        case ast.keyword(arg=str(name), value=value):
            yield name, value
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value, value


def _is_arithmetic(value: ast.expr) -> bool:
    """Tell whether a value is arithmetic, also rounded or reduced: ``(a - b).min()``."""
    match value:
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() | ast.Pow()):
            return True
        case ast.UnaryOp(operand=inner):
            return _is_arithmetic(inner)
        case ast.IfExp(body=one, orelse=other):
            return _is_arithmetic(one) or _is_arithmetic(other)
        case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in _ROUNDING:
            return _is_arithmetic(first)
        case ast.Call(func=ast.Attribute(value=inner)):
            return _is_arithmetic(inner)
        case _:
            return False


def _bound(node: ast.Assign | ast.AnnAssign, made: Mapping[str, str]) -> Iterator[Definition]:
    """Yield the names that are bound to a function: a lambda, or one of this module."""
    forwards = _function(node.value, made)
    if forwards is None:
        return
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        match target:
            case ast.Name(id=name):
                yield Definition(node.lineno, name, forwards)
            case ast.Subscript(
                value=ast.Call(func=ast.Name(id=space)), slice=ast.Constant(value=str(name))
            ) if space in _SPACES:
                yield Definition(node.lineno, name, forwards)


def _function(value: ast.expr | None, made: Mapping[str, str]) -> str | None:
    """Return what a value hands on to where it is a function, also a wrapped one; else None."""
    match value:
        case ast.Lambda():
            return ""
        case ast.Name(id=name):
            return made.get(name)
        case ast.Call(args=[first, *_]) if not (isinstance(first, ast.Name) and _is_type(value)):
            return _function(first, made)
        case _:
            return None


def _is_type(call: ast.Call) -> bool:
    """Tell whether a call makes an object of a class: ``Limit(sharpe_floor)``, not a wrapper."""
    return last(call.func)[:1].isupper()


def _built(call: ast.Call) -> Iterator[Definition]:
    """Yield what is defined by a call with its name in a text."""
    called = last(call.func)
    match call.args:
        case [ast.Constant(value=str(name)), _, *_] if called in _MAKERS:
            yield Definition(call.lineno, name)
        case [ast.Constant(value=str(name)), _, _] if called == "type":
            yield Definition(call.lineno, name)
        case [_, ast.Constant(value=str(name)), _] if called == "setattr":
            yield Definition(call.lineno, name)


def _forwards_to(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Return the name that a function only hands its arguments on to, or an empty text.

    Such a function is one ``return`` of one call or of one attribute.
    """
    body = [part for part in node.body if not _is_text(part) and not isinstance(part, _IMPORTS)]
    value = body[0].value if len(body) == 1 and isinstance(body[0], ast.Return) else None
    while isinstance(value, ast.Await) or _converts(value):
        value = value.value if isinstance(value, ast.Await) else value.args[0]
    if isinstance(value, ast.Call):
        value = value.func
    return snake(value.attr if isinstance(value, ast.Attribute) else dotted(value) or "")


def _converts(node: ast.expr | None) -> TypeGuard[ast.Call]:
    match node:
        case ast.Call(func=ast.Name(id="float" | "int" | "str" | "Decimal"), args=[_]):
            return True
        case _:
            return False


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _silent(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Tell whether the body says nothing, as in a protocol or an overload."""
    return all(_is_text(part) or isinstance(part, ast.Pass) for part in node.body)


def _is_shape(node: ast.ClassDef) -> bool:
    """Tell whether a class is a protocol that does nothing itself."""
    functions = [
        part for part in node.body if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    return any(last(base) == "Protocol" for base in node.bases) and all(map(_silent, functions))
