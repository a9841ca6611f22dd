"""How gains and losses weigh against each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.metrics.columns import less, quantiles, quotient, reduce_columns

__all__ = ["omega", "payoff_ratio", "profit_factor", "stability", "tail_ratio", "win_rate"]


def omega(returns: Any, *, threshold: Any = 0.0) -> Any:
    """Return sum(max(r - t, 0)) / sum(max(t - r, 0)) (Keating and Shadwick 2002).

    :param threshold: per period; a number, or one value per row.
    """
    return reduce_columns(
        returns, lambda values: _gain_to_loss(less(values, threshold, "threshold"))
    )


def profit_factor(returns: Any) -> Any:
    """Return the sum of the gains over the sum of the losses: omega at zero."""
    return reduce_columns(returns, _gain_to_loss)


def payoff_ratio(returns: Any) -> Any:
    """Return the mean gain over the mean loss; NaN without a gain or without a loss."""

    def ratio(values: FloatArray) -> FloatArray:
        gains = quotient(np.maximum(values, 0.0).sum(axis=0), (values > 0.0).sum(axis=0))
        losses = quotient(np.maximum(-values, 0.0).sum(axis=0), (values < 0.0).sum(axis=0))
        return quotient(gains, losses)

    return reduce_columns(returns, ratio)


def win_rate(returns: Any) -> Any:
    """Return the share of gains among the rows that are not zero; NaN where all are."""
    return reduce_columns(
        returns,
        lambda values: quotient((values > 0.0).sum(axis=0), (values != 0.0).sum(axis=0)),
    )


def tail_ratio(returns: Any, *, quantile: float = 0.95) -> Any:
    """Return |q-quantile| / |(1 - q)-quantile|, linearly interpolated.

    :raises BadInput: unless 0.5 < quantile < 1.
    """
    if not 0.5 < quantile < 1.0:
        raise BadInput(f"quantile is {quantile}; give the upper one, between 0.5 and 1")

    def ratio(values: FloatArray) -> FloatArray:
        low, high = quantiles(values, 1.0 - quantile, quantile)
        return quotient(np.abs(high), np.abs(low))

    return reduce_columns(returns, ratio)


def stability(returns: Any) -> Any:
    """Return R^2 of a straight line through the cumulative log returns; NaN below three rows.

    NaN also where capital does not move, or ends.
    """

    def fit(values: FloatArray) -> FloatArray:
        rows = len(values)
        if rows < 3:
            return np.full(values.shape[1], np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            path = np.cumsum(np.log1p(values), axis=0)
            time = np.arange(rows)[:, None] - (rows - 1) / 2.0
            centred = path - path.mean(axis=0)
            across = (time * centred).sum(axis=0) ** 2
            spread = np.where(np.ptp(path, axis=0) == 0.0, np.nan, (centred**2).sum(axis=0))
            return quotient(across, (time**2).sum() * spread)

    return reduce_columns(returns, fit)


def _gain_to_loss(excess: FloatArray) -> FloatArray:
    return quotient(np.maximum(excess, 0.0).sum(axis=0), np.maximum(-excess, 0.0).sum(axis=0))
