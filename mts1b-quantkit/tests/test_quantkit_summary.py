"""A summary is each metric alone, to the last bit, in the kind of its input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mts1b_quantkit import BadInput, NaNInput
from mts1b_quantkit import metrics as m
from mts1b_quantkit.metrics import columns
from mts1b_quantkit.metrics.sample import Sample

EVERY = [*m.SUMMARY_METRICS, "entropic_value_at_risk"]
WILD = st.sampled_from([0.0, 0.01, -0.02, 1.0, -1.0, -0.5, 1e-300, -1e-160, 1e70, 7.0])


def returns(rows: int = 300, series: int = 7, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 0.01 * rng.standard_t(4, size=(rows, series)) + 0.0005


def test_a_summary_has_each_metric_of_returns_alone() -> None:
    found = m.summary(returns(), EVERY)
    assert list(found) == EVERY
    assert set(EVERY) == m.ROLLING_METRICS - {"deflated_sharpe", "min_track_record_length"}
    for name in EVERY:
        np.testing.assert_array_equal(found[name], getattr(m, name)(returns()), err_msg=name)


@settings(max_examples=60, deadline=None)
@given(values=arrays(float, st.tuples(st.integers(1, 40), st.integers(1, 5)), elements=WILD))
def test_a_summary_of_wild_returns_is_each_metric_alone(values: np.ndarray) -> None:
    before = values.copy()
    found = m.summary(values, EVERY)
    for name in EVERY:
        np.testing.assert_array_equal(found[name], getattr(m, name)(values), err_msg=name)
    np.testing.assert_array_equal(values, before)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), order=st.permutations(EVERY))
def test_a_summary_does_not_depend_on_order_or_company(seed: int, order: list[str]) -> None:
    """Each series alone, with the metrics in another order, gives the same bits."""
    values = returns(30, 25, seed)
    together = {name: getattr(m, name)(values) for name in EVERY}
    found = m.summary(values, order)
    for j in (0, 8, 24):
        alone = m.summary(values[:, j], order)
        for name in EVERY:
            np.testing.assert_array_equal(found[name], together[name], err_msg=name)
            np.testing.assert_array_equal(alone[name], together[name][j], err_msg=name)


def test_groups_share_memory_and_no_number() -> None:
    wide = np.hstack([returns(5000, 20, seed) for seed in range(3)])
    assert wide.shape[1] > columns._TOGETHER // 5000
    found = m.summary(wide)
    for name in m.SUMMARY_METRICS:
        parts = [getattr(m, name)(wide[:, j]) for j in range(wide.shape[1])]
        np.testing.assert_array_equal(found[name], parts, err_msg=name)


def test_columns_or_rows_first_in_memory_give_the_same_bits_and_stay_as_they_were() -> None:
    values = returns(400, 90)
    rows, by_column = m.summary(values, EVERY), np.asfortranarray(values)
    frame = pd.DataFrame(by_column, copy=False)
    assert frame.to_numpy().flags.f_contiguous
    found = m.summary(frame, EVERY)
    for name in EVERY:
        np.testing.assert_array_equal(found[name], rows[name], err_msg=name)
        alone = getattr(m, name)(frame)
        np.testing.assert_array_equal(alone, rows[name], err_msg=name)
    np.testing.assert_array_equal(frame.to_numpy(), values)
    gone = frame.copy()
    gone.iloc[7, 30] = np.nan
    with pytest.raises(NaNInput, match=r"30.*7"):
        m.summary(gone, EVERY)


def test_a_summary_passes_its_terms_on() -> None:
    values, rate = returns(), np.linspace(0.0, 0.001, 300)
    terms = {"periods_per_year": 12, "risk_free_rate": rate, "threshold": 0.002, "confidence": 0.9}
    found = m.summary(values, **terms)
    expected = {
        "sharpe": m.sharpe(values, risk_free_rate=rate, periods_per_year=12),
        "sortino": m.sortino(values, risk_free_rate=rate, periods_per_year=12),
        "calmar": m.calmar(values, periods_per_year=12),
        "omega": m.omega(values, threshold=0.002),
        "downside_deviation": m.downside_deviation(values, threshold=0.002, periods_per_year=12),
        "value_at_risk": m.value_at_risk(values, confidence=0.9),
        "expected_shortfall": m.expected_shortfall(values, confidence=0.9),
        "conditional_drawdown_at_risk": m.conditional_drawdown_at_risk(values, confidence=0.9),
    }
    for name, numbers in expected.items():
        np.testing.assert_array_equal(found[name], numbers, err_msg=name)


def test_a_summary_comes_back_in_the_kind_of_its_input() -> None:
    values, names = returns(50, 3), ["a", "b", "c"]
    wanted = ["sharpe", "max_drawdown"]
    expected = m.summary(values, wanted)
    frame = m.summary(pd.DataFrame(values, columns=names), wanted)
    assert list(frame.index) == names
    assert list(frame.columns) == wanted
    np.testing.assert_array_equal(frame["sharpe"], expected["sharpe"])
    polar = m.summary(pl.DataFrame(values, schema=names), wanted)
    assert polar.columns == ["series", *wanted]
    assert polar["series"].to_list() == names
    np.testing.assert_array_equal(polar["max_drawdown"], expected["max_drawdown"])
    by_name = m.summary(dict(zip(names, values.T, strict=True)), wanted)
    assert by_name["sharpe"]["b"] == expected["sharpe"][1]
    one = m.summary(pd.Series(values[:, 0]), wanted)
    assert one == {"sharpe": expected["sharpe"][0], "max_drawdown": expected["max_drawdown"][0]}


def test_a_summary_refuses_what_it_does_not_know() -> None:
    for metrics in (["sharp"], [], "sharpe", ["sharpe", "rolling"]):
        with pytest.raises(BadInput, match="sharpe"):
            m.summary(returns(), metrics)
    with pytest.raises(BadInput):
        m.summary([])
    with pytest.raises(BadInput, match="confidence"):
        m.summary(returns(), confidence=95)
    with pytest.raises(BadInput, match="risk_free_rate"):
        m.summary(returns(), risk_free_rate=[0.1])
    with pytest.raises(NaNInput, match="'b'"):
        m.summary(pd.DataFrame({"a": [0.1, 0.2], "b": [0.1, np.nan]}))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(1, 400),
    asked=st.lists(st.tuples(st.booleans(), st.integers(1, 100)), min_size=2, max_size=8),
)
def test_extremes_are_those_of_a_sorted_series(
    seed: int, rows: int, asked: list[tuple[bool, int]]
) -> None:
    """Whatever was asked before, the extremes are ordered and complete."""
    values = np.random.default_rng(seed).integers(0, 300, (3, rows)) / 7.0
    sample, ordered = Sample(values), np.sort(values, axis=1)
    for low, number in asked:
        count = min(number, rows)
        if low:
            np.testing.assert_array_equal(sample.lowest(count), ordered[:, :count])
        else:
            np.testing.assert_array_equal(sample.highest(count), ordered[:, rows - count :])


@settings(max_examples=60, deadline=None)
@given(
    values=arrays(float, st.tuples(st.integers(1, 3), st.integers(1, 50)), elements=WILD),
    fraction=st.floats(0.0, 1.0),
)
def test_quantiles_are_numpys(values: np.ndarray, fraction: float) -> None:
    expected = np.quantile(values, fraction, axis=1)
    np.testing.assert_allclose(Sample(values).quantile(fraction), expected, rtol=1e-15)
