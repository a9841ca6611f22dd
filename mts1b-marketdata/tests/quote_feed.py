"""A live source whose quotes come when they come, and what a publisher makes of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from mts1b_foundation import Bar, Quote, Symbol
from mts1b_foundation.nats import STREAMS
from mts1b_marketdata.publisher import QuotePublisher
from mts1b_platform.clock import VirtualClock
from mts1b_platform.eventbus.local import LocalBus

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
AAA, BBB = Symbol("AAA"), Symbol("BBB")
MINUTE = timedelta(minutes=1)


class Feed:
    """Stream quotes, each when the clock shows its second after NOW."""

    name = "feed"

    def __init__(self, clock: VirtualClock, quotes: Sequence[tuple[float, Quote]]) -> None:
        self.clock, self._quotes = clock, quotes

    async def stream_quotes(self, symbols: list[Symbol]) -> AsyncIterator[Quote]:
        for second, quote in self._quotes:
            self.clock.advance_to(NOW + timedelta(seconds=second))
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


def at_once(*quotes: Quote) -> list[tuple[float, Quote]]:
    """Return quotes that come at the moment that they are stamped with."""
    return [((one.timestamp - NOW).total_seconds(), one) for one in quotes]


async def published(
    quotes: Sequence[tuple[float, Quote]], *, feed: type[Feed] = Feed
) -> tuple[QuotePublisher, list[Bar]]:
    """Let a publisher run over a feed that starts at NOW; return it and its bars."""
    bus, clock, bars = LocalBus(), VirtualClock(NOW), list[Bar]()
    sent = bus.publish_durable

    async def publish(subject: str, data: bytes, *, message_id: str) -> object:
        if ".marketdata.bars." in subject:
            bars.append(Bar.model_validate_json(data))
        return await sent(subject, data, message_id=message_id)

    bus.publish_durable = publish  # type: ignore[method-assign, assignment]
    await bus.ensure_stream(STREAMS["MARKETDATA"])
    source = feed(clock, quotes)
    publisher = QuotePublisher(bus, source, [AAA, BBB], bar_interval="1m", clock=clock)  # type: ignore[arg-type]
    await publisher.run()
    return publisher, bars
