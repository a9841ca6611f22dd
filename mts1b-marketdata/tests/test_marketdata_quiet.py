"""A bar of a symbol that went quiet comes out by the clock, and no sooner than its last quote."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest
from mts1b_foundation import Bar, Quote, Symbol
from mts1b_foundation.nats import STREAMS
from mts1b_marketdata import QuotePublisher
from mts1b_platform.clock import VirtualClock
from mts1b_platform.eventbus.local import LocalBus
from quote_feed import AAA, MINUTE, NOW, quote


class Line:
    """A stream whose quotes a test sends when it wants to."""

    name = "line"

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Quote] = asyncio.Queue()
        self.send = self._queue.put_nowait

    async def stream_quotes(self, symbols: list[Symbol]) -> AsyncIterator[Quote]:
        while True:
            yield await self._queue.get()


class Watched:
    """A publisher at work on a line, and the bars that it has published."""

    def __init__(self) -> None:
        self.bus, self.clock, self.line = LocalBus(), VirtualClock(NOW), Line()
        self.bars: list[Bar] = []
        self.publisher = QuotePublisher(
            self.bus,
            self.line,  # type: ignore[arg-type]
            [AAA],
            bar_interval="1m",
            clock=self.clock,
        )

    async def __aenter__(self) -> Watched:
        async def heard(message: object) -> None:
            self.bars.append(Bar.model_validate_json(message.data))  # type: ignore[attr-defined]

        await self.bus.ensure_stream(STREAMS["MARKETDATA"])
        await self.bus.subscribe("mts.v1.marketdata.bars.>", heard)
        self._work = asyncio.create_task(self.publisher.run())
        await self.until(0)
        return self

    async def until(self, second: float) -> None:
        """Let time pass, a second at a time, and everything happen that is due."""
        while True:
            for _ in range(50):
                await asyncio.sleep(0)
            now = (self.clock.now() - NOW).total_seconds()
            if now >= second:
                return
            self.clock.advance(min(1.0, second - now))

    async def __aexit__(self, *_: object) -> None:
        self._work.cancel()
        await asyncio.wait({self._work})
        await self.bus.close()


async def test_a_bar_comes_out_although_nothing_is_quoted_any_more() -> None:
    """As the last one of a session: it came with the first quote of the next morning."""
    async with Watched() as watched:
        watched.line.send(quote(AAA, 0, "100"))
        await watched.until(30)
        watched.line.send(quote(AAA, 30, "101"))
        await watched.until(60)
        assert watched.bars == []
        await watched.until(63)
        (bar,) = watched.bars
        assert (bar.timestamp - NOW, bar.open, bar.close) == (MINUTE, 100, 101)
        watched.line.send(quote(AAA, 600, "102"))
        await watched.until(601)
        assert (watched.bars, watched.publisher.late) == ([bar], 0)


async def test_a_bar_waits_as_long_as_the_slowest_quote_took() -> None:
    """A delayed feed, by 20 seconds: its last quote of a bar counts."""
    delay = 20
    async with Watched() as watched:
        for second in (0, 30, 59, 61, 119):
            await watched.until(second + delay)
            watched.line.send(quote(AAA, second, str(100 + second)))
        await watched.until(120 + delay)
        watched.line.send(quote(AAA, 119.9, "300"))
        await watched.until(120 + delay + 4)
        (bar,) = watched.bars
        assert (bar.timestamp - NOW, bar.open, bar.close) == (2 * MINUTE, 161, 300)
        assert watched.publisher.late == 0


async def test_a_stall_of_the_line_delays_no_bar_for_ever() -> None:
    async with Watched() as watched:
        await watched.until(10)
        watched.line.send(quote(AAA, 10, "100"))
        await watched.until(50)
        watched.line.send(quote(AAA, 11, "100"))  # it took 39 seconds
        await watched.until(63)
        for number in range(200):
            watched.line.send(quote(AAA, 61 + number / 100, "101"))
        await watched.until(124)
        assert [bar.timestamp - NOW for bar in watched.bars] == [2 * MINUTE]


async def test_a_late_quote_of_a_bar_that_is_out_is_counted() -> None:
    async with Watched() as watched:
        watched.line.send(quote(AAA, 0, "100"))
        await watched.until(65)
        watched.line.send(quote(AAA, 59, "500"))
        await watched.until(66)
        assert [bar.high for bar in watched.bars] == [Decimal(100)]
        assert watched.publisher.late == 1


async def test_a_source_that_fails_ends_the_publisher_with_its_error() -> None:
    class Broken:
        name = "broken"

        async def stream_quotes(self, symbols: list[Symbol]) -> AsyncIterator[Quote]:
            yield quote(AAA, 0, "100")
            raise ConnectionError("the line is gone")

    bus, clock = LocalBus(), VirtualClock(NOW + timedelta(seconds=1))
    publisher = QuotePublisher(bus, Broken(), [AAA], bar_interval="1m", clock=clock)  # type: ignore[arg-type]
    with pytest.raises(ConnectionError, match="the line is gone"):
        await publisher.run()
    await bus.close()
