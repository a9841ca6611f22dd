"""Fills always win; what is odd is booked, flagged and quarantined. Cancels tell the truth."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import Bar, Fill, Order, OrderStatus, OrderType, Side, Symbol, TimeInForce
from mts1b_foundation.commands import CancelOutcome
from mts1b_oms.acknowledge import conclude
from mts1b_oms.errors import OrderRefused, UnknownOrder
from mts1b_oms.fills import flags_of
from mts1b_oms.tables.books import read_fills

SPX, NDX = Symbol("SPX"), Symbol("NDX")


def fill_of(order: Order, number: int, quantity: str = "10", **changes: Any) -> Fill:
    terms: dict[str, Any] = {
        "fill_id": f"fill-{number}",
        "order_id": order.order_id,
        "symbol": order.symbol,
        "side": order.side,
        "quantity": Decimal(quantity),
        "price": Decimal(100 + number),
        "venue": "paper",
        "timestamp": order.created_at,
    }
    return Fill(**(terms | changes))


def patient(order: Any, key: str = "k-1", **changes: Any) -> Order:
    return order(
        key, order_type=OrderType.LIMIT, limit_price=Decimal(50), tif=TimeInForce.GTC, **changes
    )


async def flags(desk: Any) -> list[tuple[str, ...]]:
    async with desk.store.read() as tx:
        return [item.flags for item in await read_fills(tx)]


async def deliver(desk: Any, *fills: Fill) -> None:
    desk.venue.late = list(fills)
    await desk.sync.collect()


async def test_a_fill_told_twice_is_booked_once(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(patient(order))
    part = fill_of(sent, 1, "4")
    await deliver(desk, part, part)
    await deliver(desk, part)
    now = await desk.record.order(sent.order_id)
    assert (now.status, now.filled_quantity) == (OrderStatus.PARTIALLY_FILLED, 4)
    assert desk.record.ledger.quantities() == {SPX: 4}
    assert (await desk.verbs()).count("fills.created") == 1


@pytest.mark.parametrize("turn", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
async def test_parts_in_any_order_give_one_exact_average(
    new_desk: Any, order: Any, turn: tuple[int, ...]
) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(patient(order))
    parts = {1: "3", 2: "3", 3: "4"}
    for number in turn:
        await deliver(desk, fill_of(sent, number, parts[number]))
    done = await desk.record.order(sent.order_id)
    assert done.status is OrderStatus.FILLED
    assert done.average_fill_price == Decimal("102.1")
    assert desk.record.unhalted == set()


async def test_a_late_fill_after_a_confirmed_cancel_is_booked(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(patient(order))
    reply = await desk.canceller.cancel(sent.order_id, actor="operator:ann")
    assert reply.outcome is CancelOutcome.CONFIRMED
    await deliver(desk, fill_of(sent, 1, "4"))
    part = await desk.record.order(sent.order_id)
    assert (part.status, part.filled_quantity) == (OrderStatus.CANCELED, 4)
    await deliver(desk, fill_of(sent, 1, "4"), fill_of(sent, 2, "6"))
    done = await desk.record.order(sent.order_id)
    assert (done.status, done.filled_quantity) == (OrderStatus.FILLED, 10)
    assert await flags(desk) == [("late",), ("late",)]
    assert desk.record.ledger.quantities() == {SPX: 10}
    assert desk.record.unhalted == set(), "late is flagged, not quarantined"


async def test_an_overfill_is_booked_in_full_and_quarantines_the_strategy(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(patient(order))
    await deliver(desk, fill_of(sent, 1, "11"))
    done = await desk.record.order(sent.order_id)
    assert (done.status, done.filled_quantity) == (OrderStatus.FILLED, 11)
    assert done.remaining_quantity == 0
    assert await flags(desk) == [("overfill",)]
    assert desk.record.unhalted == {("alpha", "trend")}
    refused = await desk.orders.submit(order("k-2"))
    assert (refused.status, refused.rejected_code) == (OrderStatus.REJECTED, "QUARANTINED")
    other = await desk.orders.submit(order("k-3", fund_id="beta", strategy_id="parity"))
    assert other.status is OrderStatus.ACCEPTED


async def test_a_quarantine_outlives_a_restart(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(patient(order))
    await deliver(desk, fill_of(sent, 1, "11"))
    desk = await desk.reopen(recover=False)
    assert desk.record.unhalted == {("alpha", "trend")}


async def test_a_fill_after_a_venue_rejection_is_booked_and_quarantines(
    new_desk: Any, order: Any, deny: tuple[str, str]
) -> None:
    desk = await new_desk()
    desk.risk.denials["k-1"] = deny
    done = await desk.orders.submit(order())
    await deliver(desk, fill_of(done, 1, "4"))
    assert (await desk.record.order(done.order_id)).status is OrderStatus.REJECTED
    assert await flags(desk) == [("late_after_refusal",)]
    assert desk.record.ledger.quantities() == {SPX: 4}
    assert desk.record.unhalted == {("alpha", "trend")}


async def test_a_fill_of_no_order_of_ours_is_external_and_counted(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    await deliver(desk, fill_of(order("nobody's"), 1, symbol=NDX))
    assert desk.record.ledger.quantities() == {NDX: 10}
    assert desk.record.ledger.book("external", "external").holdings[NDX].quantity == 10
    assert await flags(desk) == [("external",)]


async def test_an_early_fill_opens_the_order_and_the_acknowledgement_follows(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    desk.venue.script = [TimeoutError("late")]
    sent = await desk.orders.submit(patient(order))
    await deliver(desk, fill_of(sent, 1, "4"))
    now = await desk.record.order(sent.order_id)
    assert (now.status, now.filled_quantity) == (OrderStatus.PARTIALLY_FILLED, 4)
    assert now.submitted_at == now.created_at, "an execution proves that it was sent"


def test_a_fill_of_another_symbol_or_side_is_a_mismatch(order: Any) -> None:
    plain = order(status=OrderStatus.ACCEPTED)
    assert flags_of(plain, fill_of(plain, 1)) == ()
    assert flags_of(plain, fill_of(plain, 1, symbol=NDX)) == ("mismatch",)
    assert flags_of(plain, fill_of(plain, 1, side=Side.SELL)) == ("mismatch",)


async def test_cancelling_a_filled_order_is_too_late(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(order())
    await desk.tick(1, {SPX: ("100", "101")})
    reply = await desk.canceller.cancel(sent.order_id, actor="operator:ann")
    assert (reply.outcome, reply.order.status) == (CancelOutcome.TOO_LATE, OrderStatus.FILLED)


async def test_a_cancel_that_crosses_a_fill_books_the_fill(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(order())
    await _fill_behind_our_back(desk)
    reply = await desk.canceller.cancel(sent.order_id, actor="operator:ann")
    assert (reply.outcome, reply.order.filled_quantity) == (CancelOutcome.TOO_LATE, 10)
    assert desk.record.ledger.quantities() == {SPX: 10}


async def _fill_behind_our_back(desk: Any) -> None:
    at = desk.clock.now() + timedelta(days=1)
    price = Decimal(100)
    bar = Bar(
        symbol=SPX, interval="1d", open=price, high=price, low=price, close=price, timestamp=at
    )
    desk.venue.set_time(at)
    await desk.venue.paper.on_bars([bar])


async def test_a_cancel_without_an_answer_is_unknown_and_stays_pending(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(patient(order))
    desk.venue.deaf = True
    reply = await desk.canceller.cancel(sent.order_id, actor="operator:ann")
    assert reply.outcome is CancelOutcome.UNKNOWN
    assert reply.order.status is OrderStatus.PENDING_CANCEL
    desk.venue.deaf = False
    again = await desk.canceller.cancel(sent.order_id, actor="operator:ann")
    assert again.outcome is CancelOutcome.CONFIRMED
    third = await desk.canceller.cancel(sent.order_id, actor="operator:ann")
    assert third.outcome is CancelOutcome.CONFIRMED, "cancelling twice is no news"


async def test_a_part_filled_order_keeps_its_fill_when_cancelled(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(patient(order))
    await deliver(desk, fill_of(sent, 1, "4"))
    reply = await desk.canceller.cancel(sent.order_id, actor="operator:ann", reason="end of day")
    assert (reply.order.status, reply.order.filled_quantity) == (OrderStatus.CANCELED, 4)


async def test_an_order_that_waits_for_risk_can_be_cancelled(new_desk: Any, order: Any) -> None:
    desk: Any = None

    async def cancel_meanwhile() -> None:
        desk.orders.cancel_wanted.add("order-k-1")

    desk = await new_desk(wait=True, pause=cancel_meanwhile)
    desk.risk.down = 1
    done = await desk.orders.submit(order())
    assert done.status is OrderStatus.CANCELED
    assert desk.venue.submitted == []


async def test_cancel_all_takes_one_scope_and_lists_what_is_left(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    mine = await desk.orders.submit(patient(order, "a"))
    other = await desk.orders.submit(patient(order, "b", fund_id="beta", strategy_id="parity"))
    reply = await desk.canceller.cancel_all("fund:alpha", actor="operator:ann")
    assert (reply.canceled, reply.residue) == ((mine.order_id,), ())
    desk.venue.deaf = True
    reply = await desk.canceller.cancel_all("firm", actor="operator:ann")
    assert (reply.canceled, reply.residue) == ((), (other.order_id,))
    with pytest.raises(OrderRefused, match="none of firm"):
        await desk.canceller.cancel_all("everything", actor="operator:ann")
    with pytest.raises(UnknownOrder, match="mts oms orders"):
        await desk.canceller.cancel("order-x", actor="operator:ann")


async def test_an_order_the_venue_ended_waits_for_its_last_fill(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(patient(order))
    theirs = sent.with_(
        status=OrderStatus.CANCELED, filled_quantity=Decimal(4), average_fill_price=Decimal(100)
    )
    async with desk.record.unit() as unit:
        assert conclude(unit, sent, theirs) == sent, "four are filled there, none are booked here"
    await deliver(desk, fill_of(sent, 1, "4"))
    async with desk.record.unit() as unit:
        ended = conclude(unit, await unit.order(sent.order_id), theirs)
    assert (ended.status, ended.filled_quantity) == (OrderStatus.CANCELED, 4)
    assert await flags(desk) == [()], "so it is not taken for a late one"
