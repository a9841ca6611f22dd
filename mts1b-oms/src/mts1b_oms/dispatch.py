"""Work parent orders with execution algorithms, by name; every child takes the one path."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from mts1b_foundation.orders import Order, OrderStatus
from mts1b_foundation.risk import DenyCode
from mts1b_oms_algos import AlgoError
from mts1b_platform.clock import Clock
from mts1b_platform.plugins import PluginBroken, PluginMissing, load_plugin, plugin_names
from mts1b_platform.supervision import OwnedTasks

from mts1b_oms.errors import (
    OrderRefused,
    Overloaded,
    ReconciliationMismatch,
    UnknownAlgorithm,
)
from mts1b_oms.orders import OrderService
from mts1b_oms.parents import WORKING, is_parent, settle_parent
from mts1b_oms.tables.orders import StoredOrder

__all__ = ["GROUP", "Algorithm", "Dispatcher", "known_algorithms"]

GROUP = "mts1b.algos"
"""The entry-point group of algorithms."""

_FAILURES = (
    AlgoError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    OrderRefused,
    UnknownAlgorithm,
    PluginBroken,
    PluginMissing,
)
"""What an algorithm may raise, and what is wrong with its children for good; it ends the parent,
never the service."""

_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
Cancel = Callable[..., Awaitable[object]]
"""Cancels an order as :meth:`mts1b_oms.cancels.Canceller.cancel` does."""


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

    :param cancel: takes back a child.
    :param algorithms: by name, before the installed ones; they take ``start_at``, so that a
        restart keeps to the schedule.
    """

    def __init__(
        self,
        orders: OrderService,
        *,
        cancel: Cancel,
        tasks: OwnedTasks,
        clock: Clock,
        algorithms: Mapping[str, Algorithm] | None = None,
    ) -> None:
        self._orders = orders
        self._record = orders.record
        self._cancel = cancel
        self._tasks = tasks
        self._clock = clock
        self._algorithms = dict(algorithms or {})
        self._scheduled = frozenset(self._algorithms)
        self._running: set[str] = set()

    async def submit_algo(self, parent: Order, *, algo: str, params: dict[str, Any]) -> Order:
        """Take a parent order and start working it; return it as recorded.

        The same key, algorithm and parameters again are the same order.

        :raises UnknownAlgorithm: when no algorithm has the name.
        :raises OrderRefused: when it can not become an order; ``KEY_REUSE_MISMATCH`` when its key
            is of an order that is worked in another way, or not here at all.
        """
        self._algorithm(algo)
        kept = params
        if algo in self._scheduled:
            kept = {"start_at": self._clock.now().isoformat()} | params
        order = await self._orders.take_parent(parent, algo=algo, params=kept)
        stored = await self._record.stored(order.order_id)
        if stored is None or not _is_same_work(stored, algo, params):
            raise OrderRefused(
                DenyCode.KEY_REUSE_MISMATCH,
                f"key {parent.idempotency_key!r} belongs to order {order.order_id}, which is not "
                f"worked by {algo} in this way; use a new key",
            )
        self._start(order, stored)
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
        for order_id in self._at_work():
            async with self._record.unit() as unit:
                parent = await settle_parent(unit, order_id)
            stored = await self._record.stored(order_id)
            if parent is not None and stored is not None:
                self._start(parent, stored)

    def _at_work(self) -> list[str]:
        """Return the parents that are open, and those that are not and have open children."""
        opened = self._record.open_orders.values()
        parents = [order.order_id for order in opened if is_parent(order)]
        parents += [order.parent_order_id for order in opened if order.parent_order_id is not None]
        return list(dict.fromkeys(parents))

    def _open_children(self, parent_id: str) -> list[Order]:
        opened = self._record.open_orders.values()
        return [order for order in opened if order.parent_order_id == parent_id]

    def _start(self, parent: Order, stored: StoredOrder) -> None:
        """Work a parent, or see to the end of its children."""
        over = parent.is_terminal and not self._open_children(parent.order_id)
        if over or stored.algo is None or parent.order_id in self._running:
            return
        self._running.add(parent.order_id)
        work = self.work(parent, stored.algo, stored.params)
        self._tasks.start(f"oms.algo.{parent.order_id}", work)

    async def work(self, parent: Order, algo: str, params: dict[str, Any]) -> None:
        """Submit the children as they come, and end the parent when the last of them has ended."""
        try:
            failure = ""
            if parent.status in WORKING:
                failure = await self._slice(parent, algo, params)
            await self._end(parent.order_id, failure)
        finally:
            self._running.discard(parent.order_id)

    async def _slice(self, parent: Order, algo: str, params: dict[str, Any]) -> str:
        """Submit children until one is refused or the parent ends; return what failed, or ''."""
        sent = Decimal(0)
        try:
            async for child in self._algorithm(algo)(parent, params=params):
                sent += child.quantity
                if not await self._submit(parent, child, sent):
                    break
        except _FAILURES as error:
            return f"{algo}: {error}"
        return ""

    async def _submit(self, parent: Order, child: Order, sent: Decimal) -> bool:
        """Submit one child; return whether the algorithm may go on.

        While nothing may leave at all, it waits: that says nothing against the child.
        """
        while True:
            current = await self._record.order(parent.order_id)
            if current is None or current.status not in WORKING or sent > parent.quantity:
                return False
            if self._orders.may_send:
                with contextlib.suppress(ReconciliationMismatch, Overloaded):
                    order = await self._orders.submit(child.with_(parent_order_id=parent.order_id))
                    return order.status is not OrderStatus.REJECTED
            await self._clock.sleep(_PAUSE_S)

    async def _end(self, parent_id: str, failure: str) -> None:
        """End a parent that will have no more children, once all of them have ended.

        Children that are still open of a parent that is being cancelled, or that has filled
        without them (one filled too much), are cancelled, again and again.
        """
        pause = _PAUSE_S
        while True:
            async with self._record.unit() as unit:
                parent = await settle_parent(unit, parent_id, finished=True, failure=failure)
            opened = self._open_children(parent_id)
            if parent is None or (parent.is_terminal and not opened):
                return
            if parent.is_terminal or parent.status is OrderStatus.PENDING_CANCEL:
                for child in opened:
                    reason = f"its parent is {parent.status.value}"
                    await self._cancel(child.order_id, actor="oms", reason=reason)
            await self._clock.sleep(pause)
            pause = min(2.0 * pause, _LONGEST_PAUSE_S)

    async def stop(self) -> None:
        """Stop working; a restart goes on."""
        await self._tasks.stop()


def _is_same_work(stored: StoredOrder, algo: str, params: dict[str, Any]) -> bool:
    """Tell whether an order is worked as is asked for, whatever was not asked for."""
    asked: dict[str, Any] = json.loads(json.dumps(params, default=str))
    return stored.algo == algo and stored.params == stored.params | asked
