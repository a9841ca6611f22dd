"""Edges and laws that hold for every function that takes data: one table, every row tested.

An edge ends in a typed error or in the documented value: never in another exception, a warning
(warnings are errors here), or a changed input. A law is homogeneity (f(s x) = s^degree f(x)),
equivariance (the order of the columns is no matter), or that the future changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mts1b_quantkit import (
    BadInput,
    NaNInput,
    QuantError,
    allocators,
    covariance,
    factors,
    metrics,
    microstructure,
    risk,
    universe_filters,
    volatility,
)

ROWS, ASSETS = 60, 4


class Case(NamedTuple):
    """One function of (T, N) data.

    ``data``: what it eats (returns, prices, breaches or scores). ``gives``: one number per column,
    rows, a square matrix, weights, a value per row, or else. ``degree`` of homogeneity, None where
    the function has none. ``gaps``: NaN is data. ``even``: the order of the columns is no matter.
    """

    call: Callable[[Any], Any]
    data: str = "returns"
    gives: str = "columns"
    degree: int | None = None
    gaps: bool = False
    even: bool = True
    one: bool = False


def own(name: str, degree: int | None = None, **extra: Any) -> tuple[str, Case]:
    room, _, function = name.partition(".")
    rooms = {"metrics": metrics, "risk": risk, "covariance": covariance, "allocators": allocators}
    found = getattr({**rooms, "factors": factors, "volatility": volatility}[room], function)
    return name, Case(found, degree=degree, **extra)


def against(name: str, degree: int | None) -> tuple[str, Case]:
    function = getattr(metrics, name)

    def call(data: Any) -> Any:
        return function(data, (np.sin(np.arange(len(rows_of(data)))) + 0.1) * unit_of(data))

    return f"metrics.{name}", Case(call, degree=degree)


def rows_of(data: Any) -> Any:
    return next(iter(data.values())) if isinstance(data, dict) else data


def unit_of(data: Any) -> float:
    """Return a benchmark's size, which goes with that of the data."""
    values = np.asarray(list(data.values()) if isinstance(data, dict) else data)
    if values.dtype.kind not in "biuf" or values.size == 0 or not np.isfinite(values).all():
        return 0.01
    return 0.01 * min(float(np.abs(values).max()), 1e140) if np.abs(values).max() < 1e-9 else 0.01


SERIES = [
    own("metrics.total_return"),
    own("metrics.cagr"),
    own("metrics.annual_volatility", 1),
    own("metrics.downside_deviation", 1),
    own("metrics.sharpe", 0),
    own("metrics.sortino", 0),
    own("metrics.calmar"),
    own("metrics.max_drawdown"),
    own("metrics.drawdown_series", gives="rows"),
    own("metrics.average_drawdown"),
    own("metrics.ulcer_index"),
    own("metrics.pain_index"),
    own("metrics.conditional_drawdown_at_risk"),
    own("metrics.omega", 0),
    own("metrics.tail_ratio", 0),
    own("metrics.skewness", 0),
    own("metrics.kurtosis", 0),
    own("metrics.mean_absolute_deviation", 1),
    own("metrics.semi_deviation", 1),
    own("metrics.value_at_risk", 1),
    own("metrics.expected_shortfall", 1),
    own("metrics.entropic_value_at_risk", 1),
    own("metrics.win_rate", 0),
    own("metrics.profit_factor", 0),
    own("metrics.payoff_ratio", 0),
    own("metrics.stability"),
    own("metrics.sharpe_standard_error", 0),
    own("metrics.probabilistic_sharpe", 0),
    own("metrics.min_track_record_length", 0),
    (
        "metrics.deflated_sharpe",
        Case(lambda x: metrics.deflated_sharpe(x, n_trials=9, variance=0.01), degree=0),
    ),
    ("metrics.rolling", Case(lambda x: metrics.rolling(x, "sharpe", 5), gives="rows", degree=0)),
    ("metrics.drawdown_table", Case(metrics.drawdown_table, gives="else", one=True)),
    own("risk.value_at_risk", 1),
    own("risk.expected_shortfall", 1),
    own("risk.ewma_volatility", 1, gives="rows"),
    (
        "risk.garch_forecast",
        Case(lambda x: risk.garch_forecast(x).variance, gives="else", one=True),
    ),
    against("beta", None),
    against("alpha", None),
    against("tracking_error", None),
    against("information_ratio", None),
    against("capture_ratio", None),
    against("up_capture", None),
    against("down_capture", None),
    (
        "metrics.probability_of_backtest_overfitting",
        Case(
            lambda x: metrics.probability_of_backtest_overfitting(x, n_splits=4).logits,
            gives="else",
            degree=0,
        ),
    ),
]
COVARIANCES = [
    own("covariance.sample_covariance", 2, gives="square"),
    (
        "covariance.ewma_covariance",
        Case(lambda x: covariance.ewma_covariance(x, halflife=9), gives="square", degree=2),
    ),
    (
        "covariance.ledoit_wolf",
        Case(lambda x: covariance.ledoit_wolf(x).covariance, gives="square", degree=2),
    ),
    ("covariance.oas", Case(lambda x: covariance.oas(x).covariance, gives="square", degree=2)),
    own("covariance.denoised_covariance", 2, gives="square"),
    own("covariance.gerber_covariance", 2, gives="square"),
    own("covariance.semi_covariance", 2, gives="square"),
    (
        "covariance.nearest_psd",
        Case(covariance.nearest_psd, data="correlation", gives="square", degree=1),
    ),
    own("covariance.returns_from_prices", 0, data="prices", gives="fewer rows"),
]
ALLOCATIONS = [
    (
        f"allocators.{name}",
        Case(
            lambda x, method=getattr(allocators, name): method(x).weights,
            gives="weights",
            degree=0 if scaled else None,
            even=name not in ("hrp_weights", "min_cvar", "min_mad", "min_cdar"),
        ),
    )
    for name, scaled in (
        ("hrp_weights", True),
        ("herc_weights", True),
        ("nco_weights", True),
        ("equal_weights", True),
        ("inverse_volatility", True),
        ("inverse_variance", True),
        ("min_variance", True),
        ("max_sharpe", True),
        ("mean_variance", False),
        ("risk_parity", True),
        ("max_diversification", True),
        ("min_cvar", True),
        ("min_mad", True),
        ("min_cdar", True),
    )
] + [
    (
        "allocators.efficient_return",
        Case(
            lambda x: allocators.efficient_return(x, target_return=middle(x)).weights,
            gives="weights",
            degree=0,
        ),
    ),
    (
        "allocators.efficient_frontier",
        Case(lambda x: allocators.efficient_frontier(x).weights, gives="else", degree=0),
    ),
    (
        "allocators.black_litterman",
        Case(
            lambda x: allocators.black_litterman(x, market_weights=shares_of(x)).weights,
            gives="weights",
            degree=0,
        ),
    ),
]
OTHERS = [
    own("volatility.realized_volatility", 0, data="prices"),
    (
        "volatility.parkinson",
        Case(lambda p: volatility.parkinson(up(p), p), data="prices", degree=0),
    ),
    *(
        (
            f"volatility.{name}",
            Case(
                lambda p, method=getattr(volatility, name): method(p, up(p), p, up(p)),
                data="prices",
                degree=0,
            ),
        )
        for name in ("garman_klass", "rogers_satchell", "yang_zhang")
    ),
    ("microstructure.roll_spread", Case(microstructure.roll_spread, data="prices", degree=1)),
    (
        "microstructure.amihud_illiquidity",
        Case(lambda p: microstructure.amihud_illiquidity(p, p), data="prices", degree=-2),
    ),
    (
        "microstructure.vpin",
        Case(
            lambda p: microstructure.vpin(p, p, bucket_volume=top(p), window=2),
            data="prices",
            gives="past",
            degree=0,
            one=True,
        ),
    ),
    (
        "microstructure.cusum_filter",
        Case(
            lambda p: microstructure.cusum_filter(p, threshold=top(p) / 100),
            data="prices",
            gives="else",
            degree=0,
            one=True,
        ),
    ),
    (
        "universe_filters.average_daily_volume",
        Case(
            lambda v: universe_filters.average_daily_volume(v, window=3),
            data="prices",
            gives="rows",
            degree=1,
            gaps=True,
        ),
    ),
    (
        "universe_filters.passes_adv_filter",
        Case(
            lambda v: universe_filters.passes_adv_filter(v, minimum=100.0, window=3),
            data="prices",
            gives="rows",
            gaps=True,
        ),
    ),
    (
        "factors.zscore_cross_sectional",
        Case(factors.zscore_cross_sectional, gives="rows", degree=0, gaps=True),
    ),
    (
        "factors.rank_cross_sectional",
        Case(factors.rank_cross_sectional, gives="rows", degree=0, gaps=True),
    ),
    ("factors.winsorize", Case(factors.winsorize, gives="rows", degree=1, gaps=True)),
    (
        "factors.neutralize",
        Case(
            lambda x: factors.neutralize(x, [1.0, 2.0, 0.0, -1.0]),
            gives="rows",
            degree=1,
            gaps=True,
            even=False,
        ),
    ),
    (
        "factors.information_coefficient",
        Case(lambda x: factors.information_coefficient(x, x), gives="past", degree=0, gaps=True),
    ),
    (
        "factors.quantile_returns",
        Case(
            lambda x: factors.quantile_returns(x, x, n_quantiles=2),
            gives="past",
            degree=1,
            gaps=True,
        ),
    ),
    ("factors.turnover", Case(factors.turnover, gives="past", degree=1, gaps=True)),
    (
        "factors.information_coefficient_summary",
        Case(
            lambda x: factors.information_coefficient_summary(x).t_newey_west,
            gives="else",
            degree=0,
            gaps=True,
            one=True,
        ),
    ),
    (
        "risk.kupiec",
        Case(lambda b: risk.kupiec(b).statistic, data="breaches", gives="else", one=True),
    ),
    (
        "risk.christoffersen",
        Case(lambda b: risk.christoffersen(b).statistic, data="breaches", gives="else", one=True),
    ),
    (
        "risk.conditional_coverage",
        Case(
            lambda b: risk.conditional_coverage(b).statistic,
            data="breaches",
            gives="else",
            one=True,
        ),
    ),
    (
        "risk.acerbi_szekely_z2",
        Case(lambda b: risk.acerbi_szekely_z2(b, 1.0, b), data="breaches", gives="else", one=True),
    ),
    (
        "risk.component_var",
        Case(
            lambda c: risk.component_var(shares_of(c), c).component,
            data="correlation",
            gives="else",
        ),
    ),
]
CASES: dict[str, Case] = dict([*SERIES, *COVARIANCES, *ALLOCATIONS, *OTHERS])
NAMES = sorted(CASES)


def up(prices: Any) -> Any:
    """Return prices one per cent higher, in their kind."""
    if isinstance(prices, pl.DataFrame | pl.Series):
        return prices * 1.01
    if isinstance(prices, pd.DataFrame | pd.Series):
        return prices.astype(float) * 1.01
    values = np.asarray(prices)
    if values.size == 0 or isinstance(values.flat[0], str):
        return values
    return values.astype(float) * 1.01


def matrix_of(data: Any) -> np.ndarray:
    values = np.column_stack(list(data.values())) if isinstance(data, dict) else np.asarray(data)
    return values.astype(float)


def middle(data: Any) -> float:
    """Return a return that long-only weights can reach."""
    if np.asarray(data).size == 0 or isinstance(np.asarray(data).flat[0], str):
        return 0.0
    return float(np.median(matrix_of(data).mean(axis=0)))


def shares_of(data: Any) -> np.ndarray:
    width = len(data) if isinstance(data, dict) else np.shape(data)[-1] if np.ndim(data) else 1
    return np.full(width, 1.0 / max(width, 1))


def top(data: Any) -> float:
    """Return a positive size of the data, for thresholds in its units."""
    try:
        values = matrix_of(data)
    except (TypeError, ValueError):
        return 1.0
    size = float(np.nanmax(np.abs(values))) if values.size and np.isfinite(values).any() else 1.0
    return size if 0.0 < size < 1e150 else 1.0


def base(kind: str, seed: int = 0, rows: int = ROWS, assets: int = ASSETS) -> np.ndarray:
    rng = np.random.default_rng(seed)
    returns = 0.01 * rng.normal(size=(rows, assets)) @ (np.eye(assets) + 0.3) + 0.002
    if kind == "prices":
        return 100.0 * np.cumprod(1.0 + returns, axis=0)
    if kind == "breaches":
        return (rng.uniform(size=(rows, assets)) < 0.1).astype(float)
    return np.corrcoef(returns.T) if kind == "correlation" else returns


def given_to(case: Case, values: np.ndarray) -> Any:
    return values[:, 0] if case.one else values


def numbers(result: Any) -> np.ndarray:
    if isinstance(result, dict):
        result = np.array(list(result.values()), dtype=float).T
    if isinstance(result, pl.DataFrame):
        result = result.to_numpy()
    return np.asarray(result, dtype=float)


def past_vpin(prices: Any) -> Any:
    return microstructure.vpin(prices, prices, bucket_volume=150.0, window=2, price_change_std=1.0)


def biggest(values: np.ndarray) -> float:
    return float(np.abs(values[np.isfinite(values)]).max(initial=0.0))


def settled(case: Case, data: Any) -> np.ndarray | None:
    """Return the result as numbers (a zero where it is none), or None for a typed error."""
    try:
        result = case.call(data)
    except QuantError:
        return None
    return np.zeros(1) if case.gives == "else" else numbers(result)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_value_is_named_or_stays_missing(name: str) -> None:
    case = CASES[name]
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


@pytest.mark.parametrize("name", NAMES)
def test_no_table_of_numbers_no_answer(name: str) -> None:
    case = CASES[name]
    values = base(case.data)
    huge, endless = values.copy(), values.copy()
    huge[3, 0], endless[3, 0] = 1e300, np.inf
    for data in ([], np.empty((0, 4)), np.empty((4, 0)), np.ones((2, 2, 2))):
        with pytest.raises(BadInput):
            case.call(data)
    for wrong in (huge, endless, np.full(values.shape, "x"), np.full(values.shape, "x", object)):
        with pytest.raises(BadInput):
            case.call(given_to(case, wrong))


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_gives_the_same_numbers(name: str) -> None:
    case = CASES[name]
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


@pytest.mark.parametrize("name", NAMES)
def test_whole_numbers_are_numbers(name: str) -> None:
    case = CASES[name]
    scale = 1 if case.data in ("breaches", "correlation") else 1000
    whole = np.round(base(case.data) * scale)
    if case.data == "correlation":
        whole = np.eye(ASSETS)
    one, other = (settled(case, given_to(case, whole.astype(kind))) for kind in (float, np.int64))
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", NAMES)
def test_thin_and_flat_data_end_in_a_value_or_a_typed_error(name: str) -> None:
    case = CASES[name]
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
        settled(case, given_to(case, data))
    wide = base(case.data, rows=5, assets=9) if case.data != "correlation" else np.ones((9, 9))
    if name != "factors.neutralize":
        settled(case, given_to(case, wide))


WILD = st.sampled_from(
    [0.0, 1.0, -1.0, 0.01, -0.02, 5e-324, 1e-300, -1e-160, 1e70, 1e74, 1e300, 7.0, np.nan, np.inf]
)


@settings(max_examples=50, deadline=None)
@given(data=arrays(float, st.tuples(st.integers(1, 7), st.just(ASSETS)), elements=WILD))
def test_wild_numbers_never_end_in_another_exception(data: np.ndarray) -> None:
    for name in NAMES:
        case = CASES[name]
        before = data.copy()
        settled(case, given_to(case, data))
        np.testing.assert_array_equal(data, before, err_msg=name)


DEGREES = [name for name in NAMES if CASES[name].degree is not None]


@pytest.mark.parametrize("name", DEGREES)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), exponent=st.integers(-60, 60))
def test_homogeneity(name: str, seed: int, exponent: int) -> None:
    case = CASES[name]
    assert case.degree is not None
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


@pytest.mark.parametrize(
    "name",
    [
        n
        for n in NAMES
        if CASES[n].degree in (0, 1) and CASES[n].data == "returns" and n.startswith("metrics")
    ],
)
def test_tiny_returns_keep_their_digits(name: str) -> None:
    """At 1e-301, where squares are zero in floating point."""
    case, values = CASES[name], base("returns", 3)
    one = numbers(case.call(given_to(case, values)))
    other = numbers(case.call(given_to(case, values * 2.0**-1000)))
    np.testing.assert_allclose(other * 2.0 ** (1000 * (case.degree or 0)), one, rtol=1e-9)


EVEN = [
    name
    for name in NAMES
    if CASES[name].even
    and CASES[name].gives in ("columns", "rows", "fewer rows", "square", "weights")
]


@pytest.mark.parametrize("name", [n for n in EVEN if not CASES[n].one])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_the_columns_is_no_matter(name: str, seed: int) -> None:
    case, values = CASES[name], base(CASES[name].data, seed)
    turn = np.random.default_rng(seed).permutation(ASSETS)
    turned = values[np.ix_(turn, turn)] if case.data == "correlation" else values[:, turn]
    one, other = settled(case, values), settled(case, turned)
    assert (one is None) == (other is None)
    if one is None or other is None:
        return
    moved = one[np.ix_(turn, turn)] if case.gives == "square" else one[..., turn]
    size = biggest(moved)
    np.testing.assert_allclose(other, moved, rtol=1e-7, atol=1e-9 * size)


@pytest.mark.parametrize(
    "name", [n for n in NAMES if CASES[n].gives in ("rows", "past", "fewer rows")]
)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(10, ROWS - 1))
def test_the_future_changes_nothing(name: str, seed: int, rows: int) -> None:
    case, values = CASES[name], base(CASES[name].data, seed)
    call = case.call
    if name == "microstructure.vpin":  # its defaults are those of the whole sample
        call = past_vpin
    whole, part = (numbers(call(given_to(case, v))) for v in (values, values[:rows]))
    np.testing.assert_array_equal(whole[: len(part)], part)


@pytest.mark.parametrize("name", [n for n in NAMES if CASES[n].gives == "columns"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_many_columns_are_each_alone(name: str, seed: int) -> None:
    case, values = CASES[name], base(CASES[name].data, seed)
    together = numbers(case.call(values))
    for j in range(ASSETS):
        alone = case.call(values[:, j])
        assert isinstance(alone, float)
        assert alone == pytest.approx(together[j], rel=1e-9, abs=1e-14, nan_ok=True)


@pytest.mark.parametrize("name", [n for n in NAMES if CASES[n].gives == "weights"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_weights_sum_to_the_budget(name: str, seed: int) -> None:
    weights = settled(CASES[name], base("returns", seed))
    if weights is not None:
        total = 1.0 / 1.05 if name == "allocators.black_litterman" else 1.0
        assert weights.sum() == pytest.approx(total, abs=1e-12)
