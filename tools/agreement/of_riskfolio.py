"""Measures and risk budgets beside riskfolio-lib."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import riskfolio as rp
from mts1b_quantkit import allocators as a
from mts1b_quantkit import metrics as m
from mts1b_quantkit import risk
from riskfolio.src import RiskFunctions
from scipy import stats

from tools.agreement.comparison import Comparison, Data

__all__ = ["COMPARISONS", "DISTRIBUTION"]

DISTRIBUTION = "riskfolio-lib"
SOLVER = "Clarabel stops at its own tolerance"


def _column(data: Data) -> Any:
    return data.series.to_numpy()[:, None]


def _tree(data: Data, **options: Any) -> Any:
    model = rp.HCPortfolio(returns=data.returns)
    return model.optimization(rm="MV", rf=0, method_cov="hist", **options)["weights"].to_numpy()


def _budgets(data: Data) -> Any:
    model = rp.Portfolio(returns=data.returns)
    model.assets_stats(method_mu="hist", method_cov="hist")
    return _shares(data, model.rp_optimization(rm="MV")["weights"].to_numpy())


def _shares(data: Data, weights: Any) -> Any:
    parts = weights * (np.cov(data.values.T) @ weights)
    return parts / parts.sum()


def _even(data: Data) -> Any:
    width = data.values.shape[1]
    return np.full(width, 1.0 / width)


def _views(data: Data) -> tuple[Any, Any]:
    views = np.zeros((2, data.values.shape[1]))
    views[0, 0], views[1, 1], views[1, 2] = 1.0, 1.0, -1.0
    return views, np.array([[0.001], [0.0004]])


def _believed(data: Data) -> Any:
    _, levels = _views(data)
    names = list(data.returns.columns)
    found = a.black_litterman(
        data.returns,
        market_weights=dict(zip(names, _even(data), strict=True)),
        views=[
            {"symbols": [names[0]], "weights": [1.0], "expected": float(levels[0, 0])},
            {"symbols": names[1:3], "weights": [1.0, -1.0], "expected": float(levels[1, 0])},
        ],
        tau=1.0 / len(data.values),
    )
    return _stacked(
        np.asarray(found.diagnostics["posterior_mean"]),
        np.asarray(found.diagnostics["posterior_covariance"]),
        np.asarray(found.weights),
    )


def _believed_there(data: Data) -> Any:
    views, levels = _views(data)
    weights = pd.DataFrame(_even(data), index=data.returns.columns)
    mean, covariance, held = rp.black_litterman(data.returns, weights, views, levels, delta=2.5)
    return _stacked(mean.to_numpy()[0], covariance.to_numpy(), held.to_numpy()[:, 0])


def _stacked(mean: Any, covariance: Any, weights: Any) -> Any:
    """Return the three in units of their own size, as one array."""
    return np.vstack(
        [part / np.abs(part).max() for part in (mean[None], covariance, weights[None])]
    )


def _contributions(data: Data) -> Any:
    weights = pd.DataFrame(_even(data), index=data.returns.columns, columns=["w"])
    found = RiskFunctions.Risk_Contribution(weights, data.returns, cov=data.returns.cov(), rm="MV")
    return np.asarray(found).ravel()


COMPARISONS = [
    Comparison(
        "allocators.black_litterman",
        "black_litterman",
        _believed,
        _believed_there,
        why="equilibrium, proportional omega, tau = 1 / T: mean, covariance and weights",
    ),
    Comparison(
        "risk.component_var",
        "Risk_Contribution(MV)",
        lambda d: risk.component_var(_even(d), np.cov(d.values.T)).component,
        lambda d: stats.norm.ppf(0.95) * _contributions(d),
        1e-4,
        "riskfolio takes the derivative by differences",
    ),
    Comparison(
        "metrics.mean_absolute_deviation",
        "MAD",
        lambda d: m.mean_absolute_deviation(d.series),
        lambda d: RiskFunctions.MAD(_column(d)),
    ),
    Comparison(
        "metrics.value_at_risk",
        "VaR_Hist",
        lambda d: -m.value_at_risk(d.series, method="order"),
        lambda d: RiskFunctions.VaR_Hist(_column(d)),
        why='method="order"; a loss there',
    ),
    Comparison(
        "risk.expected_shortfall",
        "CVaR_Hist",
        lambda d: risk.expected_shortfall(d.series),
        lambda d: RiskFunctions.CVaR_Hist(_column(d)),
    ),
    Comparison(
        "metrics.entropic_value_at_risk",
        "EVaR_Hist",
        lambda d: -m.entropic_value_at_risk(d.series),
        lambda d: RiskFunctions.EVaR_Hist(_column(d))[0],
        1e-8,
        SOLVER,
    ),
    Comparison(
        "metrics.semi_deviation",
        "SemiDeviation",
        lambda d: m.semi_deviation(d.series),
        lambda d: RiskFunctions.SemiDeviation(_column(d)),
    ),
    Comparison(
        "metrics.max_drawdown",
        "MDD_Rel",
        lambda d: -m.max_drawdown(d.series),
        lambda d: RiskFunctions.MDD_Rel(_column(d)),
    ),
    Comparison(
        "allocators.hrp_weights",
        "HCPortfolio(HRP)",
        lambda d: a.hrp_weights(d.values, distance="condensed").weights,
        lambda d: _tree(d, model="HRP", linkage="single", leaf_order=False),
        why='distance="condensed"',
    ),
    Comparison(
        "allocators.hrp_weights",
        "HCPortfolio(HRP, leaf_order=True)",
        lambda d: (
            a.hrp_weights(d.values, distance="condensed", linkage="ward", leaf_order=True).weights
        ),
        lambda d: _tree(d, model="HRP", linkage="ward", leaf_order=True),
        why='distance="condensed", linkage="ward", leaf_order=True',
    ),
    Comparison(
        "allocators.herc_weights",
        "HCPortfolio(HERC)",
        lambda d: a.herc_weights(d.values, n_clusters=4).weights,
        lambda d: _tree(d, model="HERC", linkage="ward", leaf_order=False, k=4),
        why="four clusters, variance",
    ),
    Comparison(
        "allocators.risk_parity",
        "rp_optimization",
        lambda d: _shares(d, a.risk_parity(d.values).weights),
        _budgets,
        1e-3,
        f"shares of risk; {SOLVER}",
    ),
]
