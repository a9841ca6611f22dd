"""The trajectory of the paper, its optimality, and the shortfall by hand."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_oms_algos import BadParameter, almgren_chriss_trajectory, implementation_shortfall

PAPER = {
    "volatility": 0.95,
    "permanent_impact": 2.5e-7,
    "temporary_impact": 2.5e-6,
    "fixed_cost": 0.0625,
}
"""Table 1 (p. 25 of the preprint of December 2000): a million shares, five days, five trades."""


def cost_and_variance(holdings: np.ndarray, step: float, **market: float) -> tuple[float, float]:
    trades = -np.diff(holdings)
    adjusted = market["temporary_impact"] - market["permanent_impact"] * step / 2
    cost = (
        market["permanent_impact"] * holdings[0] ** 2 / 2
        + market["fixed_cost"] * np.abs(trades).sum()
        + adjusted / step * (trades**2).sum()
    )
    return float(cost), float(market["volatility"] ** 2 * step * (holdings[1:] ** 2).sum())


class TestPaper:
    """Almgren and Chriss 2000, equations as the preprint of December 2000 numbers them."""

    def test_half_life(self) -> None:
        """Page 24, equation 19: lambda = 1e-6 gives kappa near 0.6 a day."""
        found = almgren_chriss_trajectory(1e6, 5, 5, risk_aversion=1e-6, **PAPER)
        assert 1 / found.half_life == pytest.approx(0.607, abs=0.005)

    def test_even_trading(self) -> None:
        """Equations 10 and 11 for lambda = 0: cost 0.6625 M, deviation 1.04 M dollars."""
        found = almgren_chriss_trajectory(1e6, 5, 5, risk_aversion=0.0, **PAPER)
        assert found.trades == pytest.approx((2e5,) * 5)
        assert found.half_life == math.inf
        step, adjusted = 1.0, 2.5e-6 - 1.25e-7
        expected = 0.5 * 2.5e-7 * 1e12 + 0.0625 * 1e6 + adjusted * 1e12 / 5 / step
        assert expected == pytest.approx(662_500)
        assert found.expected_cost == pytest.approx(expected)
        third = 0.95**2 * 1e12 * 5 / 3 * (1 - 1 / 5) * (1 - 1 / 10)
        assert found.variance == pytest.approx(third)


@settings(max_examples=50, deadline=None)
@given(
    intervals=st.integers(1, 30),
    horizon=st.floats(0.1, 50),
    aversion=st.sampled_from([0.0, 1e-9, 1e-7, 1e-6, 1e-4, 1.0]),
    shares=st.sampled_from([1.0, -1e5, 1e6]),
)
def test_it_is_the_optimum_and_says_its_own_cost(
    intervals: int, horizon: float, aversion: float, shares: float
) -> None:
    market = PAPER | {"permanent_impact": 1e-8}
    found = almgren_chriss_trajectory(shares, horizon, intervals, risk_aversion=aversion, **market)
    holdings = np.array(found.holdings)
    assert holdings[0] == shares
    assert holdings[-1] == 0.0
    assert (np.diff(np.abs(holdings)) <= 1e-9 * abs(shares)).all()
    step = horizon / intervals
    cost, variance = cost_and_variance(holdings, step, **market)
    assert found.expected_cost == pytest.approx(cost)
    assert found.variance == pytest.approx(variance)
    best = cost + aversion * variance
    rng = np.random.default_rng(0)
    for _ in range(5):
        rival = holdings.copy()
        rival[1:-1] += rng.normal(0, 0.01 * abs(shares), max(0, intervals - 1))
        other, spread = cost_and_variance(rival, step, **market)
        other += market["fixed_cost"] * (abs(shares) - np.abs(np.diff(rival)).sum())
        assert other + aversion * spread >= best * (1 - 1e-12)


def test_impatience_trades_at_once_and_patience_evenly() -> None:
    hurried = almgren_chriss_trajectory(100, 10, 10, risk_aversion=1e9, **PAPER)
    assert hurried.trades[0] == pytest.approx(100)
    patient = almgren_chriss_trajectory(100, 10, 10, risk_aversion=1e-15, **PAPER)
    assert patient.trades == pytest.approx((10.0,) * 10)


def test_the_sign_and_size_of_the_order_scale_the_trajectory() -> None:
    one = almgren_chriss_trajectory(1.0, 5, 7, risk_aversion=1e-6, **PAPER)
    other = almgren_chriss_trajectory(-3e5, 5, 7, risk_aversion=1e-6, **PAPER)
    np.testing.assert_allclose(np.array(other.holdings), -3e5 * np.array(one.holdings))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"shares": 0.0}, "shares"),
        ({"horizon": 0.0}, "horizon"),
        ({"n_intervals": 0}, "n_intervals"),
        ({"n_intervals": 2.5}, "n_intervals"),
        ({"volatility": -1.0}, "volatility"),
        ({"risk_aversion": math.nan}, "risk_aversion"),
        ({"temporary_impact": 1e-9}, "temporary_impact"),
        ({"fixed_cost": math.inf}, "fixed_cost"),
    ],
)
def test_bad_parameters_are_named(change: dict[str, float], named: str) -> None:
    call = {"shares": 1e6, "horizon": 5, "n_intervals": 5, "risk_aversion": 1e-6, **PAPER}
    with pytest.raises(BadParameter, match=named):
        almgren_chriss_trajectory(**(call | change))  # type: ignore[arg-type]


class TestShortfall:
    """Perold 1988."""

    TERMS: ClassVar[dict[str, float]] = {
        "ordered": 1000.0,
        "filled": 800.0,
        "decision_price": 50.0,
        "arrival_price": 50.5,
        "execution_price": 51.0,
        "final_price": 52.0,
        "fees": 40.0,
    }

    def test_by_hand(self) -> None:
        found = implementation_shortfall("buy", **self.TERMS)
        assert found.delay == pytest.approx(800 * 0.5 / 50_000)
        assert found.execution == pytest.approx(800 * 0.5 / 50_000)
        assert found.opportunity == pytest.approx(200 * 2 / 50_000)
        assert found.fees == pytest.approx(40 / 50_000)
        assert found.total == pytest.approx(0.0248)

    @pytest.mark.parametrize("side", ["buy", "sell", "short", "cover"])
    def test_the_total_is_the_paper_return_less_the_real_one(self, side: str) -> None:
        found = implementation_shortfall(side, **self.TERMS)
        sign = 1 if side in ("buy", "cover") else -1
        paper = sign * 1000 * (52 - 50)
        real = sign * 800 * (52 - 51) - 40
        assert found.total == pytest.approx((paper - real) / 50_000)

    @pytest.mark.parametrize(
        "change",
        [
            {"filled": 1001.0},
            {"filled": -1.0},
            {"decision_price": 0.0},
            {"final_price": math.nan},
            {"fees": math.inf},
        ],
    )
    def test_bad_input(self, change: dict[str, float]) -> None:
        with pytest.raises(BadParameter):
            implementation_shortfall("buy", **(self.TERMS | change))
