"""Prices, sizes and amounts are Decimal wherever an order or a book passes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tools.contracts.check import Check
from tools.contracts.outcome import Violation
from tools.contracts.project import Module, Project
from tools.contracts.tables.money import holds_money

__all__ = ["EXACT_MONEY"]

_RULE = "exact-money"
_REMEDY = "use Decimal (mts1b_foundation.model.Money) all the way"

_Found = tuple[int, str]


def _name(node: ast.expr | None) -> str:
    """Return the last name of a chain, seen through calls and subscripts."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Subscript):
        return _name(node.value)
    if isinstance(node, ast.UnaryOp):
        return _name(node.operand)
    return ""


def _says_float(annotation: ast.expr | None) -> bool:
    if annotation is None:
        return False
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return "float" in annotation.value
    return any(
        isinstance(node, (ast.Name, ast.Attribute)) and _name(node) in {"float", "float64"}
        for node in ast.walk(annotation)
    )


def _is_float(node: ast.expr | None) -> bool:
    """Tell whether an expression is a float at sight."""
    if isinstance(node, ast.UnaryOp):
        return _is_float(node.operand)
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float)
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
    )


def _annotated(node: ast.AST) -> Iterator[_Found]:
    typed: ast.expr | None
    if isinstance(node, ast.AnnAssign):
        name, shown, typed = _name(node.target), "{} is a float", node.annotation
    elif isinstance(node, ast.arg):
        name, shown, typed = node.arg, "parameter {} is a float", node.annotation
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        name, shown, typed = node.name, "{}() returns a float", node.returns
    else:
        return
    given = node.value if isinstance(node, ast.AnnAssign) else None
    if holds_money(name) and (_says_float(typed) or _is_float(given)):
        yield node.lineno, shown.format(name)


def _assigned(node: ast.AST) -> Iterator[_Found]:
    if isinstance(node, ast.Assign) and _is_float(node.value):
        for target in node.targets:
            if holds_money(_name(target)):
                yield node.lineno, f"{_name(target)} is given a float"
    elif isinstance(node, ast.keyword) and holds_money(node.arg or "") and _is_float(node.value):
        yield node.value.lineno, f"{node.arg}= is given a float"


def _converted(node: ast.AST) -> Iterator[_Found]:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
        return
    first = node.args[0]
    if node.func.id == "float":
        names = [_name(part) for part in ast.walk(first) if isinstance(part, ast.expr)]
        money = next((name for name in names if holds_money(name)), None)
        if money is not None:
            yield node.lineno, f"{money} is turned into a float"
    elif node.func.id == "Decimal" and _is_float(first):
        yield node.lineno, "a Decimal is made from a float"


def _mixed(node: ast.AST) -> Iterator[_Found]:
    if isinstance(node, ast.BinOp):
        for one, other in ((node.left, node.right), (node.right, node.left)):
            if holds_money(_name(one)) and _is_float(other):
                yield node.lineno, f"{_name(one)} is combined with a float"


def _floats(module: Module) -> Iterator[_Found]:
    for node in module.nodes:
        yield from _annotated(node)
        yield from _assigned(node)
        yield from _converted(node)
        yield from _mixed(node)


def _find(project: Project) -> Iterator[Violation]:
    for module in project.modules():
        if module.top not in project.policy.money_packages:
            continue
        for line, problem in _floats(module):
            yield Violation(module.file, line, _RULE, f"{module.name}: {problem}", _REMEDY)


EXACT_MONEY = Check(
    rule=_RULE,
    says="Money is Decimal, never float, where orders, fills, positions and cash pass.",
    find=_find,
    marker="float-ok",
)
