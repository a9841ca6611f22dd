"""A parent that ends while its algorithm sleeps, and algorithms with mistakes in them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import Order, OrderStatus
from mts1b_foundation.commands import CancelOutcome
from mts1b_oms.parents import ALGORITHM_FAILED
from mts1b_oms_algos.schedule import child_order
from oms_works import Works, resting


@pytest.fixture
async def works(new_desk: Any) -> AsyncIterator[Works]:
    made = Works(await new_desk())
    yield made
    await made.dispatcher.stop()


async def one_open(works: Works, order: Any, count: int = 1) -> list[Order]:
    """Work a parent of eight until so many children of four rest; the algorithm sleeps then."""
    await works.begin(resting(order, quantity=Decimal(8)))
    for number in range(1, count + 1):
        works.slices.due.put_nowait(4)
        await works.until(lambda number=number: len(works.children()) == number)  # type: ignore[misc]
    return works.children()


async def test_a_cancel_without_an_answer_is_asked_again_while_the_algorithm_sleeps(
    works: Works, order: Any
) -> None:
    [child] = await one_open(works, order)
    works.desk.venue.deaf = True
    reply = await works.desk.canceller.cancel("order-parent", actor="operator:ann")
    assert reply.outcome is CancelOutcome.UNKNOWN
    works.desk.venue.deaf = False
    await works.until(lambda: not works.desk.record.open_orders)
    found = await works.desk.record.order(child.order_id)
    assert found.status is OrderStatus.CANCELED


async def test_what_rests_of_a_parent_that_is_filled_does_not_wait_for_the_next_slice(
    works: Works, order: Any
) -> None:
    [first, second] = await one_open(works, order, 2)
    paper = works.desk.venue.paper
    await paper.overfill(first.order_id, quantity=Decimal(9), price=Decimal(100))
    await works.desk.sync.collect()
    await works.until(lambda: not works.desk.record.open_orders)
    found = await works.desk.record.order(second.order_id)
    assert found.status is OrderStatus.CANCELED


class Broken:
    """An algorithm of somebody else's, with a mistake in it."""

    def __init__(self, mistake: object) -> None:
        self.mistake = mistake

    async def __call__(self, parent: Order, *, params: dict[str, Any]) -> AsyncIterator[Any]:
        yield child_order(
            parent, 0, Decimal(4), order_type=parent.order_type, created_at=parent.created_at
        )
        if isinstance(self.mistake, BaseException):
            raise self.mistake
        yield self.mistake


@pytest.mark.parametrize(
    "mistake",
    [
        AttributeError("no such thing"),
        NameError("typo"),
        RuntimeError("what now"),
        AssertionError("never"),
        NotImplementedError("later"),
        KeyError("none"),
        asyncio.CancelledError(),
        None,
        "an order",
    ],
)
async def test_a_mistake_of_an_algorithm_ends_its_parent_and_not_the_oms(
    new_desk: Any, order: Any, mistake: object
) -> None:
    """A restart would take the parent up again, and die of it again."""
    works = Works(await new_desk(), broken=Broken(mistake))
    parent = await works.begin(resting(order, quantity=Decimal(8)), "broken")
    await works.until(lambda: len(works.children()) == 1)
    [child] = works.children()
    await works.fill(child)
    await works.until(lambda: not works.desk.record.open_orders)
    over = await works.desk.record.order(parent.order_id)
    await works.dispatcher.stop()
    assert (over.status, over.filled_quantity) == (OrderStatus.CANCELED, 4)
    assert over.rejected_code == ALGORITHM_FAILED


class Held:
    """An algorithm that holds something until it is closed, and that somebody else refers to."""

    def __init__(self, *, raises: bool = False) -> None:
        self.raises, self.closed = raises, False
        self.made: AsyncIterator[Order] | None = None

    def __call__(self, parent: Order, *, params: dict[str, Any]) -> AsyncIterator[Order]:
        self.made = self._work(parent)
        return self.made

    async def _work(self, parent: Order) -> AsyncIterator[Order]:
        try:
            for number in range(2):
                yield child_order(
                    parent,
                    number,
                    Decimal(4),
                    order_type=parent.order_type,
                    created_at=parent.created_at,
                )
        finally:
            self.closed = True
            if self.raises:
                raise RuntimeError("it can not be closed")


@pytest.mark.parametrize("raises", [False, True])
async def test_an_algorithm_whose_child_ended_it_is_closed(
    new_desk: Any, order: Any, deny: tuple[str, str], raises: bool
) -> None:
    """It was left to the collector of garbage, whenever that came."""
    held = Held(raises=raises)
    works = Works(await new_desk(), held=held)
    works.desk.risk.denials["parent/0"] = deny
    parent = await works.begin(resting(order, quantity=Decimal(8)), algo="held")
    await works.until(lambda: not works.desk.record.open_orders)
    found = await works.desk.record.order(parent.order_id)
    await works.dispatcher.stop()
    assert (found.status, found.rejected_code) == (OrderStatus.CANCELED, ALGORITHM_FAILED)
    assert deny[1] in (found.rejected_reason or "")
    assert held.closed
    assert works.failed == []
