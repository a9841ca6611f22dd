"""Measures and risk budgets beside riskfolio-lib."""

from __future__ import annotations

from typing import Any

import numpy as np
import riskfolio as rp
from mts1b_quantkit import allocators as a
from mts1b_quantkit import metrics as m
from mts1b_quantkit import risk
from riskfolio.src import RiskFunctions

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


COMPARISONS = [
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
