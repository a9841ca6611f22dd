"""Publish the quotes of a source, and bars built from them, as durable events."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

from mts1b_foundation import Bar, Quote, Symbol
from mts1b_foundation.nats import STREAMS, bars_subject, quotes_subject
from mts1b_foundation.protocols import MarketDataProtocol
from mts1b_platform.clock import Clock
from mts1b_platform.eventbus.port import EventBus, PublishAck
from mts1b_platform.ids import derive_id
from mts1b_platform.supervision import end_tasks

from mts1b_marketdata.bars import BarBuilder
from mts1b_marketdata.errors import LateTick
from mts1b_marketdata.sanity import QuoteSieve, is_refused

_LOOK_S = 1.0
_GRACE = timedelta(seconds=1)
"""What a quote may take longer than the slowest of the last ones of its stream."""
_REMEMBERED = 200

__all__ = ["QuotePublisher", "WatchesSince", "publish_bar", "publish_quote"]


@runtime_checkable
class WatchesSince(Protocol):
    """A source that says since when it has missed no quote of what it streams."""

    @property
    def watched_since(self) -> datetime | None:
        """Return that moment (aware), None while it watches nothing.

        It is later after every break of the line.
        """
        ...


async def publish_bar(bus: EventBus, bar: Bar) -> PublishAck:
    """Publish a bar; its id is made of symbol, interval and end, so that it counts once."""
    message_id = derive_id("bar", str(bar.symbol), bar.interval, bar.timestamp.isoformat())
    data = bar.model_dump_json().encode()
    return await bus.publish_durable(
        bars_subject(bar.symbol, bar.interval), data, message_id=message_id
    )


async def publish_quote(bus: EventBus, quote: Quote) -> PublishAck:
    """Publish a quote; its id is made of its content, so that it counts once."""
    data = quote.model_dump_json().encode()
    message_id = derive_id("quote", str(quote.symbol), data.decode())
    return await bus.publish_durable(quotes_subject(quote.symbol), data, message_id=message_id)


class QuotePublisher:
    """Pass on what a source streams; unfit quotes stay out and are counted.

    A bar that was not watched from its start is left out: what is known of it is not its open,
    high and low. A source that is no :class:`WatchesSince` is watched from its first quote on.

    A bar goes out when a later quote of any symbol comes, or when the clock says that none of it
    can come any more: a second after its end, and after what the slowest of the last quotes took.

    :param bar_interval: also build and publish bars of this interval from the mids.
    :param clock: what no quote may be ahead of; None where quotes are not of now.
    :param report: a logger; told of each bar that is left out.
    :ivar late: quotes that came after their bar.
    :ivar unwatched: bars that were left out.
    """

    def __init__(
        self,
        bus: EventBus,
        source: MarketDataProtocol,
        symbols: Sequence[str],
        *,
        bar_interval: str | None = None,
        clock: Clock | None = None,
        report: Any = None,
    ) -> None:
        self._bus = bus
        self._source = source
        self._clock = clock
        self._report = report
        self._first: datetime | None = None
        self._took = deque([timedelta(0)], maxlen=_REMEMBERED)
        self._turn = asyncio.Lock()
        self._symbols = [Symbol(symbol) for symbol in symbols]
        self._builders: dict[Symbol, BarBuilder] = {}
        if bar_interval is not None:
            self._builders = {name: BarBuilder(name, bar_interval) for name in self._symbols}
        self.sieve = QuoteSieve(clock)
        self.published = 0
        self.late = 0
        self.unwatched = 0

    @property
    def source_name(self) -> str:
        """Return the name of the source."""
        return self._source.name

    async def run(self) -> None:
        """Publish until the source ends."""
        await self._bus.ensure_stream(STREAMS["MARKETDATA"])
        tasks = [asyncio.create_task(self._follow(), name="marketdata.quotes")]
        if self._clock is not None and self._builders:
            closing = self._close_by_clock(self._clock)
            tasks.append(asyncio.create_task(closing, name="marketdata.bars"))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_tasks(tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()

    async def _follow(self) -> None:
        async for quote in self._source.stream_quotes(self._symbols):
            defects = self.sieve.judge(quote)
            if is_refused(defects):
                continue
            self._note(quote)
            await publish_quote(self._bus, quote)
            self.published += 1
            async with self._turn:
                await self._build(quote, is_price=not defects)

    def _note(self, quote: Quote) -> None:
        """Note since when the stream is watched, and what its slowest quote took to come."""
        now = self._now(quote)
        self._first = self._first or max(quote.timestamp, now)
        since = self._watched_since()
        if since is not None and quote.timestamp >= since:  # the last of before took no time
            self._took.append(now - quote.timestamp)

    async def _close_by_clock(self, clock: Clock) -> None:
        while True:
            await clock.sleep(_LOOK_S)
            over = clock.now() - max(*self._took, timedelta(0)) - _GRACE
            async with self._turn:
                for builder in self._builders.values():
                    done = builder.close_until(over)
                    if done is not None:
                        await self._publish_whole(done)

    async def _build(self, quote: Quote, *, is_price: bool) -> None:
        """Publish the bars that the time of a quote completes, of every symbol.

        The mid of a doubtful quote is no price: of one cent and a thousand dollars, say.
        A quote that comes after its bar went out can not change it any more; it is counted.
        """
        for symbol, builder in self._builders.items():
            try:
                if symbol == quote.symbol and is_price:
                    done = builder.add_quote(quote)
                elif symbol == quote.symbol:
                    done = builder.close_until(quote.timestamp)
                else:  # a clock that is ahead of ours ends no bar of others
                    done = builder.close_until(min(quote.timestamp, self._now(quote)))
            except LateTick:
                self.late += 1
                continue
            if done is not None:
                await self._publish_whole(done)

    async def _publish_whole(self, bar: Bar) -> None:
        """Publish a bar that was watched from its start to its end; tell of any other."""
        since = self._watched_since()
        if since is not None and bar.start >= since:
            await publish_bar(self._bus, bar)
            return
        self.unwatched += 1
        if self._report is not None:
            self._report.warning(
                "bar left out: it was not watched from its start",
                symbol=str(bar.symbol),
                ended=bar.timestamp.isoformat(),
                watched_since=None if since is None else since.isoformat(),
            )

    def _watched_since(self) -> datetime | None:
        if isinstance(self._source, WatchesSince):
            return self._source.watched_since
        return self._first

    def _now(self, quote: Quote) -> datetime:
        """Return the time, or that of a quote where quotes are not of now."""
        return quote.timestamp if self._clock is None else self._clock.now()
