"""How widely the returns scatter, and with what shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.metrics.columns import Measure, quotient, reduce_columns, require_periods
from mts1b_quantkit.metrics.sample import Sample, root_mean_square
from mts1b_quantkit.scalars import read_flag

__all__ = [
    "annual_volatility",
    "annual_volatility_of",
    "downside_deviation",
    "downside_deviation_of",
    "excess_kurtosis",
    "kurtosis",
    "mean_absolute_deviation",
    "mean_absolute_deviation_of",
    "semi_deviation",
    "semi_deviation_of",
    "skew",
    "skewness",
]


def annual_volatility(returns: Any, *, periods_per_year: float = 252) -> Any:
    """Return the standard deviation (ddof=1) times sqrt(``periods_per_year``).

    >>> from mts1b_quantkit.metrics import annual_volatility
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(annual_volatility(returns), 6)
    0.404722
    """
    return reduce_columns(returns, annual_volatility_of(periods_per_year))


def annual_volatility_of(periods_per_year: float) -> Measure:
    """Return the measure with its parameters."""
    scale = np.sqrt(require_periods(periods_per_year))
    return lambda sample: sample.deviation * scale


def downside_deviation(returns: Any, *, threshold: Any = 0.0, periods_per_year: float = 252) -> Any:
    """Return sqrt(mean(min(r - threshold, 0)^2)) over ALL rows, annualised.

    Sortino and Price 1994. ``periods_per_year=1`` gives the value per period.

    :param threshold: per period; a number, or one value per row.

    >>> from mts1b_quantkit.metrics import downside_deviation
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(downside_deviation(returns), 6)
    0.158745
    """
    return reduce_columns(returns, downside_deviation_of(threshold, periods_per_year))


def downside_deviation_of(threshold: Any, periods_per_year: float) -> Measure:
    """Return the measure with its parameters."""
    scale = np.sqrt(require_periods(periods_per_year))
    return lambda sample: sample.less(threshold, "threshold").downside * scale


def mean_absolute_deviation(returns: Any) -> Any:
    """Return mean(|r - mean|) per period (Konno and Yamazaki 1991).

    >>> from mts1b_quantkit.metrics import mean_absolute_deviation
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(mean_absolute_deviation(returns), 6)
    0.02
    """
    return reduce_columns(returns, mean_absolute_deviation_of)


def mean_absolute_deviation_of(sample: Sample) -> FloatArray:
    """Return mean(|x - mean|) of each series."""
    return sample.whole(np.abs(sample.centred, out=sample.work()).mean(axis=1))


def semi_deviation(returns: Any) -> Any:
    """Return sqrt(sum(min(r - mean, 0)^2) / (T - 1)) per period; NaN for one row.

    >>> from mts1b_quantkit.metrics import semi_deviation
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(semi_deviation(returns), 6)
    0.018028
    """
    return reduce_columns(returns, semi_deviation_of)


def semi_deviation_of(sample: Sample) -> FloatArray:
    """Return sqrt(sum(min(x - mean, 0)^2) / (T - 1)) of each series."""
    if sample.rows < 2:
        return np.full(len(sample.values), np.nan)
    losses = np.minimum(sample.centred, 0.0, out=sample.work())
    half = root_mean_square(losses, -losses.min(axis=1), sample.rows - 1)
    return np.asarray(np.where(sample.deviation == 0.0, 0.0, sample.whole(half)))


def skewness(returns: Any, *, bias: bool = True) -> Any:
    """Return m3 / m2^1.5; with ``bias=False`` the sample-adjusted G1 (needs three rows).

    >>> from mts1b_quantkit.metrics import skewness
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(skewness(returns), 6)
    0.0
    """
    population = read_flag("bias", bias)
    return reduce_columns(returns, lambda sample: skew(sample, bias=population))


def kurtosis(returns: Any, *, bias: bool = True) -> Any:
    """Return the EXCESS kurtosis m4 / m2^2 - 3; ``bias=False`` gives G2 (needs four rows).

    >>> from mts1b_quantkit.metrics import kurtosis
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(kurtosis(returns), 6)
    -1.565089
    """
    population = read_flag("bias", bias)
    return reduce_columns(returns, lambda sample: excess_kurtosis(sample, bias=population))


def skew(sample: Sample, *, bias: bool = True) -> FloatArray:
    """Return the skewness of each series; NaN for a constant."""
    n = sample.rows
    g1 = quotient(sample.third_moment, sample.variance**1.5)
    if bias:
        return g1
    return g1 * np.sqrt(n * (n - 1.0)) / (n - 2.0) if n > 2 else np.full_like(g1, np.nan)


def excess_kurtosis(sample: Sample, *, bias: bool = True) -> FloatArray:
    """Return the excess kurtosis of each series; NaN for a constant."""
    n = sample.rows
    g2 = quotient(sample.fourth_moment, sample.variance**2) - 3.0
    if bias:
        return g2
    if n < 4:
        return np.full_like(g2, np.nan)
    return np.asarray(((n + 1.0) * g2 + 6.0) * (n - 1.0) / ((n - 2.0) * (n - 3.0)))
