"""What has risen goes on rising, or turns."""

from __future__ import annotations

from typing import Any

from mts1b_foundation.market_data import UniversePanel

from mts1b_quantkit.doubling import window_max
from mts1b_quantkit.factors.library.panel import factor, score, simple_returns
from mts1b_quantkit.rolling import lagged

__all__ = ["f_high_proximity", "f_momentum", "f_momentum_12_1", "f_reversal"]


@factor("f_momentum_12_1")
def f_momentum_12_1(
    panel: UniversePanel, /, *, h_long: int = 252, h_skip: int = 21, raw: bool = False
) -> Any:
    """Score the return from t - h_long - h_skip to t - h_skip (Jegadeesh and Titman 1993)."""
    return score(
        panel, ("close",), lambda close: simple_returns(lagged(close, h_skip), h_long), raw=raw
    )


@factor("f_momentum")
def f_momentum(panel: UniversePanel, /, *, h: int = 126, raw: bool = False) -> Any:
    """Score the return over the last ``h`` rows."""
    return score(panel, ("close",), lambda close: simple_returns(close, h), raw=raw)


@factor("f_reversal")
def f_reversal(panel: UniversePanel, /, *, h: int = 21, raw: bool = False) -> Any:
    """Score minus the return over the last ``h`` rows (Jegadeesh 1990)."""
    return score(panel, ("close",), lambda close: -simple_returns(close, h), raw=raw)


@factor("f_high_proximity")
def f_high_proximity(panel: UniversePanel, /, *, h: int = 252, raw: bool = False) -> Any:
    """Score close over the highest high of the last ``h`` rows (George and Hwang 2004)."""
    return score(
        panel,
        ("close", "high"),
        lambda close, high: close / window_max(high, h),
        raw=raw,
    )
