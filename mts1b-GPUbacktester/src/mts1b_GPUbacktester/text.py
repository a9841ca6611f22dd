"""Rules as text for the command line, e.g. ``sma(close, fast) > sma(close, slow)``.

Names are the fields of a panel or parameters. There are numbers, + - * /, comparisons, and, or,
not, and the functions sma, ema, crosses_above and crosses_below. Nothing else is read, and nothing
is executed.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from mts1b_GPUbacktester import rules as r
from mts1b_GPUbacktester.errors import BadRule

__all__ = ["parse_condition"]

_FIELDS = {"open": r.open, "high": r.high, "low": r.low, "close": r.close, "volume": r.volume}
_FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "sma": r.sma,
    "ema": r.ema,
    "crosses_above": r.crosses_above,
    "crosses_below": r.crosses_below,
}
_BINARY: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.And: operator.and_,
    ast.Or: operator.or_,
}


def parse_condition(text: str) -> r.Condition:
    """Return the condition that ``text`` writes.

    :raises BadRule: naming the part that is not understood.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise BadRule(
            f"{text!r} is not a condition: {error.msg} at character {error.offset}"
        ) from None
    found = _read(tree.body, text)
    if not isinstance(found, r.Condition):
        raise BadRule(f"{text!r} is a number, not a condition; compare it, e.g. {text} > 0")
    return found


def _read(node: ast.expr, text: str) -> Any:
    match node:
        case ast.Name(name):
            return _FIELDS.get(name) or r.param(name)
        case ast.Constant(value) if isinstance(value, (int, float)) and not isinstance(value, bool):
            return r.as_value(value)
        case ast.BinOp(left, kind, right) if type(kind) in _BINARY:
            return _join(kind, [left, right], text, r.Value)
        case ast.BoolOp(kind, parts):
            return _join(kind, parts, text, r.Condition)
        case ast.Compare(left, [kind], [right]) if type(kind) in _BINARY:
            return _join(kind, [left, right], text, r.Value)
        case ast.UnaryOp(ast.Not(), operand):
            return ~_typed(_read(operand, text), r.Condition, text)
        case ast.UnaryOp(ast.USub(), operand):
            return 0.0 - _typed(_read(operand, text), r.Value, text)
        case ast.Call(ast.Name(name), [first, second], []) if name in _FUNCTIONS:
            parts_read = [_typed(_read(part, text), r.Value, text) for part in (first, second)]
            return _FUNCTIONS[name](*parts_read)
    raise BadRule(
        f"{ast.unparse(node)!r} in {text!r} is not understood; use {', '.join(_FIELDS)}, "
        f"parameters, numbers, + - * /, one comparison, and, or, not, "
        f"{', '.join(_FUNCTIONS)}(value, value)"
    )


def _join(kind: ast.AST, parts: list[ast.expr], text: str, wanted: type[Any]) -> Any:
    values = [_typed(_read(part, text), wanted, text) for part in parts]
    result = values[0]
    for value in values[1:]:
        result = _BINARY[type(kind)](result, value)
    return result


def _typed(value: Any, wanted: type[Any], text: str) -> Any:
    if not isinstance(value, wanted):
        kinds = {r.Value: "a number", r.Condition: "a condition"}
        raise BadRule(f"in {text!r}, {kinds[wanted]} is expected where something else stands")
    return value
