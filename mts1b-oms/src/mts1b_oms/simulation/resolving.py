"""An operator who asks the venue's desk what became of orders in doubt, and says so."""

from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal
from typing import TYPE_CHECKING

from mts1b_brokers.errors import BrokerRefused
from mts1b_foundation.commands import Resolution, ResolveOrder
from mts1b_foundation.nats import CMD_OMS_RESOLVE
from mts1b_foundation.orders import Order, OrderStatus
from mts1b_platform.eventbus.port import BusError
from mts1b_platform.signing import KeyRing

from mts1b_oms.resolve import sign_resolution
from mts1b_oms.simulation.checks import restated_at
from mts1b_oms.simulation.desk import OPERATOR

if TYPE_CHECKING:
    from mts1b_oms.simulation.world import World

__all__ = ["Resolving"]

_PATIENCE_S = 2.0
"""How long an order is in doubt before anybody calls the venue."""
_ANSWERS_WITHIN_S = 2.0


class Resolving:
    """Say of orders in doubt what the venue's desk says on the telephone: the truth."""

    def __init__(self, world: World, keys: KeyRing) -> None:
        self._world = world
        self._keys = keys
        self._bus = world.net.bus("operator")
        self._since: dict[str, float] = {}

    async def work(self) -> None:
        """Look at what is in doubt each second, as long as the world is not quiet."""
        world = self._world
        while not world.quiet:
            await asyncio.sleep(1.0)
            for order in self._waiting():
                if world.rng.random() < world.net.faults.resolve:
                    await self._resolve(order)

    def _waiting(self) -> list[Order]:
        """Return the orders that have been in doubt for long, as the OMS has them."""
        oms = self._world.oms if self._world.processes["oms"].is_up else None
        orders = oms.record.open_orders.values() if oms is not None else ()
        now = self._world.loop.time()
        doubtful = {o.order_id: o for o in orders if o.status is OrderStatus.UNKNOWN}
        self._since = {name: self._since.get(name, now) for name in doubtful}
        return [o for name, o in doubtful.items() if now - self._since[name] >= _PATIENCE_S]

    async def _resolve(self, order: Order) -> None:
        world = self._world
        found = await self._found(order)
        if found is None:
            return
        word = sign_resolution(self._keys, found)
        try:
            data = word.model_dump_json().encode()
            await self._bus.request(CMD_OMS_RESOLVE, data, timeout_s=_ANSWERS_WITHIN_S)
        except BusError as error:
            world.counters.hit(f"resolved by hand: {type(error).__name__}")
            return
        world.counters.hit(f"resolved by hand: {found.resolution.value}")
        world.trace.record(
            world.loop.time(), "resolve", order.order_id, found.resolution, found.filled_quantity
        )

    async def _found(self, order: Order) -> ResolveOrder | None:
        """Return the truth of an order that is over at the venue, or never was there."""
        theirs = await self._at_the_venue(order)
        if theirs is not None and (
            not theirs.is_terminal or theirs.order_id in restated_at(self._world.truth)
        ):
            return None
        resolution = Resolution.NEVER_ARRIVED
        if theirs is not None:
            whole = theirs.filled_quantity >= order.quantity
            resolution = Resolution.FILLED if whole else Resolution.CANCELED
        return ResolveOrder(
            order_id=order.order_id,
            order_version=order.version,
            resolution=resolution,
            filled_quantity=Decimal(0) if theirs is None else theirs.filled_quantity,
            average_price=None if theirs is None else theirs.average_fill_price,
            reason="the venue's desk says so",
            signed_by=OPERATOR,
            requested_at=self._world.loop.clock.now(),
        )

    async def _at_the_venue(self, order: Order) -> Order | None:
        """Return what the desk has; what is open it cancels, every other time, on request."""
        world, paper = self._world, self._world.truth.paper
        theirs = await paper.get_order_by_key(order.idempotency_key)
        if theirs is None or theirs.is_terminal or world.truth.is_closed:
            return theirs
        if world.rng.random() < 0.5:
            with contextlib.suppress(BrokerRefused):
                await paper.cancel(theirs.order_id)
        return await paper.get_order_by_key(order.idempotency_key)
