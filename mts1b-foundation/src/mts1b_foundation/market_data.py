"""Quotes, bars, trades and panels of market data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from mts1b_foundation.model import (
    FrozenModel,
    Identifier,
    NonNegativeDecimal,
    PositiveDecimal,
    UtcDatetime,
)
from mts1b_foundation.orders import Side
from mts1b_foundation.symbology import Symbol
from mts1b_foundation.time import interval_length

__all__ = ["Bar", "MarketSnapshot", "Quote", "Trade", "UniversePanel"]

SUSPICIOUS_SPREAD = Decimal("0.1")
"""Relative spread, (ask - bid) / bid, above which a quote is flagged."""


class Quote(FrozenModel):
    """The best bid and ask at one moment. A crossed or non-positive quote is refused."""

    symbol: Symbol
    bid: PositiveDecimal
    ask: PositiveDecimal
    bid_size: int = Field(default=0, ge=0)
    ask_size: int = Field(default=0, ge=0)
    venue: str
    timestamp: UtcDatetime

    @model_validator(mode="after")
    def _not_crossed(self) -> Self:
        if self.bid > self.ask:
            raise ValueError(f"crossed quote for {self.symbol}: bid {self.bid} > ask {self.ask}")
        return self

    @property
    def mid(self) -> Decimal:
        """Return the middle of bid and ask."""
        return (self.bid + self.ask) / 2

    @property
    def is_suspicious(self) -> bool:
        """Return whether the spread exceeds 10 % of the bid."""
        return (self.ask - self.bid) / self.bid > SUSPICIOUS_SPREAD


class Bar(FrozenModel):
    """Open, high, low, close and volume over an interval that ENDS at ``timestamp``."""

    symbol: Symbol
    interval: str
    open: PositiveDecimal
    high: PositiveDecimal
    low: PositiveDecimal
    close: PositiveDecimal
    volume: NonNegativeDecimal = Decimal(0)
    vwap: PositiveDecimal | None = None
    n_trades: int | None = Field(default=None, ge=0)
    timestamp: UtcDatetime

    @field_validator("interval")
    @classmethod
    def _interval_is_known(cls, value: str) -> str:
        interval_length(value)
        return value

    @model_validator(mode="after")
    def _prices_are_consistent(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"bar of {self.symbol}: low {self.low} > high {self.high}")
        for name in ("open", "close"):
            price: Decimal = getattr(self, name)
            if not self.low <= price <= self.high:
                raise ValueError(
                    f"bar of {self.symbol}: {name} {price} outside [{self.low}, {self.high}]"
                )
        return self

    @property
    def start(self) -> datetime:
        """Return the beginning of the bar: its end less the interval."""
        return self.timestamp - interval_length(self.interval)


class Trade(FrozenModel):
    """One print on the tape; ``side`` is the aggressor's, where the venue tells it."""

    trade_id: Identifier
    symbol: Symbol
    price: PositiveDecimal
    quantity: PositiveDecimal
    side: Side | None = None
    venue: str = ""
    timestamp: UtcDatetime


class MarketSnapshot(FrozenModel):
    """What is known of several symbols at one moment."""

    as_of: UtcDatetime
    quotes: dict[Symbol, Quote] = Field(default_factory=dict)
    bars: dict[Symbol, Bar] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _nothing_from_the_future(self) -> Self:
        items: tuple[Quote | Bar, ...] = (*self.quotes.values(), *self.bars.values())
        for item in items:
            if item.timestamp > self.as_of:
                raise ValueError(
                    f"{item.symbol} at {item.timestamp} lies after the snapshot's {self.as_of}"
                )
        return self

    def price(self, symbol: Symbol) -> Decimal | None:
        """Return the mid of the quote, else the close of the bar, else None."""
        if symbol in self.quotes:
            return self.quotes[symbol].mid
        return self.bars[symbol].close if symbol in self.bars else None


@dataclass(frozen=True, slots=True)
class UniversePanel:
    """The panel shape of the ecosystem: time down, assets across.

    ``close``, ``high``, ``low``, ``volume`` and, where known, ``open`` are (T, A) arrays of any
    array library; ``dates`` is (T,), the END of each bar, strictly rising; ``symbols`` is (A,).

    :raises ValueError: when a shape does not fit, or a symbol is listed twice.
    """

    close: Any
    high: Any
    low: Any
    volume: Any
    dates: Sequence[Any]
    symbols: Sequence[str]
    open: Any = None

    def __post_init__(self) -> None:
        shape = (len(self.dates), len(self.symbols))
        for name in ("close", "high", "low", "volume", "open"):
            array = getattr(self, name)
            if array is None and name == "open":
                continue
            if tuple(array.shape) != shape:
                raise ValueError(
                    f"{name} has shape {tuple(array.shape)}, dates and symbols ask for {shape}"
                )
        if len(set(self.symbols)) != len(self.symbols):
            raise ValueError("a symbol is listed twice")
        if any(late <= early for early, late in zip(self.dates, self.dates[1:], strict=False)):
            raise ValueError("dates must rise strictly")

    @property
    def shape(self) -> tuple[int, int]:
        """Return (T, A)."""
        return len(self.dates), len(self.symbols)
