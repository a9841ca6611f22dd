"""Cancelling many orders: as many questions as orders, and each change in doubt is settled."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mts1b_foundation import Order, OrderStatus, OrderType, TimeInForce
from mts1b_foundation.commands import CancelOutcome, ReplaceOrder, ReplaceOutcome

MANY = 12


def resting(order: Any, key: str = "k-1") -> Order:
    return order(key, order_type=OrderType.LIMIT, limit_price=Decimal(50), tif=TimeInForce.GTC)


async def test_a_cancel_of_all_asks_once_or_twice_for_each_order(new_desk: Any, order: Any) -> None:
    """It asked for every open order anew after each cancel: a thousand took half a million."""
    desk = await new_desk()
    for number in range(MANY):
        await desk.orders.submit(resting(order, f"k-{number}"))
    asked: list[str] = []
    find = desk.venue.paper.get_order_by_key

    async def counted(key: str) -> Order | None:
        asked.append(key)
        return await find(key)

    desk.venue.paper.get_order_by_key = counted
    reply = await desk.canceller.cancel_all("firm", actor="operator:ann")
    assert (len(reply.canceled), reply.residue) == (MANY, ())
    assert len(asked) <= 2 * MANY


async def test_a_cancel_settles_a_change_that_was_in_doubt(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(resting(order))
    desk.venue.script = [ConnectionError("reset before anything arrived")]
    wanted = ReplaceOrder(
        order_id=sent.order_id, replace_key="r-1", quantity=Decimal(25), actor="operator:ann"
    )
    assert (await desk.replacer.replace(wanted)).outcome is ReplaceOutcome.UNKNOWN
    assert (await desk.record.order(sent.order_id)).quantity == 25, "the larger counts"
    reply = await desk.canceller.cancel(sent.order_id, actor="operator:ann")
    assert (reply.outcome, reply.order.quantity) == (CancelOutcome.CONFIRMED, 10)
    assert (await desk.replacer.replace(wanted)).outcome is ReplaceOutcome.TOO_LATE
    assert desk.record.replacing == {}


async def test_an_order_that_the_venue_had_ended_is_found_by_its_cancel(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(resting(order))
    assert await desk.venue.cancel(sent.order_id)
    reply = await desk.canceller.cancel(sent.order_id, actor="operator:ann")
    assert reply.order.status is OrderStatus.CANCELED


async def test_a_cancel_without_an_answer_is_confirmed_by_what_the_venue_shows(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(resting(order))
    cancel = desk.venue.paper.cancel

    async def in_silence(order_id: str) -> bool:
        await cancel(order_id)
        raise TimeoutError("504")

    desk.venue.paper.cancel = in_silence
    reply = await desk.canceller.cancel(sent.order_id, actor="operator:ann")
    assert reply.outcome is CancelOutcome.CONFIRMED
