"""The bars that strategies look back on, kept in the research store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import sqlalchemy as sa
from mts1b_foundation.market_data import Bar, UniversePanel
from mts1b_foundation.symbology import Symbol
from sqlalchemy.ext.asyncio import AsyncConnection

from mts1b_research.strategy import MarketView
from mts1b_research.tables import bars

__all__ = ["BarHistory"]

_Row = tuple[float, float, float, float, float]


class BarHistory:
    """Keep every bar, in memory by symbol and in the store for a restart."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[datetime, _Row]] = {}
        self._dates: dict[str, list[datetime]] = {}
        self._cache: dict[tuple[Symbol, ...], tuple[list[datetime], int]] = {}

    async def load(self, connection: AsyncConnection) -> None:
        """Read back what the store holds."""
        for row in await connection.execute(sa.select(bars).order_by(bars.c.timestamp)):
            values = (row.open, row.high, row.low, row.close, row.volume)
            self._keep(row.symbol, row.timestamp, values)

    async def add(self, tx: AsyncConnection, bar: Bar) -> None:
        """Add one bar; the same bar again changes nothing."""
        known = self._rows.setdefault(bar.symbol, {})
        if bar.timestamp in known:
            return
        values = tuple(float(x) for x in (bar.open, bar.high, bar.low, bar.close, bar.volume))
        names = ("open", "high", "low", "close", "volume")
        await tx.execute(
            bars.insert().values(
                symbol=str(bar.symbol),
                timestamp=bar.timestamp,
                **dict(zip(names, values, strict=True)),
            )
        )
        self._keep(
            bar.symbol, bar.timestamp, (values[0], values[1], values[2], values[3], values[4])
        )

    def _keep(self, symbol: str, timestamp: datetime, values: _Row) -> None:
        self._rows.setdefault(symbol, {})[timestamp] = values
        self._dates.setdefault(symbol, []).append(timestamp)

    def bars_seen(self, symbols: Sequence[Symbol], as_of: datetime) -> int:
        """Return how many bars all symbols share up to ``as_of``; 0 when none ends then."""
        dates = self._shared(tuple(symbols))
        return len(dates) if dates and dates[-1] == as_of else 0

    def _shared(self, symbols: tuple[Symbol, ...]) -> list[datetime]:
        first = self._dates.get(symbols[0], [])
        dates, read = self._cache.get(symbols, ([], 0))
        others = [self._rows.get(symbol, {}) for symbol in symbols[1:]]
        while read < len(first) and all(first[read] in other for other in others):
            dates.append(first[read])
            read += 1
        if read < len(first) and all(len(other) > read for other in others):
            return self._rebuilt(symbols, first, others)
        self._cache[symbols] = (dates, read)
        return dates

    def _rebuilt(
        self,
        symbols: tuple[Symbol, ...],
        first: list[datetime],
        others: list[dict[datetime, _Row]],
    ) -> list[datetime]:
        """Skip what some symbol lacks: the slow path, for symbols with holes."""
        dates = [moment for moment in first if all(moment in other for other in others)]
        self._cache.pop(symbols, None)
        return dates

    def view(self, symbols: Sequence[Symbol], as_of: datetime, last: int) -> MarketView:
        """Return the ``last`` latest bars that all symbols share up to ``as_of``."""
        shared = self._shared(tuple(symbols))
        dates = shared[-last:]
        series = [self._rows[symbol] for symbol in symbols]
        cube = np.array([[one[t] for one in series] for t in dates], dtype=np.float64)
        panel = UniversePanel(
            open=cube[:, :, 0],
            high=cube[:, :, 1],
            low=cube[:, :, 2],
            close=cube[:, :, 3],
            volume=cube[:, :, 4],
            dates=dates,
            symbols=[str(symbol) for symbol in symbols],
        )
        return MarketView(as_of=as_of, panel=panel, bars_seen=len(shared))
