"""Factors by their definitions: against pandas, scipy and figures by hand."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from mts1b_foundation.market_data import UniversePanel
from mts1b_quantkit import BadInput
from mts1b_quantkit import factors as f
from mts1b_quantkit.rolling import rolling
from quantkit_factor_cases import SHORT, WARM_UP, panel
from scipy import stats


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


def test_more_factors_by_pandas() -> None:
    data = panel()
    close, high, low, opened = (
        pd.DataFrame(getattr(data, name)) for name in ("close", "high", "low", "open")
    )
    volume, change = pd.DataFrame(data.volume), close.pct_change()
    market = change.mean(axis=1)
    beta = change.rolling(8).cov(market).div(market.rolling(8).var(), axis=0)
    top, bottom = high.rolling(7).max(), low.rolling(7).min()
    line = close.ewm(span=3, adjust=False).mean() - close.ewm(span=7, adjust=False).mean()
    level = change.rolling(4).std()
    true_range = np.maximum(high, close.shift(1)) - np.minimum(low, close.shift(1))
    signed = (np.sign(change) * volume).rolling(6).sum()
    gains, moves = change.clip(lower=0).rolling(9).mean(), change.abs().rolling(9).mean()
    expected = {
        "f_acceleration": close.pct_change(5) - close.pct_change(5).shift(5),
        "f_continuous_information": np.sign(close.pct_change(9))
        * np.sign(change).rolling(9).mean(),
        "f_intermediate_momentum": close.shift(5) / close.shift(12) - 1,
        "f_intraday": (close / opened - 1).rolling(4).mean(),
        "f_long_term_reversal": 1 - close.shift(4) / close.shift(14),
        "f_max_return": -change.rolling(6).max(),
        "f_overnight": (opened / close.shift(1) - 1).rolling(4).mean(),
        "f_price_to_average": close.rolling(8).mean() / close - 1,
        "f_return_skewness": -change.rolling(9).apply(stats.skew, raw=True),
        "f_risk_adjusted_momentum": change.rolling(7).mean() / change.rolling(7).std(),
        "f_average_range": -true_range.rolling(5).mean() / close,
        "f_beta": beta,
        "f_low_beta": -beta,
        "f_drawdown": close.rolling(9).apply(
            lambda x: (x / np.maximum.accumulate(x) - 1).min(), raw=True
        ),
        "f_vol_of_vol": -level.rolling(5).std() / level.rolling(5).mean(),
        "f_bollinger": (close - close.rolling(6).mean()) / close.rolling(6).std(ddof=0),
        "f_donchian": (close - bottom) / (top - bottom),
        "f_efficiency_ratio": close.diff(8) / close.diff().abs().rolling(8).sum(),
        "f_macd": (line - line.ewm(span=4, adjust=False).mean()) / close,
        "f_rsi": 100 * gains / moves,
        "f_time_series_momentum": np.sign(close.pct_change(6)) / change.rolling(6).std(),
        "f_on_balance_volume": signed / volume.rolling(6).sum(),
        "f_price_volume_correlation": -change.rolling(8).corr(np.log(volume)),
        "f_size": -np.log((close * volume).rolling(6).median()),
        "f_still_days": -(change == 0).where(change.notna()).astype(float).rolling(5).mean(),
        "f_volume_trend": volume.rolling(3).mean() / volume.rolling(8).mean() - 1,
        "f_volume_variability": -volume.rolling(6).std() / volume.rolling(6).mean(),
    }
    for name, table in expected.items():
        start = WARM_UP[name]
        raw = f.get(name)(data, raw=True, **SHORT[name])
        np.testing.assert_allclose(
            raw[start:], table.to_numpy()[start:], rtol=1e-7, atol=1e-12, err_msg=name
        )


def test_regressions_by_scipy() -> None:
    data = panel()
    change = pd.DataFrame(data.close).pct_change().to_numpy()
    market = np.append(np.nan, change[1:].mean(axis=1))
    last = slice(-8, None)
    for asset in range(5):
        line = stats.linregress(market[last], change[last, asset])
        rest = change[last, asset] - line.intercept - line.slope * market[last]
        own = f.f_idiosyncratic_vol(data, h=8, raw=True)[-1, asset]
        assert own == pytest.approx(-np.sqrt((rest**2).sum() / 6))
        trend = stats.linregress(range(9), np.log(data.close[-9:, asset]))
        own = f.f_regression_trend(data, h=9, raw=True)[-1, asset]
        assert own == pytest.approx(trend.slope * trend.rvalue**2)


def test_the_spread_of_corwin_and_schultz_is_found() -> None:
    """Equation 14 by hand, and a simulated spread of 1 % within the method's own noise."""
    rng = np.random.default_rng(3)
    mid = np.exp(np.cumsum(rng.normal(0, 0.01 / 20, (400, 400)), axis=None)).reshape(400, 400)
    high, low = mid.max(axis=1) * 1.005, mid.min(axis=1) * 0.995
    days = [date(2020, 1, 1) + timedelta(days=i) for i in range(400)]
    column = {"high": high[:, None], "low": low[:, None], "close": mid[:, -1:]}
    data = UniversePanel(dates=days, symbols=["A"], volume=np.ones((400, 1)), **column)
    found = -f.f_low_spread(data, h=399, raw=True)[-1, 0]
    assert found == pytest.approx(0.01, rel=0.2)


def test_seasons_look_at_earlier_years_alone() -> None:
    days = [date(2018, 1, 1) + timedelta(days=i) for i in range(1100)]
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (1100, 3)), axis=0))
    data = UniversePanel(
        close=close, high=close, low=close, volume=close, dates=days, symbols=list("abc")
    )
    raw = f.f_same_month(data, years=5, raw=True)
    frame = pd.DataFrame(close, index=pd.DatetimeIndex(days)).pct_change()
    march = frame.loc["2018-03"], frame.loc["2019-03"]
    at = days.index(date(2020, 3, 10))
    np.testing.assert_allclose(raw[at], pd.concat(march).mean())
    one = f.f_same_month(data, years=1, raw=True)
    np.testing.assert_allclose(one[at], march[1].mean())
    assert np.isnan(raw[:365]).all()
    weekday = f.f_same_weekday(data, weeks=4, raw=True)
    earlier = [at - 7 * k for k in range(1, 5)]
    np.testing.assert_allclose(weekday[at], frame.to_numpy()[earlier].mean(axis=0))
    for rows in (500, 900):
        short = UniversePanel(
            close=close[:rows],
            high=close[:rows],
            low=close[:rows],
            volume=close[:rows],
            dates=days[:rows],
            symbols=list("abc"),
        )
        np.testing.assert_array_equal(f.f_same_month(short, raw=True, years=5), raw[:rows])
    with pytest.raises(BadInput, match="years is 0"):
        f.f_same_month(data, years=0)
    counted = UniversePanel(
        close=close, high=close, low=close, volume=close, dates=range(1100), symbols=list("abc")
    )
    with pytest.raises(BadInput, match="neither dates nor times"):
        f.f_same_month(counted)


def test_long_windows_work_in_blocks() -> None:
    values = np.random.default_rng(0).normal(size=(3000, 30))
    ours = rolling(values, 100, lambda block: block.max(axis=-1))
    np.testing.assert_array_equal(ours, pd.DataFrame(values).rolling(100).max().to_numpy())
