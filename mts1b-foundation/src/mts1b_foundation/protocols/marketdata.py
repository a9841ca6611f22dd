"""What a source of prices looks like."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol, runtime_checkable

from mts1b_foundation.market_data import Bar, Quote, Trade
from mts1b_foundation.symbology import Symbol

__all__ = ["MarketDataProtocol"]


@runtime_checkable
class MarketDataProtocol(Protocol):
    """Give quotes, bars and trades; symbols are translated at this boundary."""

    @property
    def name(self) -> str:
        """Return the stable name of the source."""
        ...

    async def get_quote(self, symbol: Symbol) -> Quote:
        """Return the latest quote."""
        ...

    async def get_bars(
        self, symbol: Symbol, interval: str, start: datetime, end: datetime | None = None
    ) -> list[Bar]:
        """Return the bars that end in (start, end], oldest first.

        :param interval: ``1m``, ``5m``, ``1h``, ``1d`` and so on.
        :param start: aware.
        :param end: aware; None for everything that is known.
        """
        ...

    async def get_trades(self, symbol: Symbol, asof: datetime) -> list[Trade]:
        """Return the trades up to ``asof`` (aware), that moment included, oldest first."""
        ...

    def stream_quotes(self, symbols: list[Symbol]) -> AsyncIterator[Quote]:
        """Yield quotes as they occur."""
        ...
