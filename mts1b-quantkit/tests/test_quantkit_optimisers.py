"""Optimal allocations: against printed examples, brute force, optimality conditions, edges."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_quantkit import BadInput, Infeasible, NotPositiveDefinite
from mts1b_quantkit import allocators as a
from mts1b_quantkit import metrics as m
from mts1b_quantkit.allocators.quadratic import Programme
from scipy.optimize import minimize

TIGHT = 1e-10


def sample(seed: int = 0, rows: int = 150, columns: int = 8) -> np.ndarray:
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 0.01, (rows, 3)) @ rng.normal(0, 1, (3, columns))
    return common + rng.normal(0.0004, 0.01, (rows, columns))


def best(objective: object, columns: int, *, upper: float = 1.0) -> np.ndarray:
    """Minimise numerically over the simplex."""
    found = minimize(
        objective,
        np.full(columns, 1.0 / columns),
        bounds=[(0.0, upper)] * columns,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0},
        options={"ftol": 1e-16, "maxiter": 2000},
    )
    return np.asarray(found.x)


class TestHeLitterman:
    """He and Litterman 1999: seven countries, one view, tables 1 to 4."""

    VOLATILITY = np.array([16.0, 20.3, 24.8, 27.1, 21.0, 20.0, 18.7]) / 100
    MARKET = np.array([1.6, 2.2, 5.2, 5.5, 11.6, 12.4, 61.5]) / 100
    LOWER = (
        (0.488,),
        (0.478, 0.664),
        (0.515, 0.655, 0.861),
        (0.439, 0.310, 0.355, 0.354),
        (0.512, 0.608, 0.783, 0.777, 0.405),
        (0.491, 0.779, 0.668, 0.653, 0.306, 0.652),
    )
    NAMES = ("AUS", "CAN", "FRA", "GER", "JAP", "UK", "USA")

    def covariance(self) -> pd.DataFrame:
        matrix = np.eye(7)
        for i, row in enumerate(self.LOWER, start=1):
            matrix[i, : len(row)] = matrix[: len(row), i] = row
        values = matrix * np.outer(self.VOLATILITY, self.VOLATILITY)
        return pd.DataFrame(values, self.NAMES, self.NAMES)

    def test_equilibrium_returns(self) -> None:
        result = a.black_litterman(
            None,
            covariance=self.covariance(),
            market_weights=dict(zip(self.NAMES, self.MARKET, strict=True)),
        )
        printed = [3.9, 6.9, 8.4, 9.0, 4.3, 6.8, 7.6]
        np.testing.assert_allclose(result.diagnostics["prior_mean"] * 100, printed, atol=0.051)
        np.testing.assert_allclose(result.weights, self.MARKET / 1.05, atol=1e-12)
        assert list(result.weights.index) == list(self.NAMES)

    def test_one_view(self) -> None:
        """Germany beats the rest of Europe by 5 %; omega / tau is 0.021."""
        view = {"symbols": ["GER", "FRA", "UK"], "weights": [1, -0.295, -0.705], "expected": 0.05}
        result = a.black_litterman(
            None,
            covariance=self.covariance(),
            market_weights=self.MARKET,
            views=[view],
            omega=[0.05 * 0.021],
        )
        printed_mean = [4.3, 7.6, 9.3, 11.0, 4.5, 7.0, 8.1]
        printed_weights = [1.5, 2.1, -4.0, 35.4, 11.0, -9.5, 58.6]
        mean = result.diagnostics["posterior_mean"]
        np.testing.assert_allclose(mean * 100, printed_mean, atol=0.055)
        np.testing.assert_allclose(result.weights * 100, printed_weights, atol=0.25)
        away = result.weights - self.MARKET / 1.05
        untouched = [name for name in self.NAMES if name not in view["symbols"]]
        np.testing.assert_allclose(away[untouched], 0.0, atol=1e-12)


class TestBlackLitterman:
    """The update by its definition, and its limits."""

    def problem(self) -> tuple[np.ndarray, np.ndarray]:
        returns = sample()
        return np.cov(returns.T), np.full(8, 1 / 8)

    def test_the_posterior_is_the_information_form(self) -> None:
        covariance, _ = self.problem()
        picks, wanted = np.array([[1.0, -1, 0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0]]), [0.01, 0]
        omega, prior, tau = np.diag([1e-5, 2e-5]), np.linspace(-0.001, 0.002, 8), 0.1
        inverse = np.linalg.inv(tau * covariance) + picks.T @ np.linalg.inv(omega) @ picks
        left = np.linalg.inv(inverse)
        mean = left @ (
            np.linalg.solve(tau * covariance, prior) + picks.T @ np.linalg.solve(omega, wanted)
        )
        found = a.black_litterman_posterior(prior, covariance, picks, wanted, omega=omega, tau=tau)
        np.testing.assert_allclose(found.posterior_mean, mean, rtol=1e-9)
        np.testing.assert_allclose(found.posterior_covariance, covariance + left, rtol=1e-9)

    def test_a_certain_view_holds_exactly(self) -> None:
        covariance, market = self.problem()
        view = {"symbols": [2], "weights": [1.0], "expected": 0.02, "confidence": 1.0}
        for omega in ([0.0], "idzorek"):
            result = a.black_litterman(
                None, covariance=covariance, market_weights=market, views=[view], omega=omega
            )
            assert result.diagnostics["posterior_mean"][2] == pytest.approx(0.02, rel=1e-12)

    @pytest.mark.parametrize("confidence", [0.0, 0.25, 0.5, 0.9, 1.0])
    def test_the_implied_confidence_is_the_stated_one(self, confidence: float) -> None:
        covariance, market = self.problem()
        view = {"symbols": [1, 4], "weights": [1, -1], "expected": 0.01, "confidence": confidence}
        result = a.black_litterman(
            None, covariance=covariance, market_weights=market, views=[view], omega="idzorek"
        )
        implied = result.diagnostics["implied_confidence"]
        np.testing.assert_allclose(implied[[1, 4]], confidence, atol=1e-9)
        assert np.isnan(implied[[0, 2, 3, 5, 6, 7]]).all()

    def test_tau_cancels_under_the_proportional_omega_in_the_mean(self) -> None:
        covariance, market = self.problem()
        view = {"symbols": [0], "weights": [1.0], "expected": 0.01}
        means = [
            a.black_litterman(
                None, covariance=covariance, market_caps=market * 9, views=[view], tau=tau
            ).diagnostics["posterior_mean"]
            for tau in (0.01, 0.5)
        ]
        np.testing.assert_allclose(means[0], means[1], rtol=1e-9)

    @pytest.mark.parametrize(
        "change",
        [
            {"market_weights": None},
            {"market_caps": np.ones(8)},
            {"risk_aversion": 0.0},
            {"tau": 0.0},
            {"omega": "idzorec"},
            {"omega": np.zeros((3, 3))},
            {"views": [{"symbols": [9], "weights": [1.0], "expected": 0.0}]},
            {"views": [{"symbols": [1], "weights": [1.0, 2.0], "expected": 0.0}]},
            {"views": [{"symbols": [1], "weights": [1.0]}]},
            {"views": [{"symbols": [1], "weights": [1.0], "expected": math.nan}]},
            {"omega": "idzorek", "views": [{"symbols": [1], "weights": [1.0], "expected": 0.0}]},
        ],
    )
    def test_bad_input(self, change: dict[str, object]) -> None:
        covariance, market = self.problem()
        view = {"symbols": [1], "weights": [1.0], "expected": 0.01, "confidence": 0.5}
        call: dict[str, object] = {"market_weights": market, "views": [view]}
        with pytest.raises(BadInput):
            a.black_litterman(None, covariance=covariance, **(call | change))  # type: ignore[arg-type]

    def test_two_certain_views_that_repeat_each_other(self) -> None:
        covariance, market = self.problem()
        view = {"symbols": [1], "weights": [1.0], "expected": 0.01}
        with pytest.raises(NotPositiveDefinite, match="drop a view"):
            a.black_litterman(
                None,
                covariance=covariance,
                market_weights=market,
                views=[view, view],
                omega=np.zeros((2, 2)),
            )


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    columns=st.integers(1, 12),
    cap=st.sampled_from([None, 0.25, 0.6]),
    aversion=st.sampled_from([0.5, 5.0, 1000.0]),
)
def test_every_solution_meets_the_optimality_conditions(
    seed: int, columns: int, cap: float | None, aversion: float
) -> None:
    returns = sample(seed, 60, columns)
    bounds = (0, 1) if cap is None else (-0.1, max(cap, 1.5 / columns))
    for result in (
        a.min_variance(returns, bounds=bounds),
        a.mean_variance(returns, risk_aversion=aversion, bounds=bounds),
        a.max_diversification(returns, bounds=bounds),
    ):
        assert result.diagnostics["kkt_residual"] < TIGHT
        assert math.fsum(result.weights) == 1.0
        assert (result.weights >= bounds[0] - 1e-12).all()
        assert (result.weights <= bounds[1] + 1e-12).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), columns=st.integers(2, 30))
def test_the_active_set_method_finds_what_block_moves_find(seed: int, columns: int) -> None:
    returns = sample(seed, 80, columns)
    rng = np.random.default_rng(seed)
    covariance, linear = np.cov(returns.T), rng.normal(0, 1e-4, columns)
    programme = Programme(covariance, lower=np.zeros(columns), upper=np.full(columns, 0.7))
    quick, sure = programme.solve(linear), programme._by_single_bounds(linear)
    np.testing.assert_allclose(quick.weights, sure.weights, atol=1e-9)
    assert programme.residual(sure, linear) < TIGHT


class TestAgainstBruteForce:
    """A numerical optimiser never finds anything better."""

    @pytest.mark.parametrize("seed", range(4))
    def test_min_variance_and_max_sharpe(self, seed: int) -> None:
        returns = sample(seed)
        covariance, mean = np.cov(returns.T), returns.mean(axis=0)
        rival = best(lambda w: 1e4 * w @ covariance @ w, 8)
        result = a.min_variance(returns)
        assert result.diagnostics["objective"] <= rival @ covariance @ rival + 1e-15
        np.testing.assert_allclose(result.weights, rival, atol=2e-4)
        rival = best(lambda w: -(w @ mean) / np.sqrt(w @ covariance @ w), 8)
        ratio = (rival @ mean) / np.sqrt(rival @ covariance @ rival)
        assert a.max_sharpe(returns).diagnostics["objective"] >= ratio - 1e-12

    @pytest.mark.parametrize("seed", range(3))
    def test_scenario_risks(self, seed: int) -> None:
        returns = sample(seed, 80, 4)
        rng = np.random.default_rng(seed)
        rivals = rng.dirichlet(np.ones(4), 2000)
        portfolios = returns @ rivals.T
        result = a.min_cvar(returns, confidence=0.9)
        own = returns @ result.weights
        assert result.diagnostics["objective"] == pytest.approx(
            -m.expected_shortfall(own, confidence=0.9)
        )
        rival = -m.expected_shortfall(portfolios, confidence=0.9)
        assert result.diagnostics["objective"] <= rival.min() + 1e-12
        result = a.min_mad(returns)
        spread = m.mean_absolute_deviation(returns @ result.weights)
        assert result.diagnostics["objective"] == pytest.approx(spread)
        assert spread <= m.mean_absolute_deviation(portfolios).min() + 1e-12
        result = a.min_cdar(returns, confidence=0.9)
        falls = _drawdown_risk(returns @ result.weights[:, None], 0.9)
        assert result.diagnostics["objective"] == pytest.approx(falls[0])
        assert falls[0] <= _drawdown_risk(portfolios, 0.9).min() + 1e-12

    def test_max_diversification_of_uncorrelated_assets_is_inverse_volatility(self) -> None:
        covariance = np.diag([0.01, 0.04, 0.09])
        result = a.max_diversification(None, covariance=covariance)
        np.testing.assert_allclose(
            result.weights, a.inverse_volatility(None, covariance=covariance).weights, atol=1e-12
        )


def _drawdown_risk(paths: np.ndarray, confidence: float) -> np.ndarray:
    total = np.cumsum(paths, axis=0)
    falls = np.sort(np.maximum.accumulate(np.maximum(total, 0.0), axis=0) - total, axis=0)[::-1]
    count = round((1 - confidence) * len(paths))
    return falls[:count].mean(axis=0)


class TestEfficientReturn:
    """Least variance at a return."""

    @pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 0.75, 1.0])
    def test_the_return_is_met_and_nothing_has_less_variance(self, share: float) -> None:
        returns = sample(3)
        mean, covariance = returns.mean(axis=0), np.cov(returns.T)
        target = float(mean.min() + share * (mean.max() - mean.min()))
        result = a.efficient_return(returns, target_return=target)
        assert result.weights @ mean == pytest.approx(target, abs=1e-15)
        assert result.diagnostics["kkt_residual"] < 1e-8
        for seed in range(20):
            rival = np.random.default_rng(seed).dirichlet(np.ones(8))
            above = (rival @ mean - target) / (rival @ mean - mean[rival @ mean > mean][0])
            if 0 < above < 1:
                mixed = (1 - above) * rival
                mixed[np.flatnonzero(rival @ mean > mean)[0]] += above
                assert mixed @ covariance @ mixed >= result.diagnostics["objective"] - 1e-15

    def test_what_the_bounds_do_not_allow(self) -> None:
        with pytest.raises(Infeasible, match="target_return is"):
            a.efficient_return(sample(), target_return=1.0)
        with pytest.raises(BadInput, match="finite"):
            a.efficient_return(sample(), target_return=math.nan)


class TestFrontier:
    """The critical line."""

    @pytest.mark.parametrize("seed", range(5))
    def test_between_turning_points_the_mix_is_the_solution(self, seed: int) -> None:
        returns = sample(seed, 100, 25)
        frontier = a.efficient_frontier(returns, bounds=(0, 0.3))
        mean = returns.mean(axis=0)
        programme = Programme(np.cov(returns.T), lower=np.zeros(25), upper=np.full(25, 0.3))
        assert frontier.lambdas[-1] == 0.0
        assert (np.diff(frontier.lambdas) < 0).all()
        assert (np.diff(frontier.expected_returns) <= 1e-15).all()
        assert (np.diff(frontier.variances) <= 1e-15).all()
        for k in range(len(frontier.lambdas) - 1):
            between = (frontier.lambdas[k] + frontier.lambdas[k + 1]) / 2
            mixed = (frontier.weights[k] + frontier.weights[k + 1]) / 2
            np.testing.assert_allclose(programme.solve(between * mean).weights, mixed, atol=1e-10)

    def test_its_ends_and_its_best_ratio(self) -> None:
        returns = pd.DataFrame(sample(2), columns=list("abcdefgh"))
        frontier = a.efficient_frontier(returns)
        assert list(frontier.weights.columns) == list("abcdefgh")
        np.testing.assert_allclose(
            frontier.weights.iloc[-1], a.min_variance(returns).weights, atol=1e-10
        )
        assert frontier.weights.iloc[0].idxmax() == returns.mean().idxmax()
        ratios = frontier.expected_returns / np.sqrt(frontier.variances)
        assert a.max_sharpe(returns).diagnostics["objective"] >= ratios.max() - 1e-14

    def test_bad_input(self) -> None:
        with pytest.raises(BadInput, match="finite bounds"):
            a.efficient_frontier(sample(), bounds=None)
        with pytest.raises(BadInput, match="all equal"):
            a.efficient_frontier(sample(), expected_returns=np.ones(8))


QUADRATIC = (a.min_variance, a.max_sharpe, a.mean_variance, a.max_diversification)
LINEAR = (a.min_cvar, a.min_mad, a.min_cdar)


class TestBoundsAndKinds:
    """What users pass and get back."""

    @pytest.mark.parametrize("method", [*QUADRATIC, *LINEAR])
    def test_the_same_kind_comes_back_in_the_same_order(self, method: object) -> None:
        values = sample(1, 60, 4)
        plain = method(values).weights  # type: ignore[operator]
        names = ["d", "b", "a", "c"]
        series = method(pd.DataFrame(values, columns=names)).weights  # type: ignore[operator]
        assert list(series.index) == names
        np.testing.assert_array_equal(series, plain)
        frame = method(pl.DataFrame(values, schema=names)).weights  # type: ignore[operator]
        np.testing.assert_array_equal(frame.to_numpy()[0], plain)

    @pytest.mark.parametrize("method", [*QUADRATIC, *LINEAR])
    def test_each_asset_can_have_its_own_bounds(self, method: object) -> None:
        pairs = [(0.1, 0.2), (0.0, 0.3), (0.25, None), (-0.1, 0.5)]
        weights = method(sample(1, 60, 4), bounds=pairs).weights  # type: ignore[operator]
        for weight, (low, high) in zip(weights, pairs, strict=True):
            assert low - 1e-12 <= weight <= (1e9 if high is None else high) + 1e-12
        named = method(  # type: ignore[operator]
            pd.DataFrame(sample(1, 60, 4), columns=list("abcd")),
            bounds=dict(zip("abcd", pairs, strict=True)),
        )
        np.testing.assert_array_equal(named.weights, weights)

    @pytest.mark.parametrize("method", [*QUADRATIC, *LINEAR])
    def test_impossible_and_malformed_bounds(self, method: object) -> None:
        call = lambda bounds: method(sample(1, 60, 4), bounds=bounds)  # type: ignore[operator]  # noqa: E731
        with pytest.raises(Infeasible, match="budget"):
            call((0, 0.2))
        with pytest.raises(Infeasible, match="swap"):
            call((0.5, 0.1))
        for malformed in ([(0, 1)] * 3, [1, 2, 3, 4], (0, math.nan), [(0, 1, 2)] * 4):
            with pytest.raises(BadInput):
                call(malformed)

    @pytest.mark.parametrize("method", QUADRATIC)
    def test_a_singular_covariance_names_the_remedy(self, method: object) -> None:
        twice = np.hstack([sample(1, 60, 3), sample(1, 60, 3)])
        with pytest.raises(NotPositiveDefinite, match="shrink"):
            method(twice)  # type: ignore[operator]
        with pytest.raises(NotPositiveDefinite, match="shrink"):
            method(sample(1, 5, 9), bounds=None)  # type: ignore[operator]

    def test_ratios_without_an_answer(self) -> None:
        with pytest.raises(Infeasible, match="risk_free_rate"):
            a.max_sharpe(sample(), risk_free_rate=1.0)
        falling = {"covariance": np.diag([0.01, 0.02]), "expected_returns": [-0.03, -0.01]}
        with pytest.raises(Infeasible, match="leverage"):
            a.max_sharpe(None, bounds=None, **falling)

    def test_one_asset_and_extreme_scales(self) -> None:
        assert a.min_variance(sample(0, 20, 1)).weights.tolist() == [1.0]
        base = a.min_variance(sample(5)).weights
        for scale in (1e-140, 1e140):
            covariance = np.cov(sample(5).T) * scale
            np.testing.assert_allclose(
                a.min_variance(None, covariance=covariance).weights, base, rtol=1e-9, atol=1e-12
            )

    def test_the_order_of_the_assets_changes_nothing(self) -> None:
        returns, turned = sample(4), np.random.default_rng(0).permutation(8)
        for method in QUADRATIC:
            np.testing.assert_allclose(
                method(returns).weights[turned], method(returns[:, turned]).weights, atol=1e-10
            )

    def test_the_condition_number_is_there_when_asked_for(self) -> None:
        covariance = np.cov(sample().T)
        found = a.min_variance(sample()).diagnostics
        assert found["condition_number"] == pytest.approx(np.linalg.cond(covariance))
        assert "condition_number" in repr(found)
        assert len(found) == len(list(found))

    @pytest.mark.parametrize("aversion", [0.0, -1.0, math.nan, math.inf])
    def test_a_risk_aversion_is_positive(self, aversion: float) -> None:
        with pytest.raises(BadInput, match="risk_aversion"):
            a.mean_variance(sample(), risk_aversion=aversion)
