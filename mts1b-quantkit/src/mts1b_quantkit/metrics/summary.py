"""Many metrics of many series in one pass over the data."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from mts1b_quantkit.arrays import FloatArray, Kind, Table, as_table
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.metrics.columns import (
    Measure,
    measured,
    require_confidence,
    require_periods,
)
from mts1b_quantkit.metrics.drawdown import average_drawdown_of, max_drawdown_of
from mts1b_quantkit.metrics.growth import cagr_of, total_return_of
from mts1b_quantkit.metrics.outcomes import (
    omega_of,
    payoff_ratio_of,
    stability_of,
    tail_ratio_of,
    win_rate_of,
)
from mts1b_quantkit.metrics.ratios import calmar_of, sharpe_of, sortino_of
from mts1b_quantkit.metrics.significance import (
    probabilistic_sharpe_of,
    sharpe_standard_error_of,
)
from mts1b_quantkit.metrics.spread import (
    annual_volatility_of,
    downside_deviation_of,
    excess_kurtosis,
    mean_absolute_deviation_of,
    semi_deviation_of,
    skew,
)
from mts1b_quantkit.metrics.tail import (
    entropic_value_at_risk_of,
    expected_shortfall_of,
    value_at_risk_of,
)
from mts1b_quantkit.metrics.under_water import (
    conditional_drawdown_at_risk_of,
    pain_index_of,
    ulcer_index_of,
)
from mts1b_quantkit.scalars import is_single

__all__ = ["SUMMARY_METRICS", "summary"]


@dataclass(frozen=True, slots=True)
class _Terms:
    """The parameters that the metrics of a summary share."""

    periods: float
    rate: Any
    threshold: Any
    confidence: float


_MEASURES: dict[str, Callable[[_Terms], Measure]] = {
    "total_return": lambda _: total_return_of,
    "cagr": lambda t: cagr_of(t.periods),
    "annual_volatility": lambda t: annual_volatility_of(t.periods),
    "downside_deviation": lambda t: downside_deviation_of(t.threshold, t.periods),
    "sharpe": lambda t: sharpe_of(t.rate, t.periods),
    "sortino": lambda t: sortino_of(t.rate, t.periods),
    "calmar": lambda t: calmar_of(t.periods),
    "max_drawdown": lambda _: max_drawdown_of,
    "average_drawdown": lambda _: average_drawdown_of,
    "ulcer_index": lambda _: ulcer_index_of(0),
    "pain_index": lambda _: pain_index_of,
    "conditional_drawdown_at_risk": lambda t: conditional_drawdown_at_risk_of(t.confidence),
    "omega": lambda t: omega_of(t.threshold),
    "profit_factor": lambda _: omega_of(0.0),
    "payoff_ratio": lambda _: payoff_ratio_of,
    "win_rate": lambda _: win_rate_of,
    "tail_ratio": lambda _: tail_ratio_of(0.95),
    "stability": lambda _: stability_of,
    "skewness": lambda _: skew,
    "kurtosis": lambda _: excess_kurtosis,
    "mean_absolute_deviation": lambda _: mean_absolute_deviation_of,
    "semi_deviation": lambda _: semi_deviation_of,
    "value_at_risk": lambda t: value_at_risk_of(t.confidence, "historical"),
    "expected_shortfall": lambda t: expected_shortfall_of(t.confidence, "fractional"),
    "sharpe_standard_error": lambda _: sharpe_standard_error_of("iid"),
    "probabilistic_sharpe": lambda _: probabilistic_sharpe_of(0.0),
    "entropic_value_at_risk": lambda t: entropic_value_at_risk_of(t.confidence),
}
_SLOW = ("entropic_value_at_risk",)

SUMMARY_METRICS: tuple[str, ...] = tuple(name for name in _MEASURES if name not in _SLOW)
"""The metrics of a :func:`summary` that names none, in order."""


def summary(
    returns: Any,
    metrics: Iterable[str] | None = None,
    *,
    periods_per_year: float = 252,
    risk_free_rate: Any = 0.0,
    threshold: Any = 0.0,
    confidence: float = 0.95,
) -> Any:
    """Return many metrics of each series, from one pass over the data.

    Each number is what the function of that name gives alone, to the last bit; together they cost a
    fraction, because moments, drawdowns and order statistics are computed once while a group of
    series is in the processor's cache. ``risk_free_rate`` goes to ``sharpe`` and ``sortino``,
    ``threshold`` to ``omega`` and ``downside_deviation``, ``confidence`` to the measures of the
    tail; everything else has its default.

    :param returns: (T,) or (T, K) simple returns.
    :param metrics: names; None for :data:`SUMMARY_METRICS`. ``entropic_value_at_risk`` is known
        too, but searches for a minimum and takes far longer than all the others.
    :param risk_free_rate: per period, as ``threshold``; a number, or one value per row.
    :return: for one series a dict of floats. For several, pandas gives a frame with a row for each
        series and a column for each metric, polars the same with the names in a first column
        ``series``; numpy a dict of arrays (K,), a mapping a dict of dicts.
    :raises BadInput: for an unknown name, or a parameter out of range.

    >>> from mts1b_quantkit.metrics import summary
    >>> summary([0.1, -0.5, 1.0], ["total_return", "max_drawdown"])
    {'total_return': 0.10000000000000009, 'max_drawdown': -0.5}
    """
    names = _names(metrics)
    terms = _Terms(
        require_periods(periods_per_year), risk_free_rate, threshold, require_confidence(confidence)
    )
    table = as_table(returns, any_layout=True)
    found = measured(table, [_MEASURES[name](terms) for name in names])
    return _together(table, names, found)


def _names(metrics: Iterable[str] | None) -> list[str]:
    if metrics is None:
        return list(SUMMARY_METRICS)
    if isinstance(metrics, str):
        raise BadInput(f"metrics is the text {metrics!r}; give a list of names")
    names = list(metrics) if isinstance(metrics, Iterable) and not is_single(metrics) else []
    unknown = [name for name in names if not isinstance(name, str) or name not in _MEASURES]
    if unknown or not names:
        known = ", ".join(_MEASURES)
        raise BadInput(f"metrics has {unknown}, or is empty; use one or more of {known}")
    return list(dict.fromkeys(names))


def _together(table: Table, names: list[str], found: FloatArray) -> Any:
    rows = dict(zip(names, found, strict=True))
    if table.is_vector:
        return {name: row.item() for name, row in rows.items()}
    if table.kind is Kind.PANDAS:
        return sys.modules["pandas"].DataFrame(rows, index=table.columns)
    if table.kind is Kind.POLARS:
        return sys.modules["polars"].DataFrame({"series": list(table.columns), **rows})
    return {name: table.per_column(row) for name, row in rows.items()}
