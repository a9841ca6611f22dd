"""Metrics beside empyrical."""

from __future__ import annotations

import empyrical as e
from mts1b_quantkit import metrics as m

from tools.agreement.comparison import Comparison

__all__ = ["COMPARISONS", "DISTRIBUTION"]

DISTRIBUTION = "empyrical-reloaded"

COMPARISONS = [
    Comparison(
        "metrics.sharpe",
        "sharpe_ratio",
        lambda d: m.sharpe(d.series, risk_free_rate=0.0001),
        lambda d: e.sharpe_ratio(d.series, risk_free=0.0001),
    ),
    Comparison(
        "metrics.sortino",
        "sortino_ratio",
        lambda d: m.sortino(d.series, threshold=0.0002),
        lambda d: e.sortino_ratio(d.series, required_return=0.0002),
    ),
    Comparison(
        "metrics.downside_deviation",
        "downside_risk",
        lambda d: m.downside_deviation(d.series, threshold=0.0002),
        lambda d: e.downside_risk(d.series, required_return=0.0002),
    ),
    Comparison(
        "metrics.annual_volatility",
        "annual_volatility",
        lambda d: m.annual_volatility(d.series),
        lambda d: e.annual_volatility(d.series),
    ),
    Comparison(
        "metrics.total_return",
        "cum_returns_final",
        lambda d: m.total_return(d.series),
        lambda d: e.cum_returns_final(d.series),
    ),
    Comparison(
        "metrics.cagr",
        "annual_return",
        lambda d: m.cagr(d.series),
        lambda d: e.annual_return(d.series),
        why="years = T / 252",
    ),
    Comparison(
        "metrics.calmar",
        "calmar_ratio",
        lambda d: m.calmar(d.series),
        lambda d: e.calmar_ratio(d.series),
    ),
    Comparison(
        "metrics.max_drawdown",
        "max_drawdown",
        lambda d: m.max_drawdown(d.series),
        lambda d: e.max_drawdown(d.series),
    ),
    Comparison(
        "metrics.omega",
        "omega_ratio",
        lambda d: m.omega(d.series, threshold=0.0002),
        lambda d: e.omega_ratio(d.series, risk_free=0.0, required_return=1.0002**252 - 1),
        1e-8,
        "empyrical takes the threshold a year and takes its 252nd root",
    ),
    Comparison(
        "metrics.tail_ratio",
        "tail_ratio",
        lambda d: m.tail_ratio(d.series),
        lambda d: e.tail_ratio(d.series),
    ),
    Comparison(
        "metrics.stability",
        "stability_of_timeseries",
        lambda d: m.stability(d.series),
        lambda d: e.stability_of_timeseries(d.series),
    ),
    Comparison(
        "metrics.value_at_risk",
        "value_at_risk",
        lambda d: m.value_at_risk(d.series),
        lambda d: e.value_at_risk(d.series, cutoff=0.05),
        why='method="historical"',
    ),
    Comparison(
        "metrics.expected_shortfall",
        "conditional_value_at_risk",
        lambda d: m.expected_shortfall(d.series, method="empirical"),
        lambda d: e.conditional_value_at_risk(d.series, cutoff=0.05),
        why='method="empirical"',
    ),
    Comparison(
        "metrics.beta",
        "beta",
        lambda d: m.beta(d.series, d.benchmark),
        lambda d: e.beta(d.series, d.benchmark),
    ),
    Comparison(
        "metrics.alpha",
        "alpha",
        lambda d: m.alpha(d.series, d.benchmark),
        lambda d: e.alpha(d.series, d.benchmark),
        why="compounded",
    ),
    Comparison(
        "metrics.information_ratio",
        "excess_sharpe",
        lambda d: m.information_ratio(d.series, d.benchmark, periods_per_year=1),
        lambda d: e.excess_sharpe(d.series, d.benchmark),
        why="not annualised",
    ),
    Comparison(
        "metrics.capture_ratio",
        "capture",
        lambda d: m.capture_ratio(d.series, d.benchmark),
        lambda d: e.capture(d.series, d.benchmark),
    ),
    Comparison(
        "metrics.up_capture",
        "up_capture",
        lambda d: m.up_capture(d.series, d.benchmark),
        lambda d: e.up_capture(d.series, d.benchmark),
    ),
    Comparison(
        "metrics.down_capture",
        "down_capture",
        lambda d: m.down_capture(d.series, d.benchmark),
        lambda d: e.down_capture(d.series, d.benchmark),
    ),
    Comparison(
        "metrics.rolling",
        "roll_max_drawdown",
        lambda d: m.rolling(d.series, "max_drawdown", 63).dropna(),
        lambda d: e.roll_max_drawdown(d.series, window=63),
    ),
]
