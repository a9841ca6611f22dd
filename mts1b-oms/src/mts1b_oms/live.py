"""Without a replay: follow bars and fills as they come, and compare with the venue for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mts1b_foundation.protocols import BrokerProtocol, FillHistory
from mts1b_platform.pump import EventPump
from mts1b_platform.service.base import ServiceContext
from mts1b_platform.supervision import OwnedTasks

from mts1b_oms.doubt import DoubtWork
from mts1b_oms.fills import book_fills
from mts1b_oms.outcomes import CouldNotLook
from mts1b_oms.quarantine import Quarantine
from mts1b_oms.reconcile import Reconciler
from mts1b_oms.record import OmsRecord
from mts1b_oms.restored import Restoration
from mts1b_oms.tick import BarWork, VenueSilent
from mts1b_oms.venue_sync import VenueSync

__all__ = ["RECONCILE_EVERY_S", "LiveWork"]

RECONCILE_EVERY_S = 15.0
_BARS_EVERY_S = 0.2
_DOUBT_EVERY_S = 0.25
_WITNESS_EVERY_S = 1.0
"""How much of the last orders a store may lose, as one that fails over to a late replica does,
before the witness notices nothing."""


class LiveWork:
    """The tasks that a replay does in lockstep instead."""

    def __init__(
        self,
        *,
        ctx: ServiceContext,
        record: OmsRecord,
        venue: BrokerProtocol,
        pump: EventPump,
        bars: BarWork,
        sync: VenueSync,
        reconciler: Reconciler,
        restoration: Restoration,
        quarantine: Quarantine,
        doubt: DoubtWork,
    ) -> None:
        self._doubt = doubt
        self._restoration = restoration
        self._ctx = ctx
        self._record = record
        self._venue = venue
        self._pump = pump
        self._bars = bars
        self._sync = sync
        self._reconciler = reconciler
        self._quarantine = quarantine
        self._tasks = OwnedTasks(ctx.tasks)
        self._news = asyncio.Event()
        self._bar_came = asyncio.Event()
        self._bar_came.set()

    def see_bar(self) -> None:
        """Work through the bars soon: one is on its way into the store."""
        self._bar_came.set()

    def start(self) -> None:
        """Start following."""
        self._tasks.start("oms.pump", self._pump.run())
        self._tasks.start("oms.bars", self._follow_bars())
        self._tasks.start("oms.stream", self._follow_stream())
        self._tasks.start("oms.fills", self._collect_on_news())
        self._tasks.start("oms.doubt", self._every(_DOUBT_EVERY_S, self._doubt.work))
        self._tasks.start("oms.reconcile", self._every(RECONCILE_EVERY_S, self.reconcile))
        self._tasks.start("oms.witness", self._every(_WITNESS_EVERY_S, self._note_extent))

    async def stop(self) -> None:
        """Stop following."""
        await self._tasks.stop()

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._ctx.clock.sleep(seconds)
            await work()

    async def _follow_bars(self) -> None:
        """Work through the bars that wait, at once when one came and then until none is left."""
        while True:
            await self._bar_came.wait()
            self._bar_came.clear()
            if await self._bars.has_pending():
                self._bar_came.set()
                await self._work_bars()
            await self._ctx.clock.sleep(_BARS_EVERY_S)

    async def _work_bars(self) -> None:
        try:
            await self._bars.work(self._ctx.clock.now())
        except VenueSilent as error:
            self._ctx.log.warning("bars wait", error=str(error))

    async def reconcile(self) -> None:
        """Compare with the venue, move the gate, ask for the halts that are due."""
        was_open = self._reconciler.gate.is_open
        result = await self._reconciler.reconcile()
        if was_open and result != ():
            self._ctx.log.error("gate closed", reason=self._reconciler.gate.reason)
        await self._quarantine.enforce()

    async def _note_extent(self) -> None:
        self._restoration.note()

    async def _follow_stream(self) -> None:
        """Take every fill of the stream as a sign that there is news; its history is re-read
        from the record's own cursor where the venue keeps one."""
        async for fill in self._venue.stream_fills():
            if isinstance(self._venue, FillHistory):
                self._news.set()
                continue
            async with self._record.unit() as unit:
                await book_fills(unit, [fill])

    async def _collect_on_news(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            result = await self._sync.collect(everything=False)
            if isinstance(result, CouldNotLook):
                self._ctx.log.warning("fills wait", reason=result.reason)
            elif result:
                await self._quarantine.enforce()
