"""How much was gained."""

from __future__ import annotations

from typing import Any

import numpy as np

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.metrics.columns import reduce_columns, require_periods

__all__ = ["annual_growth", "cagr", "total_return"]

_LARGEST = 1e300
"""A product beyond it, or below its inverse, is taken by logarithms."""


def total_return(returns: Any) -> Any:
    """Return the compounded return, prod(1 + r) - 1; infinite beyond the range of numbers."""

    def growth(values: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):
            return np.asarray(np.prod(1.0 + values, axis=0) - 1.0)

    return reduce_columns(returns, growth)


def cagr(returns: Any, *, periods_per_year: float = 252, years: float | None = None) -> Any:
    """Return the compound annual growth rate, prod(1 + r)^(1 / years) - 1.

    :param years: calendar length; None for T / ``periods_per_year``. Ruin (a product of zero) is
        -1, a negative product NaN.
    :raises BadInput: for a length that is not positive.
    """
    periods = require_periods(periods_per_year)
    if years is not None and not 0.0 < years < float("inf"):
        raise BadInput(f"years is {years}; give a positive number")
    return reduce_columns(returns, lambda values: annual_growth(values, periods, years))


def annual_growth(values: FloatArray, periods: float, years: float | None = None) -> FloatArray:
    """Return the growth rates of the columns (K,)."""
    length = len(values) / periods if years is None else years
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        final = np.prod(1.0 + values, axis=0)
        growth = np.where(final < 0.0, np.nan, np.abs(final)) ** (1.0 / length) - 1.0
        inside = (np.abs(final) <= _LARGEST) & (np.abs(final) >= 1.0 / _LARGEST)
        outside = ~inside & ~(values == -1.0).any(axis=0)
        if not outside.any():
            return np.asarray(growth)
        logs = np.log(np.abs(1.0 + values)).sum(axis=0)
        ruined = (values < -1.0).sum(axis=0) % 2 == 1
        by_logs = np.where(ruined, np.nan, np.expm1(logs / length))
        return np.where(outside, by_logs, growth)
