"""Reward per unit of risk."""

from __future__ import annotations

from typing import Any

import numpy as np

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.metrics.columns import (
    deviation,
    less,
    quotient,
    reduce_columns,
    require_periods,
)
from mts1b_quantkit.metrics.drawdown import drawdowns
from mts1b_quantkit.metrics.growth import annual_growth
from mts1b_quantkit.metrics.spread import below

__all__ = ["calmar", "sharpe", "sortino"]


def sharpe(returns: Any, *, risk_free_rate: Any = 0.0, periods_per_year: float = 252) -> Any:
    """Return mean(r - rf) / sd(r - rf) * sqrt(``periods_per_year``), ddof=1 (Sharpe 1994).

    :param risk_free_rate: per period; a number, or one value per row.
    """
    scale = np.sqrt(require_periods(periods_per_year))

    def ratio(values: FloatArray) -> FloatArray:
        excess = less(values, risk_free_rate, "risk_free_rate")
        return np.asarray(quotient(excess.mean(axis=0), deviation(excess)) * scale)

    return reduce_columns(returns, ratio)


def sortino(
    returns: Any,
    *,
    risk_free_rate: Any = 0.0,
    threshold: Any = None,
    periods_per_year: float = 252,
) -> Any:
    """Return mean(r - target) over the downside deviation from the same target, annualised.

    The target is ``threshold``, or ``risk_free_rate`` where no threshold is given (Sortino and
    Price 1994).

    :raises BadInput: when both are given.
    """
    scale = np.sqrt(require_periods(periods_per_year))
    if threshold is not None and not (np.isscalar(risk_free_rate) and risk_free_rate == 0.0):
        raise BadInput("sortino takes one target: give threshold or risk_free_rate, not both")
    target = risk_free_rate if threshold is None else threshold

    def ratio(values: FloatArray) -> FloatArray:
        excess = less(values, target, "threshold")
        return np.asarray(quotient(excess.mean(axis=0), below(excess)) * scale)

    return reduce_columns(returns, ratio)


def calmar(returns: Any, *, periods_per_year: float = 252) -> Any:
    """Return CAGR / |maximum drawdown|, both over the whole sample."""
    periods = require_periods(periods_per_year)

    def ratio(values: FloatArray) -> FloatArray:
        return quotient(annual_growth(values, periods), -drawdowns(values).min(axis=0) + 0.0)

    return reduce_columns(returns, ratio)
