"""Windows over rows, without running sums: no drift, no value from the future."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.errors import BadInput

__all__ = ["lagged", "mean", "require_window", "rolling", "rolling_pair", "smoothed"]

_BLOCK_ELEMENTS = 1 << 22
"""Upper bound of rows x columns x window that are worked on at once (32 MB)."""


def rolling(
    values: FloatArray, window: int, reducer: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """Apply ``reducer`` to the last ``window`` rows, at every row.

    :param values: (T, A).
    :param reducer: (rows, A, window) -> (rows, A), reducing the last axis.
    :return: (T, A), NaN in the first ``window`` - 1 rows and where the window holds a NaN.
    :raises BadInput: for a window below 1.
    """
    require_window(window)
    rows, columns = values.shape
    result = np.full((rows, columns), np.nan)
    if window > rows:
        return result
    windows = np.lib.stride_tricks.sliding_window_view(values, window, axis=0)
    step = max(1, _BLOCK_ELEMENTS // (columns * window))
    for start in range(0, len(windows), step):
        block = windows[start : start + step]
        result[start + window - 1 : start + window - 1 + len(block)] = reducer(block)
    return result


def rolling_pair(
    first: FloatArray,
    second: FloatArray,
    window: int,
    reducer: Callable[[FloatArray, FloatArray], FloatArray],
) -> FloatArray:
    """Apply ``reducer`` to the last ``window`` rows of two (T, A) arrays, at every row."""
    require_window(window)
    rows, columns = first.shape
    result = np.full((rows, columns), np.nan)
    if window > rows:
        return result
    windows = [
        np.lib.stride_tricks.sliding_window_view(values, window, axis=0)
        for values in (first, second)
    ]
    step = max(1, _BLOCK_ELEMENTS // (2 * columns * window))
    for start in range(0, rows - window + 1, step):
        left, right = (view[start : start + step] for view in windows)
        result[start + window - 1 : start + window - 1 + len(left)] = reducer(left, right)
    return result


def mean(values: FloatArray, window: int) -> FloatArray:
    """Return the mean of the last ``window`` rows at every row."""
    return rolling(values, window, lambda block: block.mean(axis=-1))


def lagged(values: FloatArray, periods: int) -> FloatArray:
    """Return the rows ``periods`` earlier; NaN in the first ones."""
    if periods == 0:
        return values
    result = np.full_like(values, np.nan)
    result[periods:] = values[:-periods]
    return result


def smoothed(values: FloatArray, decay: float) -> FloatArray:
    """Return decay * previous + (1 - decay) * value down each column.

    A column starts at its first value; a NaN stays NaN and leaves the state as it was.
    """
    if not 0.0 <= decay < 1.0:
        raise BadInput(f"the smoothing factor is {decay}; give a fraction in [0, 1)")
    result = np.full_like(values, np.nan)
    state = np.full(values.shape[1], np.nan)
    for row, value in enumerate(values):
        known = ~np.isnan(value)
        mixed = np.where(np.isnan(state), value, decay * state + (1.0 - decay) * value)
        state = np.where(known, mixed, state)
        result[row] = np.where(known, state, np.nan)
    return result


def require_window(window: Any) -> int:
    """Return ``window`` when it is a whole number of at least one row."""
    if isinstance(window, bool) or int(window) != window or window < 1:
        raise BadInput(f"window is {window}; give a whole number of rows, 1 or more")
    return int(window)
