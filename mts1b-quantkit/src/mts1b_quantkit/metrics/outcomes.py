"""How gains and losses weigh against each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.metrics.columns import Measure, quotient, reduce_columns
from mts1b_quantkit.metrics.sample import Sample
from mts1b_quantkit.scalars import read_number

__all__ = [
    "omega",
    "omega_of",
    "payoff_ratio",
    "payoff_ratio_of",
    "profit_factor",
    "stability",
    "stability_of",
    "tail_ratio",
    "tail_ratio_of",
    "win_rate",
    "win_rate_of",
]


def omega(returns: Any, *, threshold: Any = 0.0) -> Any:
    """Return sum(max(r - t, 0)) / sum(max(t - r, 0)) (Keating and Shadwick 2002).

    :param threshold: per period; a number, or one value per row.

    >>> from mts1b_quantkit.metrics import omega
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(omega(returns), 6)
    2.666667
    """
    return reduce_columns(returns, omega_of(threshold))


def omega_of(threshold: Any) -> Measure:
    """Return the measure with its parameters."""

    def ratio(sample: Sample) -> FloatArray:
        excess = sample.less(threshold, "threshold")
        return quotient(excess.gains, excess.losses)

    return ratio


def profit_factor(returns: Any) -> Any:
    """Return the sum of the gains over the sum of the losses: omega at zero.

    >>> from mts1b_quantkit.metrics import profit_factor
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(profit_factor(returns), 6)
    2.666667
    """
    return reduce_columns(returns, omega_of(0.0))


def payoff_ratio(returns: Any) -> Any:
    """Return the mean gain over the mean loss; NaN without a gain or without a loss.

    >>> from mts1b_quantkit.metrics import payoff_ratio
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(payoff_ratio(returns), 6)
    1.777778
    """
    return reduce_columns(returns, payoff_ratio_of)


def payoff_ratio_of(sample: Sample) -> FloatArray:
    """Return the mean gain over the mean loss of each series."""
    return quotient(quotient(sample.gains, sample.rises), quotient(sample.losses, sample.falls))


def win_rate(returns: Any) -> Any:
    """Return the share of gains among the rows that are not zero; NaN where all are.

    >>> from mts1b_quantkit.metrics import win_rate
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(win_rate(returns), 6)
    0.6
    """
    return reduce_columns(returns, win_rate_of)


def win_rate_of(sample: Sample) -> FloatArray:
    """Return the share of gains of each series."""
    return quotient(sample.rises, sample.rises + sample.falls)


def tail_ratio(returns: Any, *, quantile: float = 0.95) -> Any:
    """Return |q-quantile| / |(1 - q)-quantile|, linearly interpolated.

    :raises BadInput: unless 0.5 < quantile < 1.

    >>> from mts1b_quantkit.metrics import tail_ratio
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(tail_ratio(returns), 6)
    2.111111
    """
    return reduce_columns(returns, tail_ratio_of(quantile))


def tail_ratio_of(quantile: float) -> Measure:
    """Return the measure with its parameter."""
    quantile = read_number(
        "quantile", quantile, above=0.5, below=1.0, wanted="the upper one, between 0.5 and 1"
    )

    def ratio(sample: Sample) -> FloatArray:
        low, high = sample.quantile(1.0 - quantile), sample.quantile(quantile)
        return quotient(np.abs(high), np.abs(low))

    return ratio


def stability(returns: Any) -> Any:
    """Return R^2 of a straight line through the cumulative log returns; NaN below three rows.

    NaN also where capital does not move, or ends.

    >>> from mts1b_quantkit.metrics import stability
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(stability(returns), 6)
    0.458928
    """
    return reduce_columns(returns, stability_of)


def stability_of(sample: Sample) -> FloatArray:
    """Return R^2 of the line of each series."""
    rows, path = sample.rows, sample.work()
    if rows < 3:
        return np.full(len(path), np.nan)
    time = np.arange(rows) - (rows - 1) / 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        np.log1p(sample.values, out=path)
        np.add.accumulate(path, axis=1, out=path)
        still = path.max(axis=1) == path.min(axis=1)
        path -= path.mean(axis=1)[:, None]
        across = np.einsum("ij,j->i", path, time) ** 2
        spread = np.where(still, np.nan, np.einsum("ij,ij->i", path, path))
        return quotient(across, (time**2).sum() * spread)
