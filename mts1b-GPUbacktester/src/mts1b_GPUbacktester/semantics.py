"""What a simulated trade means; ``docs/backtest_semantics.md`` is the text, rule by rule.

The numpy engine is that text as code; the other engines must agree with it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mts1b_GPUbacktester.errors import BadSetting
from mts1b_GPUbacktester.expressions import Number, Value

__all__ = [
    "BoolArray",
    "Direction",
    "Fill",
    "FloatArray",
    "IntArray",
    "Settings",
    "Signals",
    "Size",
    "carried",
    "held_positions",
    "trailing_deviation",
]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int8]

Fill = Literal["next_open", "next_close", "signal_close"]
Direction = Literal["long", "short", "both"]


Size = Literal["all_cash"] | float | Value
"""All of the cash, a fraction of the equity in (0, 1], or a value of the rule language.

So ``r.smaller(0.1 / (r.deviation(r.close / r.lag(r.close, 1), 20) * 252**0.5), 1.0)`` aims at a
volatility of ten percent a year.
"""


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
    borrow_bps: float = 0.0
    periods_per_year: float = 252

    def __post_init__(self) -> None:
        allowed: dict[str, tuple[Any, ...]] = {
            "fill": get_args(Fill),
            "direction": get_args(Direction),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise BadSetting(
                    f"{name} {getattr(self, name)!r} is not one of {', '.join(values)}"
                )
        self._check_size()
        for name in ("fees_bps", "slippage_bps", "borrow_bps", "periods_per_year"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
                raise BadSetting(f"{name} {value!r} must be a number")
        for name in ("fees_bps", "slippage_bps", "borrow_bps"):
            if not 0 <= getattr(self, name) < 10_000:
                raise BadSetting(f"{name} {getattr(self, name)} is outside [0, 10000) basis points")
        if not 0 < self.periods_per_year < float("inf"):
            raise BadSetting(f"periods_per_year {self.periods_per_year} must be positive, e.g. 252")
        if self.fill == "signal_close":
            warnings.warn(
                "fill='signal_close' trades at a price that the rule has already seen; "
                "use it only to compare with other tools",
                stacklevel=4,
            )

    def _check_size(self) -> None:
        if isinstance(self.size, Value) or (isinstance(self.size, str) and self.size == "all_cash"):
            return
        known = isinstance(self.size, (int, float)) and not isinstance(self.size, bool)
        if not known or not 0 < self.size <= 1:
            raise BadSetting(
                f"size {self.size!r} is not 'all_cash', a fraction in (0, 1] or a value, e.g. "
                "r.param('size')"
            )

    @property
    def fraction(self) -> Value:
        """Return which part of the equity a position takes, as a value of the rule language."""
        if isinstance(self.size, Value):
            return self.size
        return Number(1.0 if self.size == "all_cash" else float(self.size))

    @property
    def borrow_a_bar(self) -> float:
        """Return what holding a short position for a bar costs, per unit of its value."""
        return self.borrow_bps / 1e4 / self.periods_per_year

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


@dataclass(frozen=True, slots=True)
class Signals:
    """What a rule wants at the close of each bar, (A, T).

    ``want`` is 1 for long, -1 for short, 0 for flat. ``start`` is true where that wish begins
    anew. ``fractions`` is which part of the equity a position takes that is decided there, NaN for
    no entry. Early exits are fractions of a price and a number of bars, 0 for none.
    """

    want: IntArray
    start: BoolArray
    fractions: FloatArray
    stop: float = 0.0
    trail: float = 0.0
    most_bars: int = 0

    @property
    def plain(self) -> bool:
        """Return whether there is no short side and no early exit."""
        return not (self.stop or self.trail or self.most_bars) and not bool((self.want < 0).any())

    def part(self, bars: slice) -> Signals:
        """Return a stretch of time."""
        return replace(
            self,
            want=np.ascontiguousarray(self.want[:, bars]),
            start=np.ascontiguousarray(self.start[:, bars]),
            fractions=np.ascontiguousarray(self.fractions[:, bars]),
        )


def trailing_deviation(values: FloatArray, window: int) -> FloatArray:
    """Return the sample deviation of the last ``window`` values along the last axis.

    Two passes over the window, value by value: nothing cancels, and a bar's result does not depend
    on how many bars or rows there are.
    """
    result = np.full(values.shape, np.nan)
    length = values.shape[-1]
    if window > length:
        return result
    parts = [values[..., k : length - window + 1 + k] for k in range(window)]
    mean = parts[0].copy()
    for part in parts[1:]:
        mean += part
    mean /= window
    squares = np.zeros(mean.shape)
    for part in parts:
        squares += (part - mean) ** 2
    result[..., window - 1 :] = np.sqrt(squares / (window - 1)) if window > 1 else np.nan
    return result


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
