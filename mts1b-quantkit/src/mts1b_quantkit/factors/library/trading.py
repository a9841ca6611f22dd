"""What volume says, and what trading costs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mts1b_foundation.market_data import UniversePanel

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.doubling import window_comoments, window_deviation, window_mean
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.factors.library.panel import factor, score, simple_returns
from mts1b_quantkit.rolling import rolling

__all__ = [
    "f_low_spread",
    "f_on_balance_volume",
    "f_price_volume_correlation",
    "f_size",
    "f_still_days",
    "f_volume_trend",
    "f_volume_variability",
]


@factor("f_size")
def f_size(panel: UniversePanel, /, *, h: int = 252, raw: bool = False) -> Any:
    """Score minus the logarithm of the median traded value of ``h`` rows: small is strong.

    Banz 1981, with traded value in place of capitalisation, which a panel does not have.
    """

    def compute(close: FloatArray, volume: FloatArray) -> FloatArray:
        return np.asarray(-np.log(rolling(close * volume, h, _median)))

    return score(panel, ("close", "volume"), compute, raw=raw)


@factor("f_volume_trend")
def f_volume_trend(
    panel: UniversePanel, /, *, h_fast: int = 21, h_slow: int = 252, raw: bool = False
) -> Any:
    """Score the mean volume of ``h_fast`` rows over that of ``h_slow``, less one.

    The high-volume premium of Gervais, Kaniel and Mingelgrin 2001.

    :raises BadInput: unless h_fast < h_slow.
    """
    if not h_fast < h_slow:
        raise BadInput(f"h_fast is {h_fast}, h_slow {h_slow}; the fast window is the shorter one")
    return score(
        panel,
        ("volume",),
        lambda volume: window_mean(volume, h_fast) / window_mean(volume, h_slow) - 1.0,
        raw=raw,
    )


@factor("f_volume_variability")
def f_volume_variability(panel: UniversePanel, /, *, h: int = 63, raw: bool = False) -> Any:
    """Score minus the deviation of volume over its mean, of ``h`` rows.

    Chordia, Subrahmanyam and Anshuman 2001.

    :raises BadInput: for h below 2.
    """
    if h < 2:
        raise BadInput(f"h is {h}; a deviation needs two rows")

    def compute(volume: FloatArray) -> FloatArray:
        spread = window_deviation(volume, h)
        return np.asarray(-spread / window_mean(volume, h))

    return score(panel, ("volume",), compute, raw=raw)


@factor("f_on_balance_volume")
def f_on_balance_volume(panel: UniversePanel, /, *, h: int = 63, raw: bool = False) -> Any:
    """Score volume signed by the day's move over all volume, of ``h`` rows, -1 to 1.

    Granville 1963, as a share, so that its level does not depend on where history begins.
    """

    def compute(close: FloatArray, volume: FloatArray) -> FloatArray:
        signed = np.sign(simple_returns(close)) * volume
        return np.asarray(window_mean(signed, h) / window_mean(volume, h))

    return score(panel, ("close", "volume"), compute, raw=raw)


@factor("f_price_volume_correlation")
def f_price_volume_correlation(panel: UniversePanel, /, *, h: int = 63, raw: bool = False) -> Any:
    """Score minus the correlation of returns and log volume over ``h`` rows (Gervais et al. 2001).

    :raises BadInput: for h below 3.
    """
    if h < 3:
        raise BadInput(f"h is {h}; a correlation needs three rows")

    def negative(x: FloatArray, y: FloatArray, both: FloatArray) -> FloatArray:
        size = np.sqrt(x) * np.sqrt(y)
        return np.asarray(-both / np.where(size > 0.0, size, np.nan))

    def compute(close: FloatArray, volume: FloatArray) -> FloatArray:
        return window_comoments(simple_returns(close), np.log(volume), h, negative)

    return score(panel, ("close", "volume"), compute, raw=raw)


@factor("f_still_days")
def f_still_days(panel: UniversePanel, /, *, h: int = 252, raw: bool = False) -> Any:
    """Score minus the share of rows without a move among ``h`` (Lesmond, Ogden and Trzcinka 1999).

    A row in which nobody moves the price is one in which trading costs more than it brings.
    """

    def compute(close: FloatArray) -> FloatArray:
        returns = simple_returns(close)
        still = np.where(np.isnan(returns), np.nan, (returns == 0.0).astype(float))
        return -window_mean(still, h)

    return score(panel, ("close",), compute, raw=raw)


@factor("f_low_spread")
def f_low_spread(panel: UniversePanel, /, *, h: int = 21, raw: bool = False) -> Any:
    """Score minus the mean spread that highs and lows of two rows imply (Corwin and Schultz 2012).

    Equations 14 and 18; a negative estimate counts as zero. Gaps overnight are left as they are.
    """

    def compute(high: FloatArray, low: FloatArray) -> FloatArray:
        log_range = np.log(high / low) ** 2
        beta = np.full_like(high, np.nan)
        beta[1:] = log_range[1:] + log_range[:-1]
        gamma = np.full_like(high, np.nan)
        gamma[1:] = np.log(np.maximum(high[1:], high[:-1]) / np.minimum(low[1:], low[:-1])) ** 2
        constant = 3.0 - 2.0 * math.sqrt(2.0)
        alpha = (np.sqrt(2.0 * beta) - np.sqrt(beta)) / constant - np.sqrt(gamma / constant)
        spread = 2.0 * np.expm1(alpha) / (1.0 + np.exp(alpha))
        return -window_mean(np.maximum(spread, 0.0), h)

    return score(panel, ("high", "low"), compute, raw=raw)


def _median(block: FloatArray) -> FloatArray:
    middle = block.shape[-1] // 2
    ordered = np.partition(block, middle, axis=-1)  # two places at once take five times as long
    if block.shape[-1] % 2:
        return np.asarray(ordered[..., middle])
    result = (ordered[..., :middle].max(axis=-1) + ordered[..., middle]) / 2.0
    return np.asarray(np.where(np.isnan(block).any(axis=-1), np.nan, result))
