"""The parts of a rule: numbers and truths per bar and asset, as values that can be compared."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self

from mts1b_GPUbacktester.errors import BadRule

__all__ = [
    "Arithmetic",
    "Both",
    "Comparison",
    "Condition",
    "Cross",
    "Either",
    "Field",
    "Known",
    "Negation",
    "Node",
    "Number",
    "Parameter",
    "Value",
    "Windowed",
    "as_condition",
    "as_value",
]

Comparator = Literal[">", ">=", "<", "<="]
Operator = Literal["+", "-", "*", "/", "larger", "smaller"]


_FOLD: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "larger": max,
    "smaller": min,
}


class Node:
    """A part of an expression; equal parts are equal values, so that they are computed once."""

    def parameters(self) -> frozenset[str]:
        """Return the names of the parameters below this part."""
        found: frozenset[str] = frozenset()
        for part in self._children():
            found |= part.parameters()
        return found

    def parts(self) -> Iterator[Node]:
        """Yield this part and all below it."""
        yield self
        for part in self._children():
            yield from part.parts()

    def bind(self, params: dict[str, Any]) -> Self:
        """Return a copy with numbers in place of parameters.

        :raises BadRule: for a parameter without a value.
        """
        names = (item.name for item in fields(self))  # type: ignore[arg-type]
        bound = {
            name: part.bind(params)
            for name in names
            if isinstance(part := getattr(self, name), Node)
        }
        return replace(self, **bound)  # type: ignore[type-var]

    def _children(self) -> list[Node]:
        values = (getattr(self, item.name) for item in fields(self))  # type: ignore[arg-type]
        return [value for value in values if isinstance(value, Node)]


class Value(Node):
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


class Condition(Node):
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

    def bind(self, params: dict[str, Any]) -> Any:
        """Return the value with numbers for parameters; two numbers become one."""
        left, right = self.left.bind(params), self.right.bind(params)
        if not isinstance(left, Number) or not isinstance(right, Number):
            return Arithmetic(self.operator, left, right)
        if self.operator == "/" and right.value == 0.0:
            raise BadRule(f"{left.value} / 0 in a rule; check the parameters")
        return Number(_FOLD[self.operator](left.value, right.value))


WindowKind = Literal["sma", "ema", "wilder", "deviation", "highest", "lowest", "lag"]


@dataclass(frozen=True, slots=True)
class Windowed(Value):
    """Something computed from the last ``window`` bars of a source, this one included."""

    kind: WindowKind
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
class Known(Condition):
    """True where every number that the condition compares is known."""

    condition: Condition


def as_value(value: Any) -> Value:
    """Return a number as a constant, a value as itself.

    :raises BadRule: for anything else.
    """
    if isinstance(value, Value):
        return value
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise BadRule(f"{value!r} is neither a number nor a value of a rule, e.g. r.close")
    try:
        return Number(float(value))
    except (TypeError, ValueError, OverflowError) as error:
        raise BadRule(f"{value!r} is not a number of a rule: {error}") from None


def as_condition(value: Any) -> Condition:
    """Return a condition as itself.

    :raises BadRule: for anything else.
    """
    if not isinstance(value, Condition):
        raise BadRule(f"{value!r} is not a condition, e.g. r.close > r.sma(r.close, 20)")
    return value
