"""Patterns of past returns that the literature has found to matter across assets."""

from __future__ import annotations

from typing import Any

import numpy as np
from mts1b_foundation.market_data import UniversePanel

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.doubling import window_deviation, window_max, window_mean, window_skewness
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.factors.library.panel import factor, moving, score, simple_returns
from mts1b_quantkit.rolling import lagged

__all__ = [
    "f_acceleration",
    "f_continuous_information",
    "f_intermediate_momentum",
    "f_intraday",
    "f_long_term_reversal",
    "f_max_return",
    "f_overnight",
    "f_price_to_average",
    "f_return_skewness",
    "f_risk_adjusted_momentum",
]


@factor("f_intermediate_momentum")
def f_intermediate_momentum(
    panel: UniversePanel, /, *, h_long: int = 252, h_short: int = 126, raw: bool = False
) -> Any:
    """Score the return from t - h_long to t - h_short (Novy-Marx 2012).

    :raises BadInput: unless h_short < h_long.
    """
    if not h_short < h_long:
        raise BadInput(f"h_short is {h_short}, h_long {h_long}; the short one is the shorter")
    gap = h_long - h_short
    return score(
        panel, ("close",), lambda close: simple_returns(lagged(close, h_short), gap), raw=raw
    )


@factor("f_acceleration")
def f_acceleration(panel: UniversePanel, /, *, h: int = 63, raw: bool = False) -> Any:
    """Score the return over ``h`` rows less the one over the ``h`` rows before (Chen 2017)."""

    def compute(close: FloatArray) -> FloatArray:
        recent = simple_returns(close, h)
        return np.asarray(recent - lagged(recent, h))

    return score(panel, ("close",), compute, raw=raw)


@factor("f_risk_adjusted_momentum")
def f_risk_adjusted_momentum(panel: UniversePanel, /, *, h: int = 126, raw: bool = False) -> Any:
    """Score mean over standard deviation of the last ``h`` returns (Rachev et al. 2007).

    :raises BadInput: for h below 2.
    """
    if h < 2:
        raise BadInput(f"h is {h}; a standard deviation needs two returns")

    def compute(close: FloatArray) -> FloatArray:
        returns = simple_returns(close)
        deviation = window_deviation(returns, h)
        return window_mean(returns, h) / moving(deviation)

    return score(panel, ("close",), compute, raw=raw)


@factor("f_continuous_information")
def f_continuous_information(panel: UniversePanel, /, *, h: int = 252, raw: bool = False) -> Any:
    """Score sign(return) times (share of rises - share of falls) over ``h`` rows.

    Minus the information discreteness of Da, Gurun and Warachka 2014: a gain in many small steps is
    more than one in a few large ones.
    """

    def compute(close: FloatArray) -> FloatArray:
        steps = np.sign(simple_returns(close))
        return np.asarray(np.sign(simple_returns(close, h)) * window_mean(steps, h))

    return score(panel, ("close",), compute, raw=raw)


@factor("f_max_return")
def f_max_return(panel: UniversePanel, /, *, h: int = 21, raw: bool = False) -> Any:
    """Score minus the largest return of the last ``h`` rows (Bali, Cakici and Whitelaw 2011)."""
    return score(
        panel,
        ("close",),
        lambda close: -window_max(simple_returns(close), h),
        raw=raw,
    )


@factor("f_return_skewness")
def f_return_skewness(panel: UniversePanel, /, *, h: int = 126, raw: bool = False) -> Any:
    """Score minus the skewness m3 / m2^1.5 of the last ``h`` returns (Amaya et al. 2015).

    :raises BadInput: for h below 3.
    """
    if h < 3:
        raise BadInput(f"h is {h}; a skewness needs three returns")

    return score(
        panel, ("close",), lambda close: -window_skewness(simple_returns(close), h), raw=raw
    )


@factor("f_long_term_reversal")
def f_long_term_reversal(
    panel: UniversePanel, /, *, h_long: int = 1260, h_skip: int = 252, raw: bool = False
) -> Any:
    """Score minus the return from t - h_long to t - h_skip, a price form of value.

    De Bondt and Thaler 1985; Fama and French 1996.

    :raises BadInput: unless h_skip < h_long.
    """
    if not h_skip < h_long:
        raise BadInput(f"h_skip is {h_skip}, h_long {h_long}; the skipped part is the shorter")
    gap = h_long - h_skip
    return score(
        panel, ("close",), lambda close: -simple_returns(lagged(close, h_skip), gap), raw=raw
    )


@factor("f_price_to_average")
def f_price_to_average(panel: UniversePanel, /, *, h: int = 756, raw: bool = False) -> Any:
    """Score the mean close of ``h`` rows over the close, less one: cheap against its own past.

    The price form of value of Asness, Moskowitz and Pedersen 2013.
    """
    return score(panel, ("close",), lambda close: window_mean(close, h) / close - 1.0, raw=raw)


@factor("f_overnight")
def f_overnight(panel: UniversePanel, /, *, h: int = 21, raw: bool = False) -> Any:
    """Score the mean return from close to open of ``h`` rows (Lou, Polk and Skouras 2019).

    :raises BadInput: for a panel without opens.
    """
    _require_open(panel)

    def compute(close: FloatArray, opened: FloatArray) -> FloatArray:
        return window_mean(opened / lagged(close, 1) - 1.0, h)

    return score(panel, ("close", "open"), compute, raw=raw)


@factor("f_intraday")
def f_intraday(panel: UniversePanel, /, *, h: int = 21, raw: bool = False) -> Any:
    """Score the mean return from open to close of ``h`` rows (Lou, Polk and Skouras 2019).

    :raises BadInput: for a panel without opens.
    """
    _require_open(panel)

    def compute(close: FloatArray, opened: FloatArray) -> FloatArray:
        return window_mean(close / opened - 1.0, h)

    return score(panel, ("close", "open"), compute, raw=raw)


def _require_open(panel: UniversePanel) -> None:
    if panel.open is None:
        raise BadInput("the panel has no open; build it with opens")
