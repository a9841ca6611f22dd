"""Windows over rows, without running sums: no drift, no value from the future."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.scalars import read_count

__all__ = ["lagged", "require_window", "rolling", "smoothed"]

_BLOCK_ELEMENTS = 1 << 15
"""Upper bound of rows x window that are worked on at once; they stay in the cache."""


def rolling(
    values: FloatArray, window: int, reducer: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """Apply ``reducer`` to the last ``window`` rows, at every row.

    :param values: (T, A).
    :param reducer: (rows, window) -> (rows,), reducing the last axis.
    :return: (T, A), NaN in the first ``window`` - 1 rows and where the window holds a NaN.
    :raises BadInput: for a window below 1.
    """
    require_window(window)
    rows, columns = values.shape
    result = np.full((rows, columns), np.nan)
    if window > rows:
        return result
    step = max(1, _BLOCK_ELEMENTS // window)
    for column in range(columns):
        series = np.ascontiguousarray(values[:, column])
        windows = np.lib.stride_tricks.sliding_window_view(series, window)
        for start in range(0, len(windows), step):
            block = windows[start : start + step]
            at = start + window - 1
            result[at : at + len(block), column] = reducer(block)
    return result


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
    result = np.full_like(values, np.nan)
    state = np.full(values.shape[1], np.nan)
    for row, value in enumerate(values):
        known = ~np.isnan(value)
        mixed = np.where(np.isnan(state), value, decay * state + (1.0 - decay) * value)
        state = np.where(known, mixed, state)
        result[row] = np.where(known, state, np.nan)
    return result


def require_window(window: Any, name: str = "window", *, least: int = 1) -> int:
    """Return ``window`` when it is a whole number of at least ``least`` rows."""
    return read_count(name, window, least=least, wanted=f"a whole number of rows, {least} or more")
