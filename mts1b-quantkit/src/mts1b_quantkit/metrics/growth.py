"""How much was gained."""

from __future__ import annotations

from typing import Any

import numpy as np

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.metrics.columns import Measure, reduce_columns, require_periods
from mts1b_quantkit.metrics.sample import Sample
from mts1b_quantkit.scalars import read_positive

__all__ = ["annual_growth", "cagr", "cagr_of", "total_return", "total_return_of"]

_LARGEST = 1e300
"""A product beyond it, or below its inverse, is taken by logarithms."""


def total_return(returns: Any) -> Any:
    """Return the compounded return, prod(1 + r) - 1; infinite beyond the range of numbers.

    >>> from mts1b_quantkit.metrics import total_return
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(total_return(returns), 6)
    0.049671
    """
    return reduce_columns(returns, total_return_of)


def total_return_of(sample: Sample) -> FloatArray:
    """Return prod(1 + x) - 1 of each series."""
    return sample.growth - 1.0


def cagr(returns: Any, *, periods_per_year: float = 252, years: float | None = None) -> Any:
    """Return the compound annual growth rate, prod(1 + r)^(1 / years) - 1.

    :param years: calendar length; None for T / ``periods_per_year``. Ruin (a product of zero) is
        -1, a negative product NaN.
    :raises BadInput: for a length that is not positive.

    >>> from mts1b_quantkit.metrics import cagr
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(cagr(returns), 6)
    10.510169
    """
    return reduce_columns(returns, cagr_of(periods_per_year, years))


def cagr_of(periods_per_year: float, years: float | None = None) -> Measure:
    """Return the measure with its parameters."""
    periods = require_periods(periods_per_year)
    length = None if years is None else read_positive("years", years)
    return lambda sample: annual_growth(sample, periods, length)


def annual_growth(sample: Sample, periods: float, years: float | None = None) -> FloatArray:
    """Return the growth rate of each series."""
    length = sample.rows / periods if years is None else years
    final = sample.growth
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        growth = np.where(final < 0.0, np.nan, np.abs(final)) ** (1.0 / length) - 1.0
        inside = (np.abs(final) <= _LARGEST) & (np.abs(final) >= 1.0 / _LARGEST)
        if inside.all():
            return np.asarray(growth)
        values = sample.values
        outside = ~inside & ~(values == -1.0).any(axis=1)
        logs = np.log(np.abs(1.0 + values)).sum(axis=1)
        ruined = (values < -1.0).sum(axis=1) % 2 == 1
        by_logs = np.where(ruined, np.nan, np.expm1(logs / length))
        return np.where(outside, by_logs, growth)
