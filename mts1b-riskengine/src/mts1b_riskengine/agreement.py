"""Compare what risk holds with what the OMS has: nobody tells the end of an order that is lost.

A record of the OMS that was put back from a backup has forgotten orders, and what it says of the
others is older than what risk has heard. What is reserved would narrow every cap for ever.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mts1b_foundation import Order
from mts1b_foundation.commands import OrdersQuery, OrdersReply
from mts1b_platform.clock import Clock
from mts1b_platform.eventbus.port import BusError

from mts1b_riskengine.engine import RiskEngine

__all__ = ["LOOK_EVERY_S", "OrderAgreement"]

LOOK_EVERY_S = 15.0
_OLD_S = 45.0
"""Younger reservations are left alone: their order may be on its way in either direction."""

Ask = Callable[[OrdersQuery], Awaitable[OrdersReply]]


class OrderAgreement:
    """Take over what the OMS has of orders where what risk heard of them is out of step.

    Twice in a row, some time apart, the OMS must say the same: that it has no such order, that it
    is over, or that it is open at a version older than the one known here. A record that is not
    complete says nothing.

    :param ask: asks the running OMS.
    :param clock: the engine's.
    """

    def __init__(self, engine: RiskEngine, ask: Ask, *, clock: Clock, log: Any) -> None:
        self._engine = engine
        self._ask = ask
        self._clock = clock
        self._log = log
        self._since: dict[str, float] = {}
        self._odd: dict[str, Order | None] = {}

    async def look(self) -> tuple[str, ...]:
        """Compare once; return the orders whose reservation follows the OMS now."""
        now, held = self._clock.monotonic(), self._engine.book.reservations.open_ids()
        self._since = {order_id: self._since.get(order_id, now) for order_id in held}
        self._engine.note_checks()
        old = [order_id for order_id in held if now - self._since[order_id] >= _OLD_S]
        if not old:
            return ()
        try:
            odd = await self._odd_among(old)
        except BusError:
            return ()
        before, self._odd = self._odd, odd
        again = [name for name, told in odd.items() if name in before and before[name] == told]
        return tuple([name for name in again if await self._agree(name, odd[name], now)])

    async def _odd_among(self, order_ids: list[str]) -> dict[str, Order | None]:
        """Return what the OMS has of those orders that are out of step here; None: nothing."""
        opened = await self._ask(OrdersQuery(open_only=True))
        if not opened.complete:
            return {}
        known = {order.order_id: order for order in opened.orders}
        odd: dict[str, Order | None] = {}
        for order_id in order_ids:
            told = known.get(order_id)
            if told is None:
                found = await self._ask(OrdersQuery(order_id=order_id))
                if found.complete:
                    odd[order_id] = found.orders[0] if found.orders else None
                continue
            reservation = self._engine.book.reservations.get(order_id)
            if reservation is not None and told.version < reservation.version:
                odd[order_id] = told
        return odd

    async def _agree(self, order_id: str, told: Order | None, asked_at: float) -> bool:
        agreed = await self._engine.agree(order_id, told, asked_at=asked_at)
        if agreed:
            self._log.error(
                "risk and the OMS differed on an order, as after restoring a backup: what the OMS "
                "has counts",
                order_id=order_id,
                has=f"{told.status.value} at version {told.version}" if told else "nothing",
            )
        return agreed
