"""Where the price stands against its own average."""

from __future__ import annotations

from typing import Any

from mts1b_foundation.market_data import UniversePanel

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.doubling import window_mean
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.factors.library.panel import factor, score

__all__ = ["f_moving_average_cross", "f_trend"]


@factor("f_trend")
def f_trend(panel: UniversePanel, /, *, h: int = 200, raw: bool = False) -> Any:
    """Score close over its mean of the last ``h`` rows, less one."""
    return score(panel, ("close",), lambda close: close / _average(close, h) - 1.0, raw=raw)


@factor("f_moving_average_cross")
def f_moving_average_cross(
    panel: UniversePanel, /, *, h_fast: int = 50, h_slow: int = 200, raw: bool = False
) -> Any:
    """Score the mean close of ``h_fast`` rows over that of ``h_slow`` rows, less one.

    :raises BadInput: unless h_fast < h_slow.
    """
    if not h_fast < h_slow:
        raise BadInput(f"h_fast is {h_fast}, h_slow {h_slow}; the fast window is the shorter one")
    return score(
        panel,
        ("close",),
        lambda close: _average(close, h_fast) / _average(close, h_slow) - 1.0,
        raw=raw,
    )


def _average(close: FloatArray, window: int) -> FloatArray:
    return window_mean(close, window)
