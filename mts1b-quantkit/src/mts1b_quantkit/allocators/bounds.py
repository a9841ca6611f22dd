"""Limits on single weights: one pair for all assets, or one for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mts1b_quantkit.arrays import FloatArray, Table
from mts1b_quantkit.errors import BadInput, Infeasible

__all__ = ["read_bounds"]


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
    if np.isnan(lower).any() or np.isnan(upper).any():
        raise BadInput("bounds hold a NaN; use None for no limit")
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
    if isinstance(bounds, str) or np.ndim(bounds) == 0:
        raise BadInput(f"bounds is {bounds!r}; give a pair (lower, upper), or one for each asset")
    listed = list(bounds)
    if len(listed) == 2 and all(item is None or np.ndim(item) == 0 for item in listed):
        return [listed] * len(labels)
    if len(listed) == len(labels):
        return [_pair(item) for item in listed]
    raise BadInput(f"bounds has {len(listed)} entries; give one pair, or one for each asset")


def _pair(item: Any) -> Any:
    if np.ndim(item) == 0 or len(item) != 2:
        raise BadInput(f"a bound is {item!r}; give a pair (lower, upper)")
    return item


def _limit(value: Any, absent: float) -> float:
    try:
        return absent if value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        raise BadInput(f"a bound is {value!r}; give a number, or None for no limit") from None
