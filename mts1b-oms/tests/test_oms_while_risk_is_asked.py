"""What comes about while risk is asked: a cancel, a closed gate, a quarantine, a doubt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import Order, OrderStatus, OrderType, TimeInForce
from mts1b_foundation.commands import CancelOutcome, ReplaceOrder, ReplaceOutcome
from mts1b_oms.doubt import DoubtWork
from mts1b_oms.errors import ReconciliationMismatch
from mts1b_platform.logging import get_logger
from oms_desk import comes_about

ALPHA = ("alpha", "trend")
FOR_EVER = 10**9


def resting(order: Any, key: str = "k-1", **changes: Any) -> Order:
    terms = {"order_type": OrderType.LIMIT, "limit_price": Decimal(50), "tif": TimeInForce.GTC}
    return order(key, **(terms | changes))


def larger(sent: Order) -> ReplaceOrder:
    return ReplaceOrder(
        order_id=sent.order_id, replace_key="r-1", quantity=Decimal(25), actor="operator:ann"
    )


def meanwhile(desk: Any, act: Callable[[], None]) -> None:
    """Let ``act`` happen between the decision of risk and its arrival."""

    def after(decision: Any) -> Any:
        act()
        return decision

    desk.risk.after = after


async def at_venue(desk: Any) -> list[Decimal]:
    return [theirs.quantity for theirs in await desk.venue.get_open_orders()]


async def test_a_change_that_waits_for_risk_holds_up_no_cancel(new_desk: Any, order: Any) -> None:
    desk = await new_desk(wait=True, pause=lambda: asyncio.sleep(0))
    sent = await desk.orders.submit(resting(order))
    desk.risk.down = FOR_EVER
    changing = asyncio.create_task(desk.replacer.replace(larger(sent)))
    await comes_about(lambda: desk.risk.down < FOR_EVER - 2)
    async with asyncio.timeout(5.0):
        reply = await desk.canceller.cancel(sent.order_id, actor="operator:ann")
    assert reply.outcome is CancelOutcome.CONFIRMED
    assert (await changing).outcome is ReplaceOutcome.REFUSED
    assert await at_venue(desk) == []


async def test_no_change_leaves_after_a_cancel_was_asked_for(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(resting(order))
    meanwhile(desk, lambda: desk.orders.cancel_wanted.add(sent.order_id))
    reply = await desk.replacer.replace(larger(sent))
    assert (reply.outcome, reply.code) == (ReplaceOutcome.REFUSED, "CANCEL_ASKED")
    assert await at_venue(desk) == [10]


async def test_an_order_does_not_leave_through_a_gate_that_closed(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    meanwhile(desk, lambda: desk.gate.close("the books differ"))
    waiting = await desk.orders.submit(resting(order))
    assert waiting.status is OrderStatus.PENDING_RISK
    assert desk.venue.submitted == []
    with pytest.raises(ReconciliationMismatch):
        await desk.orders.submit(resting(order))
    desk.risk.after = lambda decision: decision
    desk.gate.open()
    assert (await desk.orders.carry_on(waiting.order_id)).status is OrderStatus.ACCEPTED
    assert await at_venue(desk) == [10]


async def test_a_change_does_not_leave_through_a_gate_that_closed(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(resting(order))
    meanwhile(desk, lambda: desk.gate.close("the books differ"))
    reply = await desk.replacer.replace(larger(sent))
    assert (reply.outcome, reply.code) == (ReplaceOutcome.REFUSED, "NOT_RECONCILED")
    assert (await at_venue(desk), reply.order.quantity) == ([10], 10)


async def test_an_odd_execution_stops_what_waits_for_risk(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    standing = await desk.orders.submit(resting(order))
    meanwhile(desk, lambda: desk.record.unhalted.add(ALPHA))
    stopped = await desk.orders.submit(resting(order, "k-2"))
    assert (stopped.status, stopped.rejected_code) == (OrderStatus.REJECTED, "QUARANTINED")
    reply = await desk.replacer.replace(larger(standing))
    assert (reply.outcome, reply.code) == (ReplaceOutcome.REFUSED, "QUARANTINED")
    assert await at_venue(desk) == [10]


async def look_for(desk: Any, seconds: float) -> None:
    work = DoubtWork(
        desk.orders, desk.replacer, desk.canceller, clock=desk.clock, log=get_logger("test")
    )
    for _ in range(round(seconds * 4)):
        desk.clock.advance(0.25)
        async with asyncio.timeout(5.0):
            await work.work()


@pytest.mark.parametrize("is_held", [True, False])
async def test_while_risk_is_away_orders_in_doubt_are_looked_for(
    new_desk: Any, order: Any, is_held: bool
) -> None:
    """An order that waits for risk holds up no other, whether its client waits too or not."""
    desk = await new_desk(wait=True, pause=lambda: asyncio.sleep(0))
    desk.venue.script = [TimeoutError("504")]
    lost = await desk.orders.submit(resting(order, "z", fund_id="beta", strategy_id="parity"))
    desk.risk.down = FOR_EVER
    asking = asyncio.create_task(desk.orders.submit(resting(order, "a")))
    await comes_about(lambda: desk.risk.down < FOR_EVER - 2)
    if not is_held:
        asking.cancel()
        await asyncio.wait([asking])
    await look_for(desk, 2.0)
    assert (await desk.record.order(lost.order_id)).status is OrderStatus.ACCEPTED
    assert (await desk.record.order("order-a")).status is OrderStatus.PENDING_RISK
    desk.risk.down = 0
    if is_held:
        assert (await asking).status is OrderStatus.ACCEPTED, "what counts is the last question"
    await look_for(desk, 4.0)
    assert (await desk.record.order("order-a")).status is OrderStatus.ACCEPTED


async def test_a_start_does_not_wait_for_risk_where_it_is_told_not_to(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk(wait=True, pause=lambda: asyncio.sleep(0))
    desk.risk.down = FOR_EVER
    asking = asyncio.create_task(desk.orders.submit(resting(order)))
    await comes_about(lambda: desk.risk.down < FOR_EVER - 2)
    asking.cancel()
    await asyncio.wait([asking])
    async with asyncio.timeout(5.0):
        await desk.recover(waits_for_risk=False)
    assert desk.gate.is_open
    assert (await desk.record.order("order-k-1")).status is OrderStatus.PENDING_RISK
