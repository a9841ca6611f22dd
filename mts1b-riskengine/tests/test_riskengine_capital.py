"""Capital of the firm, cash of a fund, and what a parent lends to its children."""

from decimal import Decimal

from mts1b_foundation import DenyCode, OrderStatus
from mts1b_foundation.limits import RiskLimits
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
