"""A fill is told of without asking the venue for every open order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mts1b_foundation import OrderStatus, OrderType, TimeInForce

RESTING = 20


async def test_news_of_a_fill_costs_no_question_for_each_open_order(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    limits = {"order_type": OrderType.LIMIT, "tif": TimeInForce.GTC}
    for number in range(RESTING):
        await desk.orders.submit(order(f"rest-{number}", limit_price=Decimal(1), **limits))
    await desk.orders.submit(order("k-1"))
    await desk.venue.paper.cancel("order-rest-0")
    await desk.tick(1, {order("k-1").symbol: ("100", "101")})
    await desk.orders.submit(order("k-2"))
    asked: list[str] = []
    by_key = desk.venue.get_order_by_key

    async def counted(key: str) -> Any:
        asked.append(key)
        return await by_key(key)

    desk.venue.get_order_by_key = counted
    assert await desk.sync.collect(everything=False) == []
    assert asked == []
    await desk.venue.paper.cancel("order-rest-1")
    await desk.sync.collect()
    assert len(asked) >= RESTING - 2
    gone = await desk.record.order("order-rest-1")
    assert gone is not None
    assert gone.status is OrderStatus.CANCELED
