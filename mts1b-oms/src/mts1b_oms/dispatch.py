"""Work parent orders with execution algorithms, by name; every child takes the one path."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any, Protocol

from mts1b_foundation.orders import Order, OrderStatus
from mts1b_oms_algos import AlgoError
from mts1b_platform.clock import Clock
from mts1b_platform.plugins import load_plugin, plugin_names
from mts1b_platform.supervision import OwnedTasks

from mts1b_oms.errors import OmsError, UnknownAlgorithm
from mts1b_oms.orders import OrderService
from mts1b_oms.parents import is_parent, settle_parent

__all__ = ["GROUP", "Algorithm", "Dispatcher", "known_algorithms"]

GROUP = "mts1b.algos"
"""The entry-point group of algorithms."""

_FAILURES = (AlgoError, ValueError, TypeError, LookupError, ArithmeticError)
"""What an algorithm may raise; it ends the parent, never the service."""

_WORKING = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})


class Algorithm(Protocol):
    """Slice a parent into children that sum to it; each child comes when it is due.

    The key of a child is a function of the parent's key and the slice, so a slice that comes
    again after a restart is the same order.
    """

    def __call__(self, parent: Order, *, params: dict[str, Any]) -> AsyncIterator[Order]:
        """Yield the children in the order of their times."""
        ...


def known_algorithms() -> tuple[str, ...]:
    """Return the names of the installed algorithms, sorted."""
    return tuple(plugin_names(GROUP))


class Dispatcher:
    """Run one task for every parent that is being worked.

    :param algorithms: by name, before the installed ones; they take ``start_at``, so that a
        restart keeps to the schedule.
    """

    def __init__(
        self,
        orders: OrderService,
        *,
        tasks: OwnedTasks,
        clock: Clock,
        algorithms: Mapping[str, Algorithm] | None = None,
    ) -> None:
        self._orders = orders
        self._record = orders.record
        self._tasks = tasks
        self._clock = clock
        self._algorithms = dict(algorithms or {})
        self._scheduled = frozenset(self._algorithms)
        self._running: set[str] = set()

    async def submit_algo(self, parent: Order, *, algo: str, params: dict[str, Any]) -> Order:
        """Take a parent order and start working it; return it as recorded.

        :raises UnknownAlgorithm: when no algorithm has the name.
        :raises OrderRefused: when it can not become an order.
        """
        self._algorithm(algo)
        if algo in self._scheduled:
            params = {"start_at": self._clock.now().isoformat()} | params
        order = await self._orders.take_parent(parent, algo=algo, params=params)
        self._start(order, algo, params)
        return order

    def _algorithm(self, name: str) -> Algorithm:
        if name not in self._algorithms:
            if name not in known_algorithms():
                raise UnknownAlgorithm(
                    name, tuple(sorted({*self._algorithms, *known_algorithms()}))
                )
            self._algorithms[name] = load_plugin(GROUP, name)
        return self._algorithms[name]

    async def resume(self) -> None:
        """Go on with every parent that a restart interrupted."""
        for order in list(self._record.open_orders.values()):
            if not is_parent(order):
                continue
            async with self._record.unit() as unit:
                settled = await settle_parent(unit, order.order_id) or order
            stored = await self._record.stored(order.order_id)
            if stored is not None and stored.algo is not None:
                self._start(settled, stored.algo, stored.params)

    def _start(self, parent: Order, algo: str, params: dict[str, Any]) -> None:
        if parent.status in _WORKING and parent.order_id not in self._running:
            self._running.add(parent.order_id)
            self._tasks.start(f"oms.algo.{parent.order_id}", self.work(parent, algo, params))

    async def work(self, parent: Order, algo: str, params: dict[str, Any]) -> None:
        """Submit the children as they come, until one is refused or the parent ends."""
        sent, failure = Decimal(0), ""
        try:
            async for child in self._algorithm(algo)(parent, params=params):
                sent += child.quantity
                if not await self._submit(parent, child, sent):
                    break
        except _FAILURES as error:
            failure = f"{algo}: {error}"
        finally:
            self._running.discard(parent.order_id)
        async with self._record.unit() as unit:
            await settle_parent(unit, parent.order_id, finished=True, failure=failure)

    async def _submit(self, parent: Order, child: Order, sent: Decimal) -> bool:
        """Submit one child; return whether the algorithm may go on."""
        current = await self._record.order(parent.order_id)
        if current is None or current.status not in _WORKING or sent > parent.quantity:
            return False
        try:
            order = await self._orders.submit(child.with_(parent_order_id=parent.order_id))
        except OmsError:
            return False
        return order.status is not OrderStatus.REJECTED

    async def stop(self) -> None:
        """Stop working; a restart goes on."""
        await self._tasks.stop()
