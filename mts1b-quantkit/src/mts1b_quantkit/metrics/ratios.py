"""Reward per unit of risk."""

from __future__ import annotations

from typing import Any

import numpy as np

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.metrics.columns import Measure, quotient, reduce_columns, require_periods
from mts1b_quantkit.metrics.growth import annual_growth
from mts1b_quantkit.metrics.sample import Sample
from mts1b_quantkit.scalars import is_single, read_number

__all__ = ["calmar", "calmar_of", "sharpe", "sharpe_of", "sortino", "sortino_of"]


def sharpe(returns: Any, *, risk_free_rate: Any = 0.0, periods_per_year: float = 252) -> Any:
    """Return mean(r - rf) / sd(r - rf) * sqrt(``periods_per_year``), ddof=1 (Sharpe 1994).

    :param risk_free_rate: per period; a number, or one value per row.

    >>> from mts1b_quantkit.metrics import sharpe
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(sharpe(returns), 6)
    6.226494
    """
    return reduce_columns(returns, sharpe_of(risk_free_rate, periods_per_year))


def sharpe_of(risk_free_rate: Any, periods_per_year: float) -> Measure:
    """Return the measure with its parameters."""
    scale = np.sqrt(require_periods(periods_per_year))

    def ratio(sample: Sample) -> FloatArray:
        excess = sample.less(risk_free_rate, "risk_free_rate")
        return np.asarray(quotient(excess.mean, excess.deviation, scale))

    return ratio


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

    >>> from mts1b_quantkit.metrics import sortino
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(sortino(returns), 6)
    15.874508
    """
    if threshold is None:
        return reduce_columns(returns, sortino_of(risk_free_rate, periods_per_year))
    single = is_single(risk_free_rate)
    if not single or read_number("risk_free_rate", risk_free_rate) != 0.0:
        raise BadInput("sortino takes one target: give threshold or risk_free_rate, not both")
    return reduce_columns(returns, sortino_of(threshold, periods_per_year, what="threshold"))


def sortino_of(target: Any, periods_per_year: float, *, what: str = "risk_free_rate") -> Measure:
    """Return the measure with its parameters."""
    scale = np.sqrt(require_periods(periods_per_year))

    def ratio(sample: Sample) -> FloatArray:
        excess = sample.less(target, what)
        return quotient(excess.mean, excess.downside, scale)

    return ratio


def calmar(returns: Any, *, periods_per_year: float = 252) -> Any:
    """Return CAGR / |maximum drawdown|, both over the whole sample.

    >>> from mts1b_quantkit.metrics import calmar
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(calmar(returns), 6)
    525.508432
    """
    return reduce_columns(returns, calmar_of(periods_per_year))


def calmar_of(periods_per_year: float) -> Measure:
    """Return the measure with its parameters."""
    periods = require_periods(periods_per_year)
    return lambda sample: quotient(annual_growth(sample, periods), -sample.drawdowns.bottom + 0.0)
