"""Compute the expressions of a rule on a panel, each part once, within a memory budget."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from mts1b_GPUbacktester import expressions as r
from mts1b_GPUbacktester.averages import Averages, RunningSums, without_infinities
from mts1b_GPUbacktester.errors import BadRule
from mts1b_GPUbacktester.panels import Prices
from mts1b_GPUbacktester.program import early_exits, operands, whole_bars
from mts1b_GPUbacktester.rules import Events, Rule, Side, sides_of
from mts1b_GPUbacktester.semantics import (
    BoolArray,
    FloatArray,
    Settings,
    Signals,
    trailing_deviation,
)

__all__ = ["NUMBER", "WHOLE", "Evaluator", "Plan"]

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
    "larger": np.maximum,
    "smaller": np.minimum,
}


WHOLE, NUMBER = 0, -1
"""What stands for a window where a value is no simple average."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How values are found without holding the averages among them.

    ``rows`` (S, 2): the place in ``sources`` and the window of a simple average, the place in
    ``others`` (G, A, T) and ``WHOLE``, or the place in ``numbers`` and ``NUMBER``.
    """

    rows: NDArray[np.int64]
    sources: list[RunningSums]
    numbers: list[float]
    others: FloatArray


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
            if _is_average(node):
                averages.setdefault(node.source, []).append(position)
            else:
                value = self._value(node)
                out[position, :, :count] = value[:, bars] if value.ndim == 2 else value
        for source, positions in averages.items():
            windows = [whole_bars(nodes[position].window) for position in positions]  # type: ignore[attr-defined]
            running = self._running(source)
            self._averages.simple_many(running, windows, positions, bars, out)

    def planned(self, nodes: Sequence[r.Value]) -> Plan:
        """Return how bound values are found, without computing averages."""
        rows = np.zeros((len(nodes), 2), dtype=np.int64)
        places: dict[r.Value, int] = {}
        sources, numbers = list[RunningSums](), list[float]()
        whole = sum(1 for node in nodes if not _is_average(node) and not isinstance(node, r.Number))
        others, found = np.empty((whole, *self._prices.close.shape)), 0
        for row, node in enumerate(nodes):
            if _is_average(node):
                place = places.setdefault(node.source, len(places))
                if place == len(sources):
                    sources.append(self._running(node.source))
                rows[row] = place, whole_bars(node.window)
            elif isinstance(node, r.Number):
                rows[row] = len(numbers), NUMBER
                numbers.append(node.value)
            else:
                rows[row] = found, WHOLE
                others[found] = self._value(node)
                found += 1
        return Plan(rows, sources, numbers, others)

    def signals(self, rule: Rule, settings: Settings, params: dict[str, Any]) -> Signals:
        """Return what the rule wants at the close of each bar, and how much of it.

        :raises BadRule: for a parameter without a value, a window that is no positive integer, or a
            stop outside (0, 1).
        """
        bound = rule.bind(params)
        shape = self._prices.close.shape
        wants, entered = [], []
        for side in sides_of(bound, settings.direction):
            nothing = np.zeros(shape, dtype=np.bool_)
            wants.append(nothing if side is None else self._wanted(side))
            entered.append(self._entered(side) if isinstance(side, Events) else nothing)
        long, short = wants
        want = (long & ~short).astype(np.int8) - (short & ~long).astype(np.int8)
        turned = want != 0
        turned[:, 1:] &= want[:, 1:] != want[:, :-1]
        start = turned | (entered[0] & (want > 0)) | (entered[1] & (want < 0))
        fraction = np.minimum(self._value(settings.fraction.bind(params)), 1.0)
        return Signals(want, start, np.broadcast_to(fraction, shape), *early_exits(bound))

    def _wanted(self, side: Side) -> BoolArray:
        if isinstance(side, Events):
            return _between(self._condition(side.entry), self._condition(side.exit))
        return self._condition(side.condition)

    def _entered(self, side: Events) -> BoolArray:
        return self._condition(side.entry) & ~self._condition(side.exit)

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
            case r.Known(condition):
                return self._known(condition)
        raise BadRule(f"{node!r} is not a condition")

    def _known(self, condition: r.Condition) -> BoolArray:
        known = np.ones(self._prices.close.shape, dtype=np.bool_)
        for value in operands(condition):
            known &= ~np.isnan(self._value(value))
        return known

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
            case r.Windowed():
                return self._windowed(node)
        raise BadRule(f"{node!r} has no value; bind its parameters first")

    def _windowed(self, node: r.Windowed) -> FloatArray:
        if node in self._kept:
            self._kept.move_to_end(node)
            return self._kept[node]
        window = whole_bars(node.window)
        result = np.empty(self._prices.close.shape)
        match node.kind:
            case "sma":
                self._averages.simple(self._running(node.source), window, result)
            case "ema":
                self._averages.exponential(self._averaged(node.source), window, result)
            case "wilder":
                source = self._averaged(node.source)
                self._averages.recursive(source, 1.0 / window, window, result)
            case "deviation":
                result = trailing_deviation(self._whole(node.source), window)
            case "highest":
                result = extreme(self._whole(node.source), window, np.maximum)
            case "lowest":
                result = extreme(self._whole(node.source), window, np.minimum)
            case "lag":
                source = self._whole(node.source)
                result[:, :window] = np.nan
                result[:, window:] = source[:, : max(0, source.shape[-1] - window)]
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
            self._sums[source] = self._averages.sums(self._averaged(source))
        return self._sums[source]

    def _averaged(self, node: r.Value) -> FloatArray:
        return without_infinities(self._whole(node))

    def _whole(self, node: r.Value) -> FloatArray:
        return np.ascontiguousarray(np.broadcast_to(self._value(node), self._prices.close.shape))


def _is_average(node: r.Value) -> TypeGuard[r.Windowed]:
    """Return whether a value is a simple average, which running sums give for any window."""
    return isinstance(node, r.Windowed) and node.kind == "sma"


def _between(entry: BoolArray, leave: BoolArray) -> BoolArray:
    """Return True from each entry until the next exit; an exit on the same bar wins."""
    event = entry | leave
    bars = np.arange(entry.shape[-1])
    latest = np.maximum.accumulate(np.where(event, bars, -1), axis=-1)
    opened = np.take_along_axis(entry & ~leave, np.maximum(latest, 0), axis=-1)
    return opened & (latest >= 0)


def extreme(values: FloatArray, window: int, larger: Any) -> FloatArray:
    """Return the extreme of the last ``window`` values; missing where one of them is.

    Ranges double until they cover the window; overlaps change nothing.
    """
    result = values.copy()
    covered = 1
    while covered < min(window, values.shape[-1]):
        step = min(covered, window - covered)
        result[..., step:] = larger(result[..., step:], result[..., :-step])
        covered += step
    result[..., : window - 1] = np.nan
    return result
