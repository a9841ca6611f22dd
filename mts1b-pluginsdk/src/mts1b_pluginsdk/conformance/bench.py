"""The bench that a broker is tried on: it makes orders, lets the market move and reads fills."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from mts1b_foundation import Bar, Fill, Order, OrderType, Side, Symbol, TimeInForce
from mts1b_foundation.protocols import (
    BrokerProtocol,
    CapabilityCard,
    DedupePolicy,
    FillHistory,
    OrderQuery,
    SimulatedVenue,
)

from mts1b_pluginsdk.conformance.offers import account_of
from mts1b_pluginsdk.conformance.sandbox import Connect, Sandbox
from mts1b_pluginsdk.conformance.settings import BenchSettings
from mts1b_pluginsdk.conformance.verdicts import (
    CardFailed,
    CardSkipped,
    outcome,
    refusal,
    require,
)

__all__ = ["Bench", "total"]

_DEEP = Decimal(1_000_000)


class Bench:
    """One card's view of an account: own orders, own time, one client at a time."""

    def __init__(
        self,
        venue: BrokerProtocol,
        *,
        again: Callable[[], Any],
        sandbox: Sandbox | None,
        settings: BenchSettings,
        number: int,
    ) -> None:
        self._label = f"{settings.run_id}-{number:02d}"
        self._count = 0
        self._made: list[Order] = []
        self._again = again
        self.sandbox = sandbox
        self.settings = settings
        self.price = settings.price
        self.shown: Bar | None = None
        self.now = settings.start + timedelta(days=number)
        self.venue = self._told_the_time(venue)
        self.card = venue.capabilities() if isinstance(venue, CapabilityCard) else None

    @classmethod
    async def begin(cls, connect: Connect, *, settings: BenchSettings, number: int) -> Bench:
        """Connect to an account, that of a new sandbox where ``connect`` makes one.

        :param number: of the card; it begins the keys, and says on which day the card is tried.
        """
        made: Any = connect()
        sandbox: Sandbox | None = None
        if hasattr(made, "connect") and not hasattr(made, "submit"):
            sandbox, connect = made, made.connect
            await _called(sandbox, "open")
            made = connect()
        return cls(made, again=connect, sandbox=sandbox, settings=settings, number=number)

    def _told_the_time(self, client: Any) -> BrokerProtocol:
        if isinstance(client, SimulatedVenue):
            client.set_time(self.now)
        broker: BrokerProtocol = client
        return broker

    @property
    def lag_s(self) -> float:
        """Return for how long the venue may not show an order that it took."""
        return self.card.visibility_lag_s if self.card is not None else 0.0

    @property
    def can_look_up(self) -> bool:
        """Return whether an order can be found by its key, also when it has ended."""
        return isinstance(self.venue, OrderQuery)

    @property
    def keeps_keys(self) -> bool:
        """Return whether the venue says that it knows the keys of open orders."""
        return self.card is None or self.card.dedupe is not DedupePolicy.NONE

    @property
    def keeps_ended_keys(self) -> bool:
        """Return whether the venue says that it knows the keys of orders that ended lately."""
        ended = (DedupePolicy.WINDOW, DedupePolicy.PERMANENT)
        return self.card is None or self.card.dedupe in ended

    async def close(self) -> None:
        """Close the client, and the sandbox, when they can be closed."""
        await _called(self.venue, "close")
        if self.sandbox is not None:
            await _called(self.sandbox, "close")

    async def reconnect(self) -> BrokerProtocol:
        """Close the client and make another one of the same account."""
        await _called(self.venue, "close")
        self.venue = self._told_the_time(self._again())
        return self.venue

    # Orders

    def order(self, quantity: Decimal | int = 10, **fields: object) -> Order:
        """Return a new order, a market order to buy unless ``fields`` say otherwise."""
        self._count += 1
        key = f"{self._label}-{self._count}"
        values: dict[str, object] = {
            "order_id": f"order-{key}",
            "idempotency_key": key,
            "symbol": Symbol(self.settings.symbol),
            "side": Side.BUY,
            "quantity": Decimal(quantity),
            "tif": self._tif(),
            "fund_id": "check",
            "strategy_id": "check",
            "broker": self.venue.name,
            "created_at": self.now,
        }
        made = Order.model_validate(values | fields)
        self._made.append(made)
        return made

    def _tif(self) -> TimeInForce:
        known = (TimeInForce.GTC,) if self.card is None else self.card.tifs
        return TimeInForce.GTC if TimeInForce.GTC in known else known[0]

    def limit(self, limit: Decimal | int, quantity: Decimal | int = 10, **fields: object) -> Order:
        """Return a new limit order; ``limit`` is in hundredths of the market's price."""
        terms = {"order_type": OrderType.LIMIT, "limit_price": self.level(limit)}
        return self.order(quantity, **(terms | fields))

    def level(self, percent: Decimal | int) -> Decimal:
        """Return a price, in hundredths of the market's."""
        return self.price * percent / 100

    def resting(self, quantity: Decimal | int = 10) -> Order:
        """Return a new limit order to buy at a hundredth of the market's price."""
        return self.limit(1, quantity)

    async def submit(self, order: Order) -> Order:
        """Submit an order that the venue must take, at its rate.

        :raises CardFailed: when it is refused.
        """
        taken = await self.venue.submit(order)
        reason = refusal(taken)
        require(reason is None, f"an order that the venue must take was refused: {reason}")
        await self._pace()
        return taken

    async def _pace(self) -> None:
        """Let as much time pass as one message takes at the venue's rate."""
        if self.card is not None and self.card.orders_per_s is not None:
            await self.elapse(1.0 / self.card.orders_per_s)

    async def refused(self, order: Order) -> str:
        """Submit an order that the venue must refuse; return the reason.

        :raises CardFailed: when it is taken, or when what is raised says nothing of the order.
        """
        answer = await outcome(self.venue.submit(order))
        reason = refusal(answer)
        if reason is None and isinstance(answer, BaseException):
            raise CardFailed(
                f"{type(answer).__name__} is no refusal; return the order as rejected, "
                f"or raise BrokerRefused: {answer}"
            )
        if reason is None:
            raise CardFailed("an order that the venue must refuse was taken")
        return reason

    async def withdraw(self) -> None:
        """Cancel the orders that the card left, whatever the venue says to that."""
        for order in self._made:
            await outcome(self.venue.cancel(order.order_id))

    # Time and market

    async def elapse(self, seconds: float) -> None:
        """Let time pass without a trade; real time, where the venue's is not ours.

        :raises CardSkipped: when that would take longer than the patience.
        """
        if isinstance(self.venue, SimulatedVenue):
            self.now += timedelta(seconds=seconds)
            self.venue.set_time(self.now)
            return
        if seconds > self.settings.patience_s:
            raise CardSkipped(f"{seconds:g} s of real time would pass; raise the patience")
        await asyncio.sleep(seconds)

    async def settle(self) -> None:
        """Wait until the venue shows what it took."""
        if self.lag_s > 0.0:
            await self.elapse(self.lag_s)

    async def advance(self, percent: Decimal | int = 100, *, volume: Decimal = _DEEP) -> None:
        """Let two minutes pass and trade at one price; a venue that fills by itself gets time."""
        if not isinstance(self.venue, SimulatedVenue):
            await asyncio.sleep(self.settings.patience_s)
            return
        await self.elapse(120.0)
        self.shown = self.bar(percent, volume=volume)
        await self.show(self.shown)

    def bar(
        self, percent: Decimal | int, *, volume: Decimal = _DEEP, ends: datetime | None = None
    ) -> Bar:
        """Return a one-minute bar at one price, which ends now."""
        value = self.level(percent)
        return Bar(
            symbol=Symbol(self.settings.symbol),
            interval="1m",
            open=value,
            high=value,
            low=value,
            close=value,
            volume=volume,
            timestamp=ends or self.now,
        )

    async def show(self, *bars: Bar) -> None:
        """Drive the venue by bars."""
        if isinstance(self.venue, SimulatedVenue):
            await self.venue.on_bars(list(bars))

    async def show_again(self) -> None:
        """Drive the venue by the bar of the last advance, once more."""
        if self.shown is not None:
            await self.show(self.shown)

    async def trade(self, order: Order) -> list[Fill]:
        """Submit an order, let the market move and return its fills.

        :raises CardFailed: when no fill came.
        """
        await self.submit(order)
        await self.advance()
        fills = await self.fills_of(order)
        require(bool(fills), f"no fill of a market order came ({self._how_long()})")
        return fills

    async def partly(self, order: Order) -> Decimal:
        """Submit an order and trade too little for it; return what was filled.

        :raises CardSkipped: when the venue filled it whole.
        """
        await self.submit(order)
        await self.advance(volume=self.settings.thin_volume)
        filled = total(await self.fills_of(order))
        if filled >= order.quantity:
            raise CardSkipped("the venue fills whole, also in thin volume")
        require(filled > 0, "no part of an order was filled in thin volume")
        return filled

    def _how_long(self) -> str:
        if isinstance(self.venue, SimulatedVenue):
            return "a bar opened after it arrived"
        return f"within {self.settings.patience_s:g} s"

    # What the venue says

    async def fills_of(self, order: Order) -> list[Fill]:
        """Return the fills of an order: from the history, or else from a new stream."""
        if isinstance(self.venue, FillHistory):
            await self.settle()
            fills, _ = await self.venue.fills_since(None)
            return [fill for fill in fills if fill.order_id == order.order_id]
        return await self.streamed(order)

    async def filled(self, order: Order) -> Decimal:
        """Return how much of an order was filled."""
        return total(await self.fills_of(order))

    async def streamed(self, order: Order) -> list[Fill]:
        """Read a new stream until the order is filled, or until patience ends."""
        mine: list[Fill] = []
        try:
            async with asyncio.timeout(self.settings.patience_s), self.stream() as stream:
                async for fill in stream:
                    if fill.order_id == order.order_id:
                        mine.append(fill)
                    if total(mine) >= order.quantity:
                        break
        except TimeoutError:
            return mine
        return mine

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[AsyncIterator[Fill]]:
        """Open a stream of fills, and end it afterwards."""
        stream = self.venue.stream_fills()
        try:
            yield stream
        finally:
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()

    async def listed(self) -> list[Order]:
        """Return the open orders, once the venue shows what it took."""
        await self.settle()
        return await self.venue.get_open_orders()

    async def is_open(self, order: Order) -> bool:
        """Return whether the venue lists the order as open."""
        return any(one.order_id == order.order_id for one in await self.listed())

    async def known(self, order: Order) -> Order | None:
        """Return the order as the venue has it by its key, else as it lists it."""
        await self.settle()
        if isinstance(self.venue, OrderQuery):
            return await self.venue.get_order_by_key(order.idempotency_key)
        found = await self.venue.get_open_orders()
        return next((one for one in found if one.order_id == order.order_id), None)

    async def held(self) -> Decimal:
        """Return the signed quantity that the venue holds of the symbol."""
        await self.settle()
        positions = await self.venue.get_positions()
        return sum((p.quantity for p in positions if p.symbol == self.settings.symbol), Decimal(0))

    async def cash(self) -> Decimal:
        """Return the account's cash, once the venue shows what happened."""
        await self.settle()
        return (await account_of(self.venue).account_snapshot()).cash_usd


def total(fills: list[Fill]) -> Decimal:
    """Return the sum of quantities."""
    return sum((fill.quantity for fill in fills), Decimal(0))


async def _called(subject: object, name: str) -> None:
    """Call and await a method, where there is one."""
    method = getattr(subject, name, None)
    if method is not None:
        await method()
