"""A quote that is stamped ahead of our clock spoils neither its symbol nor the bars of others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from mts1b_foundation import Bar, Quote, Symbol
from mts1b_foundation.nats import STREAMS
from mts1b_marketdata import Defect
from mts1b_marketdata.publisher import QuotePublisher
from mts1b_platform.clock import VirtualClock
from mts1b_platform.eventbus.local import LocalBus

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
AAA, BBB = Symbol("AAA"), Symbol("BBB")


class Feed:
    """Stream quotes, each when the clock shows its second."""

    name = "feed"

    def __init__(self, clock: VirtualClock, quotes: list[tuple[int, Quote]]) -> None:
        self._clock, self._quotes = clock, quotes

    async def stream_quotes(self, symbols: list[Symbol]) -> AsyncIterator[Quote]:
        for second, quote in self._quotes:
            self._clock.advance_to(NOW + timedelta(seconds=second))
            yield quote


def quote(symbol: Symbol, seconds: float, price: str) -> Quote:
    return Quote(
        symbol=symbol,
        bid=Decimal(price),
        ask=Decimal(price),
        bid_size=1,
        ask_size=1,
        venue="X",
        timestamp=NOW + timedelta(seconds=seconds),
    )


async def published(quotes: list[tuple[int, Quote]]) -> tuple[QuotePublisher, list[Bar]]:
    bus, clock, bars = LocalBus(), VirtualClock(NOW), list[Bar]()
    sent = bus.publish_durable

    async def publish(subject: str, data: bytes, *, message_id: str) -> object:
        if ".marketdata.bars." in subject:
            bars.append(Bar.model_validate_json(data))
        return await sent(subject, data, message_id=message_id)

    bus.publish_durable = publish  # type: ignore[method-assign, assignment]
    await bus.ensure_stream(STREAMS["MARKETDATA"])
    feed = Feed(clock, quotes)
    publisher = QuotePublisher(bus, feed, [AAA, BBB], bar_interval="1m", clock=clock)  # type: ignore[arg-type]
    await publisher.run()
    return publisher, bars


async def test_a_quote_of_the_future_is_left_out_and_counted() -> None:
    publisher, bars = await published(
        [
            (1, quote(AAA, 1, "100")),
            (2, quote(BBB, 2, "50")),
            (3, quote(AAA, 86_400, "500")),
            (4, quote(AAA, 4, "101")),
            (5, quote(BBB, 5, "51")),
            (61, quote(AAA, 61, "102")),
        ]
    )
    assert publisher.sieve.counts == {Defect.OF_THE_FUTURE: 1}
    assert (publisher.published, publisher.late) == (5, 0)
    end = NOW + timedelta(minutes=1)
    closes = {(bar.symbol, bar.timestamp): (bar.open, bar.high, bar.close) for bar in bars}
    assert closes == {
        (AAA, end): (Decimal(100), Decimal(101), Decimal(101)),
        (BBB, end): (Decimal(50), Decimal(51), Decimal(51)),
    }


async def test_a_clock_that_is_a_little_behind_takes_what_comes() -> None:
    publisher, _ = await published([(1, quote(AAA, 5.9, "100")), (2, quote(AAA, 7.1, "100"))])
    assert publisher.published == 1
    assert publisher.sieve.counts == {Defect.OF_THE_FUTURE: 1}
