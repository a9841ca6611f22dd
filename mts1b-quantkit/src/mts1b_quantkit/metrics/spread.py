"""How widely the returns scatter, and with what shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.metrics.columns import (
    central_moment,
    deviation,
    less,
    quotient,
    reduce_columns,
    require_periods,
    root_mean_square,
    unit_of,
)

__all__ = [
    "annual_volatility",
    "below",
    "downside_deviation",
    "excess_kurtosis",
    "kurtosis",
    "mean_absolute_deviation",
    "semi_deviation",
    "skew",
    "skewness",
]


def annual_volatility(returns: Any, *, periods_per_year: float = 252) -> Any:
    """Return the standard deviation (ddof=1) times sqrt(``periods_per_year``)."""
    scale = np.sqrt(require_periods(periods_per_year))
    return reduce_columns(returns, lambda values: deviation(values) * scale)


def downside_deviation(returns: Any, *, threshold: Any = 0.0, periods_per_year: float = 252) -> Any:
    """Return sqrt(mean(min(r - threshold, 0)^2)) over ALL rows, annualised.

    Sortino and Price 1994. ``periods_per_year=1`` gives the value per period.

    :param threshold: per period; a number, or one value per row.
    """
    scale = np.sqrt(require_periods(periods_per_year))
    return reduce_columns(
        returns, lambda values: below(less(values, threshold, "threshold")) * scale
    )


def mean_absolute_deviation(returns: Any) -> Any:
    """Return mean(|r - mean|) per period (Konno and Yamazaki 1991)."""
    return reduce_columns(returns, lambda values: np.abs(values - values.mean(axis=0)).mean(axis=0))


def semi_deviation(returns: Any) -> Any:
    """Return sqrt(sum(min(r - mean, 0)^2) / (T - 1)) per period; NaN for one row."""

    def spread(values: FloatArray) -> FloatArray:
        if len(values) < 2:
            return np.full(values.shape[1], np.nan)
        losses = np.minimum(values - values.mean(axis=0), 0.0)
        half = root_mean_square(losses, len(values) - 1)
        return np.asarray(np.where(deviation(values) == 0.0, 0.0, half))

    return reduce_columns(returns, spread)


def skewness(returns: Any, *, bias: bool = True) -> Any:
    """Return m3 / m2^1.5; with ``bias=False`` the sample-adjusted G1 (needs three rows)."""
    return reduce_columns(returns, lambda values: skew(values, bias=bias))


def kurtosis(returns: Any, *, bias: bool = True) -> Any:
    """Return the EXCESS kurtosis m4 / m2^2 - 3; ``bias=False`` gives G2 (needs four rows)."""
    return reduce_columns(returns, lambda values: excess_kurtosis(values, bias=bias))


def below(excess: FloatArray) -> FloatArray:
    """Return the root mean square of what lies below zero."""
    return root_mean_square(np.minimum(excess, 0.0))


def skew(values: FloatArray, *, bias: bool = True) -> FloatArray:
    """Return the skewness of the columns; NaN for a constant."""
    n, values = len(values), _in_units(values)
    g1 = quotient(central_moment(values, 3), _variance(values) ** 1.5)
    if bias:
        return g1
    return g1 * np.sqrt(n * (n - 1.0)) / (n - 2.0) if n > 2 else np.full_like(g1, np.nan)


def excess_kurtosis(values: FloatArray, *, bias: bool = True) -> FloatArray:
    """Return the excess kurtosis of the columns; NaN for a constant."""
    n, values = len(values), _in_units(values)
    g2 = quotient(central_moment(values, 4), _variance(values) ** 2) - 3.0
    if bias:
        return g2
    if n < 4:
        return np.full_like(g2, np.nan)
    return ((n + 1.0) * g2 + 6.0) * (n - 1.0) / ((n - 2.0) * (n - 3.0))


def _in_units(values: FloatArray) -> FloatArray:
    unit = unit_of(np.abs(values).max(axis=0))
    return values if unit is None else values / unit


def _variance(values: FloatArray) -> FloatArray:
    if len(values) < 2:
        return np.full(values.shape[1], np.nan)
    return np.asarray(np.where(deviation(values) == 0.0, np.nan, central_moment(values, 2)))
