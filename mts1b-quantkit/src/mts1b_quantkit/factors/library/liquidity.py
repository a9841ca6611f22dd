"""How much can be traded, and what it moves."""

from __future__ import annotations

from typing import Any

import numpy as np
from mts1b_foundation.market_data import UniversePanel

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.doubling import window_mean
from mts1b_quantkit.factors.library.panel import factor, score, simple_returns

__all__ = ["f_dollar_volume", "f_liquidity"]


@factor("f_liquidity")
def f_liquidity(panel: UniversePanel, /, *, h: int = 21, raw: bool = False) -> Any:
    """Score minus the mean of |return| per unit of traded value over ``h`` rows (Amihud 2002).

    A row without trade leaves the score of its whole window unknown.
    """

    def compute(close: FloatArray, volume: FloatArray) -> FloatArray:
        price_move = np.abs(simple_returns(close)) / (close * volume)
        return -window_mean(price_move, h)

    return score(panel, ("close", "volume"), compute, raw=raw)


@factor("f_dollar_volume")
def f_dollar_volume(panel: UniversePanel, /, *, h: int = 21, raw: bool = False) -> Any:
    """Score the logarithm of the mean traded value, close times volume, of ``h`` rows."""

    def compute(close: FloatArray, volume: FloatArray) -> FloatArray:
        return np.log(window_mean(close * volume, h))

    return score(panel, ("close", "volume"), compute, raw=raw)
