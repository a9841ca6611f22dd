"""What the engine remembers, when things go wrong between a change and its commit."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from mts1b_foundation import DenyCode, Fill, HaltRequest, Order, Side
from mts1b_foundation.commands import HaltReply
from mts1b_foundation.limits import MessageLimits, RiskLimits
from mts1b_platform.pump import Event
from mts1b_riskengine.feed import RiskFeed
from mts1b_riskengine.halting import HaltRequester
from riskengine_desk import AT, FUND, Desk, MakeDesk, make_halt, make_nav, make_order, outcome

D = Decimal
PAID = RiskLimits(buying_power_multiple=D(1))


class DiskFull(Exception):
    """Stands for a commit that fails."""


def execution(order: Order) -> Fill:
    return Fill(
        fill_id=f"f-{order.order_id}",
        order_id=order.order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        price=D(100),
        venue="paper",
        timestamp=AT,
        fund_id=order.fund_id,
        strategy_id=order.strategy_id,
    )


async def lost(desk: Desk, payload: object) -> None:
    """Apply an event in a transaction that is rolled back."""
    event = Event("s", "s", None, payload, "m", "OMS", 1)  # type: ignore[arg-type]
    with pytest.raises(DiskFull):
        async with desk.store.transaction() as tx:
            await RiskFeed(desk.engine).handle(tx, event)
            raise DiskFull


async def test_a_sale_that_was_rolled_back_is_paid_for_once(make_desk: MakeDesk) -> None:
    desk = await make_desk(limits=PAID)
    await desk.hold("100")
    await desk.feed(make_nav("100000", cash_usd=D(500)))
    sale = make_order(7, side=Side.SELL, quantity=D(10))
    fill = execution(sale)
    await lost(desk, fill)
    await desk.feed(fill)
    assert desk.book.cash.get(FUND) == 1500
    await lost(desk, make_nav("100000", AT + timedelta(hours=1), cash_usd=D(90_000)))
    assert (await desk.engine.check(make_order(8, quantity=D(100)))).code == DenyCode.BUYING_POWER
    assert desk.book.cash.get(FUND) == 1500


async def test_an_old_nav_does_not_bring_old_cash_back(make_desk: MakeDesk) -> None:
    desk = await make_desk(limits=PAID)
    await desk.feed(make_nav("100000", AT, cash_usd=D(500)))
    await desk.feed(make_nav("100000", AT - timedelta(minutes=1), cash_usd=D(90_000)))
    assert desk.book.cash.get(FUND) == 500


async def test_amendments_are_recalled_after_a_restart(make_desk: MakeDesk) -> None:
    limits = RiskLimits(messages=MessageLimits(firm_new=9, firm_amend=1, window_s=60.0))
    desk = await make_desk(limits=limits)
    amend = {"broker_order_id": "v-1", "quantity": D(1)}
    assert (await desk.engine.check(make_order(1, **amend))).approved
    assert (await desk.engine.check(make_order(2, **amend))).code == DenyCode.MESSAGE_LIMIT
    await desk.store.close()
    again = await make_desk(limits=limits, prices=False)
    assert (await again.engine.check(make_order(3, **amend))).code == DenyCode.MESSAGE_LIMIT


async def test_what_was_given_back_is_reserved_anew_or_not_approved(desk: Desk) -> None:
    order = make_order(1, quantity=D(400))
    assert outcome(await desk.engine.check(order)) == ("", "")
    assert await desk.engine.release(order.order_id)
    again = await desk.engine.check(order)
    assert again.approved is (desk.book.reservations.get(order.order_id) is not None)
    others = await desk.engine.check(make_order(2, quantity=D(400)))
    assert not (again.approved and others.approved)  # the cap is 500 shares


async def test_a_late_answer_does_not_end_a_breach_that_opened_meanwhile(desk: Desk) -> None:
    """The first halt was lifted, and the fund lost again, before the engine heard of the halt."""
    day = timedelta(days=1)
    asked: list[str] = []

    async def answered_late(request: HaltRequest) -> HaltReply:
        asked.append(request.halt_id or "")
        state = desk.halts.apply(make_halt().with_(halt_id=request.halt_id))
        if len(asked) == 1:
            await desk.engine.check(make_order(1))
            desk.halts.lift("fund:alpha")
            await desk.engine.check(make_order(2))
            await desk.feed(make_nav("80000", AT + 2 * day))
        return HaltReply(active=state.of("fund:alpha"), created=True, epoch=state.epoch)

    requester = HaltRequester(desk.store, desk.book, answered_late)
    await desk.feed(make_nav("100000", AT), make_nav("90000", AT + day))
    await requester.send_pending()
    assert (await desk.engine.check(make_order(3))).code == DenyCode.DAILY_LOSS
    await requester.send_pending()
    assert len(set(asked)) == 2
    assert (await desk.engine.check(make_order(4))).code == DenyCode.FUND_HALTED
