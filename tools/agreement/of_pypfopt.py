"""Optimisers and shrinkage beside PyPortfolioOpt."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from mts1b_quantkit import allocators as a
from mts1b_quantkit import covariance as c
from mts1b_quantkit import metrics as m
from pypfopt import (
    CLA,
    BlackLittermanModel,
    CovarianceShrinkage,
    EfficientCDaR,
    EfficientCVaR,
    EfficientFrontier,
    HRPOpt,
    risk_models,
)

from tools.agreement.comparison import Comparison, Data

__all__ = ["COMPARISONS", "DISTRIBUTION"]

DISTRIBUTION = "PyPortfolioOpt"
SOLVER = "Clarabel and OSQP stop at their own tolerance"


def _in_order(weights: Any, data: Data) -> Any:
    return np.array([weights[name] for name in data.returns.columns])


def _frontier(data: Data) -> Any:
    return EfficientFrontier(data.returns.mean(), data.returns.cov())


def _cla(data: Data) -> Any:
    line = CLA(data.returns.mean(), data.returns.cov())
    return _in_order(line.max_sharpe(), data)


def _views(data: Data) -> tuple[Any, ...]:
    names = list(data.returns.columns)
    prior = 2.5 * data.returns.cov() @ np.full(len(names), 1 / len(names))
    picks = np.zeros((2, len(names)))
    picks[0, 0], picks[1, 1], picks[1, 2] = 1.0, 1.0, -1.0
    return names, prior, picks, np.array([0.001, 0.0003])


def _posterior(data: Data) -> Any:
    _, prior, picks, wanted = _views(data)
    model = BlackLittermanModel(data.returns.cov(), pi=prior, P=picks, Q=wanted, tau=0.05)
    return np.vstack([model.bl_returns(), model.bl_cov()])


def _own_posterior(data: Data) -> Any:
    _, prior, picks, wanted = _views(data)
    covariance = data.returns.cov().to_numpy()
    omega = np.diag(0.05 * picks @ covariance @ picks.T)
    found = a.black_litterman_posterior(
        prior.to_numpy(), covariance, picks, wanted, omega=omega, tau=0.05
    )
    return np.vstack([found.posterior_mean, found.posterior_covariance])


def _shrunk(data: Data, target: str) -> Any:
    shrinkage = CovarianceShrinkage(data.returns, returns_data=True, frequency=1)
    return shrinkage.ledoit_wolf(target).to_numpy()


def _cvar(data: Data) -> Any:
    model = EfficientCVaR(data.returns.mean(), data.returns, beta=0.95)
    return -m.expected_shortfall(data.values @ _in_order(model.min_cvar(), data))


def _own_cdar(data: Data) -> Any:
    return _cdar(data.values @ a.min_cdar(data.values).weights)


def _peer_cdar(data: Data) -> Any:
    model = EfficientCDaR(data.returns.mean(), data.returns, beta=0.95)
    return _cdar(data.values @ _in_order(model.min_cdar(), data))


def _cdar(path: Any) -> float:
    """Return the mean of the worst 5 % of uncompounded drawdowns."""
    total = np.concatenate(([0.0], np.cumsum(path)))
    falls = (np.maximum.accumulate(total) - total)[1:]
    return float(-m.expected_shortfall(-falls))


def _diagonal(data: Data) -> Any:
    names = data.returns.columns
    return pd.DataFrame(np.diag(data.returns.var()), names, names)


COMPARISONS = [
    Comparison(
        "allocators.inverse_variance",
        "CLA.min_volatility",
        lambda d: a.inverse_variance(d.values).weights,
        lambda d: _in_order(CLA(d.returns.mean(), _diagonal(d)).min_volatility(), d),
        why="the least variance where nothing is correlated",
    ),
    Comparison(
        "allocators.hrp_weights",
        "HRPOpt",
        lambda d: a.hrp_weights(d.values, distance="condensed").weights,
        lambda d: _in_order(HRPOpt(d.returns).optimize(), d),
        why='distance="condensed"',
    ),
    Comparison(
        "allocators.min_variance",
        "EfficientFrontier.min_volatility",
        lambda d: a.min_variance(d.values).weights,
        lambda d: _in_order(_frontier(d).min_volatility(), d),
        1e-5,
        SOLVER,
    ),
    Comparison(
        "allocators.max_sharpe",
        "CLA.max_sharpe",
        lambda d: a.max_sharpe(d.values).weights,
        _cla,
        1e-7,
        "golden section between turning points there",
    ),
    Comparison(
        "allocators.efficient_frontier",
        "CLA.min_volatility",
        lambda d: a.efficient_frontier(d.values).weights[-1],
        lambda d: _in_order(CLA(d.returns.mean(), d.returns.cov()).min_volatility(), d),
        why="the last turning point",
    ),
    Comparison(
        "allocators.efficient_return",
        "EfficientFrontier.efficient_return",
        lambda d: a.efficient_return(d.values, target_return=_target(d)).weights,
        lambda d: _in_order(_frontier(d).efficient_return(_target(d)), d),
        1e-5,
        SOLVER,
    ),
    Comparison(
        "allocators.black_litterman_posterior",
        "BlackLittermanModel",
        _own_posterior,
        _posterior,
        why="mean and covariance, proportional omega",
    ),
    Comparison(
        "covariance.semi_covariance",
        "semicovariance",
        lambda d: c.semi_covariance(d.values),
        lambda d: risk_models.semicovariance(
            d.returns, returns_data=True, benchmark=0.0, frequency=1
        ),
    ),
    Comparison(
        "covariance.ledoit_wolf",
        'ledoit_wolf("single_factor")',
        lambda d: c.ledoit_wolf(d.values, target="single_factor", ddof=0).covariance,
        lambda d: _shrunk(d, "single_factor"),
        why='target="single_factor", ddof=0',
    ),
    Comparison(
        "covariance.ledoit_wolf",
        'ledoit_wolf("constant_correlation")',
        lambda d: c.ledoit_wolf(d.values, target="constant_correlation").covariance,
        lambda d: _shrunk(d, "constant_correlation"),
        1e-3,
        "PyPortfolioOpt mixes T and T - 1 as divisors",
    ),
    Comparison(
        "allocators.min_cvar",
        "EfficientCVaR",
        lambda d: -m.expected_shortfall(d.values @ a.min_cvar(d.values).weights),
        _cvar,
        1e-7,
        f"the risk that is reached; {SOLVER}",
    ),
    Comparison(
        "allocators.min_cdar",
        "EfficientCDaR",
        _own_cdar,
        _peer_cdar,
        1e-7,
        f"the risk that is reached; {SOLVER}",
    ),
    Comparison(
        "covariance.returns_from_prices",
        "returns_from_prices",
        lambda d: c.returns_from_prices(_prices(d)).to_numpy(),
        lambda d: _prices(d).pct_change().dropna().to_numpy(),
    ),
]


def _target(data: Data) -> float:
    means = data.values.mean(axis=0)
    return float((means.max() + np.median(means)) / 2)


def _prices(data: Data) -> pd.DataFrame:
    prices: pd.DataFrame = (1 + data.returns).cumprod()
    return prices
