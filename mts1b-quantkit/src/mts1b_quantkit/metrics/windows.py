"""Any metric over a moving window."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from mts1b_quantkit.arrays import as_table
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.rolling import require_window
from mts1b_quantkit.scalars import shown

__all__ = ["rolling"]

_BLOCK_ELEMENTS = 1 << 22
"""Rows x columns x window that are worked on at once (32 MB)."""


def rolling(returns: Any, metric: str | Callable[..., Any], window: int, **parameters: Any) -> Any:
    """Return ``metric`` of the last ``window`` rows at every row, NaN in the first ones.

    Each window is computed on its own: no running sums, so no drift.

    :param metric: the name of a metric of this module that gives one number a series, or a
        function (T, K) -> (K,) on numpy arrays.
    :param parameters: keywords of the metric; numbers, not one value per row.
    :return: (T,) or (T, K) in the input's kind.
    :raises BadInput: for an unknown name, or a window below 1.

    >>> from mts1b_quantkit.metrics import rolling
    >>> rolling([0.25, -0.5, 0.5], "total_return", 2).tolist()
    [nan, -0.375, -0.25]
    """
    window = require_window(window)
    function = metric if callable(metric) else _named(metric)
    table = as_table(returns)
    values = table.matrix
    rows, columns = values.shape
    result = np.full((rows, columns), np.nan)
    if window <= rows:
        views = np.lib.stride_tricks.sliding_window_view(values, window, axis=0)
        step = max(1, _BLOCK_ELEMENTS // (columns * window))
        for start in range(0, len(views), step):
            block = views[start : start + step]
            stacked = np.ascontiguousarray(block.reshape(-1, window).T)
            numbers = np.asarray(function(stacked, **parameters))
            if numbers.shape != (stacked.shape[1],) or numbers.dtype.kind not in "biuf":
                raise BadInput(
                    f"metric gives shape {numbers.shape} of {numbers.dtype} for {stacked.shape}; "
                    "give a function (T, K) -> (K,)"
                )
            at = start + window - 1
            result[at : at + len(block)] = numbers.reshape(len(block), columns)
    return table.rows(result)


def _named(name: str) -> Callable[..., Any]:
    metrics = sys.modules["mts1b_quantkit.metrics"]
    if not isinstance(name, str) or name not in metrics.ROLLING_METRICS:
        known = ", ".join(sorted(metrics.ROLLING_METRICS))
        raise BadInput(f"metric is {shown(name)}, no metric of one series; known: {known}")
    found: Callable[..., Any] = getattr(metrics, name)
    return found
