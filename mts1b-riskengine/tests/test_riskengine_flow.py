"""The flow of orders: messages in a window, twins, and our own orders on both sides."""

from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import DenyCode, OrderStatus, OrderType, Side
from mts1b_foundation.limits import MessageLimits, RiskLimits
from mts1b_foundation.nats import OMS_ORDERS_CANCELED
from mts1b_platform.pump import Event
from mts1b_riskengine.feed import RiskFeed
from riskengine_desk import FUND, MakeDesk, outcome
from riskengine_limits import MSFT, OPEN, mandates, plain, simple

D = Decimal


@pytest.mark.parametrize("scope", ["strategy", "venue", "firm"])
async def test_messages_are_limited_per_scope(make_desk: MakeDesk, scope: str) -> None:
    sizes: dict[str, Any] = {f"{scope}_new": 2, "window_s": 1.0}
    desk = await make_desk(limits=RiskLimits(messages=MessageLimits(**sizes)))
    for number in (1, 2):
        assert (await desk.engine.check(simple(number))).approved
    third = await desk.engine.check(simple(3))
    assert outcome(third) == ("message_limit", DenyCode.MESSAGE_LIMIT)
    assert scope in third.reason
    assert (third.gates[-1].limit, third.gates[-1].value) == ("2", "3")
    elsewhere = await desk.engine.check(simple(4, strategy_id="carry"))
    assert elsewhere.approved is (scope == "strategy")
    desk.clock.advance(1)
    assert (await desk.engine.check(simple(5))).approved


@pytest.mark.parametrize("amend", [{"broker_order_id": "v-1"}, {"submitted_at": OPEN}])
async def test_amendments_have_a_limit_of_their_own_and_cancels_none(
    make_desk: MakeDesk, amend: dict[str, Any]
) -> None:
    sizes = MessageLimits(firm_new=2, firm_amend=1, window_s=60.0)
    desk = await make_desk(limits=RiskLimits(messages=sizes))
    assert (await desk.engine.check(simple(1))).approved
    assert (await desk.engine.check(simple(2, **amend))).approved
    assert outcome(await desk.engine.check(simple(3, **amend)))[1] == DenyCode.MESSAGE_LIMIT
    assert (await desk.engine.check(simple(4))).approved
    assert outcome(await desk.engine.check(simple(5)))[1] == DenyCode.MESSAGE_LIMIT
    gone = simple(1, status=OrderStatus.CANCELED)
    event = Event(OMS_ORDERS_CANCELED, OMS_ORDERS_CANCELED, FUND, gone, "m", "OMS", 1)
    async with desk.store.transaction() as tx:
        await RiskFeed(desk.engine).handle(tx, event)
    assert desk.book.reservations.get("o-1") is None
    assert desk.book.flow.totals == {"new": 2, "amend": 1, "cancel": 1}


async def test_windows_survive_a_restart(make_desk: MakeDesk) -> None:
    limits = RiskLimits(messages=MessageLimits(firm_new=2, window_s=60.0), duplicate_window_s=30.0)
    desk = await make_desk(limits=limits)
    assert (await desk.engine.check(simple(1))).approved
    assert (await desk.engine.check(simple(2, side=Side.SELL))).code == DenyCode.SHORTING_DISABLED
    assert (await desk.engine.check(simple(3, symbol=MSFT))).approved
    await desk.store.close()
    again = await make_desk(limits=limits, prices=False)
    assert outcome(await again.engine.check(simple(4)))[1] == DenyCode.MESSAGE_LIMIT
    again.clock.advance(29.9)
    assert again.book.flow.twin(simple(5), again.clock.monotonic()) == "o-1"
    again.clock.advance(0.2)
    assert again.book.flow.twin(simple(5), again.clock.monotonic()) is None


async def test_an_order_that_is_judged_again_does_not_count_against_itself(
    make_desk: MakeDesk,
) -> None:
    limits = RiskLimits(
        max_parent_usd=D(1000), messages=MessageLimits(firm_new=1, window_s=60.0), repeat_max=1
    )
    desk = await make_desk(limits=limits, mandates=mandates(max_orders_per_day=1))
    first = simple(1, parent_order_id="p").with_(quantity=D(10))
    nonces = set()
    for _ in range(3):
        decision = await desk.engine.check(first)
        assert decision.approval is not None
        nonces.add(decision.approval.nonce)
        desk.clock.advance(3)
    assert len(nonces) == 3
    assert (await desk.engine.check(simple(2))).code == DenyCode.MANDATE_BUDGET
    assert desk.book.flow.totals["new"] == 1


async def test_only_what_adds_risk_by_itself_has_a_twin(make_desk: MakeDesk) -> None:
    """The slices of a parent are alike by design, and two orders may go flat in two steps."""
    desk = await make_desk(limits=RiskLimits(duplicate_window_s=10.0))
    await desk.hold("-20", "MSFT")
    for number in (1, 2):
        assert (await desk.engine.check(simple(number, parent_order_id="p"))).approved
        assert (await desk.engine.check(simple(number + 2, symbol=MSFT))).approved
    assert (await desk.engine.check(simple(5))).approved
    denied = await desk.engine.check(simple(6))
    assert outcome(denied) == ("duplicate_economics", DenyCode.DUPLICATE_ECONOMICS)


async def test_our_own_orders_do_not_meet(make_desk: MakeDesk) -> None:
    desk = await make_desk(limits=RiskLimits(self_match=True))
    await desk.hold("50", strategy="carry")
    sell = plain(1, side=Side.SELL, limit_price=D(101), strategy_id="carry")
    assert (await desk.engine.check(sell)).approved
    below = plain(2, limit_price=D("100.99"))
    assert (await desk.engine.check(below)).approved
    for number, price in ((3, D(101)), (4, None)):
        kind = OrderType.LIMIT if price else OrderType.MARKET
        crossing = plain(number, limit_price=price, order_type=kind)
        denied = await desk.engine.check(crossing)
        assert outcome(denied) == ("self_match", DenyCode.SELF_MATCH)
        assert "o-1" in denied.reason
    await desk.store.close()
    again = await make_desk(limits=RiskLimits(self_match=True), prices=False)
    assert outcome(await again.engine.check(plain(5, limit_price=D(101))))[0] == "self_match"
    assert (await again.engine.check(plain(6, limit_price=D("100.99")))).approved
    await again.end(sell, OrderStatus.CANCELED)
    assert (await again.engine.check(plain(7, limit_price=D(101)))).approved
