"""Factors: a panel in, (T, A) scores out, higher is stronger.

Every built-in factor has NaN while it warms up or data is missing, uses rows up to and including
its own, and is z-scored across assets unless ``raw=True``.
"""

from mts1b_quantkit.factors.cross_section import (
    rank_cross_sectional,
    winsorize,
    zscore_cross_sectional,
)
from mts1b_quantkit.factors.library.liquidity import f_dollar_volume, f_liquidity
from mts1b_quantkit.factors.library.momentum import (
    f_high_proximity,
    f_momentum,
    f_momentum_12_1,
    f_reversal,
)
from mts1b_quantkit.factors.library.trend import f_moving_average_cross, f_trend
from mts1b_quantkit.factors.library.volatility import (
    f_downside_vol,
    f_parkinson_vol,
    f_realized_vol,
)
from mts1b_quantkit.factors.registry import FACTOR_REGISTRY, get, register

__all__ = [
    "FACTOR_REGISTRY",
    "f_dollar_volume",
    "f_downside_vol",
    "f_high_proximity",
    "f_liquidity",
    "f_momentum",
    "f_momentum_12_1",
    "f_moving_average_cross",
    "f_parkinson_vol",
    "f_realized_vol",
    "f_reversal",
    "f_trend",
    "get",
    "rank_cross_sectional",
    "register",
    "winsorize",
    "zscore_cross_sectional",
]
