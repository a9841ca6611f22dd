"""Printed examples of portfolios, covariances and their tails."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from mts1b_quantkit import allocators as a
from mts1b_quantkit import covariance, risk

from tools.agreement.inputs import (
    CLA_COVARIANCE,
    CLA_MEAN,
    FOUR_ASSETS,
    HE_COVARIANCE,
    HE_MARKET,
    IDZOREK_COVARIANCE,
    IDZOREK_MARKET,
    IDZOREK_VIEWS,
    RU_COVARIANCE,
    RU_MEAN,
)
from tools.agreement.printed import RESTATED, SOURCE, Printed

__all__ = ["PORTFOLIOS"]

IDZOREK_AVERSION = 3.065
CHAIN = np.eye(4) - np.eye(4, k=1) - np.eye(4, k=-1)

LDP = "Lopez de Prado 2016, exhibit 7; 2018, table 16.1"
CLA = "Bailey and Lopez de Prado 2013, table 2"
RU = "Rockafellar and Uryasev 2000"
HE = "He and Litterman 1999"
CHAPTER = "a text of the chapter (2018), and another author's test of the paper"
CLA_SEEN = "tests of TuringTrader (naming the table) and portfolio_allocation_js, to more digits"
HE_SEEN = "DROP (lakshmiDRIP), its sample for the table"
IDZOREK_SEEN = "a test of bpineau/pofo typed from the paper, and DROP's samples"


def _ten_assets() -> np.ndarray:
    """Return the series of Lopez de Prado 2016: five, and five noisy copies."""
    normal, uniform = np.random.RandomState(12345), random.Random(12345)
    base = normal.normal(0, 1, size=(10_000, 5))
    copied = [int(uniform.random() * 5) for _ in range(5)]
    return np.hstack([base, base[:, copied] + normal.normal(0, 0.25, size=(10_000, 5))])


def _he(field: str, canada: float | None = None, doubt: float = 1.0) -> Any:
    """Return a result of the views: Germany against France and Britain, Canada against America.

    :param canada: the second view's return, none without it.
    :param doubt: factor on the first view's variance.
    """
    rest = HE_MARKET[[2, 5]] / HE_MARKET[[2, 5]].sum()
    views: list[dict[str, Any]] = [{"symbols": [3, 2, 5], "weights": [1, *-rest], "expected": 0.05}]
    if canada is not None:
        views.append({"symbols": [1, 6], "weights": [1, -1], "expected": canada})
    picks = np.zeros((len(views), len(HE_MARKET)))
    for row, view in zip(picks, views, strict=True):
        row[view["symbols"]] = view["weights"]
    omega = 0.05 * np.diag(picks @ HE_COVARIANCE @ picks.T) * [doubt, 1.0][: len(views)]
    found = a.black_litterman(
        None,
        covariance=HE_COVARIANCE,
        market_weights=HE_MARKET,
        views=views,
        omega=omega,
        tau=0.05,
    )
    return (found.weights if field == "weights" else found.diagnostics[field]) * 100


def _idzorek(field: str) -> Any:
    """Return a result of the three views.

    The risk aversion is printed as about 3.07; the printed returns have 3.065, and so do the rest.
    """
    found = a.black_litterman(
        None,
        covariance=IDZOREK_COVARIANCE,
        market_weights=IDZOREK_MARKET,
        views=IDZOREK_VIEWS,
        risk_aversion=IDZOREK_AVERSION,
        tau=0.025,
    ).diagnostics
    if field == "weights":
        return np.linalg.solve(IDZOREK_AVERSION * IDZOREK_COVARIANCE, found["posterior_mean"]) * 100
    return np.diag(found["omega"]) if field == "omega" else found[field] * 100


def _concentration() -> list[float]:
    """Return the deviations of HRP and of the least variance, then their five largest weights."""
    returns = _ten_assets()
    matrix = np.cov(returns.T)
    both = [solve(returns).weights for solve in (a.hrp_weights, a.min_variance)]
    largest = [float(np.sort(w)[-5:].sum()) * 100 for w in both]
    return [*(float(np.sqrt(w @ matrix @ w)) for w in both), *largest]


def _equal_risk() -> list[float]:
    """Return the volatility of equal risk and what one more unit of each asset adds to it."""
    weights = a.risk_parity(None, covariance=FOUR_ASSETS).weights
    volatility = float(np.sqrt(weights @ FOUR_ASSETS @ weights))
    return [volatility, *(FOUR_ASSETS @ weights / volatility)]


def _least() -> Any:
    return a.efficient_return(
        None, covariance=RU_COVARIANCE, expected_returns=RU_MEAN, target_return=0.011
    )


def _tails(measure: Callable[..., float]) -> list[float]:
    spread = float(np.sqrt(0.00378529))
    return [measure(0.011, spread, confidence=c) for c in (0.90, 0.95, 0.99)]


def _line() -> Any:
    return a.efficient_frontier(None, covariance=CLA_COVARIANCE, expected_returns=CLA_MEAN)


PORTFOLIOS = [
    Printed(
        LDP,
        "HRP weights, %",
        "allocators.hrp_weights",
        "7.00 7.59 10.84 19.03 9.72 10.19 6.62 9.10 7.12 12.79",
        lambda: a.hrp_weights(_ten_assets()).weights * 100,
        checked=CHAPTER,
    ),
    Printed(
        LDP,
        "inverse-variance weights, %",
        "allocators.inverse_variance",
        "10.36 10.28 10.36 10.25 10.31 9.74 9.80 9.65 9.64 9.61",
        lambda: a.inverse_variance(_ten_assets()).weights * 100,
        checked=CHAPTER,
    ),
    Printed(
        LDP,
        "least variance (CLA), %",
        "allocators.min_variance",
        "14.44 19.93 19.73 19.87 18.68 0.00 5.86 1.49 0.00 0.00",
        lambda: a.min_variance(_ten_assets()).weights * 100,
        checked=CHAPTER,
    ),
    Printed(
        "Lopez de Prado 2018, section 16.5",
        "standard deviations of HRP and CLA, and their five largest weights, %",
        "allocators.hrp_weights",
        "0.4640 0.4486 62.57 92.66",
        _concentration,
        checked="a text of the chapter",
    ),
    Printed(
        CLA,
        "turning points: return",
        "allocators.efficient_frontier",
        "1.190 1.180 1.160 1.111 1.108 1.022 1.015 0.973 0.950 0.803",
        lambda: _line().expected_returns,
        checked=CLA_SEEN,
    ),
    Printed(
        CLA,
        "turning points: risk",
        "allocators.efficient_frontier",
        "0.952 0.546 0.417 0.267 0.265 0.230 0.228 0.220 0.216 0.205",
        lambda: np.sqrt(_line().variances),
        checked=CLA_SEEN,
    ),
    Printed(
        CLA,
        "turning points: lambda",
        "allocators.efficient_frontier",
        "58.303 4.174 1.946 0.165 0.147 0.056 0.052 0.037 0.031 0.000",
        lambda: _line().lambdas,
        checked=CLA_SEEN,
    ),
    Printed(
        CLA,
        "weights of the last turning point",
        "allocators.efficient_frontier",
        "0.037 0.027 0.095 0.126 0.077 0.219 0.030 0.036 0.061 0.292",
        lambda: _line().weights[-1],
        checked=CLA_SEEN,
    ),
    Printed(
        "Bailey and Lopez de Prado 2013, section 5",
        "highest Sharpe ratio",
        "allocators.max_sharpe",
        "4.4535",
        lambda: a.max_sharpe(
            None, covariance=CLA_COVARIANCE, expected_returns=CLA_MEAN
        ).diagnostics["objective"],
        checked="tests of cvxcla and of TuringTrader print the same",
    ),
    Printed(
        "Maillard, Roncalli and Teiletche 2010, section 4.1",
        "equal risk contributions, %",
        "allocators.risk_parity",
        "38.4 19.2 24.3 18.2",
        lambda: a.risk_parity(None, covariance=FOUR_ASSETS).weights * 100,
        checked="another author's test cites the section",
    ),
    Printed(
        "Maillard, Roncalli and Teiletche 2010, section 4.1",
        "their volatility and marginal contributions",
        "allocators.risk_parity",
        "0.103 0.067 0.134 0.106 0.141",
        _equal_risk,
        checked="another author's test cites the section",
    ),
    Printed(
        "Maillard, Roncalli and Teiletche 2010",
        "minimum variance, %",
        "allocators.min_variance",
        "74.5 0.0 15.2 10.3",
        lambda: a.min_variance(None, covariance=FOUR_ASSETS).weights * 100,
    ),
    Printed(
        f"{RU}, table 3",
        "least variance at a return of 0.011",
        "allocators.efficient_return",
        "0.452013 0.115573 0.432414",
        lambda: _least().weights,
        2.0,
        RESTATED,
    ),
    Printed(
        f"{RU}, section 3",
        "its variance",
        "allocators.efficient_return",
        "0.00378529",
        lambda: _least().diagnostics["objective"],
        checked=RESTATED,
    ),
    Printed(
        f"{RU}, table 4",
        "VaR at 90, 95, 99 %",
        "risk.value_at_risk_from_moments",
        "0.067847 0.090200 0.132128",
        lambda: _tails(risk.value_at_risk_from_moments),
        1.0,
        RESTATED,
    ),
    Printed(
        f"{RU}, table 4",
        "CVaR at 90, 95, 99 %",
        "risk.expected_shortfall_from_moments",
        "0.096975 0.115908 0.152977",
        lambda: _tails(risk.expected_shortfall_from_moments),
        1.0,
        RESTATED,
    ),
    Printed(
        f"{HE}, table 1",
        "equilibrium returns, %",
        "allocators.black_litterman",
        "3.9 6.9 8.4 9.0 4.3 6.8 7.6",
        lambda: _he("prior_mean"),
        checked="a test of bpineau/pofo typed from the paper (a course calls it table 2)",
    ),
    *(
        Printed(
            f"{HE}, table {table}",
            f"{what}, {views}, %",
            "allocators.black_litterman",
            printed,
            partial(_he, field, canada, doubt),
            checked=HE_SEEN,
        )
        for table, views, canada, doubt, returns, weights in (
            (
                *(4, "one view", None, 1.0),
                *("4.3 7.6 9.3 11.0 4.5 7.0 8.1", "1.5 2.1 -4.0 35.4 11.0 -9.5 58.6"),
            ),
            (
                *(5, "two views", 0.03, 1.0),
                *("4.4 8.7 9.5 11.2 4.6 7.0 7.5", "1.5 41.9 -3.4 33.6 11.0 -8.2 18.8"),
            ),
            (
                *(7, "two views, the first in doubt", 0.04, 2.0),
                *("4.3 8.9 9.3 10.6 4.6 6.9 7.2", "1.5 53.9 -0.5 23.6 11.0 -1.1 6.8"),
            ),
        )
        for what, field, printed in (
            ("returns", "posterior_mean", returns),
            ("weights", "weights", weights),
        )
    ),
    Printed(
        "Idzorek 2005, table 1",
        "implied returns, %",
        "allocators.black_litterman",
        "0.08 0.67 6.41 4.08 7.43 3.70 4.80 6.60",
        lambda: _idzorek("prior_mean"),
        checked=IDZOREK_SEEN,
    ),
    Printed(
        "Idzorek 2005",
        "omega",
        "allocators.black_litterman",
        "0.000709 0.000141 0.000866",
        lambda: _idzorek("omega"),
        checked=RESTATED,
    ),
    Printed(
        "Idzorek 2005, table 6",
        "combined returns, %",
        "allocators.black_litterman",
        "0.07 0.50 6.50 4.32 7.59 3.94 4.93 6.84",
        lambda: _idzorek("posterior_mean"),
        checked=IDZOREK_SEEN,
    ),
    Printed(
        "Idzorek 2005, table 6",
        "weights, %",
        "allocators.black_litterman",
        "29.88 15.59 9.35 14.82 1.04 1.65 27.81 3.49",
        lambda: _idzorek("weights"),
        1.0,
        checked=IDZOREK_SEEN,
    ),
    Printed(
        "NAG library, example of g02aaf",
        "nearest correlation matrix",
        "covariance.nearest_psd",
        "-0.8084 0.1916 0.1068 -0.6562 0.1916 -0.8084",
        lambda: covariance.nearest_psd(CHAIN)[np.triu_indices(4, 1)],
        checked=SOURCE,
    ),
    Printed(
        "Higham 2002, p. 334",
        "nearest correlation matrix",
        "covariance.nearest_psd",
        "0.7607 0.1573",
        lambda: covariance.nearest_psd(np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]]))[0, 1:],
        checked=RESTATED,
    ),
]
