"""Printed examples of the papers, and the laws and edges of what else there is."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation.signals import Signal
from mts1b_foundation.symbology import Symbol
from mts1b_portfolio import (
    BadTarget,
    Composition,
    SessionMatrix,
    arbitrate,
    arbitration_score,
    compose,
    equal_weight_long,
    equal_weight_ls,
    fixed_weight,
    fund_capacity,
    kelly_binary,
    kelly_binary_growth,
    kelly_fraction,
    kelly_growth,
    kelly_log_optimal,
    kelly_voltarget_12,
    position_capacity,
    vol_target_weights,
)
from mts1b_quantkit import BadInput
from mts1b_quantkit.covariance import ledoit_wolf

RETURNS = np.random.default_rng(11).normal(0.0005, 0.01, (120, 3)) * [1.0, 2.0, 0.5]
SEEDS = st.integers(0, 10_000)
FEW = settings(max_examples=25, deadline=None)


class TestThorp2006:
    """Thorp, The Kelly criterion in blackjack, sports betting, and the stock market (2006)."""

    def test_coin_tossing(self) -> None:
        """Section 2: even money, p = 0.53, so f* = p - q = 0.06; g = p ln(1+f) + q ln(1-f)."""
        stake = kelly_binary(0.53, 1.0)
        assert stake == pytest.approx(0.06, abs=1e-15)
        assert kelly_binary_growth(stake, 0.53, 1.0) == pytest.approx(0.001801, abs=5e-7)
        # beyond the second zero of g, a little below twice the Kelly bet, the player ends in ruin
        assert kelly_binary_growth(0.1197, 0.53, 1.0) > 0.0 > kelly_binary_growth(0.1198, 0.53, 1.0)

    def test_the_continuous_approximation(self) -> None:
        """Section 7.1: m = 0.11, s = 0.15, r = 0.06; f* = (m - r) / s^2, g = (m - r)^2/2s^2 + r."""
        mean, variance, cash = 0.11, np.array([[0.15**2]]), 0.06
        fraction = kelly_fraction([mean - cash], variance)
        assert fraction[0] == pytest.approx(2.2222, abs=5e-5)
        growth = kelly_growth(fraction, [mean], variance, risk_free_rate=cash)
        assert growth == pytest.approx(0.11556, abs=5e-6)
        unlevered = kelly_growth([1.0], [mean], variance, risk_free_rate=cash)
        assert unlevered == pytest.approx(0.09875, abs=1e-12)

    @FEW
    @given(c=st.floats(0.05, 1.95))
    def test_fractional_kelly(self, c: float) -> None:
        """Section 7.3: c times the Kelly bet earns c (2 - c) of the excess growth."""
        mean, covariance = np.array([0.05, 0.08]), np.array([[0.04, 0.01], [0.01, 0.09]])
        best = kelly_growth(kelly_fraction(mean, covariance), mean, covariance)
        part = kelly_fraction(mean, covariance, risk_aversion=1.0 / c)
        assert kelly_growth(part, mean, covariance) == pytest.approx(c * (2 - c) * best)


class TestKelly1956:
    """Kelly, A new interpretation of information rate (1956)."""

    @pytest.mark.parametrize("p", [0.5, 0.6, 0.75, 0.99])
    def test_the_growth_is_the_rate_of_the_channel(self, p: float) -> None:
        """At fair odds the best growth is 1 + p log2 p + q log2 q bits a bet."""
        bits = kelly_binary_growth(kelly_binary(p, 1.0), p, 1.0) / math.log(2)
        rate = 1 + p * math.log2(p) + (1 - p) * math.log2(1 - p)
        assert bits == pytest.approx(rate, abs=1e-12)

    def test_horses(self) -> None:
        """Betting all on a race without a track's take is in proportion to the chances."""
        chances, odds = [0.5, 0.3, 0.2], [3.0, 3.0, 3.0]
        rows = [
            [odds[horse] - 1 if horse == winner else -1.0 for horse in range(3)]
            for winner, times in enumerate((50, 30, 20))
            for _ in range(times)
        ]
        np.testing.assert_allclose(kelly_log_optimal(np.array(rows)), chances, atol=1e-9)


@FEW
@given(p=st.floats(0, 1), b=st.floats(0.01, 100), cap=st.floats(0, 1))
def test_a_bet_is_capped_and_grows_only_with_an_edge(p: float, b: float, cap: float) -> None:
    stake = kelly_binary(p, b)
    assert abs(kelly_binary(p, b, cap=cap)) <= cap
    assert (stake > 0) == (p * (b + 1) > 1) or math.isclose(p * (b + 1), 1.0)
    if 0 < stake < 1:
        assert kelly_binary_growth(stake, p, b) >= 0.0


@FEW
@given(seed=SEEDS, k=st.floats(0.1, 10))
def test_kelly_in_other_units(seed: int, k: float) -> None:
    rng = np.random.default_rng(seed)
    mean, root = rng.normal(0, 0.1, 3), rng.normal(0, 0.2, (3, 5))
    cov = root @ root.T + np.eye(3) * 0.01
    whole = kelly_fraction(mean, cov)
    np.testing.assert_allclose(kelly_fraction(mean * k, cov * k), whole, rtol=1e-8)
    order = rng.permutation(3)
    np.testing.assert_allclose(
        kelly_fraction(mean[order], cov[np.ix_(order, order)]), whole[order], rtol=1e-8
    )


@FEW
@given(seed=SEEDS, k=st.floats(0.2, 5))
def test_a_volatility_target_forgets_the_size_of_its_base(seed: int, k: float) -> None:
    base = np.random.default_rng(seed).uniform(0.1, 1.0, 3)
    one = vol_target_weights(base, RETURNS, target_ann_vol=0.1, max_scale=1e9)
    other = vol_target_weights(base * k, RETURNS, target_ann_vol=0.1, max_scale=1e9)
    np.testing.assert_allclose(one, other, rtol=1e-9)


def test_a_volatility_target_has_a_floor_and_a_lag() -> None:
    base = np.array([0.5, 0.3, 0.2])
    low = vol_target_weights(base, RETURNS, target_ann_vol=0.001, min_scale=0.25)
    np.testing.assert_allclose(low, base * 0.25)
    shocked = RETURNS.copy()
    shocked[-2:] *= 80.0
    late = vol_target_weights(base, shocked, target_ann_vol=0.1, lag=2)
    np.testing.assert_array_equal(late, vol_target_weights(base, RETURNS[:-2], target_ann_vol=0.1))
    for wrong in ({"min_scale": 4.0}, {"min_scale": -0.1}, {"lag": -1}, {"lag": 100}):
        with pytest.raises(BadInput):
            vol_target_weights(base, RETURNS, target_ann_vol=0.1, **wrong)  # type: ignore[arg-type]


class TestDemonstrationSizer:
    """kelly_voltarget_12."""

    def test_it_is_its_definition(self) -> None:
        signal = RETURNS.mean(axis=0)
        covariance = np.asarray(ledoit_wolf(RETURNS).covariance)
        base = np.clip(np.linalg.inv(covariance) @ signal / 2.0, -0.2, 0.2)
        recent = np.log1p(RETURNS[-63:]) @ base
        scale = min(0.12 / (recent.std(ddof=1) * math.sqrt(252)), 3.0)
        np.testing.assert_allclose(
            kelly_voltarget_12(signal, RETURNS, 5e6), base * scale * 5e6, rtol=1e-9
        )

    @FEW
    @given(seed=SEEDS, nav=st.floats(1, 1e9))
    def test_dollars_are_in_proportion_and_names_may_come_in_any_order(
        self, seed: int, nav: float
    ) -> None:
        rng = np.random.default_rng(seed)
        signal, order = rng.normal(0, 0.001, 3), rng.permutation(3)
        one = kelly_voltarget_12(signal, RETURNS, 1.0)
        np.testing.assert_allclose(kelly_voltarget_12(signal, RETURNS, nav), one * nav, rtol=1e-9)
        np.testing.assert_allclose(
            kelly_voltarget_12(signal[order], RETURNS[:, order], 1.0), one[order], rtol=1e-6
        )
        assert np.abs(one).max() <= 0.2 * 3.0 + 1e-12


@FEW
@given(
    weights=st.lists(st.floats(-2, 2).filter(lambda w: abs(w) > 1e-6), min_size=1, max_size=6),
    gross=st.floats(0, 3),
)
def test_stated_weights_keep_their_proportions(weights: list[float], gross: float) -> None:
    scaled = fixed_weight(weights, gross=gross)
    assert np.abs(scaled).sum() == pytest.approx(gross, abs=1e-9)
    np.testing.assert_allclose(scaled * np.abs(weights).sum(), np.array(weights) * gross, atol=1e-9)
    with pytest.raises(BadInput, match="gross"):
        fixed_weight(weights, gross=-1.0)


def test_counts_that_do_not_fit_are_refused() -> None:
    for call in (
        lambda: equal_weight_ls([1.0, 2.0, 3.0], n_long=2, n_short=2),
        lambda: equal_weight_ls([1.0, 2.0, 3.0], n_long=0, n_short=1),
        lambda: equal_weight_long([1.0], n=1, gross=math.inf),
        lambda: kelly_growth([1.0], [0.1, 0.2], np.eye(2)),
        lambda: kelly_binary_growth(0.1, 0.5, -1.0),
    ):
        with pytest.raises(BadInput):
            call()


VOLUMES = st.lists(st.floats(1e3, 1e8), min_size=21, max_size=40)


class TestCapacityLaws:
    """Money that fits is in proportion to the market."""

    @FEW
    @given(volume=VOLUMES, k=st.floats(0.1, 10), price=st.floats(0.01, 1e4))
    def test_of_a_position(self, volume: list[float], k: float, price: float) -> None:
        one = position_capacity("A", 1e6, volume=volume, price=price)
        assert one.units == pytest.approx(np.mean(volume[-21:]) * 0.01)
        other = position_capacity("A", 2e6, volume=np.array(volume) * k, price=price)
        assert other.notional_usd == pytest.approx(one.notional_usd * k)
        assert other.share_of_nav == pytest.approx(one.share_of_nav * k / 2)

    @FEW
    @given(volume=VOLUMES, weights=st.lists(st.floats(0.01, 1), min_size=1, max_size=5))
    def test_of_a_fund(self, volume: list[float], weights: list[float]) -> None:
        book = {f"S{i}": weight for i, weight in enumerate(weights)}
        prices = {name: 10.0 * (i + 1) for i, name in enumerate(book)}
        found = fund_capacity(book, volumes=dict.fromkeys(book, volume), prices=prices)
        for name, weight in book.items():
            alone = position_capacity(name, found.nav_usd, volume=volume, price=prices[name])
            assert abs(weight) * found.nav_usd <= alone.notional_usd * (1 + 1e-9)
        assert found.nav_usd == min(found.by_symbol.values())


class TestSessionLaws:
    """No part of the day trades above its cap."""

    MATRIX = SessionMatrix(
        {
            "RTH": {"sizer": "fixed_weight"},
            "pre": {"sizer": "fixed_weight", "gross_cap": 0.3},
            "24h": {"sizer": "fixed_weight"},
        }
    )

    @FEW
    @given(
        minute=st.integers(0, 7 * 24 * 60),
        weights=st.lists(st.floats(-2, 2), min_size=1, max_size=4),
        kind=st.sampled_from(["equities", "crypto"]),
    )
    def test_the_cap_binds(self, minute: int, weights: list[float], kind: str) -> None:
        at = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(minutes=minute)
        rule = self.MATRIX.resolve(asset_class=kind, asof=at)
        if rule is None:
            assert kind == "equities"
            return
        sized = rule(weights)
        assert np.abs(sized).sum() <= rule.gross_cap + 1e-12
        if np.abs(weights).sum() <= rule.gross_cap:
            np.testing.assert_array_equal(sized, weights)


def signal(name: str, **changes: Any) -> Signal:
    terms: dict[str, Any] = {
        "signal_id": name,
        "agent_id": f"agent-{name}",
        "symbol": Symbol("AAPL"),
        "strategy": "s",
        "thesis": "it will move",
        "direction": 1,
        "confidence": 0.8,
        "expected_return": 0.02,
        "horizon_minutes": 60,
        "created_at": datetime(2026, 1, 5, tzinfo=UTC),
        "reference_price": Decimal(100),
    }
    return Signal(**(terms | changes))


SIGNALS = st.lists(
    st.tuples(
        st.sampled_from(["AAPL", "MSFT"]),
        st.floats(0, 1),
        st.floats(-0.1, 0.1),
        st.floats(0, 1),
    ),
    max_size=6,
).map(
    lambda rows: [
        signal(f"s{i}", symbol=Symbol(sym), confidence=c, expected_return=r, liquidity_score=liq)
        for i, (sym, c, r, liq) in enumerate(rows)
    ]
)


class TestArbitrationLaws:
    """Who wins, whatever comes."""

    @FEW
    @given(signals=SIGNALS, floor=st.floats(0, 1))
    def test_a_winner_is_sure_enough_and_has_the_highest_score(
        self, signals: list[Signal], floor: float
    ) -> None:
        found = arbitrate(signals, min_confidence=floor)
        assert found.winners == arbitrate(signals[::-1], min_confidence=floor).winners
        assert len(found.considered) == len(signals)
        for symbol, winner in found.winners.items():
            rivals = [s for s in signals if s.symbol == symbol and s.confidence >= floor]
            best = max((arbitration_score(s) for s in rivals), default=0.0)
            if winner is None:
                assert best == 0.0
            else:
                assert winner.confidence >= floor
                assert arbitration_score(winner) == best > 0.0

    @FEW
    @given(weight=st.floats(0, 100), k=st.floats(0, 10))
    def test_a_score_is_in_proportion_to_its_weight(self, weight: float, k: float) -> None:
        one = signal("a")
        assert arbitration_score(one, weight=weight * k) == pytest.approx(
            arbitration_score(one, weight=weight) * k
        )

    def test_edges(self) -> None:
        assert arbitration_score(signal("a", confidence=0.0)) == 0.0
        assert arbitration_score(signal("a", direction=-1)) == 0.0
        exact = arbitrate([signal("a", confidence=0.4)])
        assert exact.winners["AAPL"] is not None, "the floor itself takes part"
        with pytest.raises(BadTarget, match="agent-a"):
            arbitrate([signal("a")], weights={"agent-a": math.inf})


@FEW
@given(seed=SEEDS, sleeves=st.integers(1, 4))
def test_a_book_of_equal_sleeves_is_their_mean(seed: int, sleeves: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = {f"s{i}": dict(zip("ABC", rng.normal(size=3), strict=True)) for i in range(sleeves)}
    book = compose({name: {"weights": w} for name, w in drawn.items()}, overlay="equal")
    assert isinstance(book, Composition)
    for symbol in "ABC":
        mean = np.mean([weights[symbol] for weights in drawn.values()])
        assert book.weights[symbol] == pytest.approx(mean)
