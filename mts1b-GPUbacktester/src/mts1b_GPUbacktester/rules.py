"""Rules as expressions: written once, evaluated for many parameter sets.

from mts1b_GPUbacktester import rules as r

rule = r.long_when(r.sma(r.close, r.param("fast")) > r.sma(r.close, r.param("slow")))
rule = r.enter_long(r.crosses_above(r.close, r.sma(r.close, 50))).exit_long(
    r.crosses_below(r.close, r.sma(r.close, 50))
)
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self

from mts1b_GPUbacktester.errors import BadRule

__all__ = [
    "Condition",
    "EventRule",
    "LevelRule",
    "Rule",
    "Value",
    "close",
    "crosses_above",
    "crosses_below",
    "ema",
    "enter_long",
    "high",
    "long_when",
    "low",
    "open",
    "param",
    "sma",
    "volume",
]

Comparator = Literal[">", ">=", "<", "<="]
Operator = Literal["+", "-", "*", "/"]


class _Node:
    """A part of an expression; equal parts are equal values, so that they are computed once."""

    def parameters(self) -> frozenset[str]:
        """Return the names of the parameters below this part."""
        found: frozenset[str] = frozenset()
        for part in self._children():
            found |= part.parameters()
        return found

    def bind(self, params: dict[str, Any]) -> Self:
        """Return a copy with numbers in place of parameters.

        :raises BadRule: for a parameter without a value.
        """
        names = (item.name for item in fields(self))  # type: ignore[arg-type]
        bound = {
            name: part.bind(params)
            for name in names
            if isinstance(part := getattr(self, name), _Node)
        }
        return replace(self, **bound)  # type: ignore[type-var]

    def _children(self) -> list[_Node]:
        values = (getattr(self, item.name) for item in fields(self))  # type: ignore[arg-type]
        return [value for value in values if isinstance(value, _Node)]


class Value(_Node):
    """An expression with one number per bar and asset."""

    def __gt__(self, other: Value | float) -> Condition:
        return Comparison(">", self, as_value(other))

    def __ge__(self, other: Value | float) -> Condition:
        return Comparison(">=", self, as_value(other))

    def __lt__(self, other: Value | float) -> Condition:
        return Comparison("<", self, as_value(other))

    def __le__(self, other: Value | float) -> Condition:
        return Comparison("<=", self, as_value(other))

    def __add__(self, other: Value | float) -> Value:
        return Arithmetic("+", self, as_value(other))

    def __radd__(self, other: float) -> Value:
        return Arithmetic("+", as_value(other), self)

    def __sub__(self, other: Value | float) -> Value:
        return Arithmetic("-", self, as_value(other))

    def __rsub__(self, other: float) -> Value:
        return Arithmetic("-", as_value(other), self)

    def __mul__(self, other: Value | float) -> Value:
        return Arithmetic("*", self, as_value(other))

    def __rmul__(self, other: float) -> Value:
        return Arithmetic("*", as_value(other), self)

    def __truediv__(self, other: Value | float) -> Value:
        return Arithmetic("/", self, as_value(other))

    def __rtruediv__(self, other: float) -> Value:
        return Arithmetic("/", as_value(other), self)


class Condition(_Node):
    """An expression that is true or false per bar and asset."""

    def __and__(self, other: Condition) -> Condition:
        return Both(self, other)

    def __or__(self, other: Condition) -> Condition:
        return Either(self, other)

    def __invert__(self) -> Condition:
        return Negation(self)

    def __bool__(self) -> bool:
        raise BadRule("combine conditions with & | ~; 'and', 'or', 'not' and a < b < c do not work")


@dataclass(frozen=True, slots=True)
class Field(Value):
    """A column of the panel."""

    name: str


@dataclass(frozen=True, slots=True)
class Number(Value):
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Parameter(Value):
    """A number that each parameter set gives."""

    name: str

    def parameters(self) -> frozenset[str]:
        """Return this one name."""
        return frozenset({self.name})

    def bind(self, params: dict[str, Any]) -> Any:
        """Return the number of this parameter."""
        if self.name not in params:
            given = ", ".join(params) or "none"
            raise BadRule(f"parameter {self.name!r} has no value; given: {given}")
        return as_value(params[self.name])


@dataclass(frozen=True, slots=True)
class Arithmetic(Value):
    """Two values joined by an operator."""

    operator: Operator
    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class SimpleAverage(Value):
    """The mean of the last ``window`` bars, this one included."""

    source: Value
    window: Value


@dataclass(frozen=True, slots=True)
class ExponentialAverage(Value):
    """The average with weight 2 / (window + 1) on this bar."""

    source: Value
    window: Value


@dataclass(frozen=True, slots=True)
class Comparison(Condition):
    """Two values compared; false where one is missing."""

    comparator: Comparator
    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class Cross(Condition):
    """The bar at which ``left`` gets above ``right``, having been at or below it the bar before."""

    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class Both(Condition):
    """True where both are."""

    left: Condition
    right: Condition


@dataclass(frozen=True, slots=True)
class Either(Condition):
    """True where one of the two is."""

    left: Condition
    right: Condition


@dataclass(frozen=True, slots=True)
class Negation(Condition):
    """True where the condition is not."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class LevelRule(_Node):
    """Long while the condition is true, flat otherwise."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class EventRule(_Node):
    """Long from an entry to the next exit; where both fall on one bar the exit wins."""

    entry: Condition
    exit: Condition


Rule = LevelRule | EventRule


@dataclass(frozen=True, slots=True)
class Entry:
    """Half of an event rule: it still needs its exit."""

    entry: Condition

    def exit_long(self, condition: Condition) -> EventRule:
        """Return the whole rule."""
        return EventRule(self.entry, _as_condition(condition))


open = Field("open")
high = Field("high")
low = Field("low")
close = Field("close")
volume = Field("volume")


def as_value(value: Any) -> Value:
    """Return a number as a constant, a value as itself.

    :raises BadRule: for anything else.
    """
    if isinstance(value, Value):
        return value
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise BadRule(f"{value!r} is neither a number nor a value of a rule, e.g. r.close")
    return Number(float(value))


def _as_condition(value: Any) -> Condition:
    if not isinstance(value, Condition):
        raise BadRule(f"{value!r} is not a condition, e.g. r.close > r.sma(r.close, 20)")
    return value


def param(name: str) -> Value:
    """Return a number that the grid gives under ``name``."""
    return Parameter(name)


def sma(source: Value, window: Value | int) -> Value:
    """Return the simple moving average; missing until ``window`` bars in a row are known."""
    return SimpleAverage(as_value(source), as_value(window))


def ema(source: Value, window: Value | int) -> Value:
    """Return the exponential moving average with weight 2 / (window + 1).

    It starts at the first known value and is missing for ``window`` - 1 bars from there. A missing
    bar counts as a repeat of the last known one and is itself missing in the result.
    """
    return ExponentialAverage(as_value(source), as_value(window))


def crosses_above(left: Value, right: Value | float) -> Condition:
    """Return where ``left`` gets above ``right``: at or below it a bar ago, above it now."""
    return Cross(as_value(left), as_value(right))


def crosses_below(left: Value, right: Value | float) -> Condition:
    """Return where ``left`` gets below ``right``: at or above it a bar ago, below it now."""
    return Cross(as_value(right), as_value(left))


def long_when(condition: Condition) -> LevelRule:
    """Return the rule that is long while ``condition`` is true and flat otherwise."""
    return LevelRule(_as_condition(condition))


def enter_long(condition: Condition) -> Entry:
    """Return the first half of a rule; finish it with ``.exit_long(...)``."""
    return Entry(_as_condition(condition))
