"""Read a strategy's parameters: known names, in range, or a clear refusal."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from mts1b_research.errors import StrategyConfigError

__all__ = ["read_mapping", "read_parameters"]


def read_mapping(strategy_id: str, params: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a parameter that maps names to values, empty where it is not given.

    :raises StrategyConfigError: for anything else.
    """
    value = params.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise StrategyConfigError(
            f"strategy {strategy_id}: {name} must be names with values, e.g. {{n: 20}}; "
            f"got {value!r}"
        )
    return dict(value)


def read_parameters(
    strategy_id: str,
    params: Mapping[str, Any],
    *,
    integers: Mapping[str, tuple[int, int]],
    fractions: Mapping[str, tuple[float, float]],
) -> dict[str, Any]:
    """Return the given parameters, checked against names and inclusive ranges.

    :raises StrategyConfigError: for an unknown name, a wrong type or a value out of range.
    """
    checked: dict[str, Any] = {}
    for name, value in params.items():
        if name not in integers and name not in fractions:
            known = sorted([*integers, *fractions])
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise StrategyConfigError(
                f"strategy {strategy_id}: unknown parameter {name!r} "
                f"(known: {', '.join(known)}){hint}"
            )
        low, high = integers.get(name) or fractions[name]
        right_type = isinstance(value, int) and not isinstance(value, bool)
        if name in fractions:
            right_type = right_type or isinstance(value, float)
        if not right_type or not low <= value <= high:
            kind = "an integer" if name in integers else "a number"
            raise StrategyConfigError(
                f"strategy {strategy_id}: {name} must be {kind} from {low} to {high}, got {value!r}"
            )
        checked[name] = value
    return checked
