"""The market-data service: drives a replay in lockstep, or passes a source's quotes on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from itertools import chain, pairwise
from typing import Any, ClassVar

from mts1b_foundation.nats import STREAMS
from mts1b_foundation.replay import ReplayPosition
from mts1b_platform.clock import VirtualClock
from mts1b_platform.eventbus.port import BusError
from mts1b_platform.halt import HaltStateUnreadable, HaltStore
from mts1b_platform.lockstep import LockstepDriver, state_hash
from mts1b_platform.service import Service, ServiceContext
from mts1b_platform.supervision import end_tasks

from mts1b_marketdata.config import load_source_config
from mts1b_marketdata.errors import ReplayStopped
from mts1b_marketdata.progress import RunFiles
from mts1b_marketdata.publisher import QuotePublisher, publish_bar
from mts1b_marketdata.registry import create_source
from mts1b_marketdata.replay import ReplayFeed, ReplayTick

__all__ = ["REPLAYED", "MarketDataService", "ReplayRun"]

REPLAYED = ("oms", "risk", "operations", "research")
"""The services of a replay, in the order in which they work on a tick."""

_STREAM = "MARKETDATA"


class ReplayRun:
    """Take every service through every tick of a feed, from where they stand to the end.

    :param patience_s: how long a service may stay away before the run stops.
    """

    def __init__(
        self,
        ctx: ServiceContext,
        feed: ReplayFeed,
        *,
        services: tuple[str, ...] = REPLAYED,
        attempt_s: float = 3.0,
        patience_s: float = 90.0,
    ) -> None:
        self._ctx = ctx
        self._feed = feed
        self._files = RunFiles(ctx.home, feed)
        self._driver = LockstepDriver(
            ctx.bus,
            run_id=feed.run_id,
            services=services,
            attempt_s=attempt_s,
            patience_s=patience_s,
        )
        self._halts = HaltStore(ctx.home / "halt")
        self.done = -1

    async def run(self) -> str:
        """Run to the end; return the state hash, which is in ``run/result.json`` then.

        :raises ReplayStopped: when the services hold another run, refuse a tick or stay away.
        """
        try:
            await self._ctx.bus.ensure_stream(STREAMS[_STREAM])
            self.done = self._resume_point(await self._driver.positions())
            self._files.progress(self.done, "running")
            # The last finished tick is asked again: its answers say how far each stream reaches.
            await self._play_all(self._feed.ticks(max(self.done, 0)))
            return await self._finish()
        except asyncio.CancelledError:
            self._files.progress(self.done, "stopped")
            raise
        except BusError as error:
            self._files.progress(self.done, "stopped", error=str(error))
            raise ReplayStopped(
                f"the replay stopped after tick {self.done} of {self._feed.total}: {error}; "
                "start it again to go on from there"
            ) from error

    def _resume_point(self, positions: dict[str, ReplayPosition]) -> int:
        """Return the last tick that every service has done."""
        for position in positions.values():
            if position.run_id not in ("", self._feed.run_id):
                raise ReplayStopped(
                    f"{position.service} holds run {position.run_id}, this tape is run "
                    f"{self._feed.run_id}: data, symbols or period differ; finish that run with "
                    "its settings, or start with an empty MTS_HOME"
                )
        slowest = min(position.last_tick for position in positions.values())
        return min(slowest, self._feed.total - 1)

    async def _play_all(self, ticks: Iterator[ReplayTick]) -> None:
        """Play tick by tick. The bars of the next one go out meanwhile: nobody reads them yet."""
        every = self._ctx.settings.replay.progress_every
        head: int | None = None
        for tick, following in pairwise(chain(ticks, [None])):
            if tick is None:
                return
            if head is None:
                head = await self._publish(tick)
            if following is None:
                await self._play(tick, head)
            else:
                _, head = await asyncio.gather(self._play(tick, head), self._publish(following))
            self.done = tick.tick
            if tick.tick % every == 0:
                self._files.progress(tick.tick, "running")

    async def _publish(self, tick: ReplayTick) -> int:
        """Publish the bars of a tick; return how far the stream reaches with them."""
        with self._ctx.latency.stage("marketdata.publish"):
            acks = await asyncio.gather(*(publish_bar(self._ctx.bus, bar) for bar in tick.bars))
        return max(ack.sequence for ack in acks)

    async def _play(self, tick: ReplayTick, head: int) -> None:
        if isinstance(self._ctx.clock, VirtualClock):
            self._ctx.clock.advance_to(tick.as_of)
        with self._ctx.latency.stage("marketdata.tick"):
            await self._driver.run_tick(
                tick.tick, tick.as_of, {_STREAM: head}, overlap=self._nothing_is_halted
            )

    def _nothing_is_halted(self) -> bool:
        """Return whether operations has no halt to end in this tick, which research could see."""
        try:
            return not self._halts.state().active
        except HaltStateUnreadable:
            return False

    async def _finish(self) -> str:
        """Let every service read what the last tick left, then compare notes."""
        last = self._feed.total - 1
        await self._driver.run_tick(last + 1, self._feed.as_of(last), {}, final=True)
        digests = await self._driver.digests()
        total = state_hash(digests)
        self._files.progress(last, "finished", state_hash=total)
        self._files.result(digests, total)
        self._ctx.log.info("replay finished", ticks=self._feed.total, state_hash=total)
        return total


class MarketDataService(Service):
    """Give the system its prices."""

    name: ClassVar[str] = "marketdata"

    def __init__(self, ctx: ServiceContext) -> None:
        super().__init__(ctx)
        self._work: asyncio.Task[None] | None = None
        self._ended: str | None = None

    async def start(self) -> None:
        """Open the tape or the source, and begin.

        :raises DatasetMissing, DatasetChanged: when the tape can not be read.
        :raises SourceUnknown: when the source is not known or wrongly declared.
        """
        await self.ctx.bus.ensure_stream(STREAMS[_STREAM])
        if self.ctx.replay:
            feed = ReplayFeed.from_settings(self.ctx.home, self.ctx.settings.replay)
            self._begin("replay", self._replay(feed))
        else:
            self._start_source()

    def _start_source(self) -> None:
        config = load_source_config(self.ctx.home)
        if config is None:
            self.ctx.log.warning(
                "no source of prices", remedy="write marketdata.json, or enable the replay"
            )
            return
        source = create_source(config.source, config.options, clock=self.ctx.clock)
        publisher = QuotePublisher(
            self.ctx.bus,
            source,
            config.symbols,
            bar_interval=config.bar_interval,
            clock=self.ctx.clock,
            report=self.ctx.log,
        )
        self._begin(source.name, self._publish(publisher))

    def _begin(self, doing: str, work: Coroutine[Any, Any, None]) -> None:
        self._work = asyncio.create_task(work, name=f"marketdata.{doing}")
        self.ctx.tasks.start(f"marketdata.{doing}", self._watch(self._work))

    async def _watch(self, work: asyncio.Task[None]) -> None:
        """Let a failure of the work stop the service; :meth:`stop` is no failure."""
        await asyncio.wait({work})
        if not work.cancelled():
            work.result()

    async def _replay(self, feed: ReplayFeed) -> None:
        await ReplayRun(self.ctx, feed).run()

    async def _publish(self, publisher: QuotePublisher) -> None:
        await publisher.run()
        counts = {defect.value: count for defect, count in publisher.sieve.counts.items()}
        self._ended = f"{publisher.source_name} ended: there are no new prices"
        self.ctx.log.warning("source ended", published=publisher.published, defects=counts)

    async def health(self) -> dict[str, str]:
        """Return the check of the bus, and that of the source once it has ended."""
        ended = {} if self._ended is None else {"source": self._ended}
        return await super().health() | ended

    async def stop(self) -> None:
        """Stop between two requests; an interrupted tick is taken up again at the next start."""
        if self._work is not None:
            await end_tasks([self._work])
