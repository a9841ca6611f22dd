"""A venue that refuses a key because it has the order already, on other terms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from mts1b_brokers.errors import KeyReuseMismatch
from mts1b_foundation import Order, OrderStatus, OrderType, TimeInForce

IN_USE = KeyReuseMismatch("the key is that of an order for 25, not 10")


def resting(order: Any) -> Order:
    return order("k-1", order_type=OrderType.LIMIT, limit_price=Decimal(50), tif=TimeInForce.GTC)


def once(nothing: Any, then: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return a query that shows nothing the first time."""
    shown: list[Any] = [nothing]

    async def ask(*about: Any) -> Any:
        return shown.pop() if shown else await then(*about)

    return ask


async def changed_and_lost(desk: Any, order: Any) -> Order:
    """Lose the answer to a send, change the order by hand, and have the venue show it too late."""
    desk.venue.script = [TimeoutError("504")]
    lost = await desk.orders.submit(resting(order))
    assert lost.status is OrderStatus.UNKNOWN
    await desk.venue.paper.replace(lost.order_id, quantity=Decimal(25), limit_price=Decimal(45))
    desk.venue.get_order_by_key = once(None, desk.venue.get_order_by_key)
    desk.venue.get_open_orders = once([], desk.venue.get_open_orders)
    desk.venue.script = [IN_USE]
    return lost


async def test_a3_a_changed_order_that_was_taken_for_lost_is_not_recorded_as_rejected(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    lost = await changed_and_lost(desk, order)

    found = await desk.orders.carry_on(lost.order_id)
    assert found.status is OrderStatus.ACCEPTED
    assert list(desk.record.open_orders) == [lost.order_id]

    await desk.reconciler.reconcile()
    ours = await desk.record.order(lost.order_id)
    assert (ours.quantity, ours.limit_price) == (25, 45)


async def test_a3_a_key_in_use_whose_order_is_not_shown_stays_in_doubt_and_is_not_sent_again(
    new_desk: Any, order: Any
) -> None:
    """A venue that forgets keys after a while would take it as a second order then."""
    desk = await new_desk()
    lost = await changed_and_lost(desk, order)

    async def none(key: str) -> Order | None:
        return None

    async def nothing() -> list[Order]:
        return []

    desk.venue.get_order_by_key, desk.venue.get_open_orders = none, nothing
    for _ in range(3):
        assert (await desk.orders.carry_on(lost.order_id)).status is OrderStatus.UNKNOWN
    assert len(desk.venue.submitted) == 2, "the first send, and the one that the venue refused"
    assert list(desk.record.open_orders) == [lost.order_id]
