"""The bars that strategies look back on, kept in the research store."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import overload

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from mts1b_foundation.market_data import Bar, UniversePanel
from mts1b_foundation.symbology import Symbol
from mts1b_platform.store import Prepared
from mts1b_platform.store.connection import AsyncConnection

from mts1b_research.strategy import MarketView
from mts1b_research.tables import bars, kept_interval

__all__ = ["EVERY_BAR", "BarHistory"]

EVERY_BAR = 10**9
"""A history that is never full: all bars there are."""

Floats = npt.NDArray[np.float64]
_ADD = Prepared(bars.insert())
_Row = tuple[float, float, float, float, float]
_CLOSE = 3
_NEVER = datetime.min.replace(tzinfo=UTC)


class _Span(Sequence[datetime]):
    """A stretch of a list that only grows, without a copy."""

    def __init__(self, dates: list[datetime], first: int, stop: int) -> None:
        self._dates, self._places = dates, range(first, stop)

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> datetime: ...
    @overload
    def __getitem__(self, place: slice) -> list[datetime]: ...
    def __getitem__(self, place: int | slice) -> datetime | list[datetime]:
        if isinstance(place, slice):
            return [self._dates[kept] for kept in self._places[place]]
        return self._dates[self._places[place]]


class _KeptPanel(UniversePanel):
    """A panel of kept bars: their shapes and the order of their dates hold already.

    Looking at every date again at every bar would make a long run quadratic.
    """

    def __post_init__(self) -> None:
        """Check nothing again."""


class BarHistory:
    """Keep every bar, in memory by symbol and in the store for a restart."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[datetime, _Row]] = {}
        self._dates: dict[str, list[datetime]] = {}
        self._cache: dict[tuple[Symbol, ...], tuple[list[datetime], int]] = {}
        self._cubes: dict[tuple[Symbol, ...], Floats] = {}
        self._filled: dict[tuple[Symbol, ...], int] = {}

    @staticmethod
    async def keep_to(tx: AsyncConnection, interval: str | None) -> int:
        """Say of which interval the stored bars are; forget those of another, return how many.

        A strategy can not tell them apart: the average of its last bars would be of both.
        """
        wanted = interval or ""
        row = (await tx.execute(sa.select(kept_interval.c.interval))).first()
        if row is not None and row.interval == wanted:
            return 0
        count = 0
        if row is not None:
            count = int(await tx.scalar(sa.select(sa.func.count()).select_from(bars)) or 0)
            await tx.execute(bars.delete())
            await tx.execute(kept_interval.delete())
        await tx.execute(kept_interval.insert().values(interval=wanted))
        return count

    async def load(self, connection: AsyncConnection) -> None:
        """Read back what the store holds."""
        for row in await connection.execute(sa.select(bars).order_by(bars.c.timestamp)):
            values = (row.open, row.high, row.low, row.close, row.volume)
            self._keep(row.symbol, row.timestamp, values)

    async def add(self, tx: AsyncConnection, bar: Bar) -> bool:
        """Add one bar; one of the same end again changes nothing.

        :return: False where it says something else than the bar that is kept.
        """
        values: _Row = (
            float(bar.open),
            float(bar.high),
            float(bar.low),
            float(bar.close),
            float(bar.volume),
        )
        known = self._rows.get(bar.symbol, {}).get(bar.timestamp)
        if known is not None and await self._is_stored(tx, bar):
            return known == values
        names = ("open", "high", "low", "close", "volume")
        row = dict(zip(names, values, strict=True))
        await _ADD.run(tx, {"symbol": str(bar.symbol), "timestamp": bar.timestamp, **row})
        if known is None:
            self._keep(bar.symbol, bar.timestamp, values)
        return True

    async def _is_stored(self, tx: AsyncConnection, bar: Bar) -> bool:
        """Return whether the store has the bar too: it does not after a rollback."""
        found = await tx.scalar(
            sa.select(bars.c.symbol).where(
                bars.c.symbol == str(bar.symbol), bars.c.timestamp == bar.timestamp
            )
        )
        return found is not None

    def _keep(self, symbol: str, timestamp: datetime, values: _Row) -> None:
        self._rows.setdefault(symbol, {})[timestamp] = values
        dates = self._dates.setdefault(symbol, [])
        if dates and timestamp < dates[-1]:
            self._cache.clear()  # a late bar: what was settled is not
            self._cubes.clear()
            self._filled.clear()
        insort(dates, timestamp)

    def knows(self, symbol: Symbol) -> bool:
        """Return whether any bar of the symbol is known."""
        return str(symbol) in self._rows

    def bars_seen(self, symbols: Sequence[Symbol], as_of: datetime) -> int:
        """Return how many bars all symbols share up to ``as_of``; 0 when none ends then."""
        dates = self._shared(tuple(symbols))
        count = bisect_right(dates, as_of)
        return count if count and dates[count - 1] == as_of else 0

    def latest(self, symbols: Sequence[Symbol], upto: datetime) -> datetime | None:
        """Return the newest end up to then of which every symbol has a bar, None without one."""
        return _last(self._shared(tuple(symbols)), upto)

    def newest(self, upto: datetime) -> datetime | None:
        """Return the newest end up to then of a bar of any symbol, None without one."""
        ends = (_last(dates, upto) for dates in self._dates.values())
        return max((end for end in ends if end is not None), default=None)

    def last_close(self, symbol: Symbol, as_of: datetime) -> float | None:
        """Return the last close of a symbol up to ``as_of``, None where no bar of it is known."""
        dates = self._dates.get(symbol, [])
        count = bisect_right(dates, as_of)
        return self._rows[symbol][dates[count - 1]][_CLOSE] if count else None

    def _shared(self, symbols: tuple[Symbol, ...]) -> list[datetime]:
        """Return the dates that every symbol has a bar of, in order."""
        if not symbols:
            return []
        first = self._dates.get(symbols[0], [])
        dates, read = self._cache.get(symbols, ([], 0))
        settled = min(
            (self._dates[symbol][-1] if symbol in self._dates else _NEVER) for symbol in symbols
        )
        series = [self._rows.get(symbol, {}) for symbol in symbols]
        while read < len(first) and first[read] <= settled:
            if all(first[read] in one for one in series):
                dates.append(first[read])
            read += 1
        self._cache[symbols] = (dates, read)
        return dates

    def view(self, symbols: Sequence[Symbol], as_of: datetime, last: int) -> MarketView:
        """Return the ``last`` latest bars that all symbols share up to ``as_of``."""
        shared = self._shared(tuple(symbols))
        count = bisect_right(shared, as_of)
        first = max(count - last, 0)
        cube = self._cube(tuple(symbols), shared)[first:count]
        if last < EVERY_BAR:
            dates: Sequence[datetime] = shared[first:count]
            cube = cube.copy()  # the strategy's own
        else:
            dates = _Span(shared, first, count)
            cube.flags.writeable = False
        panel = _KeptPanel(
            open=cube[:, :, 0],
            high=cube[:, :, 1],
            low=cube[:, :, 2],
            close=cube[:, :, 3],
            volume=cube[:, :, 4],
            dates=dates,
            symbols=[str(symbol) for symbol in symbols],
        )
        return MarketView(as_of=as_of, panel=panel, bars_seen=count)

    def _cube(self, symbols: tuple[Symbol, ...], dates: list[datetime]) -> Floats:
        """Return the values of all shared bars, (at least T, A, 5); what is new is added.

        Views are parts of it, so a strategy that looks at everything costs no more with every bar.
        """
        cube = self._cubes.get(symbols, np.empty((0, len(symbols), 5)))
        filled = self._filled.get(symbols, 0)
        if len(dates) > len(cube):
            grown = np.empty((max(64, 2 * len(dates)), len(symbols), 5))
            grown[:filled] = cube[:filled]
            cube = grown
        series = [self._rows[symbol] for symbol in symbols]
        for place in range(filled, len(dates)):
            cube[place] = [one[dates[place]] for one in series]
        self._cubes[symbols], self._filled[symbols] = cube, len(dates)
        return cube


def _last(dates: Sequence[datetime], upto: datetime) -> datetime | None:
    count = bisect_right(dates, upto)
    return dates[count - 1] if count else None
