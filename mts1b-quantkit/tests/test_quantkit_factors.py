"""Factors by definition; none reads the future; cross-sections against pandas and scipy."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mts1b_foundation.market_data import UniversePanel
from mts1b_foundation.protocols import FactorFn
from mts1b_quantkit import BadInput
from mts1b_quantkit import factors as f
from mts1b_quantkit.rolling import rolling
from scipy import stats

SHORT = {
    "f_momentum_12_1": {"h_long": 12, "h_skip": 3},
    "f_momentum": {"h": 6},
    "f_reversal": {"h": 4},
    "f_high_proximity": {"h": 10},
    "f_trend": {"h": 8},
    "f_moving_average_cross": {"h_fast": 3, "h_slow": 9},
    "f_realized_vol": {"h": 5, "ema_alpha": 0.9},
    "f_downside_vol": {"h": 7},
    "f_parkinson_vol": {"h": 6},
    "f_liquidity": {"h": 5},
    "f_dollar_volume": {"h": 4},
}
WARM_UP = {
    "f_momentum_12_1": 15,
    "f_momentum": 6,
    "f_reversal": 4,
    "f_high_proximity": 9,
    "f_trend": 7,
    "f_moving_average_cross": 8,
    "f_realized_vol": 5,
    "f_downside_vol": 7,
    "f_parkinson_vol": 5,
    "f_liquidity": 5,
    "f_dollar_volume": 3,
}
SECTION = arrays(
    float,
    st.tuples(st.integers(1, 6), st.integers(1, 8)),
    elements=st.one_of(st.integers(-4, 4).map(float), st.just(np.nan)),
)


def panel(rows: int = 40, assets: int = 5, seed: int = 0) -> UniversePanel:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (rows, assets)), axis=0))
    wide = np.abs(rng.normal(0, 0.01, (rows, assets)))
    return UniversePanel(
        close=close,
        high=close * (1 + wide),
        low=close * (1 - wide),
        volume=rng.integers(1_000, 9_000, (rows, assets)).astype(float),
        dates=[date(2020, 1, 1) + timedelta(days=i) for i in range(rows)],
        symbols=[f"S{i}" for i in range(assets)],
    )


def until(whole: UniversePanel, rows: int) -> UniversePanel:
    return UniversePanel(
        close=whole.close[:rows],
        high=whole.high[:rows],
        low=whole.low[:rows],
        volume=whole.volume[:rows],
        dates=whole.dates[:rows],
        symbols=whole.symbols,
    )


def test_the_tables_of_this_file_know_every_factor() -> None:
    assert set(SHORT) == set(WARM_UP) == set(f.FACTOR_REGISTRY)


@pytest.mark.parametrize("name", sorted(SHORT))
def test_shape_warm_up_and_score(name: str) -> None:
    factor = f.get(name)
    assert isinstance(factor, FactorFn)
    data = panel()
    raw, scored = factor(data, raw=True, **SHORT[name]), factor(data, **SHORT[name])
    assert raw.shape == scored.shape == (40, 5)
    first = WARM_UP[name]
    assert np.isnan(raw[:first]).all()
    assert np.isfinite(raw[first:]).all()
    np.testing.assert_allclose(scored[first:].mean(axis=1), 0.0, atol=1e-9)
    np.testing.assert_allclose(scored[first:].std(axis=1), 1.0, rtol=1e-9)
    np.testing.assert_allclose(scored, f.zscore_cross_sectional(raw), atol=1e-9)


@pytest.mark.parametrize("name", sorted(SHORT))
def test_no_factor_reads_the_future(name: str) -> None:
    whole = panel()
    complete = f.get(name)(whole, **SHORT[name])
    for rows in (20, 33):
        np.testing.assert_array_equal(
            f.get(name)(until(whole, rows), **SHORT[name]), complete[:rows]
        )


@pytest.mark.parametrize("name", sorted(SHORT))
def test_a_missing_price_blanks_its_own_asset_alone(name: str) -> None:
    whole = panel()
    close, high = whole.close.copy(), whole.high.copy()
    close[:, 2] = np.nan
    high[:, 2] = np.nan
    holed = UniversePanel(
        close=close,
        high=high,
        low=whole.low,
        volume=whole.volume,
        dates=whole.dates,
        symbols=whole.symbols,
    )
    raw = f.get(name)(holed, raw=True, **SHORT[name])
    assert np.isnan(raw[:, 2]).all()
    expected = f.get(name)(whole, raw=True, **SHORT[name])
    others = [0, 1, 3, 4]
    np.testing.assert_array_equal(raw[:, others], expected[:, others])


def test_momentum_skips_the_last_month() -> None:
    data = panel(300)
    raw = f.f_momentum_12_1(data, raw=True)
    c = data.close
    np.testing.assert_allclose(raw[280], c[280 - 21] / c[280 - 21 - 252] - 1.0, rtol=1e-12)
    assert np.isnan(raw[272]).all()
    assert np.isfinite(raw[273]).all()


def test_factors_by_pandas() -> None:
    data = panel()
    close, high, low = (pd.DataFrame(getattr(data, name)) for name in ("close", "high", "low"))
    volume, change = pd.DataFrame(data.volume), close.pct_change()
    expected = {
        "f_momentum": close / close.shift(6) - 1,
        "f_reversal": 1 - close / close.shift(4),
        "f_high_proximity": close / high.rolling(10).max(),
        "f_trend": close / close.rolling(8).mean() - 1,
        "f_moving_average_cross": close.rolling(3).mean() / close.rolling(9).mean() - 1,
        "f_realized_vol": change.rolling(5).std().ewm(alpha=0.1, adjust=False).mean(),
        "f_downside_vol": (change.clip(upper=0) ** 2).rolling(7).mean() ** 0.5,
        "f_parkinson_vol": (np.log(high / low) ** 2 / (4 * np.log(2))).rolling(6).mean() ** 0.5,
        "f_liquidity": -(change.abs() / (close * volume)).rolling(5).mean(),
        "f_dollar_volume": np.log((close * volume).rolling(4).mean()),
    }
    for name, table in expected.items():
        start = WARM_UP[name]
        raw = f.get(name)(data, raw=True, **SHORT[name])
        np.testing.assert_allclose(raw[start:], table.to_numpy()[start:], rtol=1e-9, err_msg=name)


def test_a_panel_of_frames_gives_a_frame() -> None:
    data = panel()
    frames: dict[str, Any] = {
        name: pd.DataFrame(getattr(data, name), columns=data.symbols, index=data.dates)
        for name in ("close", "high", "low", "volume")
    }
    framed = UniversePanel(dates=data.dates, symbols=data.symbols, **frames)
    result = f.f_trend(framed, h=8)
    assert list(result.columns) == list(data.symbols)
    np.testing.assert_array_equal(result.to_numpy(), f.f_trend(data, h=8))


def test_register_keeps_names_honest() -> None:
    def factor(data: UniversePanel, /) -> Any:
        return data.close

    assert f.register("f_test_only")(factor) is factor
    try:
        assert f.get("f_test_only") is factor
        with pytest.raises(ValueError, match="already"):
            f.register("f_test_only")(factor)
    finally:
        del f.FACTOR_REGISTRY["f_test_only"]
    with pytest.raises(ValueError, match="f_"):
        f.register("momentum")
    with pytest.raises(BadInput, match="f_momentum"):
        f.get("f_nothing")


def test_windows_out_of_range_are_refused() -> None:
    data = panel()
    for call in (
        lambda: f.f_trend(data, h=0),
        lambda: f.f_momentum(data, h=-1),
        lambda: f.f_momentum_12_1(data, h_skip=-1),
        lambda: f.f_realized_vol(data, h=1),
        lambda: f.f_realized_vol(data, ema_alpha=1.0),
        lambda: f.f_moving_average_cross(data, h_fast=5, h_slow=5),
    ):
        with pytest.raises(BadInput):
            call()


def test_long_windows_work_in_blocks() -> None:
    values = np.random.default_rng(0).normal(size=(3000, 30))
    ours = rolling(values, 100, lambda block: block.max(axis=-1))
    np.testing.assert_array_equal(ours, pd.DataFrame(values).rolling(100).max().to_numpy())


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
