"""Log-optimal weights: coins, brute force, ruin."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_portfolio import kelly_binary, kelly_fraction, kelly_log_optimal
from mts1b_quantkit import BadInput, Infeasible


def growth(returns: np.ndarray, weights: np.ndarray) -> float:
    return float(np.log1p(returns @ weights).mean())


@pytest.mark.parametrize(("wins", "losses", "odds"), [(60, 40, 1.0), (50, 50, 2.0), (30, 70, 3.0)])
def test_a_coin_is_the_bet_of_kelly(wins: int, losses: int, odds: float) -> None:
    coin = np.array([[odds]] * wins + [[-1.0]] * losses)
    found = kelly_log_optimal(coin, bounds=(0, None), budget=None)
    assert found[0] == pytest.approx(kelly_binary(wins / (wins + losses), odds), abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 5000), assets=st.integers(1, 6))
def test_nothing_on_the_simplex_grows_faster(seed: int, assets: int) -> None:
    rng = np.random.default_rng(seed)
    returns = np.maximum(rng.normal(0.002, 0.05, (60, assets)), -0.95)
    weights = kelly_log_optimal(returns)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert (weights >= 0.0).all()
    best = growth(returns, weights)
    for rival in rng.dirichlet(np.ones(assets), 200):
        assert growth(returns, rival) <= best + 1e-15
    slope = (returns / (1 + returns @ weights)[:, None]).mean(axis=0)
    assert slope.max() - slope @ weights <= 1e-7


def test_free_leverage_meets_the_first_order_condition() -> None:
    returns = np.random.default_rng(0).normal(0.001, 0.02, (500, 3))
    weights = kelly_log_optimal(returns, bounds=None, budget=None)
    slope = (returns / (1 + returns @ weights)[:, None]).mean(axis=0)
    np.testing.assert_allclose(slope, 0.0, atol=1e-9)
    small = kelly_fraction(returns.mean(axis=0), np.cov(returns.T, ddof=0))
    np.testing.assert_allclose(weights, small, rtol=0.3)


def test_a_start_that_is_ruined_is_left() -> None:
    returns = np.array([[-2.0, 0.1], [3.0, -0.05], [1.0, 0.02]])
    weights = kelly_log_optimal(returns)
    assert (1 + returns @ weights > 0).all()


def test_labels_and_errors() -> None:
    frame = pd.DataFrame(np.random.default_rng(1).normal(0, 0.01, (50, 2)), columns=["b", "a"])
    assert list(kelly_log_optimal(frame).index) == ["b", "a"]
    with pytest.raises(Infeasible, match="ruined"):
        kelly_log_optimal(np.array([[-1.5], [0.1]]))
    with pytest.raises(Infeasible, match="budget"):
        kelly_log_optimal(frame, bounds=(0, 0.2))
    with pytest.raises(Infeasible, match="no bound"):
        kelly_log_optimal(np.array([[0.1], [0.2]]), bounds=(0, None), budget=None)
    with pytest.raises(BadInput, match="matrix"):
        kelly_log_optimal([0.1, 0.2])
