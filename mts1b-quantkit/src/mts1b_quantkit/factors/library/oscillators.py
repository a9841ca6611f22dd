"""Where the price stands in its recent range, and how straight its way was."""

from __future__ import annotations

from typing import Any

import numpy as np
from mts1b_foundation.market_data import UniversePanel

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.doubling import (
    window_comoments,
    window_deviation,
    window_max,
    window_mean,
    window_min,
)
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.factors.library.panel import factor, moving, score, simple_returns
from mts1b_quantkit.rolling import smoothed

__all__ = [
    "f_bollinger",
    "f_donchian",
    "f_efficiency_ratio",
    "f_macd",
    "f_regression_trend",
    "f_rsi",
    "f_time_series_momentum",
]


@factor("f_rsi")
def f_rsi(panel: UniversePanel, /, *, h: int = 14, raw: bool = False) -> Any:
    """Score the mean gain over the mean move of ``h`` rows, in per cent (Wilder 1978; Cutler).

    Simple means: the value does not depend on where the history begins.
    """

    def compute(close: FloatArray) -> FloatArray:
        returns = simple_returns(close)
        gains, moves = window_mean(np.maximum(returns, 0.0), h), window_mean(np.abs(returns), h)
        return np.asarray(100.0 * gains / np.where(moves > 0.0, moves, np.nan))

    return score(panel, ("close",), compute, raw=raw)


@factor("f_macd")
def f_macd(
    panel: UniversePanel,
    /,
    *,
    h_fast: int = 12,
    h_slow: int = 26,
    h_signal: int = 9,
    raw: bool = False,
) -> Any:
    """Score the histogram of moving averages over the close (Appel 1979).

    Exponential averages of span h; the difference of the first two, less its own average.

    :raises BadInput: unless h_fast < h_slow.
    """
    if not h_fast < h_slow:
        raise BadInput(f"h_fast is {h_fast}, h_slow {h_slow}; the fast average is the shorter one")

    def compute(close: FloatArray) -> FloatArray:
        line = _average(close, h_fast) - _average(close, h_slow)
        histogram = (line - _average(line, h_signal)) / close
        histogram[: h_slow + h_signal - 2] = np.nan
        return np.asarray(histogram)

    return score(panel, ("close",), compute, raw=raw)


@factor("f_bollinger")
def f_bollinger(panel: UniversePanel, /, *, h: int = 20, raw: bool = False) -> Any:
    """Score (close - mean) / deviation (ddof=0) over the last ``h`` closes (Bollinger 2001).

    :raises BadInput: for h below 2.
    """
    if h < 2:
        raise BadInput(f"h is {h}; a deviation needs two closes")

    def compute(close: FloatArray) -> FloatArray:
        deviation = window_deviation(close, h, ddof=0)
        flat = deviation <= 1e-12 * np.abs(close)
        return np.asarray((close - window_mean(close, h)) / np.where(flat, np.nan, deviation))

    return score(panel, ("close",), compute, raw=raw)


@factor("f_donchian")
def f_donchian(panel: UniversePanel, /, *, h: int = 55, raw: bool = False) -> Any:
    """Score the place of the close between the lowest low (0) and highest high (1) of ``h`` rows.

    Donchian's channel; Lane's stochastic oscillator is the same over 14 rows.
    """

    def compute(close: FloatArray, high: FloatArray, low: FloatArray) -> FloatArray:
        top = window_max(high, h)
        bottom = window_min(low, h)
        width = top - bottom
        return np.asarray((close - bottom) / np.where(width > 0.0, width, np.nan))

    return score(panel, ("close", "high", "low"), compute, raw=raw)


@factor("f_efficiency_ratio")
def f_efficiency_ratio(panel: UniversePanel, /, *, h: int = 63, raw: bool = False) -> Any:
    """Score the signed move over ``h`` rows over the length of the way (Kaufman 1995), -1 to 1."""

    def compute(close: FloatArray) -> FloatArray:
        steps = np.full_like(close, np.nan)
        steps[1:] = np.abs(np.diff(close, axis=0))
        way = window_mean(steps, h) * h
        move = np.full_like(close, np.nan)
        move[h:] = close[h:] - close[:-h]
        return np.asarray(move / np.where(way > 0.0, way, np.nan))

    return score(panel, ("close",), compute, raw=raw)


@factor("f_regression_trend")
def f_regression_trend(panel: UniversePanel, /, *, h: int = 90, raw: bool = False) -> Any:
    """Score the slope of log close on time over ``h`` rows times its R^2 (Clenow 2015).

    :raises BadInput: for h below 3.
    """
    if h < 3:
        raise BadInput(f"h is {h}; a trend line needs three closes")

    def fit(total: FloatArray, spread: FloatArray, both: FloatArray) -> FloatArray:
        slope = both / spread
        return np.asarray(slope * slope**2 * spread / np.where(total > 0.0, total, np.nan))

    def compute(close: FloatArray) -> FloatArray:
        row = np.arange(len(close), dtype=float)[:, None]
        return window_comoments(np.log(close), row, h, fit)

    return score(panel, ("close",), compute, raw=raw)


@factor("f_time_series_momentum")
def f_time_series_momentum(panel: UniversePanel, /, *, h: int = 252, raw: bool = False) -> Any:
    """Score the sign of the return over ``h`` rows over its volatility.

    Moskowitz, Ooi and Pedersen 2012, with the deviation (ddof=1) of the same ``h`` returns.

    :raises BadInput: for h below 2.
    """
    if h < 2:
        raise BadInput(f"h is {h}; a deviation needs two returns")

    def compute(close: FloatArray) -> FloatArray:
        deviation = window_deviation(simple_returns(close), h)
        return np.asarray(np.sign(simple_returns(close, h)) / moving(deviation))

    return score(panel, ("close",), compute, raw=raw)


def _average(values: FloatArray, span: int) -> FloatArray:
    return smoothed(values, 1.0 - 2.0 / (span + 1.0))
