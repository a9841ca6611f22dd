"""Risk against the market, which is the mean return of the assets that have one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mts1b_foundation.market_data import UniversePanel

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.doubling import (
    window_comoments,
    window_deviation,
    window_drawdown,
    window_mean,
)
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.factors.library.panel import factor, score, simple_returns

__all__ = [
    "f_average_range",
    "f_beta",
    "f_drawdown",
    "f_idiosyncratic_vol",
    "f_low_beta",
    "f_vol_of_vol",
]


@factor("f_beta")
def f_beta(panel: UniversePanel, /, *, h: int = 252, raw: bool = False) -> Any:
    """Score cov(r, m) / var(m) over the last ``h`` returns (Sharpe 1964).

    :raises BadInput: for h below 3.
    """
    _require_three(h)
    return score(panel, ("close",), lambda close: _beta(close, h), raw=raw)


@factor("f_low_beta")
def f_low_beta(panel: UniversePanel, /, *, h: int = 252, raw: bool = False) -> Any:
    """Score minus the beta over ``h`` returns (Frazzini and Pedersen 2014).

    :raises BadInput: for h below 3.
    """
    _require_three(h)
    return score(panel, ("close",), lambda close: -_beta(close, h), raw=raw)


@factor("f_idiosyncratic_vol")
def f_idiosyncratic_vol(panel: UniversePanel, /, *, h: int = 63, raw: bool = False) -> Any:
    """Score minus the deviation of what beta leaves of ``h`` returns (Ang et al. 2006).

    :raises BadInput: for h below 3.
    """
    _require_three(h)

    def left(own: FloatArray, market: FloatArray, both: FloatArray) -> FloatArray:
        rest = own - both**2 / np.where(market > 0.0, market, np.nan)
        rounding = 4.0 * h * np.finfo(float).eps * own  # what it leaves of a perfect fit is nothing
        return np.asarray(-np.sqrt(np.where(rest <= rounding, 0.0, rest) / (h - 2.0)))

    def compute(close: FloatArray) -> FloatArray:
        returns = simple_returns(close)
        return window_comoments(returns, _market(returns), h, left)

    return score(panel, ("close",), compute, raw=raw)


@factor("f_vol_of_vol")
def f_vol_of_vol(
    panel: UniversePanel, /, *, h: int = 63, h_vol: int = 21, raw: bool = False
) -> Any:
    """Score minus the deviation, over its mean, of ``h`` volatilities of ``h_vol`` returns each.

    Baltussen, van Bekkum and van der Grient 2018, with realised volatility.

    :raises BadInput: for windows below 2.
    """
    if h < 2 or h_vol < 2:
        raise BadInput(f"h is {h}, h_vol {h_vol}; a deviation needs two rows")

    def compute(close: FloatArray) -> FloatArray:
        level = window_deviation(simple_returns(close), h_vol)
        spread = window_deviation(level, h)
        return np.asarray(-spread / window_mean(level, h))

    return score(panel, ("close",), compute, raw=raw)


@factor("f_drawdown")
def f_drawdown(panel: UniversePanel, /, *, h: int = 252, raw: bool = False) -> Any:
    """Score the deepest fall from a peak within the last ``h`` closes, zero or negative."""

    return score(panel, ("close",), lambda close: window_drawdown(close, h), raw=raw)


@factor("f_average_range")
def f_average_range(panel: UniversePanel, /, *, h: int = 14, raw: bool = False) -> Any:
    """Score minus the mean true range of ``h`` rows over the close (Wilder 1978)."""

    def compute(close: FloatArray, high: FloatArray, low: FloatArray) -> FloatArray:
        before = np.vstack((np.full((1, close.shape[1]), np.nan), close[:-1]))
        true_range = np.maximum(high, before) - np.minimum(low, before)
        return np.asarray(-window_mean(true_range, h) / close)

    return score(panel, ("close", "high", "low"), compute, raw=raw)


def _beta(close: FloatArray, h: int) -> FloatArray:
    def slope(own: FloatArray, market: FloatArray, both: FloatArray) -> FloatArray:
        return np.asarray(both / np.where(market > 0.0, market, np.nan))

    returns = simple_returns(close)
    return window_comoments(returns, _market(returns), h, slope)


def _market(returns: FloatArray) -> FloatArray:
    """Return the mean over the assets with a return, (T, 1); NaN where there is none."""
    known = ~np.isnan(returns)
    count = known.sum(axis=1)
    total = np.where(known, returns, 0.0).sum(axis=1)
    return np.asarray(total / np.where(count > 0, count, math.nan))[:, None]


def _require_three(h: int) -> None:
    if h < 3:
        raise BadInput(f"h is {h}; a regression needs three returns")
