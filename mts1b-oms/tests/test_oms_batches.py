"""Many orders at once and one failure for all of them (A13): each has an end of its own."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from mts1b_brokers.errors import BrokerRefused
from mts1b_foundation import Order, OrderStatus, OrderType, Symbol, TimeInForce

SPX, NDX = Symbol("SPX"), Symbol("NDX")
OWNERS = ({}, {"fund_id": "beta", "strategy_id": "parity"})
EXECUTED, LOST = TimeoutError("the batch got no answer"), ConnectionError("the line broke")


def basket(order: Any) -> list[Order]:
    """Return four orders of two strategies in two symbols."""
    terms = {"order_type": OrderType.LIMIT, "limit_price": Decimal(50), "tif": TimeInForce.GTC}
    return [
        order(f"k-{symbol}-{number}", symbol=symbol, **terms, **owner)
        for symbol in (SPX, NDX)
        for number, owner in enumerate(OWNERS)
    ]


async def sent(desk: Any, orders: list[Order]) -> list[Order]:
    return list(await asyncio.gather(*(desk.orders.submit(one) for one in orders)))


@pytest.mark.parametrize("failure", [EXECUTED, LOST])
async def test_a13_a_batch_that_fails_as_a_whole_is_unknown_order_by_order(
    new_desk: Any, order: Any, failure: Exception
) -> None:
    desk = await new_desk()
    desk.venue.script = [failure] * 4

    answers = await sent(desk, basket(order))

    assert [one.status for one in answers] == [OrderStatus.UNKNOWN] * 4
    assert set(desk.record.open_orders) == {one.order_id for one in answers}, "each still counts"
    assert (await desk.verbs()).count("orders.rejected") == 0

    for one in answers:
        await desk.orders.carry_on(one.order_id)
    after = [await desk.record.order(one.order_id) for one in answers]
    assert [one.status for one in after] == [OrderStatus.ACCEPTED] * 4
    keys = [one.idempotency_key for one in desk.venue.submitted]
    assert sorted(keys) == sorted({one.idempotency_key for one in answers}), "one order each"


async def test_a13_only_what_the_venue_refuses_by_name_is_rejected(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    refusal = BrokerRefused("not this one", code="VENUE_RISK")
    desk.venue.script = [EXECUTED, refusal, LOST, EXECUTED]

    answers = await sent(desk, basket(order))

    by_status = sorted(one.status.value for one in answers)
    assert by_status == ["rejected", "unknown", "unknown", "unknown"]
    (rejected,) = [one for one in answers if one.status is OrderStatus.REJECTED]
    assert rejected.rejected_code == "VENUE_RISK"
    assert rejected.order_id not in desk.record.open_orders


async def test_a13_a_cancel_of_all_without_answers_confirms_none(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    answers = await sent(desk, basket(order))
    desk.venue.deaf = True

    reply = await desk.canceller.cancel_all("firm", actor="operator:ann")

    assert reply.canceled == ()
    assert set(reply.residue) == {one.order_id for one in answers}
    assert set(desk.record.open_orders) == {one.order_id for one in answers}
