"""Charts of the NIST handbook, order flow by hand, spreads by simulation."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mts1b_quantkit import BadInput, NaNInput
from mts1b_quantkit import microstructure as micro
from scipy import stats


class TestCharts:
    """Both handbook examples, and one truth for streams and batches."""

    SHIFTED = (
        *(324.925, 324.675, 324.725, 324.350, 325.350, 325.225, 324.125, 324.525, 325.225, 324.600),
        *(324.625, 325.150, 328.325, 327.250, 327.825, 328.500, 326.675, 327.775, 326.875, 328.350),
    )
    SMOOTHED = (
        *(52.0, 47.0, 53.0, 49.3, 50.1, 47.0, 51.0, 50.1, 51.2, 50.5),
        *(49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1),
    )

    def test_nist_cusum(self) -> None:
        """NIST handbook 6.3.2.3.1: k = 0.3175, h = 4.1959, the shift is seen at row 14."""
        chart = micro.Cusum(target=325.0, slack=0.3175, threshold=4.1959)
        columns = chart.batch(self.SHIFTED)
        printed = [3.01, 4.94, 7.45, 10.63, 11.99, 14.44, 16.00, 19.04]
        np.testing.assert_allclose(columns["upper"][12:], printed, atol=0.006)
        assert columns["alarm"].tolist() == [False] * 13 + [True] * 7

    def test_nist_ewma(self) -> None:
        """NIST handbook 6.3.2.4: lambda = 0.3, s = 2.0539, limits 47.4115 and 52.5884."""
        chart = micro.EwmaChart(target=50.0, smoothing=0.3, standard_deviation=2.0539)
        assert chart.upper_limit == pytest.approx(52.5884, abs=1e-4)
        assert chart.lower_limit == pytest.approx(47.4115, abs=1e-4)
        columns = chart.batch(self.SMOOTHED)
        printed = [
            *(50.60, 49.52, 50.56, 50.18, 50.16, 49.21, 49.75, 49.85, 50.26, 50.33),
            *(50.11, 49.36, 49.52, 50.05, 49.38, 49.92, 50.73, 51.23, 51.94, 51.99),
        ]
        np.testing.assert_allclose(columns["value"], printed, atol=0.006)
        assert not columns["alarm"].any()

    @settings(max_examples=50, deadline=None)
    @given(arrays(float, st.integers(1, 50), elements=st.floats(-1e6, 1e6)))
    def test_streams_and_batches_agree_to_the_last_bit(self, values: np.ndarray) -> None:
        cusum = micro.Cusum(target=0.3, slack=0.1, threshold=5.0)
        ewma = micro.EwmaChart(target=0.3, smoothing=0.2, standard_deviation=2.0)
        both = cusum.batch(values), ewma.batch(values)
        for row, x in enumerate(values):
            state, smooth = cusum.update(x), ewma.update(x)
            assert state == tuple(both[0][name][row] for name in state._fields)
            assert smooth == tuple(both[1][name][row] for name in smooth._fields)

    def test_a_bad_observation_changes_nothing(self) -> None:
        chart = micro.Cusum(target=0.0, slack=0.0, threshold=10.0)
        chart.update(1.0)
        with pytest.raises(BadInput, match="finite"):
            chart.update(math.nan)
        assert chart.update(1.0) == (2.0, 0.0, False)
        chart.reset()
        assert chart.update(1.0).upper == 1.0


class TestFlow:
    """Bulk classification and volume buckets."""

    def test_by_hand(self) -> None:
        close, volume = [100.0, 101.0, 100.0, 100.0], [9.0, 10.0, 15.0, 5.0]
        bought = stats.norm.cdf([1.0, -1.0, 0.0])
        first = abs(2 * 10 * bought[0] - 10) / 10
        second = abs(2 * 10 * bought[1] - 10) / 10
        third = abs(2 * (5 * bought[1] + 5 * bought[2]) - 10) / 10
        values = micro.vpin(close, volume, bucket_volume=10.0, window=1, price_change_std=1.0)
        np.testing.assert_allclose(values, [np.nan, first, second, third], rtol=1e-12)
        values = micro.vpin(close, volume, bucket_volume=10.0, window=3, price_change_std=1.0)
        assert np.isnan(values[:3]).all()
        assert values[3] == pytest.approx((first + second + third) / 3)

    def test_the_default_deviation_is_that_of_all_changes(self) -> None:
        rng = np.random.default_rng(1)
        close, volume = 100 + rng.normal(0, 1, 300).cumsum(), rng.uniform(1, 50, 300)
        deviation = float(np.diff(close).std(ddof=1))
        given_one = micro.vpin(close, volume, bucket_volume=70.0, price_change_std=deviation)
        np.testing.assert_array_equal(micro.vpin(close, volume, bucket_volume=70.0), given_one)

    @settings(max_examples=50, deadline=None)
    @given(
        bars=st.lists(st.tuples(st.floats(50, 150), st.floats(0, 100)), min_size=1, max_size=40),
        bucket=st.floats(1, 200),
        window=st.integers(1, 4),
    )
    def test_streams_and_batches_agree_and_stay_in_range(
        self, bars: list[tuple[float, float]], bucket: float, window: int
    ) -> None:
        close, volume = (list(column) for column in zip(*bars, strict=True))
        stream = micro.Vpin(bucket_volume=bucket, price_change_std=2.0, window=window)
        streamed = np.array([stream.update(c, v) for c, v in bars])
        batch = micro.vpin(close, volume, bucket_volume=bucket, price_change_std=2.0, window=window)
        np.testing.assert_array_equal(streamed, batch)
        known = streamed[~np.isnan(streamed)]
        assert ((known >= 0.0) & (known <= 1.0 + 1e-12)).all()

    def test_a_bar_larger_than_many_buckets(self) -> None:
        stream = micro.Vpin(bucket_volume=1.0, price_change_std=1.0, window=5)
        stream.update(100.0, 1.0)
        value = stream.update(103.0, 1000.0)
        assert value == pytest.approx(2 * stats.norm.cdf(3.0) - 1)


class TestSpreads:
    """Roll and Amihud."""

    def test_roll_finds_the_bounce(self) -> None:
        rng = np.random.default_rng(3)
        price = 100 + rng.normal(0, 0.01, 200_000).cumsum()
        bounce = 0.05 * rng.choice([-1.0, 1.0], 200_000)
        assert micro.roll_spread(price + bounce) == pytest.approx(0.1, rel=0.02)
        assert math.isnan(micro.roll_spread(np.array([1.0, 2, 4, 7, 11, 16])))

    def test_amihud_by_hand(self) -> None:
        close, volume = [10.0, 11.0, 10.45], [5.0, 100.0, 200.0]
        first, second = 0.1 / (11 * 100), 0.05 / (10.45 * 200)
        assert micro.amihud_illiquidity(close, volume) == pytest.approx((first + second) / 2)
        rolled = micro.amihud_illiquidity(pd.Series(close), pd.Series(volume), window=1)
        np.testing.assert_allclose(rolled, [np.nan, first, second])

    def test_scale(self) -> None:
        rng = np.random.default_rng(3)
        close, volume = 100 + rng.normal(0, 1, (50, 2)).cumsum(axis=0), rng.uniform(1, 9, (50, 2))
        base = micro.amihud_illiquidity(close, volume)
        np.testing.assert_allclose(micro.amihud_illiquidity(close, volume * 10), base / 10)
        np.testing.assert_allclose(micro.roll_spread(close * 3), micro.roll_spread(close) * 3)


def test_cusum_filter_by_hand() -> None:
    levels = [0.0, 0.4, 0.8, 1.2, 1.0, 0.4, 0.1, 0.1, 1.5]
    assert micro.cusum_filter(levels, threshold=1.0).tolist() == [3, 6, 8]
    assert micro.cusum_filter([1.0], threshold=1.0).tolist() == []


@pytest.mark.parametrize(
    "call",
    [
        lambda: micro.Cusum(target=math.nan, slack=0, threshold=1),
        lambda: micro.Cusum(target=0, slack=-1, threshold=1),
        lambda: micro.EwmaChart(target=0, smoothing=0, standard_deviation=1),
        lambda: micro.EwmaChart(target=0, smoothing=0.5, standard_deviation=-1),
        lambda: micro.Cusum(target=0, slack=0, threshold=1).batch(np.zeros((2, 2))),
        lambda: micro.bulk_buy_fraction(1.0, 0.0),
        lambda: micro.Vpin(bucket_volume=0, price_change_std=1),
        lambda: micro.Vpin(bucket_volume=1, price_change_std=1, window=0),
        lambda: micro.Vpin(bucket_volume=1, price_change_std=1).update(1.0, -1.0),
        lambda: micro.vpin([1, 2], [1, 2], bucket_volume=1),
        lambda: micro.vpin([1, 1, 1], [1, 2, 3], bucket_volume=1),
        lambda: micro.vpin([1, 2, 3], [1, 2], bucket_volume=1),
        lambda: micro.amihud_illiquidity([1, 2], [1, 0]),
        lambda: micro.amihud_illiquidity([1, -2], [1, 1]),
        lambda: micro.amihud_illiquidity([1], [1]),
        lambda: micro.amihud_illiquidity([1, 2], [1, 2, 3]),
        lambda: micro.roll_spread([1, 2, 3]),
        lambda: micro.cusum_filter([1, 2], threshold=0.0),
        lambda: micro.cusum_filter(np.zeros((2, 2)), threshold=1.0),
    ],
)
def test_bad_input(call: object) -> None:
    with pytest.raises(BadInput):
        call()  # type: ignore[operator]


def test_missing_values_are_named() -> None:
    with pytest.raises(NaNInput, match="row 1"):
        micro.cusum_filter([0.0, math.nan], threshold=1.0)
