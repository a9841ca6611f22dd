"""Evaluate a rule bar by bar, to the last bit as :class:`Evaluator` does over a whole panel.

Each part of an expression keeps what its next value needs and no more: a running sum, a level, the
last few values. So a bar costs the same after ten years as on the first day, and a runner that is
fed bars as they come decides what a sweep over the same bars decided.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from mts1b_GPUbacktester import expressions as e
from mts1b_GPUbacktester.errors import BadRule
from mts1b_GPUbacktester.program import operands, whole_bars
from mts1b_GPUbacktester.rules import Events, Rule, Side, sides_of
from mts1b_GPUbacktester.semantics import BoolArray, FloatArray, IntArray, Settings

__all__ = ["RuleStream", "Wish"]

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
Step = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a rule wants at the close of one bar, each (A,); one column of ``Signals``."""

    want: IntArray
    start: BoolArray
    fractions: FloatArray


class RuleStream:
    """A bound rule that is given one bar after the other.

    :raises BadRule: for a parameter without a value, or a window that is no positive integer.
    """

    def __init__(
        self, rule: Rule, settings: Settings, params: Mapping[str, Any], *, assets: int
    ) -> None:
        bound = rule.bind(dict(params))
        self._assets = assets
        self._steps: dict[e.Value, Step] = {}
        self._now: dict[e.Value, FloatArray] = {}
        self._bar: Mapping[str, FloatArray] = {}
        self._before: dict[e.Condition, BoolArray] = {}
        self._after: dict[e.Condition, BoolArray] = {}
        self._latched: dict[Side, BoolArray] = {}
        self._levels: dict[Side, BoolArray] = {}
        self._sides = sides_of(bound, settings.direction)
        self._fraction = settings.fraction.bind(dict(params))
        for side in self._sides:
            self._prepare(side)
        self._prepare(self._fraction)

    def _prepare(self, node: e.Node | None) -> None:
        """Make what each window keeps, so that a wrong one is told before the first bar."""
        if node is None:
            return
        if isinstance(node, e.Windowed) and node not in self._steps:
            self._steps[node] = _stepper(node, self._assets)
        for item in fields(node):  # type: ignore[arg-type]
            part = getattr(node, item.name)
            if isinstance(part, e.Node):
                self._prepare(part)

    def step(self, bar: Mapping[str, FloatArray]) -> Wish:
        """Take one bar, field -> (A,), and return what the rule wants at its close."""
        self._bar, self._now = bar, {}
        with np.errstate(divide="ignore", invalid="ignore"):
            long, short = (self._wanted(side) for side in self._sides)
            starts = [self._started(side) for side in self._sides]
            fraction = np.minimum(self._value(self._fraction), 1.0)
        want = (long & ~short).astype(np.int8) - (short & ~long).astype(np.int8)
        start = (starts[0] & (want > 0)) | (starts[1] & (want < 0))
        self._before, self._after = self._after, {}
        return Wish(want, start, np.array(np.broadcast_to(fraction, want.shape)))

    def _nothing(self) -> BoolArray:
        return np.zeros(self._assets, dtype=np.bool_)

    def _wanted(self, side: Side | None) -> BoolArray:
        if side is None:
            return self._nothing()
        if not isinstance(side, Events):
            return self._condition(side.condition)
        entry, leave = self._condition(side.entry), self._condition(side.exit)
        held = self._latched.get(side, self._nothing())
        held = np.where(entry | leave, entry & ~leave, held)
        self._latched[side] = held
        return held

    def _started(self, side: Side | None) -> BoolArray:
        if side is None:
            return self._nothing()
        if isinstance(side, Events):
            return self._condition(side.entry) & ~self._condition(side.exit)
        now, before = self._condition(side.condition), self._levels.get(side, self._nothing())
        self._levels[side] = now
        return now & ~before

    def _condition(self, node: e.Condition) -> BoolArray:
        match node:
            case e.Comparison(comparator, left, right):
                result = _OPERATORS[comparator](self._value(left), self._value(right))
                return np.array(np.broadcast_to(result, (self._assets,)))
            case e.Cross(left, right):
                return self._cross(node, self._value(left), self._value(right))
            case e.Both(first, second):
                # Both are asked: what is not asked would not see the bar.
                one, two = self._condition(first), self._condition(second)
                return one & two
            case e.Either(first, second):
                one, two = self._condition(first), self._condition(second)
                return one | two
            case e.Negation(condition):
                return ~self._condition(condition)
            case e.Known(condition):
                known = ~self._nothing()
                for value in operands(condition):
                    known &= ~np.isnan(self._value(value))
                return known
        raise BadRule(f"{node!r} is not a condition")

    def _cross(self, node: e.Condition, left: FloatArray, right: FloatArray) -> BoolArray:
        self._after[node] = np.array(np.broadcast_to(left <= right, (self._assets,)))
        below = self._before.get(node, self._nothing())
        return below & (left > right)

    def _value(self, node: e.Value) -> FloatArray:
        found = self._now.get(node)
        if found is None:
            found = self._now[node] = self._compute(node)
        return found

    def _compute(self, node: e.Value) -> FloatArray:
        match node:
            case e.Field(name):
                return self._bar[name]
            case e.Number(value):
                return np.asarray(value, dtype=np.float64)
            case e.Arithmetic(symbol, left, right):
                joined = _OPERATORS[symbol](self._value(left), self._value(right))
                return np.asarray(joined, dtype=np.float64)
            case e.Windowed():
                source = np.broadcast_to(self._value(node.source), (self._assets,))
                return self._steps[node](source)
        raise BadRule(f"{node!r} has no value; bind its parameters first")


def _stepper(node: e.Windowed, assets: int) -> Step:
    window = whole_bars(node.window)
    match node.kind:
        case "sma":
            return _Mean(window, assets)
        case "ema":
            return _Smooth(2.0 / (window + 1.0), window, assets)
        case "wilder":
            return _Smooth(1.0 / window, window, assets)
        case "lag":
            return _Lag(window, assets)
    return _Window(_OVER_WINDOW[node.kind], window, assets)


class _Mean:
    """The difference of two running sums, as averages.py forms it."""

    def __init__(self, window: int, assets: int) -> None:
        self._window = window
        self._base = np.zeros(assets)
        self._based = np.zeros(assets, dtype=np.bool_)
        self._sum = np.zeros(assets)
        self._gaps = np.zeros(assets, dtype=np.int64)
        self._past: deque[tuple[FloatArray, Any]] = deque(maxlen=window)
        self._seen = 0

    def __call__(self, value: FloatArray) -> FloatArray:
        missing = np.isnan(value)
        fresh = ~missing & ~self._based
        self._base = np.where(fresh, value, self._base)
        self._based |= fresh
        self._sum = self._sum + np.where(missing, 0.0, value - self._base)
        self._gaps = self._gaps + missing
        self._seen += 1
        full = len(self._past) == self._window
        gained, gaps = self._sum, self._gaps
        if full:
            gained, gaps = gained - self._past[0][0], gaps - self._past[0][1]
        self._past.append((self._sum, self._gaps))
        if self._seen < self._window:
            return np.full(value.shape, np.nan)
        return np.where(gaps > 0, np.nan, gained / self._window + self._base)


class _Smooth:
    """The recursion of exponential averages; a missing value repeats the last known."""

    def __init__(self, weight: float, warm: int, assets: int) -> None:
        self._weight, self._warm = weight, warm
        self._last = np.full(assets, np.nan)
        self._level = np.zeros(assets)
        self._age = np.zeros(assets, dtype=np.int64)

    def __call__(self, value: FloatArray) -> FloatArray:
        missing = np.isnan(value)
        self._last = np.where(missing, self._last, value)
        self._level = np.where((self._age == 0) & ~missing, value, self._level)
        started = (self._age > 0) | ~missing
        moved = self._level + self._weight * (self._last - self._level)
        self._level = np.where(started, moved, self._level)
        self._age = self._age + started
        return np.where(missing | (self._age < self._warm), np.nan, self._level)


class _Lag:
    def __init__(self, bars: int, assets: int) -> None:
        self._past: deque[FloatArray] = deque([np.full(assets, np.nan)] * bars, maxlen=bars)

    def __call__(self, value: FloatArray) -> FloatArray:
        before = self._past[0]
        self._past.append(np.array(value))
        return before


class _Window:
    """A function of the last values, oldest first; missing until there are enough."""

    def __init__(
        self, reduce: Callable[[deque[FloatArray]], FloatArray], window: int, assets: int
    ) -> None:
        self._reduce, self._window = reduce, window
        self._past: deque[FloatArray] = deque(maxlen=window)
        self._assets = assets

    def __call__(self, value: FloatArray) -> FloatArray:
        self._past.append(np.array(value))
        if len(self._past) < self._window:
            return np.full(self._assets, np.nan)
        return self._reduce(self._past)


def _deviation(values: deque[FloatArray]) -> FloatArray:
    """Return the sample deviation in the order of additions of ``trailing_deviation``."""
    count = len(values)
    mean = values[0].copy()
    if count == 1:
        return np.full(mean.shape, np.nan)
    parts = iter(values)
    next(parts)
    for part in parts:
        mean += part
    mean /= count
    squares = np.zeros(mean.shape)
    for part in values:
        squares += (part - mean) ** 2
    return np.asarray(np.sqrt(squares / (count - 1)))


_OVER_WINDOW: dict[str, Callable[[deque[FloatArray]], FloatArray]] = {
    "deviation": _deviation,
    "highest": lambda values: np.asarray(np.maximum.reduce(list(values))),
    "lowest": lambda values: np.asarray(np.minimum.reduce(list(values))),
}
