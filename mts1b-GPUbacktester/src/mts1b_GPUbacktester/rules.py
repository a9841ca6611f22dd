"""Rules as expressions: written once, evaluated for many parameter sets.

from mts1b_GPUbacktester import rules as r

rule = r.long_when(r.sma(r.close, r.param("fast")) > r.sma(r.close, r.param("slow")))
rule = r.enter_long(r.rsi(r.close, 14) < 30).exit_long(r.rsi(r.close, 14) > 55).stop(0.05)
rule = r.long_when(a).short_when(b).trailing_stop(r.param("trail")).time_exit(20)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from mts1b_GPUbacktester.errors import BadRule
from mts1b_GPUbacktester.expressions import (
    Both,
    Condition,
    Known,
    Negation,
    Node,
    Value,
    as_condition,
    as_value,
)
from mts1b_GPUbacktester.indicators import (
    atr,
    close,
    crosses_above,
    crosses_below,
    deviation,
    ema,
    high,
    highest,
    lag,
    larger,
    low,
    lower_band,
    lowest,
    open,
    param,
    rsi,
    sma,
    smaller,
    upper_band,
    volume,
    wilder,
    zscore,
)
from mts1b_GPUbacktester.semantics import Direction

__all__ = [
    "Condition",
    "Events",
    "Level",
    "Rule",
    "Value",
    "atr",
    "close",
    "crosses_above",
    "crosses_below",
    "deviation",
    "ema",
    "enter_long",
    "enter_short",
    "high",
    "highest",
    "lag",
    "larger",
    "long_when",
    "low",
    "lower_band",
    "lowest",
    "open",
    "param",
    "require_rule",
    "rsi",
    "short_when",
    "sides_of",
    "sma",
    "smaller",
    "upper_band",
    "volume",
    "wilder",
    "zscore",
]


@dataclass(frozen=True, slots=True)
class Level(Node):
    """In the market while the condition is true."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class Events(Node):
    """In the market from an entry to the next exit; where both fall on one bar the exit wins."""

    entry: Condition
    exit: Condition


Side = Level | Events


@dataclass(frozen=True, slots=True)
class Rule(Node):
    """When to be long, when short, and what ends a position early.

    Where both sides are true the account is flat. Distances are fractions of a price.
    """

    long: Side | None = None
    short: Side | None = None
    stop_distance: Value | None = None
    trail_distance: Value | None = None
    most_bars: Value | None = None

    def short_when(self, condition: Condition) -> Rule:
        """Return the rule that is also short while ``condition`` is true."""
        return replace(self, short=Level(as_condition(condition)))

    def enter_short(self, condition: Condition) -> Entry:
        """Return the rule with a short entry; finish it with ``.exit_short(...)``."""
        return Entry("short", as_condition(condition), self)

    def stop(self, distance: Value | float) -> Rule:
        """Leave where the price is this fraction worse than that of the entry."""
        return replace(self, stop_distance=as_value(distance))

    def trailing_stop(self, distance: Value | float) -> Rule:
        """Leave where the price is this fraction worse than the best since the entry."""
        return replace(self, trail_distance=as_value(distance))

    def time_exit(self, bars: Value | int) -> Rule:
        """Leave ``bars`` bars after the entry."""
        return replace(self, most_bars=as_value(bars))

    @property
    def has_stops(self) -> bool:
        """Return whether highs and lows can end a position."""
        return self.stop_distance is not None or self.trail_distance is not None

    @property
    def has_exits(self) -> bool:
        """Return whether a stop or a time exit can end a position."""
        return self.has_stops or self.most_bars is not None


@dataclass(frozen=True, slots=True)
class Entry:
    """Half of an event rule: it still needs its exit."""

    side: Literal["long", "short"]
    entry: Condition
    base: Rule

    def exit_long(self, condition: Condition) -> Rule:
        """Return the rule with its long side whole.

        :raises BadRule: when the entry is a short one.
        """
        return self._finished("long", condition)

    def exit_short(self, condition: Condition) -> Rule:
        """Return the rule with its short side whole.

        :raises BadRule: when the entry is a long one.
        """
        return self._finished("short", condition)

    def _finished(self, side: Literal["long", "short"], condition: Condition) -> Rule:
        if side != self.side:
            raise BadRule(f"enter_{self.side} needs exit_{self.side}, not exit_{side}")
        events = Events(self.entry, as_condition(condition))
        if side == "long":
            return replace(self.base, long=events)
        return replace(self.base, short=events)


def long_when(condition: Condition) -> Rule:
    """Return the rule that is long while ``condition`` is true and flat otherwise."""
    return Rule(long=Level(as_condition(condition)))


def short_when(condition: Condition) -> Rule:
    """Return the rule that is short while ``condition`` is true and flat otherwise."""
    return Rule(short=Level(as_condition(condition)))


def enter_long(condition: Condition) -> Entry:
    """Return the first half of a rule; finish it with ``.exit_long(...)``."""
    return Entry("long", as_condition(condition), Rule())


def enter_short(condition: Condition) -> Entry:
    """Return the first half of a short rule; finish it with ``.exit_short(...)``."""
    return Entry("short", as_condition(condition), Rule())


def require_rule(rule: Any) -> None:
    """Refuse what is no whole rule.

    :raises BadRule: saying what it lacks.
    """
    if isinstance(rule, Entry):
        raise BadRule(
            f"the rule has an entry and no exit; finish it with .exit_{rule.side}(condition)"
        )
    if not isinstance(rule, Rule) or (rule.long is None and rule.short is None):
        raise BadRule(f"{rule!r} is not a rule; build one with r.long_when or r.enter_long")


def sides_of(rule: Rule, direction: Direction) -> tuple[Side | None, Side | None]:
    """Return the long and the short side that a direction asks for.

    ``short`` takes the one side of the rule as a short one. ``both`` adds to a rule without a short
    side its mirror: short where the condition is false and all of it known, or from exits to
    entries.

    :raises BadRule: where the rule has a side that the direction leaves out.
    """
    require_rule(rule)
    if direction == "long":
        if rule.short is not None:
            raise BadRule("the rule has a short side; use direction='both' or 'short'")
        return rule.long, None
    if direction == "short":
        if rule.long is not None and rule.short is not None:
            raise BadRule("the rule has two sides; use direction='both'")
        return None, rule.short if rule.short is not None else rule.long
    if rule.short is not None:
        return rule.long, rule.short
    assert rule.long is not None
    return rule.long, _mirror(rule.long)


def _mirror(side: Side) -> Side:
    if isinstance(side, Events):
        return Events(side.exit, side.entry)
    return Level(Both(Negation(side.condition), Known(side.condition)))
