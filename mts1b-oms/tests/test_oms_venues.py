"""What venues do to an order path: answers without sense, refusals afterwards, races, limits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from mts1b_brokers.paper import VenueProfile
from mts1b_foundation import Order, OrderStatus, OrderType, Side, Symbol, TimeInForce
from mts1b_foundation.protocols import AccountSnapshot

SPX = Symbol("SPX")


def resting(order: Any, key: str = "k-1", **changes: Any) -> Order:
    terms = {"order_type": OrderType.LIMIT, "limit_price": Decimal(50), "tif": TimeInForce.GTC}
    return order(key, **(terms | changes))


async def test_a5_a_fill_by_the_stream_ends_the_doubt_and_nothing_is_sent_again(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    desk.venue.script, desk.venue.blind = [TimeoutError("504")], True
    lost = await desk.orders.submit(order())
    assert lost.status is OrderStatus.UNKNOWN
    await desk.venue.paper.overfill(lost.order_id, quantity=Decimal(10), price=Decimal(100))

    desk.venue.blind = False
    await desk.sync.collect()
    after = await desk.orders.carry_on(lost.order_id)
    again = await desk.orders.submit(order())

    assert (after.status, again.status) == (OrderStatus.FILLED, OrderStatus.FILLED)
    assert len(desk.venue.submitted) == 1
    assert desk.record.ledger.quantities() == {SPX: 10}


async def test_a12_a_refusal_after_the_acknowledgement_ends_the_order(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(resting(order))
    refused = sent.with_(status=OrderStatus.REJECTED, rejected_code="MARGIN")

    async def later(key: str) -> Order:
        return refused

    desk.venue.get_order_by_key = later
    await desk.sync.collect()
    await desk.sync.collect()

    now = await desk.record.order(sent.order_id)
    assert (now.status, now.rejected_code) == (OrderStatus.REJECTED, "MARGIN")
    assert (await desk.verbs()).count("orders.rejected") == 1


@pytest.mark.parametrize(
    "answer",
    [
        lambda sent: sent.with_(order_id="another"),
        lambda sent: sent.with_(idempotency_key="another"),
        lambda sent: sent.with_(quantity=Decimal(11)),
        lambda sent: sent.with_(side=Side.SELL),
        lambda sent: sent.model_copy(update={"quantity": Decimal("NaN")}),
        lambda sent: None,
        lambda sent: {"status": "ok"}["order"],
        lambda sent: Decimal("no price"),
        lambda sent: len(None),  # type: ignore[arg-type]
    ],
    ids=["id", "key", "quantity", "side", "nan", "nothing", "no-key", "no-number", "no-type"],
)
async def test_a14_an_answer_without_sense_is_silence_and_the_venue_is_asked(
    new_desk: Any, order: Any, answer: Any
) -> None:
    desk = await new_desk()
    submit = desk.venue.submit

    async def confused(sent: Order) -> Order:
        await submit(sent)
        told: Order = answer(sent)
        return told

    desk.venue.submit = confused
    sent = await desk.orders.submit(resting(order))
    assert sent.status is OrderStatus.UNKNOWN

    found = await desk.orders.carry_on(sent.order_id)
    assert (found.status, len(desk.venue.submitted)) == (OrderStatus.ACCEPTED, 1)


async def test_c9_cancels_pass_where_new_orders_have_used_up_the_limit(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk(profile=VenueProfile(orders_per_s=10.0, burst=10))
    sent = [await desk.orders.submit(resting(order, f"k-{n}")) for n in range(12)]
    taken = [one for one in sent if one.status is OrderStatus.ACCEPTED]
    starved = [one for one in sent if one.status is OrderStatus.REJECTED]
    assert {one.rejected_code for one in starved} == {"RATE_LIMITED"}
    assert len(taken) == 8

    first = await desk.canceller.cancel(taken[0].order_id, actor="operator:ann")
    assert first.order.status is OrderStatus.CANCELED


async def test_c11_both_legs_of_a_pair_fill_and_both_are_booked(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    one = await desk.orders.submit(resting(order, "target", side=Side.BUY))
    two = await desk.orders.submit(resting(order, "stop", side=Side.SHORT, limit_price=Decimal(40)))
    await desk.tick(1, {SPX: ("45", "45")})

    for leg in (one, two):
        assert (await desk.record.order(leg.order_id)).status is OrderStatus.FILLED
    lots = desk.record.ledger.book("alpha", "trend").holdings[SPX]
    assert lots.quantity == 0
    assert lots.fees_usd > 0


async def test_d3_working_orders_stay_while_the_position_is_not_explained(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(resting(order))
    account = await desk.venue.account_snapshot()

    async def other_books() -> AccountSnapshot:
        return account.with_(cash_usd=account.cash_usd + 5)

    desk.venue.account_snapshot = other_books
    await desk.reconciler.reconcile()
    desk = await desk.reopen()

    assert sorted(desk.record.open_orders) == [sent.order_id]
    assert len(await desk.venue.get_open_orders()) == 1


async def test_d10_a_fill_during_a_look_is_booked_not_inferred(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(resting(order))
    look = desk.venue.account_snapshot
    pending = [Decimal(4), Decimal(6)]

    async def races() -> AccountSnapshot:
        if pending:
            await desk.venue.paper.overfill(
                sent.order_id, quantity=pending.pop(), price=Decimal(49)
            )
        seen: AccountSnapshot = await look()
        return seen

    desk.venue.account_snapshot = races
    await desk.reconciler.reconcile()

    assert desk.gate.is_open
    assert desk.record.ledger.quantities() == {SPX: 10}
    assert (await desk.verbs()).count("fills.created") == 2
    assert len(await desk.reports()) == 1
