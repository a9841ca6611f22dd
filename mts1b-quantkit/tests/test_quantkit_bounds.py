"""Limits of weights: held to the last bit, and told where they allow no answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_quantkit import BadInput, Infeasible, NotPositiveDefinite
from mts1b_quantkit import allocators as a
from mts1b_quantkit.allocators.mean_variance import _extreme
from mts1b_quantkit.allocators.quadratic import Programme
from scipy.optimize import linprog

COVARIANCE = np.array([[0.04, 0.01], [0.01, 0.09]])
LIMIT = st.sampled_from([-1.0, -0.3, 0.0, 0.25, 0.4, 1.0, None])
HELD: dict[str, Callable[..., a.Allocation]] = {
    "min_variance": a.min_variance,
    "mean_variance": a.mean_variance,
    "max_diversification": a.max_diversification,
    "min_cvar": a.min_cvar,
    "min_mad": a.min_mad,
    "min_cdar": a.min_cdar,
}


def endless(value: float | None, side: float) -> float:
    return side * math.inf if value is None else value


@pytest.mark.parametrize("bounds", [(0, 1), (0, None), (None, 1)])
def test_a_return_beyond_the_best_asset_is_told(bounds: Any) -> None:
    """Long only without an upper limit is limited all the same: by the budget."""
    with pytest.raises(Infeasible, match=r"allow 0\.05 to 0\.08"):
        a.efficient_return(
            None,
            covariance=COVARIANCE,
            expected_returns=[0.05, 0.08],
            target_return=0.2,
            bounds=bounds,
        )


@pytest.mark.parametrize("bounds", [(0, 1), (0, None)])
def test_no_ratio_is_best_where_every_asset_loses(bounds: Any) -> None:
    with pytest.raises(Infeasible, match="earn more than"):
        a.max_sharpe(None, covariance=COVARIANCE, expected_returns=[-0.05, -0.08], bounds=bounds)


@settings(max_examples=300, deadline=None)
@given(
    pairs=st.lists(st.tuples(LIMIT, LIMIT), min_size=1, max_size=5),
    gains=st.lists(st.integers(-2, 2), min_size=5, max_size=5),
    budget=st.sampled_from([-1.0, 0.0, 0.5, 1.0]),
)
def test_the_highest_return_is_that_of_a_linear_programme(
    pairs: list[tuple[float | None, float | None]], gains: list[int], budget: float
) -> None:
    gain = np.array(gains[: len(pairs)], dtype=float)
    lower = np.array([endless(low, -1.0) for low, _ in pairs])
    upper = np.array([endless(high, 1.0) for _, high in pairs])
    found = linprog(-gain, A_eq=np.ones((1, len(gain))), b_eq=[budget], bounds=pairs)
    if (lower > upper).any() or found.status == 2:
        return
    programme = Programme(np.eye(len(gain)), lower=lower, upper=upper, budget=budget)
    best = math.inf if found.status == 3 else -found.fun
    assert _extreme(programme, gain) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("name", HELD)
@pytest.mark.parametrize("budget", [1.0, 0.3])
@pytest.mark.parametrize("upper", [0.3, 0.35, 1.0])
def test_no_weight_leaves_its_limits_for_the_last_bits_of_the_sum(
    name: str, budget: float, upper: float
) -> None:
    for seed in range(12):
        rng = np.random.default_rng(seed)
        returns = rng.normal(0.001, 0.02, (40, 3 + seed % 5)) * rng.uniform(0.2, 3.0, 3 + seed % 5)
        if budget > upper * returns.shape[1]:
            continue
        weights = HELD[name](returns, bounds=(0.0, upper), budget=budget).weights
        assert math.fsum(weights) == budget
        assert weights.min() >= 0.0
        assert weights.max() <= upper


@pytest.mark.parametrize("ratio", [0.3, 1.0, 2.0])
def test_a_perfect_hedge_leaves_no_risk_to_share(ratio: float) -> None:
    """What rounding leaves of it is no risk either: it depends on the last bits of the returns."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        one = rng.normal(0.0, 0.02, int(rng.integers(3, 60)))
        with pytest.raises(NotPositiveDefinite, match="no risk"):
            a.risk_parity(np.column_stack((one, -ratio * one)))


def test_one_asset_without_variance_is_refused_like_many() -> None:
    for count in (1, 3):
        with pytest.raises(BadInput, match="no variance"):
            a.hrp_weights(np.full((10, count), 0.001))
