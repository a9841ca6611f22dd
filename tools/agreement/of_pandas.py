"""Covariances, windows and cross-sections beside pandas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from mts1b_quantkit import covariance as c
from mts1b_quantkit import factors as f
from mts1b_quantkit import metrics as m
from mts1b_quantkit import risk, volatility
from mts1b_quantkit import universe_filters as filters

from tools.agreement.comparison import Comparison, Data

__all__ = ["COMPARISONS", "DISTRIBUTION"]

DISTRIBUTION = "pandas"


def _falls(data: Data) -> Any:
    wealth = (1 + data.returns).cumprod()
    return wealth / wealth.cummax().clip(lower=1.0) - 1


def _clipped(data: Data) -> Any:
    low, high = (data.returns.quantile(q, axis=1) for q in (0.05, 0.95))
    return data.returns.clip(low, high, axis=0)


def _by_quarters(data: Data) -> Any:
    edges = [0.0, 0.25, 0.5, 0.75, 1.0]
    return [
        pd.Series(after).groupby(pd.cut(pd.Series(before).rank(pct=True), edges)).mean()
        for before, after in zip(data.values[:100], data.values[1:101], strict=True)
    ]


COMPARISONS = [
    Comparison(
        "universe_filters.passes_adv_filter",
        "DataFrame.rolling.mean",
        lambda d: filters.passes_adv_filter(d.returns.abs(), minimum=0.01, window=21),
        lambda d: d.returns.abs().rolling(21).mean() >= 0.01,
    ),
    Comparison(
        "factors.quantile_returns",
        "cut, groupby",
        lambda d: f.quantile_returns(d.values[:-1], d.values[1:], n_quantiles=4)[:100],
        _by_quarters,
    ),
    Comparison(
        "covariance.sample_covariance",
        "DataFrame.cov",
        lambda d: c.sample_covariance(d.returns),
        lambda d: d.returns.cov(),
    ),
    Comparison(
        "covariance.ewma_covariance",
        "DataFrame.ewm.cov",
        lambda d: c.ewma_covariance(d.returns, halflife=42),
        lambda d: d.returns.ewm(halflife=42).cov().iloc[-d.returns.shape[1] :],
        why="the last block",
    ),
    Comparison(
        "risk.ewma_volatility",
        "DataFrame.ewm.mean",
        lambda d: risk.ewma_volatility(d.returns),
        lambda d: np.sqrt((d.returns**2).ewm(alpha=0.06, adjust=False).mean()),
        why="of squares, alpha = 0.06, adjust=False",
    ),
    Comparison(
        "metrics.drawdown_series",
        "DataFrame.cummax",
        lambda d: m.drawdown_series(d.returns),
        _falls,
        why="the start is a peak",
    ),
    Comparison(
        "metrics.tracking_error",
        "Series.std",
        lambda d: m.tracking_error(d.series, d.benchmark),
        lambda d: (d.series - d.benchmark).std() * np.sqrt(252),
    ),
    Comparison(
        "metrics.rolling",
        "DataFrame.rolling.std",
        lambda d: m.rolling(d.returns, "annual_volatility", 63),
        lambda d: d.returns.rolling(63).std() * np.sqrt(252),
        1e-7,
        "pandas updates sums, which drift; every window is its own here",
    ),
    Comparison(
        "factors.winsorize",
        "DataFrame.quantile, clip",
        lambda d: f.winsorize(d.returns),
        _clipped,
        why="by row",
    ),
    Comparison(
        "factors.turnover",
        "DataFrame.diff",
        lambda d: f.turnover(d.returns),
        lambda d: d.returns.diff().abs().sum(axis=1, min_count=1) / 2,
        why="one half of the sum",
    ),
    Comparison(
        "universe_filters.average_daily_volume",
        "DataFrame.rolling.mean",
        lambda d: filters.average_daily_volume(d.returns.abs()),
        lambda d: d.returns.abs().rolling(21).mean(),
    ),
    Comparison(
        "volatility.realized_volatility",
        "Series.std",
        lambda d: volatility.realized_volatility((1 + d.returns).cumprod()),
        lambda d: np.log1p(d.returns.iloc[1:]).std() * np.sqrt(252),
        why="of log returns",
    ),
]
