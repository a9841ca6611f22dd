"""A dispatcher over a desk, and an algorithm that the test tells what to yield."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from functools import partial
from typing import Any

from mts1b_foundation import Order
from mts1b_oms.dispatch import Algorithm, Dispatcher
from mts1b_oms.refusals import last_try
from mts1b_oms_algos import Iceberg
from mts1b_oms_algos.schedule import child_order
from mts1b_platform.supervision import OwnedTasks, TaskGroupSupervisor


class Slices:
    """An algorithm that yields a child of a given size for each word it is given."""

    def __init__(self) -> None:
        self.asked = 0
        self.due: asyncio.Queue[int | None] = asyncio.Queue()

    async def __call__(self, parent: Order, *, params: dict[str, Any]) -> AsyncIterator[Order]:
        self.asked += 1
        number = 0
        while (quantity := await self.due.get()) is not None:
            yield child_order(
                parent,
                number,
                Decimal(quantity),
                order_type=parent.order_type,
                created_at=parent.created_at,
            )
            number += 1


class Works:
    """A desk with a dispatcher over it."""

    def __init__(self, desk: Any, **algorithms: Algorithm) -> None:
        self.desk, self.slices = desk, Slices()
        self.failed: list[Exception] = []
        supervisor = TaskGroupSupervisor(lambda name, error: self.failed.append(error))
        self.dispatcher = Dispatcher(
            desk.orders,
            cancel=desk.canceller.cancel,
            tasks=OwnedTasks(supervisor),
            clock=desk.clock,
            restoration=desk.restoration,
            algorithms={"slices": self.slices, "other": self.slices, **algorithms},
        )

    async def begin(self, parent: Order, algo: str = "slices", **params: Any) -> Order:
        return await self.dispatcher.submit_algo(parent, algo=algo, params=params)

    async def until(self, holds: Callable[[], bool], *, seconds: int = 100) -> None:
        """Let the algorithm run until something holds; a second passes now and then."""
        for step in range(20 * seconds):
            if self.failed:
                raise self.failed[0]
            if holds():
                return
            await asyncio.sleep(0)
            if step % 20 == 19:
                self.desk.clock.advance(1.0)
        raise AssertionError("it never came to hold")

    def children(self) -> list[Order]:
        return [o for o in self.desk.record.open_orders.values() if o.parent_order_id is not None]

    async def fill(self, child: Order) -> None:
        """Let the venue execute all of a child."""
        paper = self.desk.venue.paper
        await paper.overfill(child.order_id, quantity=child.quantity, price=Decimal(100))
        await self.desk.sync.collect()


def with_iceberg(desk: Any) -> Works:
    look = partial(last_try, desk.record)
    return Works(desk, iceberg=Iceberg(desk.clock, look).execute)


def resting(order: Any, **words: Any) -> Order:
    made: Order = order("parent", order_type="limit", limit_price=Decimal(90), **words)
    return made
