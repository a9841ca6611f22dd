"""Compute the expressions of a rule on a panel, each part once, within a memory budget."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from mts1b_GPUbacktester import rules as r
from mts1b_GPUbacktester.errors import BadRule
from mts1b_GPUbacktester.panels import Prices
from mts1b_GPUbacktester.semantics import BoolArray, FloatArray

__all__ = ["Evaluator", "exponential_average", "simple_average"]

_BLOCK = 128

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


class Evaluator:
    """Evaluate bound rules; averages are kept, the longest unused goes first.

    :param budget: bytes of averages to keep.
    """

    def __init__(self, prices: Prices, *, budget: int) -> None:
        self._prices = prices
        self._budget = budget
        self._kept: OrderedDict[r.Value, FloatArray] = OrderedDict()
        self._used = 0

    def wishes(self, rule: r.Rule, params: dict[str, Any]) -> BoolArray:
        """Return (A, T): whether the rule wants to be long at the close of each bar.

        :raises BadRule: for a parameter without a value or a window that is no positive integer.
        """
        match rule.bind(params):
            case r.LevelRule(condition):
                return self._condition(condition)
            case r.EventRule(entry, leave):
                return _between(self._condition(entry), self._condition(leave))
        raise BadRule(f"{rule!r} is not a rule; build one with r.long_when or r.enter_long")

    def _condition(self, node: r.Condition) -> BoolArray:
        match node:
            case r.Comparison(comparator, left, right):
                result: BoolArray = _OPERATORS[comparator](self._value(left), self._value(right))
                return np.broadcast_to(result, self._prices.close.shape)
            case r.Cross(left, right):
                return self._cross(self._value(left), self._value(right))
            case r.Both(left, right):
                return self._condition(left) & self._condition(right)
            case r.Either(left, right):
                return self._condition(left) | self._condition(right)
            case r.Negation(condition):
                return ~self._condition(condition)
        raise BadRule(f"{node!r} is not a condition")

    def _cross(self, left: FloatArray, right: FloatArray) -> BoolArray:
        shape = self._prices.close.shape
        above = np.broadcast_to(left > right, shape)
        not_above = np.broadcast_to(left <= right, shape)
        crossed = np.zeros(shape, dtype=np.bool_)
        crossed[:, 1:] = not_above[:, :-1] & above[:, 1:]
        return crossed

    def _value(self, node: r.Value) -> FloatArray:
        match node:
            case r.Field(name):
                return self._prices.field(name)
            case r.Number(value):
                return np.asarray(value, dtype=np.float64)
            case r.Arithmetic(symbol, left, right):
                with np.errstate(divide="ignore", invalid="ignore"):
                    joined = _OPERATORS[symbol](self._value(left), self._value(right))
                return np.asarray(joined, dtype=np.float64)
            case r.SimpleAverage() | r.ExponentialAverage():
                return self._average(node)
        raise BadRule(f"{node!r} has no value; bind its parameters first")

    def _average(self, node: r.SimpleAverage | r.ExponentialAverage) -> FloatArray:
        if node in self._kept:
            self._kept.move_to_end(node)
            return self._kept[node]
        window = _window(node.window)
        source = np.broadcast_to(self._value(node.source), self._prices.close.shape)
        average = simple_average if isinstance(node, r.SimpleAverage) else exponential_average
        result = average(source, window)
        self._kept[node] = result
        self._used += result.nbytes
        while self._used > self._budget and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._used -= dropped.nbytes
        return result


def _window(node: r.Value) -> int:
    if isinstance(node, r.Number) and node.value >= 1 and node.value == int(node.value):
        return int(node.value)
    raise BadRule(f"a window must be a whole number of bars, 1 or more, not {node!r}")


def _between(entry: BoolArray, leave: BoolArray) -> BoolArray:
    """Return True from each entry until the next exit; an exit on the same bar wins."""
    event = entry | leave
    bars = np.arange(entry.shape[-1])
    latest = np.maximum.accumulate(np.where(event, bars, -1), axis=-1)
    opened = np.take_along_axis(entry & ~leave, np.maximum(latest, 0), axis=-1)
    return opened & (latest >= 0)


def simple_average(values: FloatArray, window: int) -> FloatArray:
    """Return means of the last ``window`` values along the last axis; NaN where one is missing.

    Sums run over differences from the first known value, so that a constant series has exactly
    its own value as average, and rounding does not depend on the level of prices.
    """
    result = np.full(values.shape, np.nan)
    if window > values.shape[-1]:
        return result
    missing = np.isnan(values)
    base = _first_known(values, missing)
    sums = np.cumsum(np.where(missing, 0.0, values - base), axis=-1)
    result[..., window - 1 :] = sums[..., window - 1 :]
    result[..., window:] -= sums[..., :-window]
    result /= window
    result += base
    if missing.any():
        gaps = np.cumsum(missing, axis=-1)
        in_window = gaps.copy()
        in_window[..., window:] -= gaps[..., :-window]
        result[in_window > 0] = np.nan
    return result


def exponential_average(values: FloatArray, window: int) -> FloatArray:
    """Return y(t) = y(t-1) + 2 / (window + 1) * (x(t) - y(t-1)) along the last axis.

    It starts at the first known value. Blocks of bars are one matrix product each; a value never
    depends on later ones, because the matrix is triangular and gaps are carried, not multiplied.
    """
    missing = np.isnan(values)
    base = _first_known(values, missing)
    latest = np.maximum.accumulate(np.where(missing, 0, np.arange(values.shape[-1])), axis=-1)
    filled = np.take_along_axis(values, latest, axis=-1) - base
    filled[np.isnan(filled)] = 0.0
    smooth = _smooth(filled, 2.0 / (window + 1.0))
    known_bars = np.cumsum(np.maximum.accumulate(~missing, axis=-1), axis=-1)
    smooth += base
    smooth[missing | (known_bars < window)] = np.nan
    return smooth


def _smooth(values: FloatArray, weight: float) -> FloatArray:
    """Return the recursion from a start of zero."""
    keep = 1.0 - weight
    lags = np.arange(_BLOCK)[:, None] - np.arange(_BLOCK)[None, :]
    kernel = np.where(lags >= 0, weight * keep ** np.maximum(lags, 0), 0.0).T
    decay = keep ** np.arange(1, _BLOCK + 1)
    length = values.shape[-1]
    # Whole blocks only: a product of another shape could round differently, and a bar's average
    # must not depend on how many bars follow it.
    padded = np.zeros((*values.shape[:-1], -(-length // _BLOCK) * _BLOCK))
    padded[..., :length] = values
    last = np.zeros((*values.shape[:-1], 1))
    for start in range(0, length, _BLOCK):
        block = padded[..., start : start + _BLOCK]
        block[...] = block @ kernel + last * decay
        last = block[..., -1:]
    return padded[..., :length]


def _first_known(values: FloatArray, missing: BoolArray) -> FloatArray:
    """Return the first known value of each row as a column, zero where there is none."""
    first = np.argmin(missing, axis=-1)[..., None]
    return np.nan_to_num(np.take_along_axis(values, first, axis=-1), nan=0.0)
