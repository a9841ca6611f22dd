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


def told(at: datetime) -> Event:
    price = Decimal(100)
    bar = Bar(
        symbol=SPX, interval="1d", timestamp=at, open=price, high=price, low=price, close=price
    )
    name = f"bar-{at.isoformat()}"
    return Event(MARKETDATA_BARS, MARKETDATA_BARS, None, bar, name, "MARKETDATA", 1)


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
    event = told(datetime(2026, 1, 2, tzinfo=UTC))
    async with desk.store.transaction() as tx:
        await desk.bars.keep(tx, event)
        look = asyncio.create_task(desk.bars.has_pending())
        await asyncio.sleep(0.01)
    assert await look
    assert await desk.bars.has_pending()


async def test_a_bar_that_comes_while_another_is_worked_through_is_not_lost(
    new_desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await new_desk()
    first, second = (datetime(2026, 1, 2, 15, minute, tzinfo=UTC) for minute in (0, 1))
    show = desk.venue.on_bars

    async def show_slowly(bars: list[Bar]) -> Any:
        if bars[0].timestamp == first:  # the clock is past both ends by now
            async with desk.store.transaction() as tx:
                await desk.bars.keep(tx, told(second))
        return await show(bars)

    monkeypatch.setattr(desk.venue, "on_bars", show_slowly)
    async with desk.store.transaction() as tx:
        await desk.bars.keep(tx, told(first))
    now = datetime(2026, 1, 2, 15, 2, tzinfo=UTC)
    await desk.bars.work(now)
    assert {nav.as_of for nav in desk.record.navs.values()} == {first}
    assert await desk.bars.has_pending()
    await desk.bars.work(now)
    assert {nav.as_of for nav in desk.record.navs.values()} == {second}
    assert not await desk.bars.has_pending()
