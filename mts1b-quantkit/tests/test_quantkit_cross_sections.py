"""Scores, ranks and winsorizing of a cross-section, against pandas and scipy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mts1b_quantkit import BadInput
from mts1b_quantkit import factors as f
from scipy import stats

SECTION = arrays(
    float,
    st.tuples(st.integers(1, 6), st.integers(1, 8)),
    elements=st.one_of(st.integers(-4, 4).map(float), st.just(np.nan)),
)


def test_scores_by_hand() -> None:
    np.testing.assert_allclose(
        f.zscore_cross_sectional([1.0, 2.0, 3.0]), np.array([-1, 0, 1]) * 1.5**0.5
    )
    np.testing.assert_allclose(f.zscore_cross_sectional([1.0, 2.0, 3.0], ddof=1), [-1, 0, 1])
    np.testing.assert_allclose(
        f.zscore_cross_sectional([1.0, 2.0, 4.0, np.nan], method="mad"),
        np.array([-1, 0, 2, np.nan]) / 1.4826,
    )
    assert np.isnan(f.zscore_cross_sectional([0.1 + 0.2, 0.3, 0.3])).all()
    assert np.isnan(f.zscore_cross_sectional([np.nan, 1.0])).all()
    np.testing.assert_array_equal(
        f.rank_cross_sectional([3.0, 1.0, 3.0, np.nan]), [2.5, 1, 2.5, np.nan]
    )
    np.testing.assert_allclose(f.rank_cross_sectional([3.0, 1.0], percent=True), [1.0, 0.5])


@settings(max_examples=50, deadline=None)
@given(values=SECTION)
def test_cross_sections_are_the_peers(values: np.ndarray) -> None:
    frame = pd.DataFrame(values)
    np.testing.assert_array_equal(f.rank_cross_sectional(values), frame.rank(axis=1).to_numpy())
    np.testing.assert_array_equal(
        f.rank_cross_sectional(values, percent=True), frame.rank(axis=1, pct=True).to_numpy()
    )
    low, high = frame.quantile(0.1, axis=1), frame.quantile(0.8, axis=1)
    np.testing.assert_allclose(
        f.winsorize(values, lower=0.1, upper=0.8),
        frame.clip(low, high, axis=0).to_numpy(),
        atol=1e-12,
    )
    for row, ours in zip(values, f.zscore_cross_sectional(values), strict=True):
        known = row[~np.isnan(row)]
        if len(set(known)) > 1:
            np.testing.assert_allclose(ours[~np.isnan(row)], stats.zscore(known), atol=1e-12)
        else:
            assert np.isnan(ours).all()


def test_cross_sections_keep_the_kind() -> None:
    values = np.array([[1.0, 3.0], [5.0, 2.0]])
    for function in (f.zscore_cross_sectional, f.rank_cross_sectional, f.winsorize):
        expected = function(values)
        frame = function(pl.DataFrame(values, schema=["A", "B"]))
        assert frame.columns == ["A", "B"]
        np.testing.assert_array_equal(frame.to_numpy(), expected)
        series = function(pd.Series(values[0], index=["A", "B"]))
        np.testing.assert_array_equal(series.to_numpy(), expected[0])
    with pytest.raises(BadInput):
        f.winsorize(values, lower=0.9, upper=0.1)
    with pytest.raises(BadInput):
        f.zscore_cross_sectional(values, method="robust")  # type: ignore[arg-type]
