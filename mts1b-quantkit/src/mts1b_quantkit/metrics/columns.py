"""Column-wise arithmetic that metrics share; every function works down axis 0 of a (T, K) array."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from mts1b_quantkit.arrays import FloatArray, as_table
from mts1b_quantkit.errors import BadInput

__all__ = [
    "central_moment",
    "deviation",
    "less",
    "quotient",
    "reduce_columns",
    "require_confidence",
    "require_periods",
]


def reduce_columns(returns: Any, metric: Callable[[FloatArray], FloatArray]) -> Any:
    """Apply ``metric``, (T, K) -> (K,), and give the result back in the input's kind."""
    table = as_table(returns)
    return table.per_column(metric(table.matrix))


def deviation(values: FloatArray) -> FloatArray:
    """Return standard deviations (ddof=1); NaN for one row, exactly 0 for a constant column.

    What rounding leaves of a constant column (a few ulp of its level) counts as 0.
    """
    rows, columns = values.shape
    if rows < 2:
        return np.full(columns, np.nan)
    spread = values.std(axis=0, ddof=1)
    return np.where(spread <= 8.0 * np.finfo(float).eps * np.abs(values).max(axis=0), 0.0, spread)


def central_moment(values: FloatArray, order: int) -> FloatArray:
    """Return the mean of (x - mean)^order."""
    return np.asarray(((values - values.mean(axis=0)) ** order).mean(axis=0))


def quotient(top: FloatArray, bottom: FloatArray) -> FloatArray:
    """Divide, with x/0 infinite and 0/0 NaN."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(top / bottom)


def less(values: FloatArray, level: Any, what: str) -> FloatArray:
    """Subtract a per-period level: a number, or one value per row.

    :raises BadInput: for any other shape.
    """
    if isinstance(level, int | float) and math.isfinite(level):
        return values - level
    table = as_table(level, what=what)
    if table.values.shape != (len(values),):
        raise BadInput(
            f"{what} has shape {table.values.shape}; give a number or {len(values)} rows"
        )
    return np.asarray(values - table.values[:, None])


def require_periods(periods_per_year: float) -> float:
    """Return ``periods_per_year`` when it is positive and finite."""
    if not 0.0 < periods_per_year < float("inf"):
        raise BadInput(f"periods_per_year is {periods_per_year}; give e.g. 252, 52 or 12")
    return float(periods_per_year)


def require_confidence(confidence: float) -> float:
    """Return ``confidence`` when it lies between 0 and 1."""
    if not 0.0 < confidence < 1.0:
        raise BadInput(f"confidence is {confidence}; give a fraction between 0 and 1, e.g. 0.95")
    return float(confidence)
