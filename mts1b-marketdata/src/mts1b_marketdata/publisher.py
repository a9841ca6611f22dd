"""Publish the quotes of a source, and bars built from them, as durable events."""

from __future__ import annotations

from collections.abc import Sequence

from mts1b_foundation import Bar, Quote, Symbol
from mts1b_foundation.nats import STREAMS, bars_subject, quotes_subject
from mts1b_foundation.protocols import MarketDataProtocol
from mts1b_platform.clock import Clock
from mts1b_platform.eventbus.port import EventBus, PublishAck
from mts1b_platform.ids import derive_id

from mts1b_marketdata.bars import BarBuilder
from mts1b_marketdata.errors import LateTick
from mts1b_marketdata.sanity import QuoteSieve, is_refused

__all__ = ["QuotePublisher", "publish_bar", "publish_quote"]


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

    :param bar_interval: also build and publish bars of this interval from the mids.
    :param clock: what no quote may be ahead of; None where quotes are not of now.
    """

    def __init__(
        self,
        bus: EventBus,
        source: MarketDataProtocol,
        symbols: Sequence[str],
        *,
        bar_interval: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._bus = bus
        self._source = source
        self._symbols = [Symbol(symbol) for symbol in symbols]
        self._builders: dict[Symbol, BarBuilder] = {}
        if bar_interval is not None:
            self._builders = {name: BarBuilder(name, bar_interval) for name in self._symbols}
        self.sieve = QuoteSieve(clock)
        self.published = 0
        self.late = 0

    async def run(self) -> None:
        """Publish until the source ends."""
        await self._bus.ensure_stream(STREAMS["MARKETDATA"])
        async for quote in self._source.stream_quotes(self._symbols):
            if is_refused(self.sieve.judge(quote)):
                continue
            await publish_quote(self._bus, quote)
            self.published += 1
            await self._build(quote)

    async def _build(self, quote: Quote) -> None:
        """Publish the bars that the time of a quote completes, of every symbol.

        A quote that comes after its bar went out can not change it any more; it is counted.
        """
        for symbol, builder in self._builders.items():
            try:
                own = symbol == quote.symbol
                done = builder.add_quote(quote) if own else builder.close_until(quote.timestamp)
            except LateTick:
                self.late += 1
                continue
            if done is not None:
                await publish_bar(self._bus, done)
