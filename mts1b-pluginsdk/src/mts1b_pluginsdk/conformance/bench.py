"""The bench that a broker is tried on: it makes orders, lets the market move and reads fills."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from mts1b_foundation import Bar, Fill, Order, OrderType, Side, Symbol, TimeInForce
from mts1b_foundation.protocols import BrokerProtocol, FillHistory, SimulatedVenue

__all__ = ["Bench", "BenchSettings", "CheckFailed", "CheckSkipped", "Connect", "require"]

Connect = Callable[[], BrokerProtocol]
"""Makes a client. Two clients that it makes see one and the same account."""

_DEEP = Decimal(1_000_000)


class CheckFailed(Exception):
    """The subject did not do what it must; the text says what was seen."""


class CheckSkipped(Exception):
    """The subject does not offer what the check is about."""


def require(condition: bool, message: str) -> None:
    """Fail the check unless ``condition`` holds.

    :raises CheckFailed: with ``message``.
    """
    if not condition:
        raise CheckFailed(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSettings:
    """What the checks may assume of the venue.

    :param run_id: begins every idempotency key; give a new one for an account that remembers
        earlier runs.
    :param symbol: an instrument that the venue trades.
    :param price: where the market stands, in the instrument's currency.
    :param base_currency: the currency of the account, in which fees must come.
    :param patience_s: seconds to wait for a fill of a venue that fills by itself.
    :param start: the venue's time in the first check, for a simulated venue.
    """

    run_id: str = "check"
    symbol: str = "AAPL"
    price: Decimal = Decimal(100)
    base_currency: str = "USD"
    patience_s: float = 1.0
    start: datetime = datetime(2024, 1, 2, 21, tzinfo=UTC)


class Bench:
    """One check's view of an account: own orders, own time, one client at a time."""

    def __init__(self, connect: Connect, *, settings: BenchSettings, number: int) -> None:
        self._connect = connect
        self._label = f"{settings.run_id}-{number:02d}"
        self._now = settings.start + timedelta(days=number)
        self._count = 0
        self._resting: list[Order] = []
        self.settings = settings
        self.venue = self._client()

    def _client(self) -> BrokerProtocol:
        client = self._connect()
        if isinstance(client, SimulatedVenue):
            client.set_time(self._now)
        return client

    async def close(self) -> None:
        """Close the client, when it can be closed."""
        close = getattr(self.venue, "close", None)
        if close is not None:
            await close()

    async def reconnect(self) -> BrokerProtocol:
        """Close the client and make another one of the same account."""
        await self.close()
        self.venue = self._client()
        return self.venue

    def order(self, quantity: int = 10, *, side: Side = Side.BUY) -> Order:
        """Return a new market order."""
        self._count += 1
        key = f"{self._label}-{self._count}"
        return Order(
            order_id=f"order-{key}",
            idempotency_key=key,
            symbol=Symbol(self.settings.symbol),
            side=side,
            quantity=Decimal(quantity),
            tif=TimeInForce.GTC,
            fund_id="check",
            strategy_id="check",
            broker=self.venue.name,
            created_at=self._now,
        )

    def resting(self, quantity: int = 10) -> Order:
        """Return a new limit order to buy at a hundredth of the market's price."""
        limit = self.settings.price / 100
        order = self.order(quantity).with_(order_type=OrderType.LIMIT, limit_price=limit)
        self._resting.append(order)
        return order

    async def withdraw(self) -> None:
        """Cancel the limit orders that the check left, whatever the venue says to that."""
        for order in self._resting:
            await self.venue.cancel(order.order_id)

    async def advance(self, price: Decimal | None = None) -> None:
        """Let two minutes pass and trade at one price; a venue that fills by itself gets time."""
        value = self.settings.price if price is None else price
        if not isinstance(self.venue, SimulatedVenue):
            await asyncio.sleep(self.settings.patience_s)
            return
        self._now += timedelta(minutes=2)
        bar = Bar(
            symbol=Symbol(self.settings.symbol),
            interval="1m",
            open=value,
            high=value,
            low=value,
            close=value,
            volume=_DEEP,
            timestamp=self._now,
        )
        self.venue.set_time(self._now)
        await self.venue.on_bars([bar])

    async def trade(self, order: Order) -> list[Fill]:
        """Submit an order, let the market move and return its fills.

        :raises CheckFailed: when no fill came.
        """
        await self.venue.submit(order)
        await self.advance()
        fills = await self.fills_of(order)
        require(bool(fills), f"no fill of a market order came ({self._how_long()})")
        return fills

    def _how_long(self) -> str:
        if isinstance(self.venue, SimulatedVenue):
            return "a bar opened after it arrived"
        return f"within {self.settings.patience_s:g} s"

    async def fills_of(self, order: Order) -> list[Fill]:
        """Return the fills of an order: from the history, or else from a new stream."""
        if isinstance(self.venue, FillHistory):
            fills, _ = await self.venue.fills_since(None)
            return [fill for fill in fills if fill.order_id == order.order_id]
        return await self.streamed(order)

    async def streamed(self, order: Order) -> list[Fill]:
        """Read a new stream until the order is filled, or until patience ends."""
        mine: list[Fill] = []
        try:
            async with asyncio.timeout(self.settings.patience_s), self._stream() as stream:
                async for fill in stream:
                    if fill.order_id == order.order_id:
                        mine.append(fill)
                    if sum(one.quantity for one in mine) >= order.quantity:
                        break
        except TimeoutError:
            return mine
        return mine

    @asynccontextmanager
    async def _stream(self) -> AsyncIterator[AsyncIterator[Fill]]:
        stream = self.venue.stream_fills()
        try:
            yield stream
        finally:
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()

    async def is_open(self, order: Order) -> bool:
        """Return whether the venue lists the order as open."""
        return any(one.order_id == order.order_id for one in await self.venue.get_open_orders())

    async def held(self) -> Decimal:
        """Return the signed quantity that the venue holds of the symbol."""
        positions = await self.venue.get_positions()
        return sum((p.quantity for p in positions if p.symbol == self.settings.symbol), Decimal(0))
