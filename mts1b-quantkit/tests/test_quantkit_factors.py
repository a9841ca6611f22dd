"""Factors by definition; none reads the future; cross-sections against pandas and scipy."""

from __future__ import annotations

import math
from dataclasses import replace
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

SHORT: dict[str, dict[str, Any]] = {
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
    "f_acceleration": {"h": 5},
    "f_continuous_information": {"h": 9},
    "f_intermediate_momentum": {"h_long": 12, "h_short": 5},
    "f_intraday": {"h": 4},
    "f_long_term_reversal": {"h_long": 14, "h_skip": 4},
    "f_max_return": {"h": 6},
    "f_overnight": {"h": 4},
    "f_price_to_average": {"h": 8},
    "f_return_skewness": {"h": 9},
    "f_risk_adjusted_momentum": {"h": 7},
    "f_same_weekday": {"weeks": 3},
    "f_average_range": {"h": 5},
    "f_beta": {"h": 8},
    "f_drawdown": {"h": 9},
    "f_idiosyncratic_vol": {"h": 8},
    "f_low_beta": {"h": 8},
    "f_vol_of_vol": {"h": 5, "h_vol": 4},
    "f_bollinger": {"h": 6},
    "f_donchian": {"h": 7},
    "f_efficiency_ratio": {"h": 8},
    "f_macd": {"h_fast": 3, "h_slow": 7, "h_signal": 4},
    "f_regression_trend": {"h": 9},
    "f_rsi": {"h": 9},
    "f_time_series_momentum": {"h": 6},
    "f_low_spread": {"h": 12},
    "f_on_balance_volume": {"h": 6},
    "f_price_volume_correlation": {"h": 8},
    "f_size": {"h": 6},
    "f_still_days": {"h": 5},
    "f_volume_trend": {"h_fast": 3, "h_slow": 8},
    "f_volume_variability": {"h": 6},
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
    "f_acceleration": 10,
    "f_continuous_information": 9,
    "f_intermediate_momentum": 12,
    "f_intraday": 3,
    "f_long_term_reversal": 14,
    "f_max_return": 6,
    "f_overnight": 4,
    "f_price_to_average": 7,
    "f_return_skewness": 9,
    "f_risk_adjusted_momentum": 7,
    "f_same_weekday": 8,
    "f_average_range": 5,
    "f_beta": 8,
    "f_drawdown": 8,
    "f_idiosyncratic_vol": 8,
    "f_low_beta": 8,
    "f_vol_of_vol": 8,
    "f_bollinger": 5,
    "f_donchian": 6,
    "f_efficiency_ratio": 8,
    "f_macd": 9,
    "f_regression_trend": 8,
    "f_rsi": 9,
    "f_time_series_momentum": 6,
    "f_low_spread": 12,
    "f_on_balance_volume": 6,
    "f_price_volume_correlation": 8,
    "f_size": 5,
    "f_still_days": 5,
    "f_volume_trend": 7,
    "f_volume_variability": 5,
}
SECTION = arrays(
    float,
    st.tuples(st.integers(1, 6), st.integers(1, 8)),
    elements=st.one_of(st.integers(-4, 4).map(float), st.just(np.nan)),
)


def panel(rows: int = 40, assets: int = 5, seed: int = 0) -> UniversePanel:
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 0.02, (rows, assets))
    steps[2::4, 0] = steps[1::3, 1] = 0.0  # prices that stand still now and then
    close = 100 * np.exp(np.cumsum(steps, axis=0))
    wide = np.abs(rng.normal(0, 0.01, (rows, assets)))
    return UniversePanel(
        close=close,
        high=close * (1 + wide),
        low=close * (1 - wide),
        volume=rng.integers(1_000, 9_000, (rows, assets)).astype(float),
        dates=[date(2020, 1, 1) + timedelta(days=i) for i in range(rows)],
        symbols=[f"S{i}" for i in range(assets)],
        open=close * (1 + wide * rng.uniform(-1, 1, (rows, assets))),
    )


def until(whole: UniversePanel, rows: int) -> UniversePanel:
    return UniversePanel(
        close=whole.close[:rows],
        high=whole.high[:rows],
        low=whole.low[:rows],
        volume=whole.volume[:rows],
        dates=whole.dates[:rows],
        symbols=whole.symbols,
        open=whole.open[:rows],
    )


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


class TestEvaluation:
    """Coefficients, quantiles, turnover, neutral scores."""

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(4)
        factor = rng.normal(size=(30, 12))
        forward = 0.01 * factor + rng.normal(0, 0.03, (30, 12))
        factor[3, :10] = np.nan
        factor[5, 4], forward[6, 2] = np.nan, np.nan
        return factor, forward

    @pytest.mark.parametrize("method", ["spearman", "pearson"])
    def test_coefficients_are_scipys(self, method: str) -> None:
        factor, forward = self.pairs()
        found = f.information_coefficient(factor, forward, method=method)  # type: ignore[arg-type]
        assert np.isnan(found[3])
        for row in (0, 5, 6):
            known = ~np.isnan(factor[row]) & ~np.isnan(forward[row])
            function = stats.spearmanr if method == "spearman" else stats.pearsonr
            expected = function(factor[row][known], forward[row][known]).statistic
            assert found[row] == pytest.approx(expected, rel=1e-9)

    def test_the_summary(self) -> None:
        factor, forward = self.pairs()
        ic = f.information_coefficient(factor, forward)
        known = ic[~np.isnan(ic)]
        found = f.information_coefficient_summary(ic, lags=3)
        assert found.mean == pytest.approx(known.mean())
        assert found.information_ratio == pytest.approx(known.mean() / known.std(ddof=1))
        assert found.t_statistic == pytest.approx(stats.ttest_1samp(known, 0.0).statistic)
        rest, n = known - known.mean(), len(known)
        variance = rest @ rest / n + sum(
            2 * (1 - k / 4) * (rest[k:] @ rest[:-k]) / n for k in (1, 2, 3)
        )
        assert found.t_newey_west == pytest.approx(known.mean() / np.sqrt(variance / n))

    @pytest.mark.parametrize("level", [0.1, -1 / 3, 0.7])
    def test_constant_coefficients_have_no_error(self, level: float) -> None:
        found = f.information_coefficient_summary([level] * 60)
        assert (found.mean, found.standard_deviation) == (level, 0.0)
        endless = math.copysign(math.inf, level)
        assert found.information_ratio == found.t_statistic == found.t_newey_west == endless

    def test_coefficients_of_zero_have_no_t_statistic(self) -> None:
        found = f.information_coefficient_summary([0.0] * 60)
        assert math.isnan(found.t_statistic)
        assert math.isnan(found.t_newey_west)

    def test_quantiles_by_hand(self) -> None:
        factor, forward = [[1.0, 2.0, 3.0, 4.0, np.nan]], [[0.1, 0.2, 0.3, 0.5, 9.0]]
        np.testing.assert_allclose(
            f.quantile_returns(factor, forward, n_quantiles=2), [[0.15, 0.4]]
        )
        tied = f.quantile_returns([[1.0, 1.0, 2.0]], [[0.1, 0.3, 0.5]], n_quantiles=3)
        np.testing.assert_allclose(tied, [[np.nan, 0.2, 0.5]][0:1])

    def test_turnover_by_hand(self) -> None:
        weights = pd.DataFrame([[1.0, 0.0], [0.0, 1.0], [0.5, np.nan]])
        assert f.turnover(weights).tolist()[1:] == [1.0, 0.75]

    def test_neutral_scores_know_nothing_of_the_exposure(self) -> None:
        factor, _ = self.pairs()
        size = np.random.default_rng(5).normal(size=12)
        rest = f.neutralize(factor, size)
        for row, line in enumerate(rest):
            known = ~np.isnan(line)
            if known.sum() > 2:
                assert line[known].mean() == pytest.approx(0.0, abs=1e-12)
                assert line[known] @ size[known] == pytest.approx(0.0, abs=1e-12)
            np.testing.assert_array_equal(known, ~np.isnan(factor[row]))
        groups = np.repeat(np.eye(3), 4, axis=0)
        by_group = f.neutralize(factor[:1], groups)[0].reshape(3, 4).mean(axis=1)
        np.testing.assert_allclose(by_group, 0.0, atol=1e-12)

    def test_bad_input(self) -> None:
        factor, forward = self.pairs()
        for call in (
            lambda: f.information_coefficient(factor, forward[:5]),
            lambda: f.information_coefficient(factor, forward, method="kendall"),  # type: ignore[arg-type]
            lambda: f.information_coefficient_summary([0.1]),
            lambda: f.information_coefficient_summary([0.1, 0.2], lags=-1),
            lambda: f.quantile_returns(factor, forward, n_quantiles=1),
            lambda: f.turnover([0.1, 0.2]),
            lambda: f.neutralize(factor, np.ones(3)),
        ):
            with pytest.raises(BadInput):
                call()


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
