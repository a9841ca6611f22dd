"""What the market shows: quotes, references of the last minutes, mean daily volume, halts."""

from __future__ import annotations

from collections import deque
from datetime import date, datetime, timedelta
from decimal import Decimal

import sqlalchemy as sa
from mts1b_foundation import Bar, Quote, Symbol, interval_length
from mts1b_foundation.limits import RiskLimits
from mts1b_platform.store import Store
from mts1b_platform.store.connection import AsyncConnection

from mts1b_riskengine import tables
from mts1b_riskengine.statements import upsert

__all__ = ["MarketBoard"]

ZERO = Decimal(0)
_DAY = timedelta(days=1)
_KEPT = 4096


class MarketBoard:
    """Keep what configured controls need, and nothing else.

    Volumes are stored, for they take weeks to gather; quotes and references are of the moment
    and begin empty after a restart, which denies until the market speaks again.
    """

    def __init__(self, store: Store, limits: RiskLimits) -> None:
        self._days = limits.adv_days
        self._reach = _DAY * (3 * limits.adv_days + 7)
        self._period = timedelta(seconds=limits.collar_period_s)
        self._watches_range = limits.collar_period_pct is not None
        self._watches_volume = limits.max_adv_pct is not None or any(
            row.max_adv_pct is not None for row in limits.symbols.values()
        )
        self.watches_bars = self._watches_range or self._watches_volume
        self._upsert = upsert(store, tables.volumes)
        self._references: dict[Symbol, deque[tuple[datetime, Decimal]]] = {}
        self._volumes: dict[Symbol, dict[tuple[str, date], tuple[Decimal, datetime]]] = {}
        self._means: dict[tuple[Symbol, date], Decimal | None] = {}
        self.quotes: dict[Symbol, Quote] = {}
        self.halted: dict[Symbol, str] = {}

    def on_quote(self, quote: Quote) -> None:
        """Take a quote, unless a later one is known."""
        known = self.quotes.get(quote.symbol)
        if known is None or quote.timestamp >= known.timestamp:
            self.quotes[quote.symbol] = quote
            if self._watches_range:
                self._remember(quote.symbol, quote.timestamp, quote.mid)

    async def on_bar(self, tx: AsyncConnection, bar: Bar) -> None:
        """Take a bar's close as a reference and its volume into its day."""
        if self._watches_range:
            self._remember(bar.symbol, bar.timestamp, bar.close)
        if self._watches_volume and interval_length(bar.interval) <= _DAY:
            await self._add_volume(tx, bar)

    def _remember(self, symbol: Symbol, moment: datetime, price: Decimal) -> None:
        kept = self._references.setdefault(symbol, deque(maxlen=_KEPT))
        kept.append((moment, price))
        while kept and moment - kept[0][0] > self._period:
            kept.popleft()

    async def _add_volume(self, tx: AsyncConnection, bar: Bar) -> None:
        """Add to the day; a bar that is not later than the last one counted is known already."""
        day = bar.timestamp.date()
        days = self._volumes.setdefault(bar.symbol, {})
        total, last = days.get((bar.interval, day), (ZERO, None))
        if last is not None and bar.timestamp <= last:
            return
        if last is None:
            self._forget_before(days, day - self._reach)
        days[bar.interval, day] = (total + bar.volume, bar.timestamp)
        self._means.clear()
        row = {"symbol": str(bar.symbol), "interval": bar.interval, "day": day.isoformat()}
        await self._upsert.run(tx, {**row, "volume": total + bar.volume, "last_bar": bar.timestamp})

    @staticmethod
    def _forget_before(days: dict[tuple[str, date], tuple[Decimal, datetime]], day: date) -> None:
        """Drop the days that no mean reaches any more, so that a long run costs no more."""
        for key in [key for key in days if key[1] < day]:
            del days[key]

    def reference_range(self, symbol: Symbol, now: datetime) -> tuple[Decimal, Decimal] | None:
        """Return the lowest and highest reference of the period that ends at ``now``."""
        begin = now - self._period
        prices = [price for at, price in self._references.get(symbol, ()) if begin <= at <= now]
        return (min(prices), max(prices)) if prices else None

    def mean_volume(self, symbol: Symbol, today: date) -> Decimal | None:
        """Return the mean daily volume of the last known days, None while they are too few.

        A day counts once it is over, a daily bar at once; where a day is known from several
        intervals, the largest sum counts.
        """
        key = (symbol, today)
        if key not in self._means:
            self._means[key] = self._mean(symbol, today)
        return self._means[key]

    def _mean(self, symbol: Symbol, today: date) -> Decimal | None:
        best: dict[date, Decimal] = {}
        for (interval, day), (volume, _) in self._volumes.get(symbol, {}).items():
            if day < today or interval == "1d":
                best[day] = max(best.get(day, ZERO), volume)
        latest = sorted(best)[-self._days :]
        if len(latest) < self._days or (today - latest[0]) > self._reach:
            return None
        return sum((best[day] for day in latest), ZERO) / len(latest)

    async def load(self, tx: AsyncConnection) -> None:
        """Replace the volumes by those of the store."""
        self._volumes, self._means = {}, {}
        for row in await tx.execute(sa.select(tables.volumes)):
            days = self._volumes.setdefault(Symbol(row.symbol), {})
            days[row.interval, date.fromisoformat(row.day)] = (row.volume, row.last_bar)
