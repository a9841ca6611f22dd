"""Compute the expressions of a rule on a panel, each part once, within a memory budget."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mts1b_GPUbacktester import rules as r
from mts1b_GPUbacktester.averages import Averages, RunningSums
from mts1b_GPUbacktester.errors import BadRule
from mts1b_GPUbacktester.panels import Prices
from mts1b_GPUbacktester.semantics import BoolArray, FloatArray

__all__ = ["Evaluator"]

_SUMS_KEPT = 4

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
    :param averages: how they are computed; every way gives the same bits.
    """

    def __init__(self, prices: Prices, *, budget: int, averages: Averages | None = None) -> None:
        self._prices = prices
        self._budget = budget
        self._averages = averages if averages is not None else Averages()
        self._sums: dict[r.Value, RunningSums] = {}
        self._kept: OrderedDict[r.Value, FloatArray] = OrderedDict()
        self._used = 0

    def write(self, nodes: Sequence[r.Value], bars: slice, out: FloatArray) -> None:
        """Write the bars of bound values into ``out`` (S, A, at least bars)."""
        count = bars.stop - bars.start
        averages: dict[r.Value, list[int]] = {}
        for position, node in enumerate(nodes):
            if isinstance(node, r.SimpleAverage):
                averages.setdefault(node.source, []).append(position)
            else:
                value = self._value(node)
                out[position, :, :count] = value[:, bars] if value.ndim == 2 else value
        for source, positions in averages.items():
            windows = [_window(nodes[position].window) for position in positions]  # type: ignore[attr-defined]
            running = self._running(source)
            self._averages.simple_many(running, windows, positions, bars, out)

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
        result = np.empty(self._prices.close.shape)
        if isinstance(node, r.SimpleAverage):
            self._averages.simple(self._running(node.source), window, result)
        else:
            self._averages.exponential(self._whole(node.source), window, result)
        self._kept[node] = result
        self._used += result.nbytes
        while self._used > self._budget and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._used -= dropped.nbytes
        return result

    def _running(self, source: r.Value) -> RunningSums:
        """Return the sums of a source, shared by all windows over it."""
        if source not in self._sums:
            if len(self._sums) >= _SUMS_KEPT:
                self._sums.clear()
            self._sums[source] = self._averages.sums(self._whole(source))
        return self._sums[source]

    def _whole(self, node: r.Value) -> FloatArray:
        return np.ascontiguousarray(np.broadcast_to(self._value(node), self._prices.close.shape))


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
