"""Evaluate a rule bar by bar, to the last bit as :class:`Evaluator` does over a whole panel.

Each part of an expression becomes one step that keeps what its next value needs and no more: a
running sum, a level, the last few values. So a bar costs the same after ten years as on the first
day, and a runner that is fed bars as they come decides what a sweep over the same bars decided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import copysign, inf, nan
from typing import Any

import numpy as np

from mts1b_GPUbacktester import expressions as e
from mts1b_GPUbacktester.errors import BadRule
from mts1b_GPUbacktester.program import operands, whole_bars
from mts1b_GPUbacktester.rules import Events, Rule, Side, sides_of
from mts1b_GPUbacktester.semantics import BoolArray, FloatArray, IntArray, Settings
from mts1b_GPUbacktester.windows import stepper

__all__ = ["RuleStream", "Wish"]

Row = list[Any]
Step = Callable[[Row], Any]


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
        sides = sides_of(bound, settings.direction)
        fraction = settings.fraction.bind(dict(params))
        self._lines = [_Line(sides, fraction) for _ in range(assets)]

    def step(self, bar: Mapping[str, FloatArray]) -> Wish:
        """Take one bar, field -> (A,), and return what the rule wants at its close."""
        columns = {name: values.tolist() for name, values in bar.items()}
        found = [
            line.step({name: column[asset] for name, column in columns.items()})
            for asset, line in enumerate(self._lines)
        ]
        wants, starts, fractions = zip(*found, strict=True)
        return Wish(np.array(wants, dtype=np.int8), np.array(starts), np.array(fractions))


class _Line:
    """A rule on one asset: steps in an order in which each finds what it reads."""

    def __init__(self, sides: tuple[Side | None, Side | None], fraction: e.Value) -> None:
        self._steps: list[Step] = []
        self._fields: list[tuple[str, int]] = []
        self._places: dict[Any, int] = {}
        self._sides = [None if side is None else self._side(side) for side in sides]
        self._fraction = self._value(fraction)
        self._row: Row = [nan] * len(self._steps)
        self._want = 0

    def step(self, bar: Mapping[str, float]) -> tuple[int, bool, float]:
        """Return the side that is wanted, whether it begins anew, and the fraction."""
        row = self._row
        for name, place in self._fields:
            row[place] = bar[name]
        for place, step in enumerate(self._steps):
            row[place] = step(row)
        (long, long_entered), (short, short_entered) = (
            (False, False) if side is None else (row[side[0]], side[1] is not None and row[side[1]])
            for side in self._sides
        )
        want = int(long and not short) - int(short and not long)
        entered = (long_entered and want > 0) or (short_entered and want < 0)
        start, self._want = entered or want not in (0, self._want), want
        fraction = row[self._fraction]
        return want, bool(start), 1.0 if fraction > 1.0 else fraction

    def _add(self, key: Any, step: Step) -> int:
        place = self._places[key] = len(self._steps)
        self._steps.append(step)
        return place

    def _side(self, side: Side) -> tuple[int, int | None]:
        """Return where it stands whether the side is wanted, and whether an event enters it."""
        if isinstance(side, Events):
            entry, leave = self._condition(side.entry), self._condition(side.exit)
            held = self._add(("held", side), _Latch(entry, leave))
            return held, self._add(("entered", side), lambda row: row[entry] and not row[leave])
        return self._condition(side.condition), None

    def _condition(self, node: e.Condition) -> int:
        known = self._places.get(node)
        return self._add(node, self._truth(node)) if known is None else known

    def _truth(self, node: e.Condition) -> Step:
        match node:
            case e.Comparison(comparator, left, right):
                return _compare(comparator, self._value(left), self._value(right))
            case e.Cross(left, right):
                return _Crossing(self._value(left), self._value(right))
            case e.Both(first, second):
                one, two = self._condition(first), self._condition(second)
                return lambda row: row[one] and row[two]
            case e.Either(first, second):
                one, two = self._condition(first), self._condition(second)
                return lambda row: row[one] or row[two]
            case e.Negation(condition):
                one = self._condition(condition)
                return lambda row: not row[one]
            case e.Known(condition):
                places = [self._value(value) for value in operands(condition)]
                return lambda row: all(row[place] == row[place] for place in places)
        raise BadRule(f"{node!r} is not a condition")

    def _value(self, node: e.Value) -> int:
        known = self._places.get(node)
        if known is not None:
            return known
        match node:
            case e.Field(name):
                place = len(self._steps)
                self._fields.append((name, place))
                return self._add(node, lambda row: row[place])
            case e.Number(value):
                return self._add(node, lambda row: value)
            case e.Arithmetic(symbol, left, right):
                return self._add(node, _join(symbol, self._value(left), self._value(right)))
            case e.Windowed(kind, source, window):
                read, keep = self._value(source), stepper(kind, whole_bars(window))
                return self._add(node, lambda row: keep(row[read]))
        raise BadRule(f"{node!r} has no value; bind its parameters first")


def _compare(comparator: str, left: int, right: int) -> Step:
    match comparator:
        case ">":
            return lambda row: row[left] > row[right]
        case ">=":
            return lambda row: row[left] >= row[right]
        case "<":
            return lambda row: row[left] < row[right]
    return lambda row: row[left] <= row[right]


def _join(symbol: str, left: int, right: int) -> Step:
    match symbol:
        case "+":
            return lambda row: row[left] + row[right]
        case "-":
            return lambda row: row[left] - row[right]
        case "*":
            return lambda row: row[left] * row[right]
        case "/":
            return lambda row: _divided(row[left], row[right])
        case "larger":
            return lambda row: _larger(row[left], row[right])
    return lambda row: -_larger(-row[left], -row[right])


def _divided(left: float, right: float) -> float:
    """Divide as arrays do: by zero it is an infinity, or nothing."""
    if right != 0.0:
        return left / right
    if left == 0.0 or left != left:
        return nan
    return copysign(inf, left) * copysign(1.0, right)


def _larger(left: float, right: float) -> float:
    """Return the larger one; missing where one is."""
    return left if left >= right or left != left else right


class _Latch:
    """True from an entry to the next exit; where both fall on one bar the exit wins."""

    def __init__(self, entry: int, leave: int) -> None:
        self._entry, self._leave, self._held = entry, leave, False

    def __call__(self, row: Row) -> bool:
        if row[self._leave]:
            self._held = False
        elif row[self._entry]:
            self._held = True
        return self._held


class _Crossing:
    """True where the left is above the right, having been at or below it a bar ago."""

    def __init__(self, left: int, right: int) -> None:
        self._left, self._right, self._below = left, right, False

    def __call__(self, row: Row) -> bool:
        left, right = row[self._left], row[self._right]
        below, self._below = self._below, left <= right
        return below and left > right
