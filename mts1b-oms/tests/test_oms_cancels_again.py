"""A cancel that got no answer is asked again until the venue has one, whoever asked and is gone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import Order, OrderStatus, OrderType, TimeInForce
from mts1b_foundation.commands import CancelOutcome
from mts1b_oms.transitions import OrderEvent
from test_oms_doubt import doubt_of, go_on


async def resting(desk: Any, order: Any) -> Order:
    sent: Order = await desk.orders.submit(
        order(
            "k-1",
            order_type=OrderType.LIMIT,
            limit_price=Decimal(50),
            tif=TimeInForce.GTC,
        )
    )
    return sent


async def test_a_cancel_that_never_arrived_is_asked_again(new_desk: Any, order: Any) -> None:
    """It stayed pending for ever, and the order open at the venue."""
    desk = await new_desk()
    sent = await resting(desk, order)
    desk.venue.deaf = True
    reply = await desk.canceller.cancel(sent.order_id, actor="operator:ann")
    assert reply.outcome is CancelOutcome.UNKNOWN
    work = doubt_of(desk)
    await go_on(desk, work, 10.0)
    assert (await desk.record.order(sent.order_id)).status is OrderStatus.PENDING_CANCEL
    assert work.waiting == (sent.order_id,)

    desk.venue.deaf = False
    await go_on(desk, work, 31.0)

    assert (await desk.record.order(sent.order_id)).status is OrderStatus.CANCELED
    assert await desk.venue.paper.get_open_orders() == []
    assert work.waiting == ()


async def test_a_cancel_that_a_crash_kept_from_the_wire_is_asked_after_the_restart(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    sent = await resting(desk, order)
    async with desk.record.unit() as unit:
        unit.change(sent, OrderEvent.CANCEL_ASKED, detail="operator:ann: changed mind")
    desk = await desk.reopen()
    await go_on(desk, doubt_of(desk), 2.0)
    assert (await desk.record.order(sent.order_id)).status is OrderStatus.CANCELED
    assert await desk.venue.paper.get_open_orders() == []


@pytest.mark.parametrize("working", ["a parent", "what the venue keeps"])
async def test_what_an_algorithm_works_and_what_stays_open_are_left_as_they_are(
    new_desk: Any, order: Any, working: str
) -> None:
    desk = await new_desk()
    if working == "a parent":
        parent = await desk.orders.take_parent(order("parent"), algo="slices", params={})
        async with desk.record.unit() as unit:
            unit.change(parent, OrderEvent.CANCEL_ASKED)
        await go_on(desk, doubt_of(desk), 5.0)
        found = await desk.record.order(parent.order_id)
        assert found.status is OrderStatus.PENDING_CANCEL, "its algorithm sees to that"
        return
    sent = await resting(desk, order)

    async def kept(order_id: str) -> bool:
        return False

    desk.venue.cancel = kept
    await desk.canceller.cancel(sent.order_id, actor="operator:ann")
    await go_on(desk, doubt_of(desk), 5.0)
    assert (await desk.record.order(sent.order_id)).status is OrderStatus.ACCEPTED
