"""Short windows for every factor, and a panel to work them on."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
from mts1b_foundation.market_data import UniversePanel

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
"""Windows of every factor, short enough for a panel of 40 rows."""

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
"""Rows without a value before the first one, at those windows."""


def panel(rows: int = 40, assets: int = 5, seed: int = 0) -> UniversePanel:
    """Return a daily panel of random prices, (rows, assets) each field."""
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
    """Return the first rows of a panel."""
    return UniversePanel(
        close=whole.close[:rows],
        high=whole.high[:rows],
        low=whole.low[:rows],
        volume=whole.volume[:rows],
        dates=whole.dates[:rows],
        symbols=whole.symbols,
        open=whole.open[:rows],
    )
