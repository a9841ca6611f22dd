"""Sizers, Kelly and volatility target: by hand, by definition, in every kind."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation.protocols import Sizer
from mts1b_portfolio import (
    kelly_binary,
    kelly_binary_growth,
    kelly_fraction,
    kelly_growth,
    kelly_voltarget_12,
    sizers,
    vol_target_weights,
)
from mts1b_portfolio.sizers import equal_weight_long, equal_weight_ls, fixed_weight
from mts1b_quantkit import BadInput, NaNInput, NotPositiveDefinite

MEAN = np.array([0.05, 0.08])
COVARIANCE = np.array([[0.04, 0.01], [0.01, 0.09]])
SIGNALS = st.lists(st.integers(-50, 50), min_size=5, max_size=9, unique=True)


def test_the_best_names_share_the_gross() -> None:
    assert equal_weight_long({"A": 1.0, "B": 3.0, "C": 2.0}, n=2) == {"A": 0.0, "B": 0.5, "C": 0.5}
    assert equal_weight_long([1.0, 3.0, 2.0], n=1, gross=0.8).tolist() == [0.0, 0.8, 0.0]


def test_names_without_a_signal_leave_cash() -> None:
    weights = equal_weight_long([np.nan, 1.0, np.nan], n=2)
    assert weights.tolist() == [0.0, 0.5, 0.0]


def test_each_side_gets_half_the_gross() -> None:
    signal = pd.Series([0.1, 0.4, -0.3, 0.2, 0.0], index=list("ABCDE"))
    weights = equal_weight_ls(signal, n_long=2, n_short=1, gross=1.0)
    assert weights.to_dict() == {"A": 0.0, "B": 0.25, "C": -0.5, "D": 0.25, "E": 0.0}
    few = equal_weight_ls(np.array([[1.0, np.nan, 2.0], [3.0, 2.0, 1.0]]), n_long=2, n_short=1)
    assert few.tolist() == [[0.0, 0.0, 0.0], [0.25, 0.25, -0.5]]


def test_ties_never_put_a_name_on_both_sides() -> None:
    weights = equal_weight_ls([1.0, 1.0, 1.0, 1.0], n_long=2, n_short=2, gross=2.0)
    assert weights.tolist() == [0.5, 0.5, -0.5, -0.5]


@settings(max_examples=50, deadline=None)
@given(signal=SIGNALS, n=st.integers(1, 2), gross=st.floats(0.1, 4.0), data=st.data())
def test_sizers_are_equivariant_and_spend_their_gross(
    signal: list[int], n: int, gross: float, data: st.DataObject
) -> None:
    values = np.array(signal, dtype=float)
    order = np.array(data.draw(st.permutations(range(len(signal)))))
    for weights, permuted in (
        (
            equal_weight_long(values, n=n, gross=gross),
            equal_weight_long(values[order], n=n, gross=gross),
        ),
        (
            equal_weight_ls(values, n_long=n, n_short=2, gross=gross),
            equal_weight_ls(values[order], n_long=n, n_short=2, gross=gross),
        ),
    ):
        np.testing.assert_array_equal(permuted, weights[order])
        assert np.abs(weights).sum() == pytest.approx(gross, rel=1e-12)
    long_short = equal_weight_ls(values, n_long=n, n_short=2, gross=gross)
    assert long_short.sum() == pytest.approx(0.0, abs=1e-12)
    assert values[long_short > 0].min() > values[long_short < 0].max()


def test_rankings_over_time_keep_their_kind() -> None:
    values = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    expected = [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    assert equal_weight_long(values, n=1).tolist() == expected
    frame = equal_weight_long(pl.DataFrame(values, schema=list("ABC")), n=1)
    assert frame.columns == list("ABC")
    assert frame.to_numpy().tolist() == expected


def test_fixed_weights() -> None:
    assert fixed_weight({"SPY": 0.6, "TLT": 0.4}) == {"SPY": 0.6, "TLT": 0.4}
    assert fixed_weight([3.0, -1.0], gross=2.0).tolist() == [1.5, -0.5]
    with pytest.raises(NaNInput):
        fixed_weight({"SPY": float("nan")})
    with pytest.raises(BadInput, match="zero"):
        fixed_weight([0.0], gross=1.0)


def test_sizers_are_sizers_and_check_their_parameters() -> None:
    for name in sizers.__all__:
        assert isinstance(getattr(sizers, name), Sizer)
    for call in (
        lambda: equal_weight_long([1.0, 2.0], n=0),
        lambda: equal_weight_long([1.0, 2.0], n=3),
        lambda: equal_weight_long([1.0, 2.0], n=1, gross=-1.0),
        lambda: equal_weight_ls([1.0, 2.0], n_long=2, n_short=1),
        lambda: kelly_fraction(MEAN, COVARIANCE, risk_aversion=0.0),
        lambda: kelly_fraction(MEAN, COVARIANCE, cap=-0.1),
        lambda: kelly_fraction(MEAN, COVARIANCE[:1]),
        lambda: kelly_fraction(MEAN, np.array([[1.0, 0.2], [0.1, 1.0]])),
        lambda: kelly_binary(1.2, 1.0),
        lambda: kelly_binary(0.5, 0.0),
    ):
        with pytest.raises(BadInput):
            call()


def test_kelly_solves_the_first_order_condition() -> None:
    weights = kelly_fraction(MEAN, COVARIANCE)
    np.testing.assert_allclose(COVARIANCE @ weights, MEAN, rtol=1e-12)
    np.testing.assert_allclose(kelly_fraction(MEAN, COVARIANCE, risk_aversion=2.0), weights / 2)
    assert kelly_fraction(MEAN, COVARIANCE, cap=0.9).tolist() == [0.9, pytest.approx(weights[1])]
    assert kelly_fraction(-MEAN, COVARIANCE, cap=0.2).tolist() == [-0.2, -0.2]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_full_kelly_maximises_growth(seed: int) -> None:
    rng = np.random.default_rng(seed)
    best = kelly_fraction(MEAN, COVARIANCE)
    other = best + rng.normal(0, 0.5, 2)
    assert kelly_growth(other, MEAN, COVARIANCE) <= kelly_growth(best, MEAN, COVARIANCE)
    p, b = rng.uniform(0.05, 0.95), rng.uniform(0.2, 5.0)
    stake = kelly_binary(p, b)
    top = kelly_binary_growth(stake, p, b)
    for step in (-1e-3, 1e-3):
        assert kelly_binary_growth(stake + step, p, b) <= top


def test_kelly_by_hand() -> None:
    assert kelly_binary(0.6, 1.0) == pytest.approx(0.2)
    assert kelly_binary(0.6, 1.0, cap=0.1) == 0.1
    assert kelly_binary(0.4, 1.0) == pytest.approx(-0.2)
    assert kelly_binary_growth(0.2, 0.6, 1.0) == pytest.approx(
        0.6 * math.log(1.2) + 0.4 * math.log(0.8)
    )
    assert kelly_binary_growth(1.0, 0.6, 1.0) == -math.inf
    assert kelly_binary_growth(1.0, 1.0, 1.0) == pytest.approx(math.log(2))
    assert kelly_growth([1.0, 0.0], MEAN, COVARIANCE, risk_free_rate=0.01) == pytest.approx(0.03)


def test_kelly_keeps_labels_and_refuses_what_does_not_fit() -> None:
    mean = pd.Series(MEAN, index=["A", "B"])
    cov = pd.DataFrame(COVARIANCE, index=["A", "B"], columns=["A", "B"])
    assert list(kelly_fraction(mean, cov).index) == ["A", "B"]
    with pytest.raises(BadInput, match="labelled"):
        kelly_fraction(mean, cov.loc[["B", "A"], ["B", "A"]])
    with pytest.raises(NotPositiveDefinite, match="inverse"):
        kelly_fraction(MEAN, np.ones((2, 2)))


def log_returns(rows: int = 80) -> np.ndarray:
    return np.random.default_rng(4).normal(0, 0.01, (rows, 3)) * [1.0, 2.0, 3.0]


@pytest.mark.parametrize("target", [0.02, 0.15, 0.3])
def test_the_recent_volatility_meets_the_target_both_ways(target: float) -> None:
    base, returns = np.array([0.5, 0.3, 0.2]), log_returns()
    weights = vol_target_weights(base, returns, target_ann_vol=target)
    realised = (returns[-63:] @ weights).std(ddof=1) * math.sqrt(252)
    assert realised == pytest.approx(target, rel=1e-12)
    np.testing.assert_allclose(weights / base, weights[0] / base[0])


def test_volatility_target_is_capped_and_looks_at_its_window_alone() -> None:
    base, returns = np.array([0.5, 0.3, 0.2]), log_returns()
    np.testing.assert_allclose(
        vol_target_weights(base, returns, target_ann_vol=9.0, max_scale=2.0), base * 2.0
    )
    noisy = returns.copy()
    noisy[:-21] *= 50.0
    np.testing.assert_array_equal(
        vol_target_weights(base, noisy, target_ann_vol=0.1, window=21),
        vol_target_weights(base, returns, target_ann_vol=0.1, window=21),
    )
    assert vol_target_weights(base * 0, returns, target_ann_vol=0.1).tolist() == [0.0, 0.0, 0.0]


def test_volatility_target_checks_its_inputs() -> None:
    base, returns = {"A": 0.5, "B": 0.3, "C": 0.2}, log_returns()
    frame = pd.DataFrame(returns, columns=["A", "B", "C"])
    result = vol_target_weights(base, frame, target_ann_vol=0.1)
    assert list(result) == ["A", "B", "C"]
    for call in (
        lambda: vol_target_weights(base, frame[["B", "A", "C"]], target_ann_vol=0.1),
        lambda: vol_target_weights(base, frame[["A", "B"]], target_ann_vol=0.1),
        lambda: vol_target_weights(base, frame[:62], target_ann_vol=0.1),
        lambda: vol_target_weights(base, frame, target_ann_vol=-0.1),
        lambda: vol_target_weights(base, frame, target_ann_vol=0.1, window=1),
    ):
        with pytest.raises(BadInput):
            call()
    frame.iloc[-5, 1] = np.nan
    with pytest.raises(NaNInput, match="'B'"):
        vol_target_weights(base, frame, target_ann_vol=0.1)


def test_names_in_another_order_size_nothing() -> None:
    """The signal of C beside the returns of A gave dollar positions in silence."""
    names, turned = list("ABC"), list("CBA")
    noise = np.random.default_rng(4).normal(0.0, [0.01, 0.05, 0.002], (80, 3))
    returns = pd.DataFrame(noise, columns=names)
    signal, cov = pd.Series([1.0, 2.0, -1.0], names), returns.cov()
    for other in (signal[turned], dict(signal[turned])):
        with pytest.raises(BadInput, match="labelled"):
            kelly_voltarget_12(other, returns, 1e6)
        with pytest.raises(BadInput, match="labelled"):
            kelly_growth(other, signal, cov)
    held = kelly_voltarget_12(signal.to_numpy(), returns, 1e6)
    assert kelly_voltarget_12(signal, returns, 1e6).to_numpy() == pytest.approx(held)
    assert kelly_growth(signal, signal, cov) == kelly_growth(signal.to_numpy(), signal, cov)
