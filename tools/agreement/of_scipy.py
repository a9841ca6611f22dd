"""Moments, quantiles, regressions and clusters beside scipy and statsmodels."""

from __future__ import annotations

import math

import numpy as np
from mts1b_quantkit import factors as f
from mts1b_quantkit import metrics as m
from mts1b_quantkit import microstructure, options, risk
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
        "risk.value_at_risk_from_moments",
        "stats.t.ppf",
        lambda d: risk.value_at_risk_from_moments(0.001, 0.02, method="student_t", df=5),
        lambda d: -stats.t.ppf(0.05, 5, 0.001, 0.02 * np.sqrt(3 / 5)),
    ),
    Comparison(
        "risk.expected_shortfall_from_moments",
        "stats.t.expect",
        lambda d: risk.expected_shortfall_from_moments(0.001, 0.02, method="student_t", df=5),
        lambda d: _tail_of_t(),
    ),
    Comparison(
        "risk.christoffersen",
        "stats.chi2, stats.binom",
        lambda d: [getattr(risk.christoffersen(_breaches(d)), n) for n in ("statistic", "p_value")],
        lambda d: _chain(_breaches(d)),
    ),
    Comparison(
        "risk.conditional_coverage",
        "stats.chi2, stats.binom",
        lambda d: [
            getattr(risk.conditional_coverage(_breaches(d)), n) for n in ("statistic", "p_value")
        ],
        lambda d: _both(_breaches(d)),
    ),
    Comparison(
        "risk.basel_traffic_light",
        "stats.binom.cdf",
        lambda d: [risk.basel_traffic_light(n).cumulative_probability for n in range(12)],
        lambda d: stats.binom.cdf(range(12), 250, 0.01),
    ),
    Comparison(
        "microstructure.bulk_buy_fraction",
        "stats.norm.cdf",
        lambda d: microstructure.bulk_buy_fraction(d.values, 0.01),
        lambda d: stats.norm.cdf(d.values, scale=0.01),
    ),
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


def _tail_of_t() -> float:
    scale = 0.02 * np.sqrt(3 / 5)
    edge = stats.t.ppf(0.05, 5, 0.001, scale)
    return float(-stats.t.expect(lambda x: x, (5,), 0.001, scale, ub=edge, epsabs=1e-14) / 0.05)


def _independence(hits: np.ndarray) -> float:
    before, now = hits[:-1], hits[1:]
    pooled = now.mean()
    return float(
        sum(
            2.0 * stats.bernoulli.logpmf(now[before == state], rate).sum()
            - 2.0 * stats.bernoulli.logpmf(now[before == state], pooled).sum()
            for state in (0.0, 1.0)
            for rate in [now[before == state].mean()]
        )
    )


def _chain(hits: np.ndarray) -> list[float]:
    statistic = _independence(hits)
    return [statistic, float(stats.chi2.sf(statistic, 1))]


def _both(hits: np.ndarray) -> list[float]:
    statistic = _kupiec(hits)[0] + _independence(hits)
    return [statistic, float(stats.chi2.sf(statistic, 2))]
