"""Measures, covariances, optimisers and splits beside skfolio."""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
from mts1b_quantkit import allocators as a
from mts1b_quantkit import covariance as c
from mts1b_quantkit import cv, risk
from mts1b_quantkit import metrics as m
from scipy import stats
from skfolio import RiskMeasure
from skfolio import measures as s
from skfolio.cluster import HierarchicalClustering, LinkageMethod
from skfolio.model_selection import CombinatorialPurgedCV
from skfolio.moments import DenoiseCovariance, GerberCovariance
from skfolio.optimization import (
    EqualWeighted,
    HierarchicalEqualRiskContribution,
    HierarchicalRiskParity,
    InverseVolatility,
    MaximumDiversification,
    MeanRisk,
    ObjectiveFunction,
    RiskBudgeting,
)

from tools.agreement.comparison import Comparison, Data

__all__ = ["COMPARISONS", "DISTRIBUTION"]

DISTRIBUTION = "skfolio"
SOLVER = "Clarabel stops at its own tolerance"
TIGHT = {"tol_gap_abs": 1e-13, "tol_gap_rel": 1e-13, "tol_feas": 1e-13}


def _falls(data: Data) -> Any:
    return s.get_drawdowns(data.values, compounded=True)


def _weights(model: Any, data: Data) -> Any:
    return model.fit(data.returns).weights_


def _least(data: Data, measure: RiskMeasure, **options: Any) -> Any:
    return _weights(MeanRisk(risk_measure=measure, solver_params=TIGHT, **options), data)


def _single(data: Data) -> Any:
    tree = HierarchicalClustering(linkage_method=LinkageMethod.SINGLE)
    return _weights(HierarchicalRiskParity(hierarchical_clustering_estimator=tree), data)


def _trials(data: Data) -> Any:
    """Return twenty Sharpe ratios per period."""
    rows = np.arange(20)[:, None] + np.arange(250)
    return m.sharpe(data.series.to_numpy()[rows].T, periods_per_year=1)


def _shares(data: Data, weights: Any) -> Any:
    """Return the risk contributions, which say more of risk parity than its weights do."""
    parts = weights * (np.cov(data.values.T) @ weights)
    return parts / parts.sum()


def _ratio(data: Data) -> tuple[float, int]:
    return m.sharpe(data.series, periods_per_year=1), len(data.series)


class _Shape(TypedDict):
    skewness: float
    excess_kurtosis: float


def _shape(data: Data) -> _Shape:
    return {"skewness": m.skewness(data.series), "excess_kurtosis": m.kurtosis(data.series)}


def _error(data: Data) -> float:
    ratio, rows = _ratio(data)
    found = s.probabilistic_sharpe_ratio(data.series.to_numpy(), benchmark_sharpe_ratio=0.0)
    return float(ratio / stats.norm.ppf(found) * np.sqrt((rows - 1) / rows))


COMPARISONS = [
    Comparison(
        "allocators.equal_weights",
        "EqualWeighted",
        lambda d: a.equal_weights(d.values).weights,
        lambda d: _weights(EqualWeighted(), d),
    ),
    Comparison(
        "metrics.pain_index",
        "average_drawdown",
        lambda d: m.pain_index(d.values),
        lambda d: s.average_drawdown(_falls(d)),
        why="compounded",
    ),
    Comparison(
        "metrics.probabilistic_sharpe_from_moments",
        "probabilistic_sharpe_ratio",
        lambda d: m.probabilistic_sharpe_from_moments(*_ratio(d), **_shape(d), benchmark=0.01),
        lambda d: s.probabilistic_sharpe_ratio(d.series.to_numpy(), benchmark_sharpe_ratio=0.01),
    ),
    Comparison(
        "metrics.deflated_sharpe_from_moments",
        "deflated_sharpe_ratio",
        lambda d: m.deflated_sharpe_from_moments(
            *_ratio(d), n_trials=20, variance=_trials(d).var(ddof=1), **_shape(d)
        ),
        lambda d: s.deflated_sharpe_ratio(d.series.to_numpy(), _trials(d)),
        why="variance with ddof=1",
    ),
    Comparison(
        "metrics.sharpe_standard_error",
        "probabilistic_sharpe_ratio",
        lambda d: m.sharpe_standard_error(d.series, method="mertens"),
        lambda d: _error(d),
        why='method="mertens"; solved for the error, T for their T - 1',
    ),
    Comparison(
        "metrics.sharpe_standard_error_from_moments",
        "probabilistic_sharpe_ratio",
        lambda d: m.sharpe_standard_error_from_moments(*_ratio(d), method="mertens", **_shape(d)),
        lambda d: _error(d),
        why='method="mertens"; solved for the error, T for their T - 1',
    ),
    Comparison(
        "metrics.mean_absolute_deviation",
        "mean_absolute_deviation",
        lambda d: m.mean_absolute_deviation(d.values),
        lambda d: s.mean_absolute_deviation(d.values),
    ),
    Comparison(
        "metrics.semi_deviation",
        "semi_deviation",
        lambda d: m.semi_deviation(d.values),
        lambda d: s.semi_deviation(d.values),
    ),
    Comparison(
        "metrics.value_at_risk",
        "value_at_risk",
        lambda d: -m.value_at_risk(d.values, confidence=0.93, method="order"),
        lambda d: s.value_at_risk(d.values, beta=0.93),
        why='method="order"; a loss there; where (1 - confidence) T is a whole number, skfolio may '
        "take the next rank, for 0.05 x 1260 is 63.00000000000006",
    ),
    Comparison(
        "risk.expected_shortfall",
        "cvar",
        lambda d: risk.expected_shortfall(d.values),
        lambda d: s.cvar(d.values),
    ),
    Comparison(
        "metrics.entropic_value_at_risk",
        "evar",
        lambda d: -m.entropic_value_at_risk(d.series),
        lambda d: s.evar(d.series.to_numpy()),
        1e-8,
        "both minimise over one number",
    ),
    Comparison(
        "metrics.max_drawdown",
        "max_drawdown",
        lambda d: -m.max_drawdown(d.values),
        lambda d: s.max_drawdown(_falls(d)),
        why="compounded",
    ),
    Comparison(
        "metrics.average_drawdown",
        "average_drawdown",
        lambda d: -m.average_drawdown(d.values),
        lambda d: s.average_drawdown(_falls(d)),
        why="compounded, over all periods",
    ),
    Comparison(
        "metrics.conditional_drawdown_at_risk",
        "cdar",
        lambda d: -m.conditional_drawdown_at_risk(d.values),
        lambda d: s.cdar(_falls(d)),
        why="compounded",
    ),
    Comparison(
        "metrics.ulcer_index",
        "ulcer_index",
        lambda d: m.ulcer_index(d.values),
        lambda d: s.ulcer_index(_falls(d)),
        why="compounded",
    ),
    Comparison(
        "metrics.probabilistic_sharpe",
        "probabilistic_sharpe_ratio",
        lambda d: m.probabilistic_sharpe(d.values, benchmark=0.01),
        lambda d: s.probabilistic_sharpe_ratio(d.values, benchmark_sharpe_ratio=0.01),
    ),
    Comparison(
        "metrics.deflated_sharpe",
        "deflated_sharpe_ratio",
        lambda d: m.deflated_sharpe(d.series, n_trials=20, variance=_trials(d).var(ddof=1)),
        lambda d: s.deflated_sharpe_ratio(d.series.to_numpy(), _trials(d)),
        why="variance with ddof=1",
    ),
    Comparison(
        "metrics.expected_max_sharpe",
        "expected_max_sharpe_ratio",
        lambda d: m.expected_max_sharpe(50, 0.04),
        lambda d: s.expected_max_sharpe_ratio(50, 0.2),
    ),
    Comparison(
        "covariance.gerber_covariance",
        "GerberCovariance",
        lambda d: c.gerber_covariance(d.values, ddof=0),
        lambda d: GerberCovariance().fit(d.values).covariance_,
        why="ddof=0; the paper's second form",
    ),
    Comparison(
        "covariance.denoised_covariance",
        "DenoiseCovariance",
        lambda d: c.denoised_covariance(d.values),
        lambda d: DenoiseCovariance().fit(d.values).covariance_,
        why="constant residual eigenvalues",
    ),
    Comparison(
        "allocators.hrp_weights",
        "HierarchicalRiskParity(SINGLE)",
        lambda d: a.hrp_weights(d.values, distance="condensed", leaf_order=True).weights,
        _single,
        why='distance="condensed", leaf_order=True',
    ),
    Comparison(
        "allocators.herc_weights",
        "HierarchicalEqualRiskContribution",
        lambda d: a.herc_weights(d.values, n_clusters=4).weights,
        lambda d: _weights(
            HierarchicalEqualRiskContribution(
                hierarchical_clustering_estimator=HierarchicalClustering(max_clusters=4)
            ),
            d,
        ),
        why="four clusters, variance",
    ),
    Comparison(
        "allocators.inverse_volatility",
        "InverseVolatility",
        lambda d: a.inverse_volatility(d.values).weights,
        lambda d: _weights(InverseVolatility(), d),
    ),
    Comparison(
        "allocators.min_variance",
        "MeanRisk",
        lambda d: a.min_variance(d.values).weights,
        lambda d: _least(d, RiskMeasure.VARIANCE),
        1e-5,
        SOLVER,
    ),
    Comparison(
        "allocators.max_sharpe",
        "MeanRisk(MAXIMIZE_RATIO)",
        lambda d: a.max_sharpe(d.values).weights,
        lambda d: _least(
            d, RiskMeasure.VARIANCE, objective_function=ObjectiveFunction.MAXIMIZE_RATIO
        ),
        1e-4,
        SOLVER,
    ),
    Comparison(
        "allocators.mean_variance",
        "MeanRisk(MAXIMIZE_UTILITY)",
        lambda d: a.mean_variance(d.values, risk_aversion=10.0).weights,
        lambda d: _least(
            d,
            RiskMeasure.VARIANCE,
            objective_function=ObjectiveFunction.MAXIMIZE_UTILITY,
            risk_aversion=5.0,
        ),
        1e-4,
        f"risk_aversion is twice theirs; {SOLVER}",
    ),
    Comparison(
        "allocators.risk_parity",
        "RiskBudgeting",
        lambda d: _shares(d, a.risk_parity(d.values).weights),
        lambda d: _shares(d, _weights(RiskBudgeting(), d)),
        1e-4,
        f"shares of risk; {SOLVER}, at a tighter one it gives up earlier",
    ),
    Comparison(
        "allocators.max_diversification",
        "MaximumDiversification",
        lambda d: a.max_diversification(d.values).weights,
        lambda d: _weights(MaximumDiversification(solver_params=TIGHT), d),
        1e-4,
        SOLVER,
    ),
    Comparison(
        "allocators.min_cvar",
        "MeanRisk(CVAR)",
        lambda d: s.cvar(d.values @ a.min_cvar(d.values).weights),
        lambda d: s.cvar(d.values @ _least(d, RiskMeasure.CVAR)),
        1e-8,
        f"the risk that is reached; {SOLVER}",
    ),
    Comparison(
        "allocators.min_mad",
        "MeanRisk(MEAN_ABSOLUTE_DEVIATION)",
        lambda d: s.mean_absolute_deviation(d.values @ a.min_mad(d.values).weights),
        lambda d: s.mean_absolute_deviation(
            d.values @ _least(d, RiskMeasure.MEAN_ABSOLUTE_DEVIATION)
        ),
        1e-8,
        f"the risk that is reached; {SOLVER}",
    ),
    Comparison(
        "cv.CombinatorialPurgedKFold",
        "CombinatorialPurgedCV",
        lambda d: [cv.CombinatorialPurgedKFold(8, 3).n_paths],
        lambda d: [CombinatorialPurgedCV(n_folds=8, n_test_folds=3).n_test_paths],
        why="the number of paths",
    ),
]
