"""Moments, quantiles, regressions and clusters beside scipy and statsmodels."""

from __future__ import annotations

import math

import numpy as np
from mts1b_quantkit import factors as f
from mts1b_quantkit import metrics as m
from mts1b_quantkit import options, risk
from scipy import stats

from tools.agreement.comparison import Comparison, Data

__all__ = ["COMPARISONS", "DISTRIBUTION"]

DISTRIBUTION = "scipy"


def _spearman(data: Data) -> list[float]:
    pairs = zip(data.values[:-1], data.values[1:], strict=True)
    return [float(stats.spearmanr(x, y).statistic) for x, y in pairs]


def _call(spot: float, strike: float) -> float:
    """Integrate the payoff over the log-normal density."""
    vol, rate, years = 0.2, 0.03, 0.75
    level = math.log(spot) + (rate - vol * vol / 2) * years
    low = (math.log(strike) - level) / (vol * math.sqrt(years))
    nodes, weights = np.polynomial.legendre.leggauss(400)
    z = low + (nodes + 1) / 2 * 12
    payoff = np.exp(level + vol * math.sqrt(years) * z) - strike
    return float(math.exp(-rate * years) * (weights * payoff * stats.norm.pdf(z)).sum() * 6)


COMPARISONS = [
    Comparison(
        "metrics.skewness",
        "stats.skew",
        lambda d: m.skewness(d.values),
        lambda d: stats.skew(d.values),
    ),
    Comparison(
        "metrics.kurtosis",
        "stats.kurtosis",
        lambda d: m.kurtosis(d.values),
        lambda d: stats.kurtosis(d.values),
    ),
    Comparison(
        "risk.value_at_risk",
        "stats.norm.ppf",
        lambda d: risk.value_at_risk(d.values, confidence=0.99, method="gaussian"),
        lambda d: -stats.norm.ppf(0.01, d.values.mean(axis=0), d.values.std(axis=0, ddof=1)),
    ),
    Comparison(
        "metrics.beta",
        "stats.linregress",
        lambda d: m.beta(d.series, d.benchmark),
        lambda d: stats.linregress(d.benchmark, d.series).slope,
    ),
    Comparison(
        "metrics.stability",
        "stats.linregress",
        lambda d: m.stability(d.series),
        lambda d: (
            stats.linregress(np.arange(len(d.series)), np.log1p(d.series).cumsum()).rvalue ** 2
        ),
    ),
    Comparison(
        "factors.information_coefficient",
        "stats.spearmanr",
        lambda d: f.information_coefficient(d.values[:-1], d.values[1:]),
        _spearman,
    ),
    Comparison(
        "factors.rank_cross_sectional",
        "stats.rankdata",
        lambda d: f.rank_cross_sectional(d.values),
        lambda d: stats.rankdata(d.values, axis=1),
    ),
    Comparison(
        "factors.zscore_cross_sectional",
        "stats.zscore",
        lambda d: f.zscore_cross_sectional(d.values),
        lambda d: stats.zscore(d.values, axis=1),
    ),
    Comparison(
        "options.bs_price",
        "the integral of the payoff",
        lambda d: [options.bs_price(100, k, 0.75, 0.03, 0.2) for k in (80, 100, 120)],
        lambda d: [_call(100, k) for k in (80, 100, 120)],
    ),
    Comparison(
        "risk.kupiec",
        "stats.chi2, stats.binom",
        lambda d: [risk.kupiec(_breaches(d)).statistic, risk.kupiec(_breaches(d)).p_value],
        lambda d: _kupiec(_breaches(d)),
    ),
]


def _breaches(data: Data) -> np.ndarray:
    return (data.series < -0.02).to_numpy(dtype=float)


def _kupiec(hits: np.ndarray) -> list[float]:
    count, rows = int(hits.sum()), len(hits)
    seen = stats.binom.logpmf(count, rows, count / rows)
    statistic = 2.0 * (seen - stats.binom.logpmf(count, rows, 0.05))
    return [float(statistic), float(stats.chi2.sf(statistic, 1))]
