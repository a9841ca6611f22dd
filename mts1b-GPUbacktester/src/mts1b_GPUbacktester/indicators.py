"""What rules compare: averages, channels, bands and oscillators, all made of a few windows.

Every value at a bar reads bars up to that one; it is missing (NaN) until its window is full and
where the window has a missing bar. To an average an infinity, of a division by zero, is missing
too.
"""

from __future__ import annotations

from mts1b_GPUbacktester.expressions import (
    Arithmetic,
    Condition,
    Cross,
    Field,
    Parameter,
    Value,
    Windowed,
    as_value,
)

__all__ = [
    "atr",
    "close",
    "crosses_above",
    "crosses_below",
    "deviation",
    "ema",
    "high",
    "highest",
    "lag",
    "larger",
    "low",
    "lower_band",
    "lowest",
    "open",
    "param",
    "rsi",
    "sma",
    "smaller",
    "upper_band",
    "volume",
    "wilder",
    "zscore",
]

open = Field("open")
high = Field("high")
low = Field("low")
close = Field("close")
volume = Field("volume")

Window = Value | int
Operand = Value | float


def param(name: str) -> Value:
    """Return a number that the grid gives under ``name``."""
    return Parameter(name)


def sma(source: Value, window: Window) -> Value:
    """Return the simple moving average; missing until ``window`` bars in a row are known.

    It keeps its digits whatever came before, and of a price that stands still it is that price.
    """
    return Windowed("sma", as_value(source), as_value(window))


def ema(source: Value, window: Window) -> Value:
    """Return the exponential moving average with weight 2 / (window + 1).

    It starts at the first known value and is missing for ``window`` - 1 bars from there. A missing
    bar counts as a repeat of the last known one and is itself missing in the result.
    """
    return Windowed("ema", as_value(source), as_value(window))


def wilder(source: Value, window: Window) -> Value:
    """Return the exponential average with weight 1 / window (Wilder 1978)."""
    return Windowed("wilder", as_value(source), as_value(window))


def deviation(source: Value, window: Window) -> Value:
    """Return the sample standard deviation (ddof=1) of the last ``window`` bars."""
    return Windowed("deviation", as_value(source), as_value(window))


def highest(source: Value, window: Window) -> Value:
    """Return the highest of the last ``window`` bars, this one included.

    For a breakout compare with the bars before: ``close > lag(highest(high, 20), 1)``.
    """
    return Windowed("highest", as_value(source), as_value(window))


def lowest(source: Value, window: Window) -> Value:
    """Return the lowest of the last ``window`` bars, this one included."""
    return Windowed("lowest", as_value(source), as_value(window))


def lag(source: Value, bars: Window) -> Value:
    """Return the value of ``bars`` bars ago."""
    return Windowed("lag", as_value(source), as_value(bars))


def larger(left: Operand, right: Operand) -> Value:
    """Return the larger of two values; missing where one is."""
    return Arithmetic("larger", as_value(left), as_value(right))


def smaller(left: Operand, right: Operand) -> Value:
    """Return the smaller of two values; missing where one is."""
    return Arithmetic("smaller", as_value(left), as_value(right))


def rsi(source: Value, window: Window) -> Value:
    """Return the relative strength index, 0 to 100, by Wilder's averages (Wilder 1978).

    Missing where nothing has changed in the whole window.
    """
    change = source - lag(source, 1)
    gain = wilder(larger(change, 0.0), window)
    loss = wilder(larger(0.0 - change, 0.0), window)
    return 100.0 * (gain / (gain + loss))


def zscore(source: Value, window: Window) -> Value:
    """Return how many sample deviations the value is from its average over the window."""
    return (source - sma(source, window)) / deviation(source, window)


def upper_band(source: Value, window: Window, width: Operand) -> Value:
    """Return the average plus ``width`` deviations (Bollinger)."""
    return sma(source, window) + as_value(width) * deviation(source, window)


def lower_band(source: Value, window: Window, width: Operand) -> Value:
    """Return the average less ``width`` deviations."""
    return sma(source, window) - as_value(width) * deviation(source, window)


def atr(window: Window) -> Value:
    """Return the average true range by Wilder's average (Wilder 1978)."""
    before = lag(close, 1)
    return wilder(larger(high, before) - smaller(low, before), window)


def crosses_above(left: Value, right: Operand) -> Condition:
    """Return where ``left`` gets above ``right``: at or below it a bar ago, above it now."""
    return Cross(as_value(left), as_value(right))


def crosses_below(left: Value, right: Operand) -> Condition:
    """Return where ``left`` gets below ``right``: at or above it a bar ago, below it now."""
    return Cross(as_value(right), as_value(left))
