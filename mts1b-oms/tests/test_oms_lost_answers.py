"""Answers to cancels that never come, from a venue that can be asked and from one that can not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mts1b_foundation import Order, OrderStatus, OrderType, TimeInForce
from mts1b_foundation.commands import CancelOutcome


def resting(order: Any, key: str = "k-1") -> Order:
    return order(key, order_type=OrderType.LIMIT, limit_price=Decimal(50), tif=TimeInForce.GTC)


async def test_c2_a_lost_cancel_of_an_order_that_the_venue_shows_open_is_no_cancel(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(resting(order))
    heard = desk.venue.cancel

    async def lost(order_id: str) -> bool:
        raise TimeoutError("504")

    desk.venue.cancel = lost
    reply = await desk.canceller.cancel(sent.order_id, actor="operator:ann")
    assert (reply.outcome, reply.order.status) == (
        CancelOutcome.UNKNOWN,
        OrderStatus.PENDING_CANCEL,
    )
    assert list(desk.record.open_orders) == [sent.order_id]
    assert len(await desk.venue.get_open_orders()) == 1

    desk.venue.cancel = heard
    again = await desk.canceller.cancel(sent.order_id, actor="operator:ann")
    assert again.outcome is CancelOutcome.CONFIRMED
    assert desk.record.open_orders == {}


async def test_c2_a_cancel_that_was_made_and_whose_answer_was_lost_is_found(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(resting(order))

    async def made(order_id: str) -> bool:
        await desk.venue.paper.cancel(order_id)
        raise TimeoutError("504")

    desk.venue.cancel = made
    reply = await desk.canceller.cancel(sent.order_id, actor="operator:ann")
    assert (reply.outcome, reply.order.status) == (CancelOutcome.CONFIRMED, OrderStatus.CANCELED)


async def test_what_may_still_be_open_is_listed_where_the_venue_lists_nothing(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(resting(order))

    async def silent() -> list[Order]:
        raise TimeoutError("504")

    desk.venue.deaf, desk.venue.get_open_orders = True, silent
    reply = await desk.canceller.cancel_all("firm", actor="operator:ann")
    assert reply.canceled == ()
    assert reply.residue[0] == sent.order_id
    assert "whatever rests at paper" in reply.residue[1]
