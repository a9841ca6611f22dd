"""Parents and the algorithms that work them: when there are children, and how a parent ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import DenyCode, OrderStatus, OrderType, Side
from mts1b_foundation.commands import CancelOutcome
from mts1b_oms.errors import OrderRefused
from mts1b_oms.parents import PARENT
from mts1b_oms.transitions import OrderEvent
from mts1b_oms_algos.schedule import child_order
from mts1b_platform.halt import SendLease
from oms_works import Works, resting


@pytest.fixture
async def works(new_desk: Any) -> AsyncIterator[Works]:
    made = Works(await new_desk())
    yield made
    await made.dispatcher.stop()


async def test_a_parent_ends_with_its_last_child_also_when_a_later_one_was_refused(
    works: Works, order: Any, deny: tuple[str, str]
) -> None:
    """Every fourth seed of the simulator had such a parent, partly filled for ever."""
    parent = await works.begin(resting(order, quantity=Decimal(10)))
    works.slices.due.put_nowait(4)
    await works.until(lambda: len(works.children()) == 1)
    works.desk.risk.denials[f"{parent.idempotency_key}/1"] = deny
    works.slices.due.put_nowait(4)
    await works.until(lambda: works.desk.risk.asked == 2)
    [first] = works.children()
    await works.fill(first)
    await works.until(lambda: not works.desk.record.open_orders)
    ended = await works.desk.record.order(parent.order_id)
    assert (ended.status, ended.filled_quantity) == (OrderStatus.CANCELED, 4)


async def test_a_parent_that_one_child_filled_too_much_leaves_no_other_child_open(
    works: Works, order: Any
) -> None:
    """Seed 18 of 80 orders: the venue executed too much of one child, and another one rested on."""
    parent = await works.begin(resting(order, quantity=Decimal(8)))
    for count in (1, 2):
        works.slices.due.put_nowait(4)
        await works.until(lambda count=count: len(works.children()) == count)  # type: ignore[misc]
    [first, second] = works.children()
    paper = works.desk.venue.paper
    await paper.overfill(first.order_id, quantity=Decimal(9), price=Decimal(100))
    await works.desk.sync.collect()
    works.slices.due.put_nowait(None)
    await works.until(lambda: not works.desk.record.open_orders)
    ended = [await works.desk.record.order(o.order_id) for o in (parent, second)]
    assert [o.status for o in ended] == [OrderStatus.FILLED, OrderStatus.CANCELED]


async def test_a_gate_that_is_closed_for_a_while_ends_no_algorithm(
    works: Works, order: Any
) -> None:
    await works.begin(resting(order, quantity=Decimal(4)))
    works.desk.gate.close("a test")
    works.slices.due.put_nowait(4)
    works.desk.clock.advance(5.0)
    await works.until(lambda: works.desk.clock.monotonic() > 20.0)
    assert works.children() == []
    works.desk.gate.open()
    await works.until(lambda: len(works.children()) == 1)


async def test_without_a_lease_an_algorithm_waits_and_what_was_taken_is_not_given_up(
    works: Works, order: Any
) -> None:
    """Operations may start after the OMS: every child that a restart went on with was refused."""
    desk = works.desk
    await works.begin(resting(order, quantity=Decimal(4)))
    async with desk.record.unit() as unit:
        taken = order("taken")
        unit.create(taken)
        unit.change(taken, OrderEvent.RISK_ASKED)
    desk.gateway.lease = SendLease(desk.clock)
    works.slices.due.put_nowait(4)
    await works.until(lambda: desk.clock.monotonic() > 20.0)
    assert works.children() == []
    assert (await desk.orders.carry_on(taken.order_id)).status is OrderStatus.PENDING_RISK
    desk.gateway.lease = SendLease.unlimited()
    await works.until(lambda: len(works.children()) == 1)
    assert (await desk.orders.carry_on(taken.order_id)).status is OrderStatus.ACCEPTED


async def test_a_restart_behind_a_closed_gate_goes_on_when_it_opens(
    works: Works, order: Any
) -> None:
    await works.begin(resting(order, quantity=Decimal(4)))
    await works.dispatcher.stop()
    again = Works(await works.desk.reopen())
    again.desk.gate.close("a test")
    await again.dispatcher.resume()
    again.slices.due.put_nowait(4)
    await again.until(lambda: again.slices.asked == 1)
    assert again.children() == []
    again.desk.gate.open()
    await again.until(lambda: len(again.children()) == 1)
    await again.dispatcher.stop()
    assert [child.idempotency_key for child in again.children()] == ["parent/0"]


async def test_a_cancel_that_a_restart_interrupted_reaches_every_child(
    works: Works, order: Any
) -> None:
    parent = await works.begin(resting(order, quantity=Decimal(8)))
    works.slices.due.put_nowait(4)
    await works.until(lambda: len(works.children()) == 1)
    await works.desk.canceller._ask(parent, "and then the power went")
    await works.dispatcher.stop()
    again = Works(await works.desk.reopen())
    await again.dispatcher.resume()
    await again.until(lambda: not again.desk.record.open_orders)
    assert again.slices.asked == 0
    await again.dispatcher.stop()


async def test_no_child_is_recorded_once_its_parent_is_being_cancelled(
    works: Works, order: Any
) -> None:
    """The algorithm looked at its parent a moment before the cancel."""
    parent = await works.begin(resting(order, quantity=Decimal(8)))
    child = child_order(
        parent, 0, Decimal(4), order_type=parent.order_type, created_at=parent.created_at
    )
    reply = await works.desk.canceller.cancel(parent.order_id, actor="operator:ann")
    assert reply.outcome is CancelOutcome.CONFIRMED
    late = await works.desk.orders.submit(child)
    assert (late.status, late.rejected_code) == (OrderStatus.REJECTED, PARENT)
    assert works.desk.venue.submitted == []


async def test_i6_children_never_sum_to_more_than_their_parent(works: Works, order: Any) -> None:
    parent = await works.begin(resting(order, quantity=Decimal(8)))
    for number, (quantity, fits) in enumerate(((5, True), (4, False), (3, True))):
        child = child_order(
            parent,
            number,
            Decimal(quantity),
            order_type=parent.order_type,
            created_at=parent.created_at,
        )
        made = await works.desk.orders.submit(child)
        assert (made.rejected_code is None) is fits
        works.desk.clock.advance(1.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"side": Side.SELL},
        {"symbol": "NDX"},
        {"strategy_id": "parity"},
        {"limit_price": Decimal("90.01")},
        {"order_type": OrderType.MARKET, "limit_price": None},
    ],
)
async def test_a_child_is_of_its_parents_side_symbol_owner_and_limit(
    works: Works, order: Any, changes: dict[str, Any]
) -> None:
    """An algorithm of somebody else's may yield anything."""
    parent = await works.begin(resting(order, quantity=Decimal(8)))
    child = child_order(
        parent, 0, Decimal(4), order_type=parent.order_type, created_at=parent.created_at
    )
    made = await works.desk.orders.submit(child.with_(**changes))
    assert (made.status, made.rejected_code) == (OrderStatus.REJECTED, PARENT)
    assert works.desk.venue.submitted == []


async def test_an_order_at_the_venue_is_nobodys_parent(works: Works, order: Any) -> None:
    """A stop that names its entry as parent took the entry's fills, and then the entry itself."""
    desk = works.desk
    entry = await desk.orders.submit(resting(order, quantity=Decimal(10)))
    rest = {"order_type": "limit", "limit_price": Decimal(90), "quantity": Decimal(10)}
    stop = await desk.orders.submit(order("stop", parent_order_id=entry.order_id, **rest))
    await works.fill(stop)
    current = await desk.record.order(entry.order_id)
    assert (current.status, current.filled_quantity) == (OrderStatus.ACCEPTED, 0)
    await desk.canceller.cancel(stop.order_id, actor="operator:ann")
    other = await desk.orders.submit(order("other", parent_order_id=entry.order_id, **rest))
    await desk.canceller.cancel(other.order_id, actor="operator:ann")
    await desk.sync.collect()
    assert (await desk.record.order(entry.order_id)).status is OrderStatus.ACCEPTED
    assert [o.order_id for o in await desk.venue.paper.get_open_orders()] == [entry.order_id]


async def test_a_key_is_worked_in_one_way(works: Works, order: Any) -> None:
    """A plain order's key with an algorithm would have sent the children beside the order."""
    plain = await works.desk.orders.submit(resting(order))
    assert plain.status is OrderStatus.ACCEPTED
    parent = order("worked", order_type="limit", limit_price=Decimal(90))
    taken = await works.begin(parent, pace="slow")
    assert await works.begin(parent, pace="slow") == taken
    asked = works.slices.asked
    for other in (
        works.begin(resting(order)),
        works.begin(parent, algo="other", pace="slow"),
        works.begin(parent, pace="fast"),
        works.desk.orders.submit(parent),
    ):
        with pytest.raises(OrderRefused) as caught:
            await other
        assert caught.value.code == DenyCode.KEY_REUSE_MISMATCH
    assert works.slices.asked == asked
