"""With a full disk, what rests at the venue is cancelled all the same."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NoReturn

import pytest
from mts1b_foundation import Order, OrderStatus, OrderType, TimeInForce
from mts1b_oms.errors import WriterFenced
from mts1b_platform.store import StoreError


def resting(order: Any, key: str, **changes: Any) -> Order:
    terms = {"order_type": OrderType.LIMIT, "limit_price": Decimal(50), "tif": TimeInForce.GTC}
    return order(key, **(terms | changes))


def full() -> NoReturn:
    raise StoreError("no space left on device")


def fenced() -> NoReturn:
    raise WriterFenced("number 2 has the store now")


async def three_orders(desk: Any, order: Any) -> list[str]:
    """Have two orders rest at the venue, and one there that nobody here knows of."""
    for key, fund, strategy in (("a", "alpha", "trend"), ("b", "beta", "parity")):
        await desk.orders.submit(resting(order, key, fund_id=fund, strategy_id=strategy))
    desk.venue.script = [TimeoutError("504")]
    lost = await desk.orders.submit(resting(order, "c"))
    assert lost.status is OrderStatus.UNKNOWN
    assert len(await desk.venue.get_open_orders()) == 3
    return ["order-a", "order-b", "order-c"]


async def test_f1_cancel_all_reaches_the_venue_and_says_what_is_not_on_record(
    new_desk: Any, order: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await new_desk()
    names = await three_orders(desk, order)
    with monkeypatch.context() as disk:
        disk.setattr(desk.record, "unit", full)
        reply = await desk.canceller.cancel_all("firm", actor="operator:ann")
    assert (reply.canceled, sorted(reply.residue)) == ((), names)
    assert await desk.venue.get_open_orders() == []
    reply = await desk.canceller.cancel_all("firm", actor="operator:ann")
    assert reply.residue == ()
    assert {(await desk.record.order(name)).status for name in names} == {OrderStatus.CANCELED}


async def test_f1_one_cancel_reaches_the_venue_and_fails_here(
    new_desk: Any, order: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await new_desk()
    await three_orders(desk, order)
    with monkeypatch.context() as disk:
        disk.setattr(desk.record, "unit", full)
        with pytest.raises(StoreError):
            await desk.canceller.cancel("order-a", actor="operator:ann")
    assert [o.order_id for o in await desk.venue.get_open_orders()] == ["order-b", "order-c"]
    await desk.sync.collect()
    assert (await desk.record.order("order-a")).status is OrderStatus.CANCELED


async def test_f5_whoever_lost_the_store_to_another_cancels_nothing(
    new_desk: Any, order: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await new_desk()
    await three_orders(desk, order)
    monkeypatch.setattr(desk.record, "unit", fenced)
    with pytest.raises(WriterFenced):
        await desk.canceller.cancel_all("firm", actor="operator:ann")
    assert len(await desk.venue.get_open_orders()) == 3
