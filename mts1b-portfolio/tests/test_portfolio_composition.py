"""Sleeves, sessions, capacity, arbitration and the composite sizer."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation.signals import Signal
from mts1b_foundation.symbology import AssetClass, Symbol
from mts1b_foundation.time import SessionPhase
from mts1b_portfolio import (
    BadTarget,
    MissingPrice,
    SessionMatrix,
    arbitrate,
    arbitration_score,
    compose,
    equal_weight_long,
    fund_capacity,
    kelly_voltarget_12,
    position_capacity,
)
from mts1b_quantkit import BadInput
from mts1b_quantkit.allocators import hrp_weights

RETURNS = np.random.default_rng(2).normal(0.0005, 0.01, (250, 3))


class TestSleeves:
    """multi_sleeve.compose."""

    def test_a_symbol_in_two_sleeves_is_summed(self) -> None:
        """The documented example: 0.6 x 0.4 + 0.4 x (-0.5) = 0.04."""
        found = compose(
            {
                "trend": {"weights": {"SPY": 0.4, "TLT": 0.6}, "allocation": 0.6},
                "carry": {"weights": {"SPY": -0.5}, "allocation": 0.4},
            }
        )
        assert found.weights["SPY"] == pytest.approx(0.04)
        assert found.weights["TLT"] == pytest.approx(0.36)
        assert found.contributions["carry"] == {"SPY": pytest.approx(-0.2)}

    def test_overlays_make_the_allocations(self) -> None:
        sleeves: dict[str, Any] = {name: {"weights": {name: 1.0}} for name in ("b", "a", "c")}
        assert compose(sleeves, overlay="equal").allocations == dict.fromkeys("bac", 1 / 3)
        frame = pd.DataFrame(RETURNS, columns=list("abc"))
        found = compose(sleeves, overlay="hrp", returns=frame).allocations
        expected = hrp_weights(RETURNS[:, [1, 0, 2]]).weights
        np.testing.assert_allclose([found[name] for name in "bac"], expected)

    @settings(max_examples=40, deadline=None)
    @given(
        st.dictionaries(
            st.sampled_from("xyz"),
            st.tuples(
                st.floats(0, 0.33),
                st.dictionaries(st.sampled_from(["A", "B"]), st.floats(-2, 2), max_size=2),
            ),
            min_size=1,
        )
    )
    def test_contributions_sum_to_the_book(self, drawn: dict[str, Any]) -> None:
        sleeves = {n: {"weights": w, "allocation": a} for n, (a, w) in drawn.items()}
        found = compose(sleeves)
        for symbol, weight in found.weights.items():
            parts = [found.contributions[name].get(symbol, 0.0) for name in sleeves]
            assert weight == math.fsum(parts)

    @pytest.mark.parametrize(
        ("sleeves", "options"),
        [
            ({}, {}),
            ({"a": {}}, {"overlay": "equal"}),
            ({"a": {"weights": {}}}, {}),
            ({"a": {"weights": {}, "allocation": 0.5}, "b": {"weights": {}}}, {"overlay": "equal"}),
            ({"a": {"weights": {"X": math.nan}, "allocation": 1.0}}, {}),
            ({"a": {"weights": {}, "allocation": 1.5}}, {}),
            ({"a": {"weights": {}, "allocation": -0.5}}, {}),
            ({"a": {"weights": {}}}, {"overlay": "hrp"}),
            ({"a": {"weights": {}}}, {"overlay": "best"}),
        ],
    )
    def test_bad_targets(self, sleeves: dict[str, Any], options: dict[str, Any]) -> None:
        with pytest.raises(BadTarget):
            compose(sleeves, **options)

    def test_returns_must_fit_the_sleeves(self) -> None:
        sleeves: dict[str, Any] = {"a": {"weights": {}}, "b": {"weights": {}}}
        with pytest.raises(BadInput, match="one column for each"):
            compose(sleeves, overlay="hrp", returns=RETURNS)
        with pytest.raises(BadInput, match="labelled"):
            frame = pd.DataFrame(RETURNS[:, :2], columns=["a", "x"])
            compose(sleeves, overlay="hrp", returns=frame)


class TestSessions:
    """SessionMatrix."""

    MONDAY = datetime(2026, 1, 5, tzinfo=UTC)  # New York is five hours behind

    def matrix(self, **changes: Any) -> SessionMatrix:
        rules: dict[str, Any] = {
            "RTH": {"sizer": "equal_weight_long", "gross_cap": 1.0},
            "pre": {"sizer": equal_weight_long},
            "24h": {"sizer": "fixed_weight"},
        }
        return SessionMatrix(rules, **changes)

    @pytest.mark.parametrize(
        ("hour", "minute", "phase"),
        [
            (8, 59, "IBEOS"),
            (9, 0, "pre"),
            (14, 29, "pre"),
            (14, 30, "RTH"),
            (20, 59, "RTH"),
            (21, 0, "post"),
            (25, 0, "IBEOS"),
        ],
    )
    def test_the_day_in_new_york(self, hour: int, minute: int, phase: str) -> None:
        at = self.MONDAY + timedelta(hours=hour, minutes=minute)
        found = self.matrix().phase(asset_class="equities", asof=at)
        assert found is SessionPhase(phase)

    def test_the_rule_in_force(self) -> None:
        matrix = self.matrix()
        open_hours = self.MONDAY + timedelta(hours=16)
        rule = matrix.resolve(asset_class=AssetClass.EQUITIES, asof=open_hours)
        assert rule is not None
        assert rule([3.0, 1.0, 2.0], n=2).tolist() == [0.5, 0.0, 0.5]
        early = matrix.resolve(asset_class="equities", asof=self.MONDAY + timedelta(hours=10))
        assert early is not None
        assert early.gross_cap == 0.3
        np.testing.assert_allclose(early([3.0, 1.0, 2.0], n=2), [0.15, 0.0, 0.15])
        always = matrix.resolve(asset_class="crypto", asof=self.MONDAY - timedelta(days=1))
        assert always is not None
        assert always.phase is SessionPhase.ALL_DAY

    def test_what_no_rule_covers_is_not_traded(self) -> None:
        matrix = self.matrix()
        assert matrix.resolve(asset_class="equities", asof=self.MONDAY) is None
        saturday = self.MONDAY + timedelta(days=5, hours=16)
        assert matrix.resolve(asset_class="equities", asof=saturday) is None
        closed = self.matrix(phase_of=lambda at: None)
        assert closed.resolve(asset_class="equities", asof=self.MONDAY) is None

    @pytest.mark.parametrize(
        "rules",
        [
            {},
            {"lunch": {"sizer": "fixed_weight"}},
            {"RTH": {"gross_cap": 1.0}},
            {"RTH": {"sizer": "fixed_weight", "cap": 1.0}},
            {"RTH": {"sizer": "best"}},
            {"RTH": {"sizer": "fixed_weight", "gross_cap": -1.0}},
        ],
    )
    def test_bad_rules(self, rules: dict[str, Any]) -> None:
        with pytest.raises(BadInput):
            SessionMatrix(rules)

    def test_bad_questions(self) -> None:
        with pytest.raises(BadInput, match="aware"):
            self.matrix().resolve(asset_class="crypto", asof=datetime(2026, 1, 5))  # noqa: DTZ001
        with pytest.raises(BadInput, match="asset_class"):
            self.matrix().resolve(asset_class="bonds", asof=self.MONDAY)


class TestCapacity:
    """Volume limits money."""

    VOLUME = np.full(30, 1_000_000.0)

    def test_by_hand(self) -> None:
        found = position_capacity("A", 1e6, volume=self.VOLUME, price=50.0)
        assert found.units == pytest.approx(10_000)
        assert found.notional_usd == pytest.approx(500_000)
        assert found.share_of_nav == pytest.approx(0.5)
        longer = position_capacity("A", 1e6, volume=self.VOLUME, price=50.0, max_days=3)
        assert longer.units == pytest.approx(30_000)

    def test_the_fund_is_as_large_as_its_tightest_position(self) -> None:
        found = fund_capacity(
            {"A": 0.5, "B": -0.1, "C": 0.0},
            volumes={"A": self.VOLUME, "B": self.VOLUME / 100},
            prices={"A": 50.0, "B": 20.0},
            turnover=0.5,
        )
        assert found.by_symbol["A"] == pytest.approx(500_000 / 0.25)
        assert found.by_symbol["B"] == pytest.approx(100 * 20 / 0.05)
        assert (found.nav_usd, found.limited_by) == (found.by_symbol["B"], "B")

    def test_errors_name_the_symbol(self) -> None:
        with pytest.raises(MissingPrice, match="A"):
            position_capacity("A", 1e6, volume=self.VOLUME, price=0.0)
        with pytest.raises(BadTarget, match="21 are needed"):
            position_capacity("A", 1e6, volume=self.VOLUME[:20], price=1.0)
        with pytest.raises(BadTarget, match="fraction_of_adv"):
            position_capacity("A", 1e6, volume=self.VOLUME, price=1.0, fraction_of_adv=0.0)
        with pytest.raises(BadTarget, match="no volumes"):
            fund_capacity({"A": 1.0}, volumes={}, prices={"A": 1.0})
        with pytest.raises(MissingPrice, match="A"):
            fund_capacity({"A": 1.0}, volumes={"A": self.VOLUME}, prices={})
        with pytest.raises(BadTarget, match="no limit"):
            fund_capacity({"A": 0.0}, volumes={}, prices={})


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


class TestArbitration:
    """Competing signals."""

    def test_the_score(self) -> None:
        one = signal("a", confidence=0.5, expected_return=0.04, liquidity_score=0.5)
        assert arbitration_score(one, weight=2.0) == pytest.approx(2.0 * 0.5 * 0.04 * 0.5)
        still = signal("b", liquidity_score=0.0)
        assert arbitration_score(still) == pytest.approx(0.8 * 0.02 * 0.01)
        short = signal("c", direction=-1, expected_return=-0.02)
        assert arbitration_score(short) == arbitration_score(signal("d"))
        assert arbitration_score(signal("e", expected_return=-0.02)) == 0.0

    def test_the_best_takes_all_of_its_symbol(self) -> None:
        signals = [
            signal("a"),
            signal("b", expected_return=0.03),
            signal("c", expected_return=0.9, confidence=0.39),
            signal("d", symbol=Symbol("MSFT"), expected_return=-0.1),
        ]
        found = arbitrate(signals)
        assert found.winners["AAPL"] is signals[1]
        assert found.winners["MSFT"] is None
        excluded = {item.signal.signal_id: item.excluded for item in found.considered}
        assert excluded["c"] == "confidence 0.39 is below 0.4"
        weighed = arbitrate(signals, weights={"agent-b": 0.0})
        assert weighed.winners["AAPL"] is signals[0]

    def test_ties_do_not_depend_on_the_order_of_arrival(self) -> None:
        pair = [signal("b"), signal("a")]
        for arrival in (pair, pair[::-1]):
            winner = arbitrate(arrival).winners["AAPL"]
            assert winner is not None
            assert winner.signal_id == "a"
        sure = [signal("a"), signal("b", confidence=1.0, expected_return=0.016)]
        winner = arbitrate(sure).winners["AAPL"]
        assert winner is not None
        assert winner.signal_id == "b"

    def test_bad_input(self) -> None:
        with pytest.raises(BadTarget, match="weight of agent"):
            arbitrate([signal("a")], weights={"agent-a": -1.0})
        with pytest.raises(BadTarget, match="min_confidence"):
            arbitrate([signal("a")], min_confidence=2.0)
        with pytest.raises(BadTarget, match="twice"):
            arbitrate([signal("a"), signal("a")])
        assert arbitrate([]).winners == {}


class TestKellyVolTarget:
    """The composite sizer."""

    def test_its_volatility_is_twelve_per_cent_or_less(self) -> None:
        weights = kelly_voltarget_12(RETURNS.mean(axis=0), RETURNS, 1.0)
        recent = np.log1p(RETURNS[-63:]) @ (weights / np.abs(weights).max())
        scale = np.abs(weights).max()
        achieved = recent.std(ddof=1) * scale * math.sqrt(252)
        assert achieved <= 0.12 + 1e-9
        dollars = kelly_voltarget_12(RETURNS.mean(axis=0), RETURNS, 1e6)
        np.testing.assert_allclose(dollars, weights * 1e6)

    def test_labels_and_errors(self) -> None:
        signal_by_name = pd.Series(RETURNS.mean(axis=0), index=list("abc"))
        assert list(kelly_voltarget_12(signal_by_name, RETURNS, 1.0).index) == list("abc")
        with pytest.raises(BadInput, match="nav_usd"):
            kelly_voltarget_12(signal_by_name, RETURNS, 0.0)
        with pytest.raises(BadInput, match="63"):
            kelly_voltarget_12(signal_by_name, RETURNS[:20], 1.0)
        with pytest.raises(BadInput, match="total loss"):
            kelly_voltarget_12(signal_by_name, np.full((70, 3), -1.0), 1.0)
