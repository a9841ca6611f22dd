"""Orders whose time is over, and a record that can not be read."""

import os
import sqlite3
from datetime import timedelta
from decimal import Decimal

import pytest
from mts1b_brokers import BrokerRefused, PaperClient, VenueUnavailable
from mts1b_foundation import OrderStatus, OrderType, TimeInForce
from mts1b_platform.clock import VirtualClock

D = Decimal
LIMIT = {"order_type": OrderType.LIMIT, "limit_price": D(1)}


@pytest.fixture
def until(start):
    """Return the terms of an order that ends in an hour."""
    return LIMIT | {"tif": TimeInForce.GTD, "expires_at": start + timedelta(hours=1)}


@pytest.mark.parametrize("hand", ["submit", "external"])
async def test_no_order_is_taken_whose_time_is_over(start, make_order, until, hand):
    clock = VirtualClock(start)
    venue = PaperClient(clock=clock)
    first = await getattr(venue, hand)(make_order("in-time", **until))
    clock.advance(3600)
    with pytest.raises(BrokerRefused, match="ended at") as refused:
        await getattr(venue, hand)(make_order("late", **until))
    assert refused.value.code == "EXPIRED_ORDER"
    assert await venue.get_order_by_key("late") is None
    again = await venue.submit(make_order("in-time", **until))
    assert again.broker_order_id == first.broker_order_id


async def test_an_order_whose_time_is_over_can_not_be_replaced(
    start, make_order, make_quote, until
):
    clock = VirtualClock(start)
    venue = PaperClient(clock=clock)
    await venue.submit(make_order("k1", **until))
    await venue.replace("order-k1", quantity=D(20), limit_price=D(2))
    clock.advance(3600)
    with pytest.raises(BrokerRefused, match="ended at") as refused:
        await venue.replace("order-k1", quantity=D(30), limit_price=D(3))
    assert refused.value.code == "TOO_LATE"
    await venue.on_quote(make_quote(3601, 1, 1))
    order = await venue.get_order_by_key("k1")
    assert (order.status, order.quantity, order.filled_quantity) == (OrderStatus.EXPIRED, 20, 0)


async def test_a_record_that_can_not_be_read_is_closed_at_each_try(tmp_path, make_order):
    venue = PaperClient(home=tmp_path)
    await venue.submit(make_order("k1"))
    await venue.close()
    with sqlite3.connect(tmp_path / "db" / "venue-paper.sqlite") as record:
        record.execute("ALTER TABLE venue_fills RENAME COLUMN payload TO lost")
    record.close()
    broken = PaperClient(home=tmp_path)
    open_files = []
    for _ in range(3):
        with pytest.raises(VenueUnavailable, match="can not read its record"):
            await broken.open()
        open_files.append(len(os.listdir("/proc/self/fd")))
    await broken.close()
    assert len(set(open_files)) == 1
