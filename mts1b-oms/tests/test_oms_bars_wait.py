"""Bars wait while the venue does not answer; the OMS goes on."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import Bar, Symbol
from mts1b_foundation.nats import MARKETDATA_BARS
from mts1b_oms.tick import VenueSilent
from mts1b_platform.pump import Event

SPX = Symbol("SPX")
PRICES = {SPX: ("100", "101")}


async def test_bars_that_the_venue_did_not_take_are_worked_through_later(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    await desk.orders.submit(order("k-1"))
    await desk.venue.paper.close()
    with pytest.raises(VenueSilent, match="took no bars"):
        await desk.tick(1, PRICES)
    assert await desk.bars.has_pending()
    desk = await desk.reopen()
    assert await desk.tick(1, PRICES) == 1
    assert not await desk.bars.has_pending()


async def test_a_bar_on_its_way_into_the_store_is_seen(new_desk: Any) -> None:
    desk = await new_desk()
    assert not await desk.bars.has_pending()
    price = Decimal(100)
    bar = Bar(
        symbol=SPX,
        interval="1d",
        timestamp=datetime(2026, 1, 2, tzinfo=UTC),
        open=price,
        high=price,
        low=price,
        close=price,
    )
    event = Event(MARKETDATA_BARS, MARKETDATA_BARS, None, bar, "bar-1", "MARKETDATA", 1)
    async with desk.store.transaction() as tx:
        await desk.bars.keep(tx, event)
        look = asyncio.create_task(desk.bars.has_pending())
        await asyncio.sleep(0.01)
    assert await look
    assert await desk.bars.has_pending()
