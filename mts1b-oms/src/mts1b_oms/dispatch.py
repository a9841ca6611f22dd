"""Work parent orders with execution algorithms, by name; every child takes the one path."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from mts1b_foundation.orders import Order, OrderStatus
from mts1b_foundation.risk import DenyCode
from mts1b_oms_algos import AlgoError
from mts1b_oms_algos.schedule import exact_sum
from mts1b_platform.clock import Clock
from mts1b_platform.plugins import PluginBroken, PluginMissing, load_plugin, plugin_names
from mts1b_platform.store import StoreError
from mts1b_platform.supervision import OwnedTasks, end_tasks
from sqlalchemy.exc import SQLAlchemyError

from mts1b_oms.errors import (
    OrderRefused,
    Overloaded,
    ReconciliationMismatch,
    UnknownAlgorithm,
)
from mts1b_oms.orders import OrderService
from mts1b_oms.outcomes import CouldNotLook
from mts1b_oms.parents import WORKING, is_parent, settle_parent
from mts1b_oms.refusals import (
    MOST_TRIES,
    next_try,
    passes,
    tries_of,
    try_number,
    why_refused,
)
from mts1b_oms.restored import Restoration
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
_WATCH_S = 5.0
_CLOSES_WITHIN_S = 1.0
_NO_MORE = object()
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


class _Over(Exception):
    """A parent may have no more children.

    :ivar failure: what ended its algorithm; empty where nothing failed.
    """

    def __init__(self, failure: str = "") -> None:
        self.failure = failure
        super().__init__(failure)


class Dispatcher:
    """Run one task for every parent that is being worked.

    A child that is refused for a reason of the moment holds its algorithm back and is tried again,
    under another key, after pauses that grow to half a minute; any other refusal ends it.

    :param cancel: takes back a child.
    :param restoration: knows whether a parent may be one that the record lost.
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
        restoration: Restoration,
        algorithms: Mapping[str, Algorithm] | None = None,
    ) -> None:
        self._restoration = restoration
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
        self._restoration.note_parent(parent.idempotency_key)
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
        """Go on with every parent that a restart interrupted.

        And go on looking: what a restored record has lost, the venue may show after its parent's
        end.
        """
        await self._take_up()
        self._tasks.start("oms.algo.lost", self._watch())

    async def _watch(self) -> None:
        while True:
            await self._clock.sleep(_WATCH_S)
            await self._take_up()

    async def _take_up(self) -> None:
        """Work every parent at work that has no task here."""
        for order_id in self._at_work():
            stored = await self._record.stored(order_id)
            if stored is None or stored.algo is None:
                continue
            async with self._record.unit() as unit:
                parent = await settle_parent(unit, order_id) or stored.order
            self._start(parent, stored)

    def _at_work(self) -> list[str]:
        """Return the parents that are open, and those that are not and have open children."""
        opened = self._record.open_orders.values()
        parents = [order.order_id for order in opened if is_parent(order)]
        parents += [order.parent_order_id for order in opened if order.parent_order_id is not None]
        return [parent for parent in dict.fromkeys(parents) if parent not in self._running]

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
        """Submit children until one, or the parent, ends it; return what failed, or ''."""
        sent = Decimal(0)
        held_until: datetime | None = None
        coming: AsyncIterator[Order] | None = None
        try:
            coming = self._algorithm(algo)(parent, params=params)
            while (child := await self._next(parent, algo, coming)) is not None:
                sent = exact_sum((sent, child.quantity))
                if sent > parent.quantity:
                    return f"{algo}: its children sum to {sent} of {parent.quantity}"
                if held_until is not None and child.created_at < held_until:
                    child = child.with_(created_at=held_until)
                if await self._place(parent, child.with_(parent_order_id=parent.order_id)):
                    held_until = self._clock.now()
        except _Over as over:
            return over.failure
        except _FAILURES as error:
            return f"{algo}: {error}"
        finally:
            await _close(coming)
        return ""

    async def _next(self, parent: Order, algo: str, children: AsyncIterator[Order]) -> Order | None:
        """Return the next child, None after the last one; meanwhile look whether the parent ends.

        The algorithm may be somebody else's: whatever it raises ends its parent alone. What the
        record raises, which it may look at, does not count as its own.

        :raises _Over: when the parent has ended, or the algorithm has failed.
        """
        asked: asyncio.Task[Any] = asyncio.create_task(_step(children))
        tasks = [asked]
        try:
            while not asked.done():
                await self._require_working(parent, may_be_late=True)
                pause: asyncio.Task[Any] = asyncio.create_task(self._clock.sleep(_PAUSE_S))
                tasks = [asked, pause]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                pause.cancel()
        finally:
            await end_tasks(tasks)
        if asked.cancelled():
            raise _Over(f"{algo}: it cancelled itself")
        error = asked.exception()
        if isinstance(error, StoreError | SQLAlchemyError):
            raise error
        if isinstance(error, AlgoError):
            raise _Over(f"{algo}: {error}")
        if error is not None:
            raise _Over(f"{algo}: {type(error).__name__}: {error}")
        child = asked.result()
        if child is _NO_MORE or isinstance(child, Order):
            return child if isinstance(child, Order) else None
        raise _Over(f"{algo}: {child!r} is no order")

    async def _place(self, parent: Order, child: Order) -> bool:
        """Submit one child, again where it is refused for the moment; return whether it was.

        :raises _Over: when there can be no such child, and none after it.
        """
        pause, held = _PAUSE_S, False
        while True:
            placed = await self._submit(parent, child)
            if placed.status is not OrderStatus.REJECTED:
                return held
            if not passes(placed) or try_number(child) + 1 >= MOST_TRIES:
                raise _Over(why_refused(placed))
            child = next_try(child, self._clock.now())
            if await self._record.order(child.order_id) is None:
                await self._hold(parent, pause)
                child, held = child.with_(created_at=self._clock.now()), True
            pause = min(2.0 * pause, _LONGEST_PAUSE_S)

    async def _submit(self, parent: Order, child: Order) -> Order:
        """Submit one child and return it as recorded.

        One that was refused before a restart stays so, also where other terms are due by now.
        While nothing may leave at all, it waits: that says nothing against the child.
        """
        known = await self._record.order(child.order_id)
        if known is not None and known.status is OrderStatus.REJECTED:
            return known
        if known is None and self._restoration.may_have_lost(parent.idempotency_key):
            await self._require_untried(parent, child)
        while True:
            await self._require_working(parent, may_be_late=known is not None)
            if self._orders.may_send:
                with contextlib.suppress(ReconciliationMismatch, Overloaded):
                    return await self._orders.submit(child)
            await self._clock.sleep(_PAUSE_S)

    async def _require_untried(self, parent: Order, child: Order) -> None:
        """Return when the venue has no other try of a child's slice that a restored record lost.

        :raises _Over: where it has one, or nobody can tell.
        """
        for other in tries_of(child):
            known = await self._record.order(other.order_id)
            sent = known is not None and known.status is not OrderStatus.REJECTED
            if sent or other.order_id == child.order_id:
                continue
            found = await self._orders.forgotten(other)
            for _ in range(MOST_TRIES):
                if not isinstance(found, CouldNotLook):
                    break
                await self._hold(parent, _LONGEST_PAUSE_S)
                found = await self._orders.forgotten(other)
            if found is not None:
                what = f"is in doubt: {found.reason}" if isinstance(found, CouldNotLook) else "left"
                raise _Over(f"before the record was put back {other.idempotency_key} {what}")

    async def _hold(self, parent: Order, seconds: float) -> None:
        """Let some time pass, unless the parent ends meanwhile."""
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0.0:
            await self._clock.sleep(min(left, _PAUSE_S))
            await self._require_working(parent)

    async def _require_working(self, parent: Order, *, may_be_late: bool = False) -> None:
        """Return while a parent may have more children.

        :param may_be_late: also after the parent's time, as for a child that is on record.
        :raises _Over: when it may not.
        """
        current = await self._record.order(parent.order_id)
        if current is None or current.status not in WORKING:
            raise _Over
        ends = None if may_be_late else parent.expires_at
        if ends is not None and self._clock.now() >= ends:
            raise _Over(f"it expired at {ends.isoformat()}")

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


async def _step(children: AsyncIterator[object]) -> object:
    """Return what an algorithm yields next."""
    return await anext(children, _NO_MORE)


async def _close(children: AsyncIterator[object] | None) -> None:
    """Let an algorithm give back what it holds; what it raises then says nothing any more."""
    close = getattr(children, "aclose", None)
    if close is None:
        return
    closing = asyncio.create_task(_called(close))
    await asyncio.wait([closing], timeout=_CLOSES_WITHIN_S)
    await end_tasks([closing])


async def _called(close: Callable[[], Awaitable[None]]) -> None:
    await close()


def _is_same_work(stored: StoredOrder, algo: str, params: dict[str, Any]) -> bool:
    """Tell whether an order is worked as is asked for, whatever was not asked for."""
    asked: dict[str, Any] = json.loads(json.dumps(params, default=str))
    return stored.algo == algo and stored.params == stored.params | asked
