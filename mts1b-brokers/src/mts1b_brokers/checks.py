"""What a venue must do, tried on a throwaway one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from mts1b_foundation import Bar, Fill, Order, OrderStatus, OrderType, Side, Symbol, TimeInForce
from mts1b_foundation.protocols import (
    AccountQuery,
    BrokerProtocol,
    FillHistory,
    OrderQuery,
    SimulatedVenue,
)
from mts1b_platform.clock import Clock
from mts1b_platform.ids import derive_id

from mts1b_brokers.errors import BrokerError, KeyReuseMismatch

__all__ = ["CheckResult", "VenueChecks"]

_SYMBOL = Symbol("AAPL")
_PATIENCE_S = 5.0
_MAX_SKEW_S = 1.0
_Check = Callable[[], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check: its name, whether it passed, and what was seen."""

    name: str
    passed: bool
    detail: str


class _Failed(Exception):
    """The venue did not do what it must."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise _Failed(message)


class VenueChecks:
    """Run every check in order; a check that fails does not stop the others.

    :param connect: makes a client of the same venue; called again for the restart check.
    """

    def __init__(self, connect: Callable[[], BrokerProtocol], *, clock: Clock) -> None:
        self._connect = connect
        self._clock = clock
        self._venue = connect()
        self._now: datetime = clock.now()
        self._count = 0

    async def run(self) -> list[CheckResult]:
        """Return the results in order."""
        table: tuple[tuple[str, _Check], ...] = (
            ("reachable", self._reachable),
            ("auth", self._auth),
            ("account info", self._account),
            ("time skew", self._skew),
            ("order price", self._price),
            ("fill stream", self._stream),
            ("submit idempotency", self._idempotency),
            ("cancel truth", self._cancel),
            ("fills once", self._once),
            ("positions equal fills", self._positions),
            ("restart keeps all", self._restart),
        )
        results = [await self._attempt(name, check) for name, check in table]
        await _close(self._venue)
        return results

    async def _attempt(self, name: str, check: _Check) -> CheckResult:
        """Try one check; whatever the venue raises is a failure, and the others still run."""
        attempt = asyncio.wait_for(check(), _PATIENCE_S)
        (seen,) = await asyncio.gather(attempt, return_exceptions=True)
        if isinstance(seen, str):
            return CheckResult(name, True, seen)
        return CheckResult(name, False, _told(seen))

    def _order(self, quantity: int, **fields: object) -> Order:
        self._count += 1
        key = f"check-{self._count}"
        values: dict[str, object] = {
            "order_id": derive_id("order", key),
            "idempotency_key": key,
            "symbol": _SYMBOL,
            "side": Side.BUY,
            "quantity": Decimal(quantity),
            "tif": TimeInForce.GTC,
            "fund_id": "check",
            "strategy_id": "check",
            "created_at": self._now,
        }
        return Order.model_validate(values | fields)

    async def _bar(self, price: int) -> Bar:
        """Let one minute pass at one price, in deep volume."""
        venue = self._venue
        _require(isinstance(venue, SimulatedVenue), "the venue can not be driven by bars")
        self._now += timedelta(minutes=2)
        value, volume = Decimal(price), Decimal(1_000_000)
        bar = Bar(
            symbol=_SYMBOL,
            interval="1m",
            open=value,
            high=value,
            low=value,
            close=value,
            volume=volume,
            timestamp=self._now,
        )
        if isinstance(venue, SimulatedVenue):
            venue.set_time(self._now)
            await venue.on_bars([bar])
        return bar

    async def _fills(self) -> list[Fill]:
        if not isinstance(self._venue, FillHistory):
            raise _Failed("the venue has no fill history (fills_since)")
        return (await self._venue.fills_since(None))[0]

    async def _view(self, order: Order) -> Order:
        if not isinstance(self._venue, OrderQuery):
            raise _Failed("the venue can not be asked by key (get_order_by_key)")
        found = await self._venue.get_order_by_key(order.idempotency_key)
        _require(found is not None, f"the venue does not know {order.idempotency_key}")
        return found or order

    async def _reachable(self) -> str:
        begin = self._clock.monotonic()
        orders = await self._venue.get_open_orders()
        _require(not orders, f"a new venue has {len(orders)} open orders")
        return f"answered in {(self._clock.monotonic() - begin) * 1e3:.1f} ms"

    async def _auth(self) -> str:
        _require(bool(self._venue.name), "the venue has no name")
        return "a simulation: no credentials are needed or read"

    async def _account(self) -> str:
        if not isinstance(self._venue, AccountQuery):
            raise _Failed("the venue has no account snapshot")
        account = await self._venue.account_snapshot()
        return f"account {account.account}, cash {account.cash_usd} USD"

    async def _skew(self) -> str:
        order = await self._venue.submit(self._order(1))
        if order.submitted_at is None:
            raise _Failed("submit returned an order without submitted_at")
        skew = abs((self._clock.now() - order.submitted_at).total_seconds())
        _require(skew <= _MAX_SKEW_S, f"{skew:.3f} s, allowed {_MAX_SKEW_S} s")
        self._now = self._clock.now()
        return f"{skew * 1e3:.0f} ms"

    async def _price(self) -> str:
        before = len(await self._fills())
        order = await self._venue.submit(self._order(10))
        _require(len(await self._fills()) == before, "a fill came without any market price")
        bar = await self._bar(100)
        mine = [fill for fill in await self._fills() if fill.order_id == order.order_id]
        _require(len(mine) == 1, f"a bar gave a market order {len(mine)} fills")
        fill = mine[0]
        _require(
            abs(fill.price / bar.open - 1) < Decimal("0.01"),
            f"filled at {fill.price}, the bar opened at {bar.open}",
        )
        return f"rested without a price, then filled at {fill.price}, fees {fill.fees}"

    async def _stream(self) -> str:
        expected = [fill.fill_id for fill in await self._fills()]
        for reading in ("first", "second"):
            seen = []
            async for fill in self._venue.stream_fills():
                seen.append(fill.fill_id)
                if len(seen) == len(expected):
                    break
            _require(seen == expected, f"the {reading} reading gave other fills")
        return f"{len(expected)} fills, the same when read again"

    async def _idempotency(self) -> str:
        order = self._order(5)
        first, again = await self._venue.submit(order), await self._venue.submit(order)
        _require(first.broker_order_id == again.broker_order_id, "one key gave two orders")
        try:
            other = await self._venue.submit(order.with_(quantity=Decimal(6)))
        except KeyReuseMismatch:
            pass
        else:
            refused = other.status is OrderStatus.REJECTED
            _require(refused, "a key was taken again for another quantity")
        await self._bar(101)
        filled = sum(f.quantity for f in await self._fills() if f.order_id == order.order_id)
        _require(filled == 5, f"5 ordered, {filled} filled")
        return f"one order {first.broker_order_id}; other economics are refused"

    async def _cancel(self) -> str:
        resting = self._order(5, order_type=OrderType.LIMIT, limit_price=Decimal(1))
        await self._venue.submit(resting)
        _require(await self._venue.cancel(resting.order_id), "an open order was not cancelled")
        _require(not await self._venue.cancel("no-such-order"), "an unknown order was 'cancelled'")
        done = self._order(1)
        await self._venue.submit(done)
        await self._bar(1)
        _require(not await self._venue.cancel(done.order_id), "a filled order was 'cancelled'")
        view = await self._view(resting)
        _require(view.status is OrderStatus.CANCELED, f"after the cancel it is {view.status}")
        _require(view.filled_quantity == 0, "a fill came after the confirmed cancel")
        return "true for an open order, false for a filled and an unknown one"

    async def _once(self) -> str:
        order = await self._venue.submit(self._order(3))
        bar = await self._bar(102)
        before = await self._fills()
        mine = [fill for fill in before if fill.order_id == order.order_id]
        _require(len(mine) == 1, f"a bar gave a market order {len(mine)} fills")
        if isinstance(self._venue, SimulatedVenue):
            await self._venue.on_bars([bar])
        after = await self._fills()
        _require(before == after, "the same bar had its effect twice")
        ids = {fill.fill_id for fill in after}
        _require(len(ids) == len(after), "two fills have one id")
        return f"{len(after)} fills with {len(ids)} ids"

    async def _positions(self) -> str:
        await self._venue.submit(self._order(4, side=Side.SELL))
        await self._bar(103)
        total = sum((f.signed_quantity for f in await self._fills()), Decimal(0))
        held = sum((p.quantity for p in await self._venue.get_positions()), Decimal(0))
        _require(total == held, f"fills sum to {total}, the position is {held}")
        return f"{held} {_SYMBOL}"

    async def _restart(self) -> str:
        fills, positions = await self._fills(), await self._venue.get_positions()
        await _close(self._venue)
        self._venue = self._connect()
        again = await self._venue.get_positions()
        _require(await self._fills() == fills, "fills changed over a restart")
        held = [(p.symbol, p.quantity, p.average_price) for p in positions]
        _require(
            [(p.symbol, p.quantity, p.average_price) for p in again] == held,
            "positions changed over a restart",
        )
        return f"{len(fills)} fills, {len(held)} positions"


def _told(error: BaseException) -> str:
    if isinstance(error, TimeoutError) and not error.args:
        return f"no answer within {_PATIENCE_S:.0f} s"
    if isinstance(error, (_Failed, BrokerError, ValueError, OSError)):
        return str(error)
    return f"raised {type(error).__name__}: {error}"


async def _close(venue: BrokerProtocol) -> None:
    close = getattr(venue, "close", None)
    if close is not None:
        await close()
