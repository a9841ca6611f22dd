"""Many parts of one order: what is known of them is exact, in whatever order they come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import Fill, OrderStatus, OrderType, Side, TimeInForce
from mts1b_oms.fills import flags_of

AT = datetime(2026, 1, 7, 21, tzinfo=UTC)
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


def fill(number: int = 1, after_s: float = 0.0, **changes: Any) -> Fill:
    terms: dict[str, Any] = {
        "fill_id": f"fill-{number}",
        "order_id": "order-k-1",
        "symbol": "SPX",
        "side": Side.BUY,
        "quantity": Decimal(3),
        "price": Decimal(100),
        "venue": "paper",
        "timestamp": AT + timedelta(seconds=after_s),
    }
    return Fill(**(terms | changes))


@pytest.mark.parametrize(
    ("after_s", "changes", "twin"),
    [
        (2.0, {}, True),
        (-2.0, {}, True),
        (2.001, {}, False),
        (-2.001, {}, False),
        (0.0, {"quantity": Decimal(4)}, False),
        (0.0, {"price": Decimal("100.01")}, False),
    ],
)
def test_b2_one_told_twice_under_two_ids_is_marked(
    order: Any, after_s: float, changes: dict[str, Any], twin: bool
) -> None:
    working = order("k-1", filled_quantity=Decimal(6)).with_(status=OrderStatus.PARTIALLY_FILLED)
    earlier = [fill(1), fill(2, 3600.0)]
    again = fill(3, after_s, **changes)
    assert flags_of(working, again, earlier) == (("twin",) if twin else ())


@pytest.mark.parametrize(
    ("status", "found"),
    [
        (OrderStatus.CREATED, ("early",)),
        (OrderStatus.APPROVED, ("early",)),
        (OrderStatus.ACCEPTED, ()),
        (OrderStatus.UNKNOWN, ()),
        (OrderStatus.PENDING_CANCEL, ()),
        (OrderStatus.CANCELED, ("late",)),
        (OrderStatus.EXPIRED, ("late",)),
        (OrderStatus.REJECTED, ("late_after_refusal",)),
    ],
)
def test_what_is_odd_of_a_fill_depends_on_where_its_order_stands(
    order: Any, status: OrderStatus, found: tuple[str, ...]
) -> None:
    stands = order("k-1").with_(status=status)
    assert flags_of(stands, fill()) == found
    abroad = fill(fees=Decimal(1), fee_currency="EUR")
    assert flags_of(stands, abroad) == ("fee_pending", *found)
    assert flags_of(stands, fill(quantity=Decimal(10))) == found
    assert flags_of(stands, fill(quantity=Decimal("10.01"))) == (*found, "overfill")
    assert flags_of(stands, fill(side=Side.SELL)) == (*found, "mismatch")
    assert flags_of(stands, fill(symbol="NDX")) == (*found, "mismatch")
    assert flags_of(None, fill()) == ("external",)
