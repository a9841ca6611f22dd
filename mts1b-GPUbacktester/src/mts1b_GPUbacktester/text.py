"""Rules as text for the command line, e.g. ``sma(close, fast) > sma(close, slow)``.

Names are the fields of a panel or parameters. There are numbers, + - * /, comparisons, and, or,
not, and the functions of :mod:`mts1b_GPUbacktester.indicators`. Nothing else is read, and nothing
is executed.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from mts1b_GPUbacktester import rules as r
from mts1b_GPUbacktester.errors import BadRule
from mts1b_GPUbacktester.expressions import as_value

__all__ = ["parse_condition", "parse_value"]

_FIELDS = {"open": r.open, "high": r.high, "low": r.low, "close": r.close, "volume": r.volume}
_FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {
    "sma": (r.sma, 2),
    "ema": (r.ema, 2),
    "wilder": (r.wilder, 2),
    "deviation": (r.deviation, 2),
    "highest": (r.highest, 2),
    "lowest": (r.lowest, 2),
    "lag": (r.lag, 2),
    "larger": (r.larger, 2),
    "smaller": (r.smaller, 2),
    "rsi": (r.rsi, 2),
    "zscore": (r.zscore, 2),
    "atr": (r.atr, 1),
    "upper_band": (r.upper_band, 3),
    "lower_band": (r.lower_band, 3),
    "crosses_above": (r.crosses_above, 2),
    "crosses_below": (r.crosses_below, 2),
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
    found = _parsed(text)
    if not isinstance(found, r.Condition):
        raise BadRule(f"{text!r} is a number, not a condition; compare it, e.g. {text} > 0")
    return found


def parse_value(text: str) -> r.Value:
    """Return the number per bar that ``text`` writes, e.g. ``0.05`` or ``stop``.

    :raises BadRule: naming the part that is not understood.
    """
    found = _parsed(text)
    if not isinstance(found, r.Value):
        raise BadRule(f"{text!r} is a condition, not a number")
    return found


def _parsed(text: str) -> Any:
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise BadRule(
            f"{text!r} is not understood: {error.msg} at character {error.offset}"
        ) from None
    return _read(tree.body, text)


def _read(node: ast.expr, text: str) -> Any:
    match node:
        case ast.Name(name):
            return _FIELDS.get(name) or r.param(name)
        case ast.Constant(value) if isinstance(value, (int, float)) and not isinstance(value, bool):
            return as_value(value)
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
        case ast.Call(ast.Name(name), parts, []) if _takes(name, len(parts)):
            parts_read = [_typed(_read(part, text), r.Value, text) for part in parts]
            return _FUNCTIONS[name][0](*parts_read)
    raise BadRule(
        f"{ast.unparse(node)!r} in {text!r} is not understood; use {', '.join(_FIELDS)}, "
        f"parameters, numbers, + - * /, one comparison, and, or, not, "
        f"{', '.join(f'{name} of {count}' for name, (_, count) in _FUNCTIONS.items())}"
    )


def _takes(name: str, count: int) -> bool:
    return name in _FUNCTIONS and _FUNCTIONS[name][1] == count


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
