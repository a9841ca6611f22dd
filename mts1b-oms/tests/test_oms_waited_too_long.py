"""Orders of a day that could not leave on it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import OrderStatus, TimeInForce

LOST = ConnectionError("reset before anything arrived")
DAY = timedelta(days=1).total_seconds()


def resting(order: Any, key: str, tif: TimeInForce) -> Any:
    return order(key, order_type="limit", limit_price=Decimal(50), tif=tif)


@pytest.mark.parametrize("tif", [TimeInForce.DAY, TimeInForce.IOC, TimeInForce.OPG])
async def test_an_order_of_a_day_that_never_arrived_is_not_sent_on_another(
    new_desk: Any, order: Any, tif: TimeInForce
) -> None:
    """The gate was closed overnight: what was meant for yesterday traded at the open."""
    desk = await new_desk()
    desk.venue.script = [LOST]
    lost = await desk.orders.submit(resting(order, "k-1", tif))
    assert lost.status is OrderStatus.UNKNOWN
    desk.gate.close("something does not add up")
    desk.clock.advance(DAY + 1.0)
    desk.gate.open()

    over = await desk.orders.carry_on(lost.order_id)

    assert (over.status, desk.venue.submitted) == (OrderStatus.EXPIRED, [])
    assert desk.record.open_orders == {}
    assert (await desk.orders.submit(resting(order, "k-1", tif))).status is OrderStatus.EXPIRED
    assert (await desk.verbs())[-1] == "orders.expired", "risk gives back what it holds for it"


@pytest.mark.parametrize(
    ("tif", "after_s"), [(TimeInForce.GTC, 3.0 * DAY), (TimeInForce.DAY, DAY - 1.0)]
)
async def test_what_lives_longer_or_waited_less_leaves(
    new_desk: Any, order: Any, tif: TimeInForce, after_s: float
) -> None:
    desk = await new_desk()
    desk.venue.script = [LOST]
    lost = await desk.orders.submit(resting(order, "k-1", tif))
    desk.clock.advance(after_s)
    assert (await desk.orders.carry_on(lost.order_id)).status is OrderStatus.ACCEPTED


async def test_how_long_it_waited_counts_from_its_arrival_not_from_its_bar(
    new_desk: Any, order: Any
) -> None:
    """On Monday a strategy of daily bars makes its orders of Friday's."""
    desk = await new_desk()
    made = resting(order, "k-1", TimeInForce.DAY)
    desk.clock.advance(3.0 * DAY)
    assert (await desk.orders.submit(made)).status is OrderStatus.ACCEPTED


async def test_an_order_of_a_day_that_waited_for_risk_over_it_does_not_leave(
    new_desk: Any, order: Any
) -> None:
    async def overnight() -> None:
        desk.clock.advance(DAY)

    desk = await new_desk(wait=True, pause=overnight)
    desk.risk.down = 2
    over = await desk.orders.submit(resting(order, "k-1", TimeInForce.DAY))
    assert (over.status, desk.venue.submitted) == (OrderStatus.EXPIRED, [])


@pytest.mark.parametrize("denied", [False, True])
async def test_an_order_whose_time_ends_while_risk_is_asked_has_expired(
    new_desk: Any, order: Any, denied: bool
) -> None:
    async def a_minute() -> None:
        desk.clock.advance(60.0)

    desk = await new_desk(wait=True, pause=a_minute)
    asked = resting(order, "k-1", TimeInForce.GTC)
    asked = asked.with_(tif=TimeInForce.GTD, expires_at=asked.created_at + timedelta(seconds=90))
    desk.risk.down = 2
    if denied:
        desk.risk.denials["k-1"] = ("schema", "SCHEMA_INVALID")
    over = await desk.orders.submit(asked)
    assert (over.status, over.rejected_code) == (OrderStatus.EXPIRED, None)
    assert desk.venue.submitted == []
    assert (await desk.verbs())[-1] == "orders.expired"


async def test_an_order_leaves_until_its_time_ends(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    asked = resting(order, "k-1", TimeInForce.GTC)
    asked = asked.with_(tif=TimeInForce.GTD, expires_at=asked.created_at + timedelta(seconds=90))
    desk.clock.advance(89.0)
    assert (await desk.orders.submit(asked)).status is OrderStatus.ACCEPTED
