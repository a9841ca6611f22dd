"""Capital of the firm, cash of a fund, and what a parent lends to its children."""

from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import DenyCode, Order, OrderStatus, OrderType, Side
from mts1b_foundation.limits import RiskLimits
from mts1b_riskengine import FixedBorrow
from riskengine_desk import FUND, MakeDesk, make_envelope, make_nav, outcome
from riskengine_limits import child, market, simple

D = Decimal


async def test_the_firm_counts_all_funds_and_open_orders(make_desk: MakeDesk) -> None:
    desk = await make_desk(limits=RiskLimits(firm_max_gross_usd=D(3000)))
    beta = make_envelope(envelope_id="env-beta", fund_id="beta")
    await desk.engine.seed_envelope(beta)
    assert (await desk.engine.check(simple(1).with_(quantity=D(20)))).approved
    other = simple(2, fund_id="beta").with_(quantity=D("10.01"))
    assert outcome(await desk.engine.check(other)) == ("firm_capital", DenyCode.FIRM_CAPITAL)
    fits = simple(3, fund_id="beta").with_(quantity=D(10))
    assert (await desk.engine.check(fits)).approved


async def test_cash_pays_for_open_purchases_fills_and_fees(make_desk: MakeDesk) -> None:
    limits = RiskLimits(buying_power_multiple=D(1), buying_power_fee_bps=D(10))
    desk = await make_desk(limits=limits)
    assert outcome(await desk.engine.check(simple(1)))[1] == DenyCode.CASH_UNKNOWN
    await desk.feed(make_nav("100000", cash_usd=D(2002)))
    first = simple(2).with_(quantity=D(10))
    assert (await desk.engine.check(first)).approved
    assert (await desk.engine.check(simple(3).with_(quantity=D("10.01")))).code == (
        DenyCode.BUYING_POWER
    )
    await desk.fill(first)
    assert desk.book.cash.get(FUND) == 1002
    assert (await desk.engine.check(simple(4).with_(quantity=D("10.01")))).code == (
        DenyCode.BUYING_POWER
    )
    assert (await desk.engine.check(simple(5).with_(quantity=D(10)))).approved


async def test_a_sale_takes_no_cash(make_desk: MakeDesk) -> None:
    limits = RiskLimits(buying_power_multiple=D(1))
    may_short = make_envelope(enable_shorting=True)
    desk = await make_desk(limits=limits, envelope=may_short, borrow=FixedBorrow())
    await desk.feed(make_nav("100000", cash_usd=D(0)))
    assert (await desk.engine.check(simple(1, side=Side.SHORT))).approved
    assert (await desk.engine.check(simple(2, side=Side.SELL))).approved
    assert (await desk.engine.check(simple(3))).code == DenyCode.BUYING_POWER


async def test_children_never_exceed_their_parent(make_desk: MakeDesk) -> None:
    desk = await market(make_desk)
    assert (await desk.engine.check(child(1, quantity=D(60)))).approved
    over = await desk.engine.check(child(2, quantity=D(41)))
    assert outcome(over) == ("parent_cap", DenyCode.PARENT_EXCEEDED)
    assert (await desk.engine.check(child(3, quantity=D(40)))).approved
    first = child(1, quantity=D(60), status=OrderStatus.CANCELED, filled_quantity=D(10))
    await desk.feed(first)
    assert (await desk.engine.check(child(4, quantity=D(51)))).code == DenyCode.PARENT_EXCEEDED
    assert (await desk.engine.check(child(5, quantity=D(50)))).approved
    stray = child(6, parent_order_id="nobody")
    assert outcome(await desk.engine.check(stray)) == ("parent_cap", DenyCode.PARENT_UNKNOWN)


def told(**changes: Any) -> Order:
    """Return a parent of 100 units as an OMS tells it, of which no event has come."""
    taken = child("told", parent_order_id=None, order_id="p-2", quantity=D(100))
    at_work = {"status": OrderStatus.ACCEPTED, "accepted_at": taken.created_at}
    return taken.with_(**at_work | changes)


def slice_of(number: int, **changes: Any) -> Order:
    return child(number, **{"parent_order_id": "p-2", "quantity": D(60)} | changes)


async def test_a_parent_whose_event_is_on_its_way_lends_to_its_children_already(
    make_desk: MakeDesk,
) -> None:
    """The first child of every algorithm was denied: events come later than checks."""
    desk = await market(make_desk)
    assert outcome(await desk.engine.check(slice_of(0)))[1] == DenyCode.PARENT_UNKNOWN
    assert (await desk.engine.check(slice_of(1), parent=told())).approved
    over = await desk.engine.check(slice_of(2, quantity=D(41)), parent=told())
    assert outcome(over) == ("parent_cap", DenyCode.PARENT_EXCEEDED)
    assert (await desk.engine.check(slice_of(3, quantity=D(40)), parent=told())).approved


@pytest.mark.parametrize(
    ("of_child", "of_parent"),
    [
        ({"side": Side.SHORT}, {}),
        ({"symbol": "MSFT"}, {}),
        ({"account": "other"}, {}),
        ({}, {"strategy_id": "other"}),
        ({}, {"fund_id": "beta"}),
        ({}, {"reduce_only": True}),
        ({}, {"limit_price": D("99.99")}),
        ({"order_type": OrderType.MARKET, "limit_price": None}, {}),
        ({}, {"order_id": "p-3"}),
        ({}, {"accepted_at": None}),
        ({}, {"submitted_at": child().created_at}),
        ({}, {"status": OrderStatus.PENDING_CANCEL}),
        ({}, {"status": OrderStatus.CANCELED}),
    ],
)
async def test_what_is_no_part_of_the_parent_that_is_told_is_denied(
    make_desk: MakeDesk, of_child: dict[str, Any], of_parent: dict[str, Any]
) -> None:
    desk = await make_desk(limits=RiskLimits(children_within_parent=True))
    one = slice_of(1, quantity=D(10), **of_child)
    denied = await desk.engine.check(one, parent=told(**of_parent))
    assert outcome(denied) == ("parent_cap", DenyCode.PARENT_MISMATCH)


async def test_a_child_that_is_judged_again_or_changed_counts_once(make_desk: MakeDesk) -> None:
    limits = RiskLimits(children_within_parent=True)
    desk = await make_desk(limits=limits)
    one = slice_of(1)
    for _ in range(2):
        assert (await desk.engine.check(one, parent=told())).approved
        desk.clock.advance(3)
    working = one.with_(status=OrderStatus.ACCEPTED, submitted_at=one.created_at, version=4)
    await desk.feed(working)
    for quantity, code in ((101, DenyCode.PARENT_EXCEEDED), (100, "")):
        wanted = working.with_(
            order_id=f"o-1-{quantity}",
            idempotency_key=f"k-1-{quantity}",
            quantity=D(quantity),
            status=OrderStatus.PENDING_RISK,
        )
        decision = await desk.engine.check(wanted, amends="o-1", parent=told())
        assert decision.code == code
    assert (await desk.engine.check(slice_of(2, quantity=D(1)), parent=told())).code == (
        DenyCode.PARENT_EXCEEDED
    )


async def test_a_restart_remembers_what_a_parent_asks_for(make_desk: MakeDesk) -> None:
    limits = RiskLimits(children_within_parent=True)
    desk = await make_desk(limits=limits)
    await desk.feed(told())
    assert (await desk.engine.check(slice_of(1))).approved
    await desk.store.close()
    again = await make_desk(limits=limits, prices=False)
    assert (await again.engine.check(slice_of(2, quantity=D(41)))).code == DenyCode.PARENT_EXCEEDED
    assert (await again.engine.check(slice_of(3, quantity=D(40)))).approved


async def test_a_parent_at_any_price_may_have_children_at_a_limit(make_desk: MakeDesk) -> None:
    desk = await make_desk(limits=RiskLimits(children_within_parent=True))
    any_price = told(order_type=OrderType.MARKET, limit_price=None)
    assert (await desk.engine.check(slice_of(1), parent=any_price)).approved


async def test_a_child_that_shrinks_gives_back_when_the_venue_says_so(make_desk: MakeDesk) -> None:
    desk = await make_desk(limits=RiskLimits(children_within_parent=True))
    one = slice_of(1)
    assert (await desk.engine.check(one, parent=told())).approved
    working = one.with_(status=OrderStatus.ACCEPTED, submitted_at=one.created_at, version=4)
    await desk.feed(working)
    smaller = working.with_(
        order_id="o-1-r",
        idempotency_key="k-1-r",
        quantity=D(30),
        status=OrderStatus.PENDING_RISK,
    )
    assert (await desk.engine.check(smaller, amends="o-1", parent=told())).approved
    over = await desk.engine.check(slice_of(2, quantity=D(41)), parent=told())
    assert over.code == DenyCode.PARENT_EXCEEDED
    await desk.feed(working.with_(quantity=D(30), version=6))
    assert (await desk.engine.check(slice_of(3, quantity=D(70)), parent=told())).approved


async def test_a_child_at_work_keeps_its_value(make_desk: MakeDesk) -> None:
    desk = await make_desk(limits=RiskLimits(max_parent_usd=D(10_000)))
    one = slice_of(1)
    assert (await desk.engine.check(one)).approved
    await desk.feed(one.with_(status=OrderStatus.ACCEPTED, submitted_at=one.created_at, version=4))
    over = await desk.engine.check(slice_of(2, quantity=D("40.01")))
    assert outcome(over) == ("parent_cap", DenyCode.MAX_PARENT)
    assert (await desk.engine.check(slice_of(3, quantity=D(40)))).approved


async def test_a_parent_does_not_grow_between_two_children(make_desk: MakeDesk) -> None:
    desk = await market(make_desk)
    parent = told()
    await desk.feed(parent)
    assert (await desk.engine.check(slice_of(1), parent=parent)).approved
    grown = told(quantity=D(200))
    denied = await desk.engine.check(slice_of(2), parent=grown)
    assert outcome(denied) == ("parent_cap", DenyCode.PARENT_MISMATCH)


async def test_a_parent_has_a_cap_in_value_and_a_restart_remembers(make_desk: MakeDesk) -> None:
    limits = RiskLimits(max_parent_usd=D(5000))
    desk = await make_desk(limits=limits)
    assert (await desk.engine.check(simple(1, parent_order_id="p").with_(quantity=D(30)))).approved
    await desk.store.close()
    again = await make_desk(limits=limits, prices=False)
    over = simple(2, parent_order_id="p").with_(quantity=D("20.01"))
    assert outcome(await again.engine.check(over)) == ("parent_cap", DenyCode.MAX_PARENT)
    assert (await again.engine.check(simple(3, parent_order_id="p").with_(quantity=D(20)))).approved
    assert await again.engine.release("o-3")
    assert (await again.engine.check(simple(4, parent_order_id="p").with_(quantity=D(20)))).approved


async def test_a_parent_is_no_exposure_of_its_own(make_desk: MakeDesk) -> None:
    desk = await market(make_desk)
    assert desk.book.reservations.get("p-1") is None
