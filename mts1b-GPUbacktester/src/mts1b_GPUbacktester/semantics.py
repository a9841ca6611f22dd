"""What a simulated trade means. The numpy engine is this text as code; others must agree with it.

Time
    A rule reads bars up to and including bar t and says, at the close of t, whether it wants to be
    long. ``fill`` says when that is acted on: ``next_open`` at the open of t + 1, ``next_close`` at
    the close of t + 1, ``signal_close`` at the close of t itself. The last one trades at a price
    that the rule has already seen; it is there to compare with other tools and warns.

Missing bars
    A fill needs a price. Where the bar of the fill has none, nothing happens, and the wish of the
    next bar counts. A comparison with a missing value is false. A held position is marked at its
    last known close.

Fills and costs
    Buying at price p costs p * (1 + slippage) * (1 + fee) a unit, selling brings
    p * (1 - slippage) * (1 - fee). Size ``all_cash``: on entry units = cash / cost and cash is
    zero; on exit cash = units * proceeds. Each asset is an account of its own that starts with 1.0.

Equity and returns
    Equity at bar t is cash plus units times the close of t, after the fills of t. The return of bar
    t is equity(t) / equity(t - 1) - 1, with 1.0 before the first bar: T bars give T returns.

Trades
    One trade is one round trip. One that is still open after the last bar counts, marked at the
    last known close without the costs of a sale.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mts1b_GPUbacktester.errors import BadSetting

__all__ = [
    "BoolArray",
    "Direction",
    "Fill",
    "FloatArray",
    "Settings",
    "Size",
    "carried",
    "held_positions",
]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

Fill = Literal["next_open", "next_close", "signal_close"]
Direction = Literal["long"]
Size = Literal["all_cash"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How fills are made and paid. Basis points are per side.

    :raises BadSetting: for a value outside its set.
    """

    fill: Fill = "next_open"
    fees_bps: float = 5.0
    slippage_bps: float = 0.0
    direction: Direction = "long"
    size: Size = "all_cash"
    periods_per_year: float = 252

    def __post_init__(self) -> None:
        allowed: dict[str, tuple[Any, ...]] = {
            "fill": get_args(Fill),
            "direction": get_args(Direction),
            "size": get_args(Size),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise BadSetting(
                    f"{name} {getattr(self, name)!r} is not one of {', '.join(values)}"
                )
        for name in ("fees_bps", "slippage_bps"):
            if not 0 <= getattr(self, name) < 10_000:
                raise BadSetting(
                    f"{name} {getattr(self, name)} is outside [0, 10000) basis points per side"
                )
        if not 0 < self.periods_per_year < float("inf"):
            raise BadSetting(f"periods_per_year {self.periods_per_year} must be positive, e.g. 252")
        if self.fill == "signal_close":
            warnings.warn(
                "fill='signal_close' trades at a price that the rule has already seen; "
                "use it only to compare with other tools",
                stacklevel=4,
            )

    @property
    def lag(self) -> int:
        """Return how many bars after the signal the fill is made."""
        return 0 if self.fill == "signal_close" else 1

    @property
    def price_field(self) -> str:
        """Return which price of the bar a fill gets."""
        return "open" if self.fill == "next_open" else "close"

    @property
    def buy_factor(self) -> float:
        """Return what one unit costs, per unit of price."""
        return (1.0 + self.slippage_bps / 1e4) * (1.0 + self.fees_bps / 1e4)

    @property
    def sell_factor(self) -> float:
        """Return what one unit brings, per unit of price."""
        return (1.0 - self.slippage_bps / 1e4) * (1.0 - self.fees_bps / 1e4)


def held_positions(wishes: BoolArray, fill_prices: FloatArray, lag: int) -> BoolArray:
    """Return whether a position is held after the fills of each bar, time on the last axis."""
    wanted = np.zeros_like(wishes)
    length = wishes.shape[-1]
    wanted[..., lag:] = wishes[..., : length - lag]
    fillable = ~np.isnan(fill_prices)
    if fillable.all():
        return wanted
    # Where no fill is possible the state of the last bar with a price goes on.
    latest = np.maximum.accumulate(np.where(fillable, np.arange(length), -1), axis=-1)
    latest = np.broadcast_to(latest, wanted.shape)
    return np.take_along_axis(wanted, np.maximum(latest, 0), axis=-1) & (latest >= 0)


def carried(prices: FloatArray) -> FloatArray:
    """Return prices with gaps filled by the last known one, time on the last axis."""
    known = ~np.isnan(prices)
    if known.all():
        return prices
    latest = np.maximum.accumulate(np.where(known, np.arange(prices.shape[-1]), 0), axis=-1)
    return np.take_along_axis(prices, latest, axis=-1)
