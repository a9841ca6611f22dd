"""Work through new bars: the venue matches, fills are booked, NAV is struck at the close."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import sqlalchemy as sa
from mts1b_foundation.market_data import Bar
from mts1b_foundation.protocols import BrokerProtocol, SimulatedVenue
from mts1b_platform.latency import StageLatency
from mts1b_platform.pump import Event
from mts1b_platform.store import UtcText
from mts1b_platform.store.connection import AsyncConnection
from mts1b_platform.store.prepared import Prepared

from mts1b_oms.errors import OmsError
from mts1b_oms.nav import snapshots
from mts1b_oms.outcomes import NO_EVIDENCE, CouldNotLook
from mts1b_oms.record import OmsRecord
from mts1b_oms.tables.store import bars_pending
from mts1b_oms.unit import Unit
from mts1b_oms.venue_sync import News, VenueSync

__all__ = ["BarWork", "VenueSilent"]

_DUE = bars_pending.c.as_of <= sa.bindparam("b_as_of", type_=UtcText)
_ANY_PENDING = Prepared(sa.select(bars_pending.c.symbol).limit(1))
_PENDING = Prepared(
    sa.select(bars_pending.c.payload)
    .where(_DUE)
    .order_by(bars_pending.c.as_of, bars_pending.c.symbol, bars_pending.c.interval)
)
_WORKED = Prepared(
    sa.delete(bars_pending)
    .where(bars_pending.c.symbol == sa.bindparam("b_symbol"))
    .where(bars_pending.c.interval == sa.bindparam("b_interval"))
    .where(bars_pending.c.as_of == sa.bindparam("b_as_of", type_=UtcText))
)
"""One by one: what came while these were shown to the venue still waits."""

Mark = Callable[[AsyncConnection], Awaitable[None]]


class VenueSilent(OmsError):
    """Retry: the venue could not be read, so nothing of this tick was booked."""

    code = "VENUE_SILENT"


class BarWork:
    """Keep bars until they are worked through, and work through them in one transaction.

    Killed at any point and asked again, it gives the same record: the bars wait in the store,
    the venue ignores a bar that it has seen, and a fill is booked once.
    """

    def __init__(
        self,
        *,
        record: OmsRecord,
        venue: BrokerProtocol,
        sync: VenueSync,
        latency: StageLatency,
    ) -> None:
        self._record = record
        self._venue = venue
        self._sync = sync
        self._latency = latency
        self._keep = Prepared(record.store.insert(bars_pending).on_conflict_do_nothing())
        self._may_wait = True

    async def keep(self, tx: AsyncConnection, event: Event) -> None:
        """Store the bar of an event, in the transaction that records the event."""
        bar = event.payload
        if not isinstance(bar, Bar):
            return
        row = {
            "symbol": str(bar.symbol),
            "interval": bar.interval,
            "as_of": bar.timestamp,
            "payload": bar.model_dump_json(),
        }
        self._may_wait = True
        await self._keep.run(tx, row)

    async def has_pending(self) -> bool:
        """Return whether any bar waits; the store is asked once after the last one."""
        if self._may_wait:
            # In the writer's turn: no bar is on its way into the store meanwhile.
            async with self._record.store.transaction() as tx:
                self._may_wait = (await _ANY_PENDING.run(tx)).first() is not None
        return self._may_wait

    async def work(self, as_of: datetime, mark: Mark | None = None) -> int:
        """Work through every kept bar up to ``as_of``; return how many fills were booked.

        :param mark: called inside the transaction.
        :raises VenueSilent: when the venue could not be read, or did not take the bars.
        """
        bars = await self._pending(as_of)
        if not bars and mark is None:
            return 0
        if isinstance(self._venue, SimulatedVenue):
            self._venue.set_time(as_of)
            if bars:
                await self._show(self._venue, bars)
        with self._latency.stage("oms.book"):
            news = await self._sync.read()
            if isinstance(news, CouldNotLook):
                raise VenueSilent(f"venue {self._venue.name}: {news.reason}")
            return await self._book(bars, news, mark)

    async def _show(self, venue: SimulatedVenue, bars: list[Bar]) -> None:
        try:
            await venue.on_bars(bars)
        except NO_EVIDENCE as error:
            raise VenueSilent(f"venue {self._venue.name} took no bars: {error}") from error

    async def _pending(self, as_of: datetime) -> list[Bar]:
        async with self._record.store.read() as tx:
            rows = await _PENDING.run(tx, {"b_as_of": as_of})
        return [Bar.model_validate_json(row.payload) for row in rows]

    async def _book(self, bars: list[Bar], news: News, mark: Mark | None) -> int:
        async with self._record.unit() as unit:
            booked = await self._sync.take(unit, news)
            if bars:
                self._mark(unit, bars)
                at = self._moment(bars)
                unit.navs(snapshots(unit.ledger, peaks=self._record.peaks, as_of=at))
                await _WORKED.run_many(unit.tx, [_key(bar) for bar in bars])
            if mark is not None:
                await mark(unit.tx)
            return len(booked)

    def _mark(self, unit: Unit, bars: list[Bar]) -> None:
        """Take the closes as last prices, but not that of a bar older than the one before it."""
        known = self._record.marked_at
        newer = [bar for bar in bars if bar.timestamp >= known.get(bar.symbol, bar.timestamp)]
        unit.mark(
            {bar.symbol: bar.close for bar in newer}, {bar.symbol: bar.timestamp for bar in newer}
        )

    def _moment(self, bars: list[Bar]) -> datetime:
        """Return of when the NAV is that these bars make: a late bar makes none of the past."""
        struck = (nav.as_of for nav in self._record.navs.values())
        return max([*(bar.timestamp for bar in bars), *struck])


def _key(bar: Bar) -> dict[str, object]:
    return {"b_symbol": str(bar.symbol), "b_interval": bar.interval, "b_as_of": bar.timestamp}
