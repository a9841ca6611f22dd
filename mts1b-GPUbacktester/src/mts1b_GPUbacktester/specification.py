"""Rules and grids from text, as the command line and batch files write them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mts1b_GPUbacktester import rules as r
from mts1b_GPUbacktester.errors import BadRule, BadSetting
from mts1b_GPUbacktester.text import parse_condition, parse_value

__all__ = ["filter_of", "grid_of", "numbers_of", "rule_of"]


def rule_of(
    *,
    long_when: str | None = None,
    short_when: str | None = None,
    enter: str | None = None,
    leave: str | None = None,
    stop: str | float | None = None,
    trailing_stop: str | float | None = None,
    time_exit: str | int | None = None,
) -> r.Rule:
    """Return the rule that these texts write.

    :raises BadRule: for text that is not understood, or no whole rule.
    """
    events = enter is not None and leave is not None
    if (enter is None) != (leave is None) or events == (long_when is not None):
        if long_when is None and not events and short_when is not None and enter is None is leave:
            rule = r.short_when(parse_condition(short_when))
            return _with_exits(rule, stop, trailing_stop, time_exit)
        raise BadRule("give either a long-when (or short-when), or both an enter and an exit")
    if long_when is not None:
        rule = r.long_when(parse_condition(long_when))
    else:
        rule = r.enter_long(parse_condition(str(enter))).exit_long(parse_condition(str(leave)))
    if short_when is not None:
        rule = rule.short_when(parse_condition(short_when))
    return _with_exits(rule, stop, trailing_stop, time_exit)


def _with_exits(rule: r.Rule, stop: Any, trailing_stop: Any, time_exit: Any) -> r.Rule:
    if stop is not None:
        rule = rule.stop(parse_value(str(stop)))
    if trailing_stop is not None:
        rule = rule.trailing_stop(parse_value(str(trailing_stop)))
    if time_exit is not None:
        rule = rule.time_exit(parse_value(str(time_exit)))
    return rule


def numbers_of(text: str) -> Sequence[int | float]:
    """Read ``5``, ``5,10,20`` or ``5:50:5`` (the end included).

    :raises BadSetting: for anything else.
    """
    try:
        if ":" in text:
            first, last, step = (int(part) for part in text.split(":"))
            return range(first, last + 1, step)
        return [_number(part) for part in text.split(",")]
    except ValueError:
        raise BadSetting(f"{text!r} is not V, V1,V2,... or FIRST:LAST:STEP") from None


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def grid_of(pairs: Iterable[str]) -> dict[str, Sequence[int | float]]:
    """Read ``NAME=VALUES`` pairs.

    :raises BadSetting: for anything else.
    """
    grid: dict[str, Sequence[int | float]] = {}
    for pair in pairs:
        name, found, values = pair.partition("=")
        if not found:
            raise BadSetting(f"parameter {pair!r} is not NAME=VALUE")
        if name in grid:
            both = ",".join(f"{known:g}" for known in grid[name])
            raise BadSetting(f"parameter {name!r} is given twice; write {name}={both},{values}")
        grid[name] = numbers_of(values)
    return grid


def filter_of(text: str | None) -> Callable[[dict[str, Any]], bool] | None:
    """Read ``NAME<NAME``: which parameter sets to keep.

    :raises BadSetting: for anything else.
    """
    if text is None:
        return None
    left, found, right = (part.strip() for part in text.partition("<"))
    if not found or not left.isidentifier() or not right.isidentifier():
        raise BadSetting(f"where {text!r} is not NAME<NAME")

    def keep(params: dict[str, Any]) -> bool:
        for name in (left, right):
            if name not in params:
                known = ", ".join(params) or "none"
                raise BadSetting(f"where {text!r}: {name!r} is no parameter; there is {known}")
        return bool(params[left] < params[right])

    return keep
