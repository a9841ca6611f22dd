"""Limits on single weights: one pair for all assets, or one for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mts1b_quantkit.arrays import LARGEST, FloatArray, Table
from mts1b_quantkit.errors import BadInput, Infeasible
from mts1b_quantkit.scalars import is_single, read_number, shown

__all__ = ["read_bounds", "read_budget", "read_pair"]


def read_pair(bounds: Any) -> tuple[float, float]:
    """Return the limits of every weight, infinite where there is none.

    :raises BadInput: for anything but a pair, or None for no limits.
    """
    low, high = (None, None) if bounds is None else _pair(bounds)
    lower, upper = _limit(low, -np.inf), _limit(high, np.inf)
    if lower > upper:
        raise Infeasible(f"the bounds are ({lower:g}, {upper:g}); swap them")
    return lower, upper


def read_budget(budget: Any) -> float:
    """Return what the weights sum to.

    :raises BadInput: for what is no number, and for one too small to be split among assets.
    """
    total = read_number("budget", budget)
    if 0.0 < abs(total) < 1.0 / LARGEST:
        raise BadInput(f"budget is {total:g}; give zero, or a number of a size that can be split")
    return total


def read_bounds(bounds: Any, assets: Table) -> tuple[FloatArray, FloatArray]:
    """Return lower and upper limits (N,), infinite where there is none.

    :param bounds: None; a pair (lower, upper) of numbers or None for all assets; N such pairs; or a
        mapping of every asset to its pair.
    :raises BadInput: for anything else.
    :raises Infeasible: naming an asset whose lower limit lies above its upper one.
    """
    labels = assets.labels
    pairs = _pairs(bounds, labels)
    lower = np.array([_limit(pair[0], -np.inf) for pair in pairs])
    upper = np.array([_limit(pair[1], np.inf) for pair in pairs])
    crossed = lower > upper
    if crossed.any():
        j = int(crossed.argmax())
        raise Infeasible(f"the bounds of {labels[j]!r} are ({lower[j]:g}, {upper[j]:g}); swap them")
    return lower, upper


def _pairs(bounds: Any, labels: list[Any]) -> list[Any]:
    if bounds is None:
        return [(None, None)] * len(labels)
    if isinstance(bounds, Mapping):
        missing = [name for name in labels if name not in bounds]
        if missing:
            raise BadInput(f"bounds name no limits of {missing[0]!r}; give a pair for every asset")
        return [_pair(bounds[name]) for name in labels]
    if isinstance(bounds, str) or is_single(bounds):
        raise BadInput(
            f"bounds is {shown(bounds)}; give a pair (lower, upper), or one for each asset"
        )
    listed = list(bounds)
    if len(listed) == 2 and all(is_single(item) for item in listed):
        return [listed] * len(labels)
    if len(listed) == len(labels):
        return [_pair(item) for item in listed]
    raise BadInput(f"bounds has {len(listed)} entries; give one pair, or one for each asset")


def _pair(item: Any) -> Any:
    whole = isinstance(item, Sequence | np.ndarray) and not isinstance(item, str)
    pair = list(item) if whole and not is_single(item) else []
    if len(pair) != 2:
        raise BadInput(f"one of the bounds is {shown(item)}; give a pair (lower, upper)")
    return pair


def _limit(value: Any, absent: float) -> float:
    if value is None:
        return absent
    wanted = "a number, or None for no limit"
    return read_number("one of the bounds", value, least=-np.inf, most=np.inf, wanted=wanted)
