"""Options of the textbook, range volatilities, back-tests of value at risk, component risk."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_quantkit import BadInput, options, risk, volatility
from scipy import stats


class TestBlackScholes:
    """Hull's examples, parity, and the way back from a price."""

    def test_hull_prices(self) -> None:
        """Hull, Options, Futures and Other Derivatives, example of chapter 15: 4.76 and 0.81."""
        call = options.bs_price(42, 40, 0.5, 0.1, 0.2)
        put = options.bs_price(42, 40, 0.5, 0.1, 0.2, "put")
        assert call == pytest.approx(4.76, abs=0.005)
        assert put == pytest.approx(0.81, abs=0.005)

    def test_hull_greeks(self) -> None:
        """The same book, chapter 19: a call on 49 struck at 50, 20 weeks."""
        greeks = options.bs_greeks(49, 50, 0.3846, 0.05, 0.2)
        for name, printed in (
            ("delta", 0.522),
            ("gamma", 0.066),
            ("vega", 12.1),
            ("theta", -4.31),
            ("rho", 8.91),
        ):
            assert getattr(greeks, name) == pytest.approx(
                printed, abs=0.5 * 10 ** -_places(printed)
            )

    @settings(max_examples=50, deadline=None)
    @given(
        spot=st.floats(1, 500),
        strike=st.floats(1, 500),
        time=st.floats(0.01, 5),
        vol=st.floats(0.02, 2),
        rate=st.floats(-0.05, 0.2),
        dividend=st.floats(0, 0.1),
    )
    def test_parity_and_derivatives(
        self, spot: float, strike: float, time: float, vol: float, rate: float, dividend: float
    ) -> None:
        terms = {"dividend_yield": dividend}
        call = options.bs_price(spot, strike, time, rate, vol, **terms)
        put = options.bs_price(spot, strike, time, rate, vol, "put", **terms)
        forward = spot * math.exp(-dividend * time) - strike * math.exp(-rate * time)
        assert call - put == pytest.approx(forward, abs=1e-9 * (spot + strike))
        for kind in ("call", "put"):
            greeks = options.bs_greeks(spot, strike, time, rate, vol, kind, **terms)
            step = 1e-5 * spot
            up, down = (
                options.bs_price(spot + d, strike, time, rate, vol, kind, **terms)
                for d in (step, -step)
            )
            assert greeks.price == options.bs_price(spot, strike, time, rate, vol, kind, **terms)
            assert greeks.delta == pytest.approx((up - down) / (2 * step), abs=1e-4)
            near = 1e-5 * time
            later = options.bs_price(spot, strike, time + near, rate, vol, kind, **terms)
            sooner = options.bs_price(spot, strike, time - near, rate, vol, kind, **terms)
            decay = -(later - sooner) / (2 * near)
            assert greeks.theta == pytest.approx(decay, abs=1e-3 * (spot + strike))

    @settings(max_examples=50, deadline=None)
    @given(
        moneyness=st.floats(0.5, 2.0),
        time=st.floats(0.05, 3),
        vol=st.floats(0.05, 1.5),
        kind=st.sampled_from(["call", "put"]),
    )
    def test_the_implied_volatility_gives_the_price_back(
        self, moneyness: float, time: float, vol: float, kind: str
    ) -> None:
        strike = 100.0 * moneyness
        price = options.bs_price(100.0, strike, time, 0.02, vol, kind)
        found = options.implied_volatility(price, 100.0, strike, time, 0.02, kind)
        again = options.bs_price(100.0, strike, time, 0.02, found, kind)
        assert again == pytest.approx(price, abs=1e-9)
        if options.bs_greeks(100.0, strike, time, 0.02, vol, kind).vega > 1e-3:
            assert found == pytest.approx(vol, abs=1e-6)

    def test_arrays_and_limits(self) -> None:
        prices = options.bs_price([90.0, 100.0, 110.0], 100.0, 0.0, 0.0, 0.2)
        np.testing.assert_array_equal(prices, [0.0, 0.0, 10.0])
        assert options.bs_price(100, 90, 1.0, 0.1, 0.0) == pytest.approx(100 - 90 * math.exp(-0.1))
        found = options.implied_volatility([0.5, 10.0, 101.0], 100.0, 90.0, 1.0, 0.0)
        assert math.isnan(found[0])
        assert found[1] == 0.0
        assert math.isnan(found[2])

    @pytest.mark.parametrize(
        "call",
        [
            lambda: options.bs_price(-1, 1, 1, 0, 1),
            lambda: options.bs_price(1, 1, -1, 0, 1),
            lambda: options.bs_price(1, 1, 1, 0, math.nan),
            lambda: options.bs_price(1, 1, 1, 0, 1, "straddle"),  # type: ignore[arg-type]
            lambda: options.bs_greeks(1, 1, 0.0, 0, 1),
            lambda: options.implied_volatility(1, 1, 1, 0.0, 0.0),
        ],
    )
    def test_bad_input(self, call: object) -> None:
        with pytest.raises(BadInput):
            call()  # type: ignore[operator]


def _places(printed: float) -> int:
    return len(str(printed).partition(".")[2])


def candles(days: int, *, drift: float = 0.0, gap: float = 0.0) -> dict[str, np.ndarray]:
    """Walk in fine steps of 1 % a day; open, high, low, close of each day."""
    rng = np.random.default_rng(5)
    steps = rng.normal(drift / 400, 0.01 / 20, (days, 400))
    jumps = rng.normal(0, gap, days) if gap else np.zeros(days)
    ends = np.cumsum(steps.sum(axis=1) + jumps)
    starts = np.concatenate(([0.0], ends[:-1])) + jumps
    path = starts[:, None] + np.cumsum(steps, axis=1)
    path = np.hstack((starts[:, None], path))
    columns = (path[:, 0], path.max(axis=1), path.min(axis=1), path[:, -1])
    return dict(zip(("open", "high", "low", "close"), np.exp(columns), strict=True))


class TestRangeVolatility:
    """Estimators against a walk whose volatility is known."""

    DAILY = 0.01 * math.sqrt(252)

    def test_without_drift_all_agree(self) -> None:
        day = candles(4000)
        ohlc = (day["open"], day["high"], day["low"], day["close"])
        for value in (
            volatility.parkinson(day["high"], day["low"]),
            volatility.garman_klass(*ohlc),
            volatility.rogers_satchell(*ohlc),
            volatility.yang_zhang(*ohlc),
            volatility.realized_volatility(day["close"]),
        ):
            assert value == pytest.approx(self.DAILY, rel=0.07)

    def test_drift_does_not_fool_rogers_and_satchell(self) -> None:
        day = candles(4000, drift=0.02)
        ohlc = (day["open"], day["high"], day["low"], day["close"])
        assert volatility.rogers_satchell(*ohlc) == pytest.approx(self.DAILY, rel=0.07)
        assert volatility.parkinson(day["high"], day["low"]) > 1.3 * self.DAILY

    def test_gaps_are_seen_by_yang_and_zhang(self) -> None:
        day = candles(4000, gap=0.01)
        ohlc = (day["open"], day["high"], day["low"], day["close"])
        assert volatility.yang_zhang(*ohlc) == pytest.approx(self.DAILY * math.sqrt(2), rel=0.07)
        assert volatility.garman_klass(*ohlc) == pytest.approx(self.DAILY, rel=0.07)

    def test_by_hand(self) -> None:
        o, h, lo, c = 100.0, 104.0, 99.0, 103.0
        assert volatility.parkinson([h], [lo], periods_per_year=1) == pytest.approx(
            math.sqrt(math.log(h / lo) ** 2 / (4 * math.log(2)))
        )
        garman = 0.5 * math.log(h / lo) ** 2 - (2 * math.log(2) - 1) * math.log(c / o) ** 2
        assert volatility.garman_klass([o], [h], [lo], [c], periods_per_year=1) == pytest.approx(
            math.sqrt(garman)
        )
        satchell = math.log(h / c) * math.log(h / o) + math.log(lo / c) * math.log(lo / o)
        assert volatility.rogers_satchell([o], [h], [lo], [c], periods_per_year=1) == (
            pytest.approx(math.sqrt(satchell))
        )

    def test_a_window_is_the_sample_of_its_rows(self) -> None:
        day = candles(60)
        ohlc = (day["open"], day["high"], day["low"], day["close"])
        last = tuple(column[-20:] for column in ohlc)
        for estimator in (volatility.garman_klass, volatility.rogers_satchell):
            assert estimator(*ohlc, window=20)[-1] == pytest.approx(estimator(*last), rel=1e-12)
        with_previous = tuple(column[-21:] for column in ohlc)
        assert volatility.yang_zhang(*ohlc, window=20)[-1] == pytest.approx(
            volatility.yang_zhang(*with_previous), rel=1e-12
        )
        assert volatility.realized_volatility(day["close"], window=20)[-1] == pytest.approx(
            volatility.realized_volatility(with_previous[3]), rel=1e-12
        )
        rolled = volatility.parkinson(day["high"], day["low"], window=20)
        assert np.isnan(rolled[:19]).all()
        assert rolled[-1] == pytest.approx(volatility.parkinson(last[1], last[2]), rel=1e-12)

    def test_kinds(self) -> None:
        day = candles(30)
        frames = {name: pd.DataFrame({"a": column, "b": column}) for name, column in day.items()}
        result = volatility.garman_klass(**frames)
        assert list(result.index) == ["a", "b"]

    @pytest.mark.parametrize(
        "call",
        [
            lambda: volatility.parkinson([1.0], [2.0]),
            lambda: volatility.parkinson([1.0], [0.0]),
            lambda: volatility.parkinson([1.0, 2.0], [1.0]),
            lambda: volatility.garman_klass([5.0], [4.0], [3.0], [3.5]),
            lambda: volatility.realized_volatility([1.0, 2.0]),
            lambda: volatility.realized_volatility([1.0, 2.0, 3.0], window=1),
            lambda: volatility.yang_zhang([1.0], [1.0], [1.0], [1.0]),
        ],
    )
    def test_bad_input(self, call: object) -> None:
        with pytest.raises(BadInput):
            call()  # type: ignore[operator]


class TestBackTests:
    """Tests of value at risk."""

    def test_the_regions_of_kupiec(self) -> None:
        """Kupiec 1995 as printed by Jorion: 255 days, test at 95 %: 1 % holds below 7 breaches, 5 %
        from 7 to 20."""
        for confidence, held in ((0.99, range(7)), (0.95, range(7, 21))):
            kept = [
                count
                for count in range(40)
                if risk.kupiec([1] * count + [0] * (255 - count), confidence=confidence).p_value
                > 0.05
            ]
            assert set(kept) >= set(held) - {0}
            assert max(kept) == max(held)

    def test_kupiec_by_its_formula(self) -> None:
        result = risk.kupiec([1] * 8 + [0] * 92)
        odds = 8 * math.log(0.08 / 0.05) + 92 * math.log(0.92 / 0.95)
        assert result.statistic == pytest.approx(2 * odds)
        assert result.p_value == pytest.approx(stats.chi2.sf(2 * odds, 1))
        assert risk.kupiec([0] * 95 + [1] * 5).statistic == pytest.approx(0.0, abs=1e-12)

    def test_clusters_are_found(self) -> None:
        spread, bunched = [0, 0, 0, 0, 1] * 40, [0] * 160 + [1] * 40
        assert risk.christoffersen(bunched).p_value < 1e-6
        alternating = risk.christoffersen(spread)
        assert alternating.statistic > 0.0
        both = risk.conditional_coverage(bunched, confidence=0.8)
        parts = (
            risk.kupiec(bunched, confidence=0.8).statistic + risk.christoffersen(bunched).statistic
        )
        assert both.statistic == pytest.approx(parts)
        assert both.p_value == pytest.approx(stats.chi2.sf(parts, 2))
        assert risk.christoffersen([0] * 50).p_value == 1.0

    def test_basel_table(self) -> None:
        """Basel Committee 1996: 250 days at 99 %."""
        printed = [3.0] * 5 + [3.4, 3.5, 3.65, 3.75, 3.85, 4.0]
        found = [risk.basel_traffic_light(count) for count in range(11)]
        assert [light.multiplier for light in found] == printed
        assert [light.zone for light in found] == ["green"] * 5 + ["yellow"] * 5 + ["red"]
        assert found[5].cumulative_probability == pytest.approx(0.9588, abs=5e-5)
        assert risk.basel_traffic_light(30, n_observations=1000).zone == "red"

    def test_acerbi_szekely(self) -> None:
        rng = np.random.default_rng(0)
        returns = rng.normal(0, 0.01, 200_000)
        level = risk.value_at_risk_from_moments(0.0, 0.01, confidence=0.975)
        loss = risk.expected_shortfall_from_moments(0.0, 0.01, confidence=0.975)
        hits = (returns < -level).astype(int)
        exact = risk.acerbi_szekely_z2(returns, loss, hits, confidence=0.975)
        assert exact == pytest.approx(0.0, abs=0.03)
        understated = risk.acerbi_szekely_z2(returns, loss / 2, hits, confidence=0.975)
        assert understated == pytest.approx(-1.0, abs=0.06)

    @pytest.mark.parametrize(
        "call",
        [
            lambda: risk.kupiec([0, 2]),
            lambda: risk.kupiec([]),
            lambda: risk.christoffersen([1]),
            lambda: risk.acerbi_szekely_z2([0.1], 0.0, [1]),
            lambda: risk.acerbi_szekely_z2([0.1, 0.2], 0.1, [1]),
            lambda: risk.basel_traffic_light(-1),
            lambda: risk.basel_traffic_light(9, n_observations=5),
        ],
    )
    def test_bad_input(self, call: object) -> None:
        with pytest.raises(BadInput):
            call()  # type: ignore[operator]


class TestComponents:
    """Jorion's portfolio of two currencies."""

    def test_the_printed_example(self) -> None:
        """Jorion, Value at Risk, chapter 7: 2 M in CAD (5 %), 1 M in EUR (12 %)."""
        confidence = float(stats.norm.cdf(1.65))
        covariance = pd.DataFrame(np.diag([0.05**2, 0.12**2]), ["CAD", "EUR"], ["CAD", "EUR"])
        result = risk.component_var(pd.Series([2e6, 1e6], ["CAD", "EUR"]), covariance, confidence)
        assert result.total == pytest.approx(257_738, abs=1)
        np.testing.assert_allclose(result.component, [105_630, 152_108], atol=1)
        np.testing.assert_allclose(result.marginal, [0.0528, 0.1521], atol=5e-5)
        assert list(result.component.index) == ["CAD", "EUR"]

    def test_parts_sum_to_the_whole(self) -> None:
        rng = np.random.default_rng(2)
        covariance = np.cov(rng.normal(0, 0.01, (6, 50)))
        weights = rng.normal(0, 1, 6)
        result = risk.component_var(weights, covariance)
        assert result.component.sum() == pytest.approx(result.total)
        for asset in range(6):
            rest = weights.copy()
            rest[asset] = 0.0
            without = 1.6448536269514722 * math.sqrt(rest @ covariance @ rest)
            assert result.incremental[asset] == pytest.approx(result.total - without)

    def test_bad_input(self) -> None:
        with pytest.raises(BadInput, match="no risk"):
            risk.component_var([0.0, 0.0], np.eye(2))
        with pytest.raises(BadInput, match="one each"):
            risk.component_var([1.0], np.eye(2))
        with pytest.raises(BadInput, match="give an"):
            risk.component_var([1.0, 1.0], np.ones((2, 3)))
