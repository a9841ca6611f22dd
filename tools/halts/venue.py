"""The simulated venue behind a message limit that is used up now and then."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from mts1b_brokers.errors import BrokerRefused
from mts1b_brokers.simulation import SimVenue, TrueVenue
from mts1b_foundation.orders import Order
from mts1b_platform.ratelimit import RateLimiter
from mts1b_platform.simulation import SimNet

__all__ = ["LimitedVenue"]


class LimitedVenue(SimVenue):
    """A venue that refuses orders above its message limit; cancels have a budget of their own.

    :param queues: a planted fault: the adapter waits for its limit instead, after the gateway has
        looked at the halts, so that what it sends then leaks.
    """

    def __init__(
        self,
        truth: TrueVenue,
        net: SimNet,
        watch: Callable[[Order], None],
        watch_change: Callable[[str, Decimal], None],
        *,
        orders: RateLimiter,
        cancels: RateLimiter,
        queues: bool = False,
    ) -> None:
        super().__init__(truth, net, watch, watch_change)
        self._orders, self._cancels, self._queues = orders, cancels, queues

    async def submit(self, order: Order) -> Order:
        """Submit; above the limit the venue refuses, after the order was on the wire."""
        if self._queues:
            await self._orders.acquire()
        elif not await self._orders.try_acquire():
            self._watch(order)
            self._net.counters.hit("limiter exhausted")
            raise BrokerRefused("too many messages", code="RATE_LIMITED")
        return await super().submit(order)

    async def cancel(self, order_id: str) -> bool:
        """Cancel, within the budget that orders can not use up."""
        await self._cancels.acquire()
        return await super().cancel(order_id)
