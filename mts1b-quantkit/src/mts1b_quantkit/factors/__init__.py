"""Factors: a panel in, (T, A) scores out, higher is stronger.

Every built-in factor has NaN while it warms up or data is missing, uses rows up to and including
its own, and is z-scored across assets unless ``raw=True``.

>>> from datetime import date
>>> import numpy as np
>>> from mts1b_foundation.market_data import UniversePanel
>>> from mts1b_quantkit.factors import f_reversal
>>> close = np.array([[10.0, 20.0], [11.0, 19.0], [12.0, 20.0]])
>>> panel = UniversePanel(
...     close=close,
...     high=close,
...     low=close,
...     volume=close,
...     dates=[date(2026, 1, day) for day in (5, 6, 7)],
...     symbols=["A", "B"],
... )
>>> f_reversal(panel, h=1).tolist()
[[nan, nan], [-1.0, 1.0], [-1.0, 1.0]]
"""

from mts1b_quantkit.factors.cross_section import (
    rank_cross_sectional,
    winsorize,
    zscore_cross_sectional,
)
from mts1b_quantkit.factors.evaluation import (
    InformationCoefficient,
    information_coefficient,
    information_coefficient_summary,
    neutralize,
    quantile_returns,
    turnover,
)
from mts1b_quantkit.factors.library.anomalies import (
    f_acceleration,
    f_continuous_information,
    f_intermediate_momentum,
    f_intraday,
    f_long_term_reversal,
    f_max_return,
    f_overnight,
    f_price_to_average,
    f_return_skewness,
    f_risk_adjusted_momentum,
)
from mts1b_quantkit.factors.library.calendar import (
    f_same_month,
    f_same_weekday,
)
from mts1b_quantkit.factors.library.liquidity import (
    f_dollar_volume,
    f_liquidity,
)
from mts1b_quantkit.factors.library.market_risk import (
    f_average_range,
    f_beta,
    f_drawdown,
    f_idiosyncratic_vol,
    f_low_beta,
    f_vol_of_vol,
)
from mts1b_quantkit.factors.library.momentum import (
    f_high_proximity,
    f_momentum,
    f_momentum_12_1,
    f_reversal,
)
from mts1b_quantkit.factors.library.oscillators import (
    f_bollinger,
    f_donchian,
    f_efficiency_ratio,
    f_macd,
    f_regression_trend,
    f_rsi,
    f_time_series_momentum,
)
from mts1b_quantkit.factors.library.trading import (
    f_low_spread,
    f_on_balance_volume,
    f_price_volume_correlation,
    f_size,
    f_still_days,
    f_volume_trend,
    f_volume_variability,
)
from mts1b_quantkit.factors.library.trend import (
    f_moving_average_cross,
    f_trend,
)
from mts1b_quantkit.factors.library.volatility import (
    f_downside_vol,
    f_parkinson_vol,
    f_realized_vol,
)
from mts1b_quantkit.factors.registry import FACTOR_REGISTRY, get, register

__all__ = [
    "FACTOR_REGISTRY",
    "InformationCoefficient",
    "f_acceleration",
    "f_average_range",
    "f_beta",
    "f_bollinger",
    "f_continuous_information",
    "f_dollar_volume",
    "f_donchian",
    "f_downside_vol",
    "f_drawdown",
    "f_efficiency_ratio",
    "f_high_proximity",
    "f_idiosyncratic_vol",
    "f_intermediate_momentum",
    "f_intraday",
    "f_liquidity",
    "f_long_term_reversal",
    "f_low_beta",
    "f_low_spread",
    "f_macd",
    "f_max_return",
    "f_momentum",
    "f_momentum_12_1",
    "f_moving_average_cross",
    "f_on_balance_volume",
    "f_overnight",
    "f_parkinson_vol",
    "f_price_to_average",
    "f_price_volume_correlation",
    "f_realized_vol",
    "f_regression_trend",
    "f_return_skewness",
    "f_reversal",
    "f_risk_adjusted_momentum",
    "f_rsi",
    "f_same_month",
    "f_same_weekday",
    "f_size",
    "f_still_days",
    "f_time_series_momentum",
    "f_trend",
    "f_vol_of_vol",
    "f_volume_trend",
    "f_volume_variability",
    "get",
    "information_coefficient",
    "information_coefficient_summary",
    "neutralize",
    "quantile_returns",
    "rank_cross_sectional",
    "register",
    "turnover",
    "winsorize",
    "zscore_cross_sectional",
]
