"""Orders that nobody knows the fate of: evidence, blocks, and when they are sent again."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from mts1b_brokers.errors import BrokerRefused
from mts1b_foundation import DenyCode, Fill, Order, OrderStatus, Quote
from mts1b_foundation.commands import CancelOutcome
from mts1b_oms.doubt import ALARM_AFTER_S, DoubtWork
from mts1b_oms.fills import book_fills
from mts1b_oms.transitions import OrderEvent
from mts1b_platform.logging import get_logger
from mts1b_platform.store import StoreError

LOST = ConnectionError("reset before anything arrived")


def doubt_of(desk: Any) -> DoubtWork:
    return DoubtWork(
        desk.orders, desk.replacer, desk.canceller, clock=desk.clock, log=get_logger("test")
    )


async def go_on(desk: Any, work: DoubtWork, seconds: float) -> None:
    """Let time pass in steps of a quarter of a second."""
    for _ in range(round(seconds * 4)):
        desk.clock.advance(0.25)
        desk.venue.set_time(desk.clock.now())
        await work.work()


async def test_a3_an_order_that_was_executed_in_silence_is_adopted_not_sent_again(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    desk.venue.script = [TimeoutError("504")]
    lost = await desk.orders.submit(order())
    assert lost.status is OrderStatus.UNKNOWN
    await go_on(desk, doubt_of(desk), 2.0)
    found = await desk.record.order(lost.order_id)
    assert found.status is OrderStatus.ACCEPTED
    assert len(desk.venue.submitted) == 1


async def test_b4_a_cancel_is_confirmed_when_every_execution_before_it_is_booked(
    new_desk: Any, order: Any
) -> None:
    """Found by a seed of the simulator: risk gave the reservation back, and the fill came later."""
    desk = await new_desk()
    sent = await desk.orders.submit(order(order_type="limit", limit_price=Decimal(100)))
    desk.venue.withheld = True
    quote = Quote(
        symbol=sent.symbol,
        venue="paper",
        bid=Decimal(99),
        ask=Decimal(100),
        bid_size=Decimal(4),
        ask_size=Decimal(4),
        timestamp=desk.clock.now(),
    )
    await desk.venue.paper.on_quote(quote)
    reply = await desk.canceller.cancel(sent.order_id, actor="operator:ann")
    assert reply.outcome is CancelOutcome.UNKNOWN
    assert (await desk.record.order(sent.order_id)).status is OrderStatus.PENDING_CANCEL
    desk.venue.withheld = False
    await desk.sync.collect()
    reply = await desk.canceller.cancel(sent.order_id, actor="operator:ann")
    assert reply.outcome is CancelOutcome.CONFIRMED
    assert reply.order.filled_quantity == 4
    assert desk.record.ledger.quantities() == {sent.symbol: 4}


async def test_a4_an_order_that_never_arrived_is_sent_again_with_its_key_and_a_new_approval(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    desk.venue.lag_s = 10.0
    desk.gateway._card = desk.venue.capabilities()
    desk.venue.script = [LOST]
    assert (await desk.orders.submit(order())).status is OrderStatus.UNKNOWN
    work = doubt_of(desk)
    await go_on(desk, work, 9.0)
    assert desk.venue.submitted == [], "the venue may still show it"
    await go_on(desk, work, 16.0)
    assert [sent.idempotency_key for sent in desk.venue.submitted] == ["k-1"]
    assert desk.risk.asked == 2, "the first approval had ended"
    assert (await desk.orders.submit(order())).status is OrderStatus.ACCEPTED
    assert len(desk.venue.submitted) == 1


async def test_a10_c3_what_a_slow_venue_does_not_show_yet_is_neither_absent_nor_cancelled(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    desk.venue.lag_s = 30.0
    desk.gateway._card = desk.venue.capabilities()
    desk.venue.script = [LOST]
    lost = await desk.orders.submit(order())
    desk.clock.advance(29.0)
    reply = await desk.canceller.cancel(lost.order_id, actor="operator:ann")
    assert reply.outcome is CancelOutcome.UNKNOWN
    assert reply.order.status is OrderStatus.UNKNOWN
    desk.clock.advance(1.5)
    reply = await desk.canceller.cancel(lost.order_id, actor="operator:ann")
    assert reply.outcome is CancelOutcome.CONFIRMED
    assert desk.venue.submitted == []


async def test_a_refusal_that_no_transaction_could_keep_is_not_sent_again(
    new_desk: Any, order: Any, monkeypatch: Any
) -> None:
    """Seed 40394: the disk was full when the refusal came, and the venue remembers none."""
    desk = await new_desk()
    desk.venue.script = [BrokerRefused("not this one", code="VENUE_RISK")]

    def full(*parts: Any) -> Order:
        raise StoreError("no space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("mts1b_oms.orders.record_outcome", full)
        with pytest.raises(StoreError):
            await desk.orders.submit(order())
    again = await desk.orders.submit(order())
    assert (again.status, again.rejected_code) == (OrderStatus.REJECTED, "VENUE_RISK")
    assert len(desk.venue.submitted) == 1


async def test_what_the_open_orders_show_is_evidence_too(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    desk.venue.script = [TimeoutError("504")]
    lost = await desk.orders.submit(order())
    find = desk.venue.paper.get_order_by_key

    async def forgetful(key: str) -> None:
        return None

    desk.venue.paper.get_order_by_key = forgetful
    assert (await desk.orders.submit(order())).status is OrderStatus.ACCEPTED
    desk.venue.paper.get_order_by_key = find
    assert len(desk.venue.submitted) == 1
    assert lost.order_id in desk.record.open_orders


async def test_an_order_in_doubt_blocks_its_strategy_and_symbol_alone(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    desk.venue.script = [TimeoutError("504")]
    lost = await desk.orders.submit(order("lost"))
    blocked = await desk.orders.submit(order("same"))
    assert (blocked.status, blocked.rejected_code) == (OrderStatus.REJECTED, DenyCode.IN_DOUBT)
    assert lost.order_id in str(blocked.rejected_reason)
    for key, change in (
        ("symbol", {"symbol": "NDX"}),
        ("strategy", {"fund_id": "beta", "strategy_id": "parity"}),
        ("reducing", {"reduce_only": True}),
    ):
        passed = await desk.orders.submit(order(key, **change))
        assert passed.status is OrderStatus.ACCEPTED, key
    await go_on(desk, doubt_of(desk), 1.0)
    assert (await desk.orders.submit(order("after"))).status is OrderStatus.ACCEPTED


async def test_l3_l5_the_venue_is_asked_ever_less_often_and_somebody_is_told(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    desk.venue.script = [TimeoutError("504")]
    lost = await desk.orders.submit(order())
    asked: list[datetime] = []

    async def deaf(key: str) -> Order | None:
        asked.append(desk.clock.now())
        raise TimeoutError("no answer")

    desk.venue.paper.get_order_by_key = deaf
    work = doubt_of(desk)
    await go_on(desk, work, ALARM_AFTER_S - 0.5)
    assert work.waiting == ()
    await go_on(desk, work, 200.0)
    assert work.waiting == (lost.order_id,)
    gaps = [(b - a).total_seconds() for a, b in pairwise(asked)]
    assert gaps[:4] == [1.0, 2.0, 4.0, 8.0]
    assert max(gaps) <= 30.25
    assert (await desk.record.order(lost.order_id)).status is OrderStatus.UNKNOWN


async def test_l5_an_order_that_is_in_doubt_no_more_is_told_of_no_more(
    new_desk: Any, order: Any
) -> None:
    """Whoever reads the health looks for it, and the next doubt of it begins anew."""
    desk = await new_desk()
    desk.venue.script = [TimeoutError("504")]
    lost = await desk.orders.submit(order(order_type="limit", limit_price=Decimal(50)))

    async def deaf(key: str) -> Order | None:
        raise TimeoutError("no answer")

    desk.venue.get_order_by_key, find = deaf, desk.venue.get_order_by_key
    work = doubt_of(desk)
    await go_on(desk, work, ALARM_AFTER_S + 1.0)
    assert work.waiting == (lost.order_id,)
    desk.venue.get_order_by_key = find
    await go_on(desk, work, 20.0)
    assert (await desk.record.order(lost.order_id)).status is OrderStatus.ACCEPTED
    assert work.waiting == ()

    async def silent(order_id: str) -> bool:
        raise TimeoutError("no answer")

    desk.venue.cancel = silent
    await desk.canceller.cancel(lost.order_id, actor="operator:ann", reason="enough")
    await go_on(desk, work, ALARM_AFTER_S - 1.0)
    assert (await desk.record.order(lost.order_id)).status is OrderStatus.PENDING_CANCEL
    assert work.waiting == (), "this doubt is younger than the first one"
    await go_on(desk, work, 2.0)
    assert work.waiting == (lost.order_id,)


async def test_l5_an_order_that_rests_alarms_nobody(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(order(order_type="limit", limit_price=Decimal(50)))
    work = doubt_of(desk)
    for _ in range(3):
        await go_on(desk, work, 4.0 * ALARM_AFTER_S)
        assert (await desk.record.order(sent.order_id)).status is OrderStatus.ACCEPTED
        assert work.waiting == ()


async def test_no_order_in_doubt_is_sent_again_while_the_gate_is_closed(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    desk.venue.script = [LOST]
    await desk.orders.submit(order())
    desk.gate.close("something does not add up")
    work = doubt_of(desk)
    await go_on(desk, work, 5.0)
    assert desk.venue.submitted == []
    desk.gate.open()
    await go_on(desk, work, 10.0)
    assert len(desk.venue.submitted) == 1


async def test_a10_what_a_venue_shows_late_counts_from_the_wire_not_from_the_record(
    new_desk: Any, order: Any
) -> None:
    """A commit took 1.9 s: seed 21 took the order for absent 2.2 s after it had arrived."""
    desk = await new_desk()
    desk.venue.lag_s = 4.0
    desk.gateway._card = desk.venue.capabilities()
    begin = desk.orders._begin_sending

    async def slow(*parts: Any) -> Order:
        begun: Order = await begin(*parts)
        desk.clock.advance(1.9)
        return begun

    async def nothing(key: str) -> None:
        return None

    async def none() -> list[Order]:
        return []

    desk.orders._begin_sending = slow
    desk.venue.script = [TimeoutError("504")]
    desk.venue.get_order_by_key, desk.venue.get_open_orders = nothing, none
    lost = await desk.orders.submit(order())
    desk.clock.advance(2.2)

    assert (await desk.orders.carry_on(lost.order_id)).status is OrderStatus.UNKNOWN
    assert len(desk.venue.submitted) == 1


async def test_what_waited_for_risk_behind_a_closed_gate_goes_on_when_it_opens(
    new_desk: Any, order: Any
) -> None:
    """Seed 124: a restart found the gate closed, and nobody came back to the order."""
    desk = await new_desk()
    async with desk.record.unit() as unit:
        unit.create(order())
        unit.change(order(), OrderEvent.RISK_ASKED)
    work = doubt_of(desk)
    desk.gate.close("a test")
    await go_on(desk, work, 3.0)
    assert desk.venue.submitted == []

    desk.gate.open()
    await go_on(desk, work, 6.0)
    assert (await desk.record.order(order().order_id)).status is OrderStatus.ACCEPTED


async def test_a_fill_that_comes_before_an_order_is_sent_again_keeps_it_from_that(
    new_desk: Any, order: Any
) -> None:
    """The order had moved on since it was looked for: the task that looks ended with an error."""
    desk = await new_desk()
    desk.venue.script = [LOST]
    lost = await desk.orders.submit(order())
    desk.clock.advance(3.0)
    find = desk.record.approval_of

    async def after_a_fill(order_id: str) -> Any:
        executed = Fill(
            fill_id="f-1",
            order_id=order_id,
            symbol=lost.symbol,
            side=lost.side,
            quantity=Decimal(4),
            price=Decimal(100),
            venue="paper",
            timestamp=desk.clock.now(),
        )
        async with desk.record.unit() as unit:
            await book_fills(unit, [executed])
        return await find(order_id)

    desk.record.approval_of = after_a_fill
    found = await desk.orders.carry_on(lost.order_id)
    assert (found.status, found.filled_quantity) == (OrderStatus.PARTIALLY_FILLED, 4)
    assert desk.venue.submitted == []


async def test_a14_a_look_that_shows_another_order_is_no_evidence_of_this_one(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    desk.venue.script = [TimeoutError("504")]
    lost = await desk.orders.submit(order())
    other = order("k-2", status=OrderStatus.REJECTED, rejected_code="NO", rejected_reason="no")

    async def of_another(key: str) -> Order:
        return other

    find, desk.venue.get_order_by_key = desk.venue.get_order_by_key, of_another
    assert (await desk.orders.carry_on(lost.order_id)).status is OrderStatus.UNKNOWN
    desk.venue.get_order_by_key = find
    assert (await desk.orders.carry_on(lost.order_id)).status is OrderStatus.ACCEPTED
