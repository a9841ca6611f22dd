"""What holds for every factor: shape, warm-up, no future, gaps, refusals, names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mts1b_foundation.market_data import UniversePanel
from mts1b_foundation.protocols import FactorFn
from mts1b_quantkit import BadInput
from mts1b_quantkit import factors as f
from quantkit_factor_cases import SHORT, WARM_UP, panel, until


def test_the_tables_of_this_file_know_every_factor() -> None:
    assert set(SHORT) == set(WARM_UP) == set(f.FACTOR_REGISTRY) - {"f_same_month"}
    assert len(f.FACTOR_REGISTRY) >= 30


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


MARKET = {"f_beta", "f_low_beta", "f_idiosyncratic_vol"}
"""Factors that look at the other assets too."""


@pytest.mark.parametrize("name", sorted(set(SHORT) - MARKET))
def test_a_missing_price_blanks_its_own_asset_alone(name: str) -> None:
    whole = panel()
    close, high, volume = whole.close.copy(), whole.high.copy(), whole.volume.copy()
    for field in (close, high, volume):
        field[:, 2] = np.nan
    holed = UniversePanel(
        close=close,
        high=high,
        low=whole.low,
        volume=volume,
        dates=whole.dates,
        symbols=whole.symbols,
        open=whole.open,
    )
    raw = f.get(name)(holed, raw=True, **SHORT[name])
    assert np.isnan(raw[:, 2]).all()
    expected = f.get(name)(whole, raw=True, **SHORT[name])
    others = [0, 1, 3, 4]
    np.testing.assert_array_equal(raw[:, others], expected[:, others])


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


@pytest.mark.parametrize("name", ["f_risk_adjusted_momentum", "f_time_series_momentum"])
def test_a_price_that_grows_all_alike_has_no_score_and_takes_none_from_others(name: str) -> None:
    """Its returns differ in their last bits; over that the gain would be without measure."""
    data = panel()
    close = np.array(data.close)
    close[:, 0] = 100.0 * 1.0001 ** np.arange(len(close))
    scored = f.get(name)(replace(data, close=close), **SHORT[name])
    others = f.get(name)(replace(data, close=close), raw=True, **SHORT[name])[:, 1:]
    assert np.isnan(scored[:, 0]).all()
    np.testing.assert_allclose(scored[-1, 1:], f.zscore_cross_sectional(others[-1]))


def test_windows_out_of_range_are_refused() -> None:
    data = panel()
    for call in (
        lambda: f.f_trend(data, h=0),
        lambda: f.f_momentum(data, h=-1),
        lambda: f.f_momentum_12_1(data, h_skip=-1),
        lambda: f.f_realized_vol(data, h=1),
        lambda: f.f_realized_vol(data, ema_alpha=1.0),
        lambda: f.f_moving_average_cross(data, h_fast=5, h_slow=5),
        lambda: f.f_intermediate_momentum(data, h_long=5, h_short=5),
        lambda: f.f_long_term_reversal(data, h_long=5, h_skip=9),
        lambda: f.f_risk_adjusted_momentum(data, h=1),
        lambda: f.f_return_skewness(data, h=2),
        lambda: f.f_beta(data, h=2),
        lambda: f.f_low_beta(data, h=2),
        lambda: f.f_idiosyncratic_vol(data, h=2),
        lambda: f.f_vol_of_vol(data, h=1),
        lambda: f.f_macd(data, h_fast=9, h_slow=5),
        lambda: f.f_bollinger(data, h=1),
        lambda: f.f_regression_trend(data, h=2),
        lambda: f.f_time_series_momentum(data, h=1),
        lambda: f.f_volume_trend(data, h_fast=9, h_slow=5),
        lambda: f.f_volume_variability(data, h=1),
        lambda: f.f_price_volume_correlation(data, h=2),
        lambda: f.f_overnight(replace(data, open=None)),
        lambda: f.f_intraday(replace(data, open=None)),
    ):
        with pytest.raises(BadInput):
            call()
