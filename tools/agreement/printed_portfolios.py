"""Printed examples of portfolios, covariances and their tails."""

from __future__ import annotations

import random
from collections.abc import Callable
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

CHAIN = np.eye(4) - np.eye(4, k=1) - np.eye(4, k=-1)

LDP = "Lopez de Prado 2016"
BLP = "Bailey and Lopez de Prado"
RU = "Rockafellar and Uryasev 2000"


def _ten_assets() -> np.ndarray:
    """Return the series of Lopez de Prado 2016: five, and five noisy copies."""
    normal, uniform = np.random.RandomState(12345), random.Random(12345)
    base = normal.normal(0, 1, size=(10_000, 5))
    copied = [int(uniform.random() * 5) for _ in range(5)]
    return np.hstack([base, base[:, copied] + normal.normal(0, 0.25, size=(10_000, 5))])


def _he(field: str) -> Any:
    germany = {"symbols": [3, 2, 5], "weights": [1, -0.295, -0.705], "expected": 0.05}
    found = a.black_litterman(
        None,
        covariance=HE_COVARIANCE,
        market_weights=HE_MARKET,
        views=[germany],
        omega=[0.05 * 0.021],
    )
    return (found.weights if field == "weights" else found.diagnostics[field]) * 100


def _idzorek(field: str) -> Any:
    found = a.black_litterman(
        None,
        covariance=IDZOREK_COVARIANCE,
        market_weights=IDZOREK_MARKET,
        views=IDZOREK_VIEWS,
        risk_aversion=3.07,
        tau=0.025,
    ).diagnostics
    if field == "weights":
        return np.linalg.solve(3.07 * IDZOREK_COVARIANCE, found["posterior_mean"]) * 100
    return np.diag(found["omega"]) if field == "omega" else found[field] * 100


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
    ),
    Printed(
        LDP,
        "inverse-variance weights, %",
        "allocators.inverse_variance",
        "10.36 10.28 10.36 10.25 10.31 9.74 9.80 9.65 9.64 9.61",
        lambda: a.inverse_variance(_ten_assets()).weights * 100,
    ),
    Printed(
        f"{BLP} 2013, table 2",
        "turning points: return",
        "allocators.efficient_frontier",
        "1.180 1.160 1.111 1.108 1.022 1.015 0.973 0.950 0.803",
        lambda: _line().expected_returns[-9:],
    ),
    Printed(
        f"{BLP} 2013, table 2",
        "turning points: risk",
        "allocators.efficient_frontier",
        "0.546 0.417 0.267 0.265 0.230 0.228 0.220 0.216 0.205",
        lambda: np.sqrt(_line().variances[-9:]),
    ),
    Printed(
        f"{BLP} 2013, table 2",
        "turning points: lambda",
        "allocators.efficient_frontier",
        "4.174 1.946 0.165 0.147 0.056 0.052 0.037 0.031 0.000",
        lambda: _line().lambdas[-9:],
    ),
    Printed(
        f"{BLP} 2013",
        "highest Sharpe ratio",
        "allocators.max_sharpe",
        "4.4535",
        lambda: a.max_sharpe(
            None, covariance=CLA_COVARIANCE, expected_returns=CLA_MEAN
        ).diagnostics["objective"],
    ),
    Printed(
        "Maillard, Roncalli and Teiletche 2010",
        "equal risk contributions, %",
        "allocators.risk_parity",
        "38.4 19.2 24.3 18.2",
        lambda: a.risk_parity(None, covariance=FOUR_ASSETS).weights * 100,
        checked=RESTATED,
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
        "He and Litterman 1999, table 2",
        "equilibrium returns, %",
        "allocators.black_litterman",
        "3.9 6.9 8.4 9.0 4.3 6.8 7.6",
        lambda: _he("prior_mean"),
        checked=RESTATED,
    ),
    Printed(
        "He and Litterman 1999, table 4",
        "returns with the view, %",
        "allocators.black_litterman",
        "4.3 7.6 9.3 11.0 4.5 7.0 8.1",
        lambda: _he("posterior_mean"),
        0.55,
    ),
    Printed(
        "He and Litterman 1999, table 4",
        "weights with the view, %",
        "allocators.black_litterman",
        "1.5 2.1 -4.0 35.4 11.0 -9.5 58.6",
        lambda: _he("weights"),
        2.5,
    ),
    Printed(
        "Idzorek 2005",
        "implied returns, %",
        "allocators.black_litterman",
        "0.08 0.67 6.41 4.08 7.43 3.70 4.80 6.60",
        lambda: _idzorek("prior_mean"),
        1.6,
        checked=RESTATED,
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
        "Idzorek 2005",
        "combined returns, %",
        "allocators.black_litterman",
        "0.07 0.50 6.50 4.32 7.59 3.94 4.93 6.84",
        lambda: _idzorek("posterior_mean"),
        0.8,
    ),
    Printed(
        "Idzorek 2005",
        "weights, %",
        "allocators.black_litterman",
        "29.88 15.59 9.35 14.82 1.04 1.65 27.81 3.49",
        lambda: _idzorek("weights"),
        4.5,
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
