"""Returns beside those of a benchmark, row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mts1b_quantkit.arrays import FloatArray, as_table
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.labels import require_same_rows
from mts1b_quantkit.metrics.columns import deviation, quotient, require_periods
from mts1b_quantkit.metrics.growth import annual_growth
from mts1b_quantkit.metrics.sample import Sample
from mts1b_quantkit.scalars import is_single

__all__ = [
    "alpha",
    "beta",
    "capture_ratio",
    "down_capture",
    "information_ratio",
    "tracking_error",
    "up_capture",
]


def beta(returns: Any, benchmark: Any, *, risk_free_rate: Any = 0.0) -> Any:
    """Return cov(r - rf, b - rf) / var(b - rf) (Sharpe 1964).

    :param benchmark: (T,) returns of the benchmark.
    :raises BadInput: when the rows do not match.

    >>> from mts1b_quantkit.metrics import beta
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> benchmark = [0.02, -0.01, 0.01, 0.02, -0.02]
    >>> round(beta(returns, benchmark), 6)
    1.287879
    """
    return _beside(
        returns, benchmark, lambda r, b: _slope(*_excess(r, b, risk_free_rate)), risk_free_rate
    )


def alpha(
    returns: Any, benchmark: Any, *, risk_free_rate: Any = 0.0, periods_per_year: float = 252
) -> Any:
    """Return (1 + a)^``periods_per_year`` - 1, a = mean(r - rf) - beta mean(b - rf) per period.

    Jensen 1968, compounded to a year.

    >>> from mts1b_quantkit.metrics import alpha
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> benchmark = [0.02, -0.01, 0.01, 0.02, -0.02]
    >>> round(alpha(returns, benchmark), 6)
    2.383348
    """
    periods = require_periods(periods_per_year)

    def per_year(values: FloatArray, other: FloatArray) -> FloatArray:
        r, b = _excess(values, other, risk_free_rate)
        level = r.mean(axis=0) - _slope(r, b) * b.mean(axis=0)
        with np.errstate(invalid="ignore", over="ignore"):
            return np.asarray((1.0 + level) ** periods - 1.0)

    return _beside(returns, benchmark, per_year, risk_free_rate)


def tracking_error(returns: Any, benchmark: Any, *, periods_per_year: float = 252) -> Any:
    """Return sd(r - b) (ddof=1) times sqrt(``periods_per_year``).

    >>> from mts1b_quantkit.metrics import tracking_error
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> benchmark = [0.02, -0.01, 0.01, 0.02, -0.02]
    >>> round(tracking_error(returns, benchmark), 6)
    0.180997
    """
    scale = np.sqrt(require_periods(periods_per_year))
    return _beside(returns, benchmark, lambda r, b: deviation(r - b) * scale)


def information_ratio(returns: Any, benchmark: Any, *, periods_per_year: float = 252) -> Any:
    """Return mean(r - b) / sd(r - b) times sqrt(``periods_per_year``) (Goodwin 1998).

    >>> from mts1b_quantkit.metrics import information_ratio
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> benchmark = [0.02, -0.01, 0.01, 0.02, -0.02]
    >>> round(information_ratio(returns, benchmark), 6)
    8.353719
    """
    scale = np.sqrt(require_periods(periods_per_year))
    return _beside(
        returns, benchmark, lambda r, b: quotient((r - b).mean(axis=0), deviation(r - b), scale)
    )


def capture_ratio(returns: Any, benchmark: Any, *, periods_per_year: float = 252) -> Any:
    """Return the CAGR over the CAGR of the benchmark.

    >>> from mts1b_quantkit.metrics import capture_ratio
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> benchmark = [0.02, -0.01, 0.01, 0.02, -0.02]
    >>> round(capture_ratio(returns, benchmark), 6)
    6.387342
    """
    return _capture(returns, benchmark, periods_per_year, lambda b: np.ones(len(b), bool))


def up_capture(returns: Any, benchmark: Any, *, periods_per_year: float = 252) -> Any:
    """Return the capture ratio over the rows in which the benchmark rose; NaN where none is.

    >>> from mts1b_quantkit.metrics import up_capture
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> benchmark = [0.02, -0.01, 0.01, 0.02, -0.02]
    >>> round(up_capture(returns, benchmark), 6)
    11.763282
    """
    return _capture(returns, benchmark, periods_per_year, lambda b: b[:, 0] > 0.0)


def down_capture(returns: Any, benchmark: Any, *, periods_per_year: float = 252) -> Any:
    """Return the capture ratio over the rows in which the benchmark fell; NaN where none is.

    >>> from mts1b_quantkit.metrics import down_capture
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> benchmark = [0.02, -0.01, 0.01, 0.02, -0.02]
    >>> round(down_capture(returns, benchmark), 6)
    1.0
    """
    return _capture(returns, benchmark, periods_per_year, lambda b: b[:, 0] < 0.0)


def _beside(
    returns: Any,
    benchmark: Any,
    metric: Callable[[FloatArray, FloatArray], FloatArray],
    rate: Any = 0.0,
) -> Any:
    """Apply ``metric``, (T, K) and (T, 1) -> (K,)."""
    table, other = as_table(returns), as_table(benchmark, what="benchmark")
    if other.matrix.shape[1] != 1 or len(other.values) != len(table.values):
        raise BadInput(
            f"benchmark has shape {other.values.shape}; give one series of {len(table.values)} rows"
        )
    require_same_rows(table, other, "benchmark")
    if not is_single(rate):
        require_same_rows(table, as_table(rate, what="risk_free_rate"), "risk_free_rate")
    return table.per_column(metric(table.matrix, other.matrix))


def _excess(r: FloatArray, b: FloatArray, rate: Any) -> tuple[FloatArray, FloatArray]:
    return _less(r, rate), _less(b, rate)


def _less(values: FloatArray, rate: Any) -> FloatArray:
    return Sample.of(values).less(rate, "risk_free_rate").values.T


def _slope(r: FloatArray, b: FloatArray) -> FloatArray:
    centred = np.where(deviation(b) > 0.0, b - b.mean(axis=0), 0.0)  # no slope on what stands still
    return quotient((centred * (r - r.mean(axis=0))).sum(axis=0), (centred**2).sum(axis=0))


def _capture(
    returns: Any,
    benchmark: Any,
    periods_per_year: float,
    rows: Callable[[FloatArray], Any],
) -> Any:
    periods = require_periods(periods_per_year)

    def ratio(values: FloatArray, other: FloatArray) -> FloatArray:
        kept = rows(other)
        if not kept.any():
            return np.full(values.shape[1], np.nan)
        ours, theirs = Sample.of(values[kept]), Sample.of(other[kept])
        return quotient(annual_growth(ours, periods), annual_growth(theirs, periods))

    return _beside(returns, benchmark, ratio)
