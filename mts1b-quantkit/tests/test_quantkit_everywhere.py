"""Edges and laws that hold for every function that takes data: one table, every row tested.

An edge ends in a typed error or in the documented value: never in another exception, a warning
(warnings are errors here), or a changed input. A law is homogeneity (f(s x) = s^degree f(x)),
equivariance (the order of the columns is no matter), or that the future changes nothing. The table
is ``conftest.py``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mts1b_quantkit import BadInput, NaNInput, QuantError, microstructure

ROWS, ASSETS = 60, 4
WILD = st.sampled_from(
    [0.0, 1.0, -1.0, 0.01, -0.02, 5e-324, 1e-300, -1e-160, 1e70, 1e74, 1e300, 7.0, np.nan, np.inf]
)
MOMENTLESS = {
    *("allocators.equal_weights", "allocators.min_cvar", "allocators.min_mad"),
    "allocators.min_cdar",
}
"""Allocators that ask for no covariance."""
FEW = settings(max_examples=10, deadline=None)


def base(kind: str, seed: int = 0, rows: int = ROWS, assets: int = ASSETS) -> np.ndarray:
    """Return what a case eats: returns, prices, breaches or a correlation."""
    rng = np.random.default_rng(seed)
    returns = 0.01 * rng.normal(size=(rows, assets)) @ (np.eye(assets) + 0.3) + 0.002
    if kind == "prices":
        return 100.0 * np.cumprod(1.0 + returns, axis=0)
    if kind == "breaches":
        return (rng.uniform(size=(rows, assets)) < 0.1).astype(float)
    return np.corrcoef(returns.T) if kind == "correlation" else returns


def given_to(case: Any, values: np.ndarray) -> Any:
    return values[:, 0] if case.one else values


def numbers(result: Any) -> np.ndarray:
    if isinstance(result, pl.DataFrame):
        result = result.to_numpy()
    return np.asarray(result, dtype=float)


def biggest(values: np.ndarray) -> float:
    return float(np.abs(values[np.isfinite(values)]).max(initial=0.0))


def settled(case: Any, data: Any) -> np.ndarray | None:
    """Return the result as numbers (a zero where it is none), or None for a typed error."""
    try:
        result = case.call(data)
    except QuantError:
        return None
    return np.zeros(1) if case.gives == "else" else numbers(result)


def test_a_missing_value_is_named_or_stays_missing(case: Any) -> None:
    values = base(case.data)
    square = case.data == "correlation"
    days = pd.date_range("2026-01-05", periods=len(values), tz="UTC")
    labels = list("abcd")
    frame = pd.DataFrame(values, labels if square else days, labels)
    frame.iloc[1, 0 if case.one else 2] = np.nan
    data = frame["a"] if case.one else frame
    if case.gaps:
        case.call(data)
        return
    with pytest.raises(NaNInput) as caught:
        case.call(data)
    assert caught.value.row == frame.index[1]
    assert caught.value.asset == (None if case.one else "c")
    assert caught.value.count == 1


def test_no_table_of_numbers_no_answer(case: Any) -> None:
    values = base(case.data)
    huge, endless = values.copy(), values.copy()
    huge[3, 0], endless[3, 0] = 1e300, np.inf
    for data in ([], np.empty((0, 4)), np.empty((4, 0)), np.ones((2, 2, 2))):
        with pytest.raises(BadInput):
            case.call(data)
    for wrong in (huge, endless, np.full(values.shape, "x"), np.full(values.shape, "x", object)):
        with pytest.raises(BadInput):
            case.call(given_to(case, wrong))


def test_every_kind_gives_the_same_numbers(case: Any) -> None:
    values = base(case.data)
    before = values.copy()
    expected = settled(case, given_to(case, values))
    np.testing.assert_array_equal(values, before)
    names = list("dbca")
    days = pd.date_range("2026-01-05", periods=len(values))
    square = case.data == "correlation"
    framed = pd.DataFrame(values, names if square else days, names)
    kinds = [
        framed,
        pl.DataFrame(values, schema=names),
        pd.DataFrame(values.astype(object), names if square else days.tz_localize("UTC"), names),
    ]
    decimals = np.array([[Decimal(repr(float(x))) for x in row] for row in values])
    for data in [*(kind["d"] if case.one else kind for kind in kinds), given_to(case, decimals)]:
        found = settled(case, data)
        assert (found is None) == (expected is None)
        if expected is not None and found is not None:
            np.testing.assert_array_equal(found.reshape(expected.shape), expected)


def test_whole_numbers_are_numbers(case: Any) -> None:
    scale = 1 if case.data in ("breaches", "correlation") else 1000
    whole = np.round(base(case.data) * scale)
    if case.data == "correlation":
        whole = np.eye(ASSETS)
    one, other = (settled(case, given_to(case, whole.astype(kind))) for kind in (float, np.int64))
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        np.testing.assert_array_equal(one, other)


def test_thin_and_flat_data_end_in_a_value_or_a_typed_error(case: Any) -> None:
    values = base(case.data)
    flat, twice, falling = values.copy(), values.copy(), -np.abs(values)
    flat[:] = flat[0]
    twice[:, 1] = twice[:, 0]
    for data in (
        values[:1],
        values[:2],
        values[:3],
        flat,
        flat * 0,
        twice,
        falling,
        values * 2.0**-900,
    ):
        found = settled(case, given_to(case, data))
        assert found is None or found.size > 0
    wide = base(case.data, rows=5, assets=9) if case.data != "correlation" else np.ones((9, 9))
    if case.name != "factors.neutralize":
        found = settled(case, given_to(case, wide))
        assert found is None or found.size > 0


@pytest.mark.cases(gives={"weights"})
@pytest.mark.parametrize("level", [0.001, 0.1, 1 / 3])
def test_an_asset_that_stands_still_has_no_variance_whatever_the_rounding(
    case: Any, level: float
) -> None:
    values = base("returns")
    values[:, 2] = level
    if case.name in MOMENTLESS:
        assert settled(case, values) is not None
        return
    with pytest.raises(BadInput, match="asset 2 has no variance"):
        case.call(values)


@settings(max_examples=50, deadline=None)
@given(data=arrays(float, st.tuples(st.integers(1, 7), st.just(ASSETS)), elements=WILD))
def test_wild_numbers_never_end_in_another_exception(
    all_cases: list[Any], data: np.ndarray
) -> None:
    for case in all_cases:
        before = data.copy()
        settled(case, given_to(case, data))
        np.testing.assert_array_equal(data, before, err_msg=case.name)


@pytest.mark.cases(degree={-2, 0, 1, 2})
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), exponent=st.integers(-60, 60))
def test_homogeneity(case: Any, seed: int, exponent: int) -> None:
    values, scale = base(case.data, seed), 2.0**exponent
    try:
        one = numbers(case.call(given_to(case, values)))
    except QuantError:
        with pytest.raises(QuantError):
            case.call(given_to(case, values * scale))
        return
    other = numbers(case.call(given_to(case, values * scale)))
    size = scale**case.degree
    limit = 1e-9 * size * max(1e-300, biggest(one))
    np.testing.assert_allclose(other, one * size, rtol=1e-7, atol=limit)


@pytest.mark.cases(degree={0, 1}, data={"returns"}, gives={"columns", "rows"}, gaps={False})
def test_tiny_returns_keep_their_digits(case: Any) -> None:
    """At 1e-301, where squares are zero in floating point."""
    if case.name == "metrics.beta":
        return  # its benchmark keeps its size
    values = base("returns", 3)
    one = numbers(case.call(given_to(case, values)))
    other = numbers(case.call(given_to(case, values * 2.0**-1000)))
    np.testing.assert_allclose(other * 2.0 ** (1000 * (case.degree or 0)), one, rtol=1e-9)


@pytest.mark.cases(
    even={True}, one={False}, gives={"columns", "rows", "fewer rows", "square", "weights"}
)
@FEW
@given(seed=st.integers(0, 10_000))
def test_the_order_of_the_columns_is_no_matter(case: Any, seed: int) -> None:
    values = base(case.data, seed)
    turn = np.random.default_rng(seed).permutation(ASSETS)
    turned = values[np.ix_(turn, turn)] if case.data == "correlation" else values[:, turn]
    one, other = settled(case, values), settled(case, turned)
    assert (one is None) == (other is None)
    if one is None or other is None:
        return
    moved = one[np.ix_(turn, turn)] if case.gives == "square" else one[..., turn]
    size = biggest(moved)
    np.testing.assert_allclose(other, moved, rtol=1e-7, atol=1e-9 * size)


@pytest.mark.cases(gives={"rows", "past", "fewer rows"})
@FEW
@given(seed=st.integers(0, 10_000), rows=st.integers(10, ROWS - 1))
def test_the_future_changes_nothing(case: Any, seed: int, rows: int) -> None:
    values = base(case.data, seed)
    whole, part = (numbers(case.call(given_to(case, v))) for v in (values, values[:rows]))
    np.testing.assert_array_equal(whole[: len(part)], part)


@pytest.mark.cases(gives={"columns"})
@FEW
@given(seed=st.integers(0, 10_000))
def test_many_columns_are_each_alone(case: Any, seed: int) -> None:
    values = base(case.data, seed)
    together = numbers(case.call(values))
    for j in range(ASSETS):
        alone = case.call(values[:, j])
        assert isinstance(alone, float)
        assert alone == pytest.approx(together[j], rel=1e-9, abs=1e-14, nan_ok=True)


@pytest.mark.cases(gives={"weights"})
@FEW
@given(seed=st.integers(0, 10_000))
def test_weights_sum_to_the_budget(case: Any, seed: int) -> None:
    weights = settled(case, base("returns", seed))
    if weights is not None:
        total = 1.0 / 1.05 if case.name == "allocators.black_litterman" else 1.0
        assert weights.sum() == pytest.approx(total, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(10, ROWS - 1))
def test_flow_knows_no_future_where_its_deviation_is_given(seed: int, rows: int) -> None:
    """Without it, ``vpin`` classifies by the deviation of the whole sample, as documented."""
    prices = base("prices", seed)[:, 0]
    terms = {"bucket_volume": 150.0, "window": 2, "price_change_std": 1.0}
    whole = microstructure.vpin(prices, prices, **terms)
    part = microstructure.vpin(prices[:rows], prices[:rows], **terms)
    np.testing.assert_array_equal(whole[:rows], part)
