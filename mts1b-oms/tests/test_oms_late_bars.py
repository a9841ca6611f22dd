"""A bar that comes after those of a later moment: nothing goes back in time, nothing stops."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from mts1b_foundation import Bar, Symbol
from mts1b_foundation.nats import MARKETDATA_BARS
from mts1b_platform.pump import Event

SPX, NDX = Symbol("SPX"), Symbol("NDX")
NOW = datetime(2026, 1, 2, 16, tzinfo=UTC)


def told(symbol: Symbol, minute: int, price: str) -> Event:
    at, paid = datetime(2026, 1, 2, 15, minute, tzinfo=UTC), Decimal(price)
    bar = Bar(
        symbol=symbol, interval="1m", timestamp=at, open=paid, high=paid, low=paid, close=paid
    )
    name = f"bar-{symbol}-{at.isoformat()}"
    return Event(MARKETDATA_BARS, MARKETDATA_BARS, None, bar, name, "MARKETDATA", minute)


async def work(desk: Any, event: Event) -> None:
    async with desk.store.transaction() as tx:
        await desk.bars.keep(tx, event)
    await desk.bars.work(NOW)


async def test_a_bar_of_a_moment_that_is_over_is_worked_through(new_desk: Any) -> None:
    desk = await new_desk()
    for event in (told(SPX, 1, "100"), told(SPX, 2, "101"), told(NDX, 1, "200")):
        await work(desk, event)
    assert not await desk.bars.has_pending()
    assert desk.record.ledger.marks == {SPX: Decimal(101), NDX: Decimal(200)}
    assert {nav.as_of.minute for nav in desk.record.navs.values()} == {2}


async def test_an_older_bar_does_not_take_the_place_of_the_last_price(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    await work(desk, told(SPX, 3, "103"))
    await work(desk, told(SPX, 1, "99"))
    assert desk.record.ledger.marks == {SPX: Decimal(103)}
    desk = await desk.reopen()
    await work(desk, told(SPX, 2, "98"))
    assert desk.record.ledger.marks == {SPX: Decimal(103)}
    await work(desk, told(SPX, 4, "104"))
    assert desk.record.ledger.marks == {SPX: Decimal(104)}


async def test_bars_that_are_not_due_yet_are_no_reason_to_ask_the_venue(
    new_desk: Any, order: Any
) -> None:
    """A clock behind that of the market data would ask for every open order five times a second."""
    desk = await new_desk()
    await desk.orders.submit(order())
    desk.venue.blind = True
    async with desk.store.transaction() as tx:
        await desk.bars.keep(tx, told(SPX, 30, "100"))
    assert await desk.bars.work(datetime(2026, 1, 2, 15, tzinfo=UTC)) == 0
    assert await desk.bars.has_pending()
