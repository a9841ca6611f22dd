"""Many parts of one order: what is known of them is exact, in whatever order they come."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import Fill, OrderStatus, OrderType, TimeInForce

PARTS = [("3", "96.42"), ("3", "109.63"), ("2", "108.36"), ("900", "97.73"), ("7", "99.42")]
"""Their average is 97.800885245..., and comes out otherwise where it is rounded on the way."""


@pytest.mark.parametrize("turn", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (2, 3, 4, 0, 1)])
async def test_b7_an_average_of_many_parts_is_rounded_once(
    new_desk: Any, order: Any, turn: tuple[int, ...]
) -> None:
    desk = await new_desk()
    whole = order(
        "k-1",
        quantity=Decimal(915),
        order_type=OrderType.LIMIT,
        limit_price=Decimal(50),
        tif=TimeInForce.GTC,
    )
    sent = await desk.orders.submit(whole)
    for place in turn:
        quantity, price = PARTS[place]
        part = Fill(
            fill_id=f"fill-{place}",
            order_id=sent.order_id,
            symbol=sent.symbol,
            side=sent.side,
            quantity=Decimal(quantity),
            price=Decimal(price),
            venue="paper",
            timestamp=sent.created_at,
        )
        desk.venue.late = [part]
        await desk.sync.collect()
    done = await desk.record.order(sent.order_id)
    assert (done.status, done.filled_quantity) == (OrderStatus.FILLED, 915)
    assert done.average_fill_price == Decimal("97.80088525")
