"""How much the price moves. Volatilities are per row, not annualised."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mts1b_foundation.market_data import UniversePanel

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.doubling import window_deviation, window_mean
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.factors.library.panel import factor, score, simple_returns
from mts1b_quantkit.rolling import smoothed

__all__ = ["f_downside_vol", "f_parkinson_vol", "f_realized_vol"]


@factor("f_realized_vol")
def f_realized_vol(
    panel: UniversePanel, /, *, h: int = 21, ema_alpha: float | None = None, raw: bool = False
) -> Any:
    """Score the standard deviation (ddof=1) of the last ``h`` simple returns.

    :param ema_alpha: weight of the past in an exponential smoothing of the result; None for none.
    :raises BadInput: for h below 2.
    """
    if h < 2:
        raise BadInput(f"h is {h}; a standard deviation needs two returns")

    def compute(close: FloatArray) -> FloatArray:
        level = window_deviation(simple_returns(close), h)
        return level if ema_alpha is None else smoothed(level, ema_alpha)

    return score(panel, ("close",), compute, raw=raw)


@factor("f_downside_vol")
def f_downside_vol(panel: UniversePanel, /, *, h: int = 63, raw: bool = False) -> Any:
    """Score sqrt(mean(min(r, 0)^2)) of the last ``h`` simple returns."""

    def compute(close: FloatArray) -> FloatArray:
        losses = np.minimum(simple_returns(close), 0.0) ** 2
        return np.sqrt(window_mean(losses, h))

    return score(panel, ("close",), compute, raw=raw)


@factor("f_parkinson_vol")
def f_parkinson_vol(panel: UniversePanel, /, *, h: int = 21, raw: bool = False) -> Any:
    """Score sqrt(mean(log(high / low)^2) / (4 log 2)) of the last ``h`` rows (Parkinson 1980)."""

    def compute(high: FloatArray, low: FloatArray) -> FloatArray:
        squares = np.log(high / low) ** 2 / (4.0 * math.log(2.0))
        return np.sqrt(window_mean(squares, h))

    return score(panel, ("high", "low"), compute, raw=raw)
