"""Metrics beside quantstats."""

from __future__ import annotations

import quantstats.stats as q
from mts1b_quantkit import metrics as m

from tools.agreement.comparison import Comparison

__all__ = ["COMPARISONS", "DISTRIBUTION"]

DISTRIBUTION = "quantstats"

COMPARISONS = [
    Comparison(
        "metrics.drawdown_table",
        "drawdown_details",
        lambda d: m.drawdown_table(d.series)["depth"].head(20),
        lambda d: (
            q.drawdown_details(q.to_drawdown_series(d.series))["max drawdown"]
            .sort_values()
            .head(20)
            / 100.0
        ),
        why="the twenty deepest",
    ),
    Comparison(
        "metrics.sharpe",
        "sharpe",
        lambda d: m.sharpe(d.series),
        lambda d: q.sharpe(d.series),
    ),
    Comparison(
        "metrics.sortino",
        "sortino",
        lambda d: m.sortino(d.series),
        lambda d: q.sortino(d.series),
    ),
    Comparison(
        "metrics.annual_volatility",
        "volatility",
        lambda d: m.annual_volatility(d.series),
        lambda d: q.volatility(d.series),
    ),
    Comparison(
        "metrics.cagr",
        "cagr",
        lambda d: m.cagr(d.series),
        lambda d: q.cagr(d.series),
    ),
    Comparison(
        "metrics.max_drawdown",
        "max_drawdown",
        lambda d: m.max_drawdown(d.series),
        lambda d: q.max_drawdown(d.series),
    ),
    Comparison(
        "metrics.ulcer_index",
        "ulcer_index",
        lambda d: m.ulcer_index(d.series, ddof=1),
        lambda d: q.ulcer_index(d.series),
        why="ddof=1",
    ),
    Comparison(
        "metrics.value_at_risk",
        "value_at_risk",
        lambda d: m.value_at_risk(d.series, method="gaussian"),
        lambda d: q.value_at_risk(d.series),
        why='method="gaussian"',
    ),
    Comparison(
        "metrics.skewness",
        "skew",
        lambda d: m.skewness(d.series, bias=False),
        lambda d: q.skew(d.series),
        why="bias=False",
    ),
    Comparison(
        "metrics.kurtosis",
        "kurtosis",
        lambda d: m.kurtosis(d.series, bias=False),
        lambda d: q.kurtosis(d.series),
        why="bias=False",
    ),
    Comparison(
        "metrics.profit_factor",
        "profit_factor",
        lambda d: m.profit_factor(d.series),
        lambda d: q.profit_factor(d.series),
    ),
    Comparison(
        "metrics.payoff_ratio",
        "payoff_ratio",
        lambda d: m.payoff_ratio(d.series),
        lambda d: q.payoff_ratio(d.series),
    ),
    Comparison(
        "metrics.win_rate",
        "win_rate",
        lambda d: m.win_rate(d.series),
        lambda d: q.win_rate(d.series),
    ),
    Comparison(
        "metrics.tail_ratio",
        "tail_ratio",
        lambda d: m.tail_ratio(d.series),
        lambda d: q.tail_ratio(d.series),
    ),
]
