"""From intent to terminal state: what is recorded, told, refused, and survived."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from mts1b_brokers.errors import BrokerRefused
from mts1b_foundation import (
    ActiveHalt,
    DenyCode,
    HaltSeverity,
    Order,
    OrderStatus,
    OrderType,
    Symbol,
    TimeInForce,
)
from mts1b_foundation.commands import CancelOutcome
from mts1b_oms.approved import ApprovedOrder
from mts1b_oms.errors import OrderRefused, Overloaded, ReconciliationMismatch
from mts1b_oms.outcomes import Fenced
from mts1b_oms.tables.orders import history
from mts1b_oms.tables.store import approvals_used
from oms_desk import comes_about
from pydantic import ValidationError

SPX = Symbol("SPX")


def halt(desk: Any, *, scope: str = "fund:alpha") -> ActiveHalt:
    severity = HaltSeverity.FIRM_HALT if scope == "firm" else HaltSeverity.FUND_HALT
    return ActiveHalt(
        halt_id=f"halt-{scope}",
        scope=scope,
        severity=severity,
        reason="drawdown",
        requested_by="risk",
        requested_at=desk.clock.now(),
        epoch=1,
    )


async def test_an_order_goes_to_the_venue_and_every_change_is_on_record(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    done = await desk.orders.submit(order())
    assert done.status is OrderStatus.ACCEPTED
    assert done.submitted_at == done.accepted_at == desk.clock.now()
    assert done.broker_order_id.startswith("PAPER-")
    assert await desk.verbs() == ["orders.created", "orders.submitted", "orders.accepted"]
    async with desk.store.read() as tx:
        changes = await history(tx, done.order_id)
        used = (await tx.execute(sa.select(approvals_used))).all()
    assert [row["after"] for row in changes] == [
        "pending_risk",
        "approved",
        "submitting",
        "submitted",
        "accepted",
    ]
    assert [row["version"] for row in changes] == [1, 2, 3, 4, 5]
    assert done.version == 5
    assert [row.order_id for row in used] == [done.order_id]


async def test_the_next_bar_fills_at_its_open_and_nav_is_struck_at_its_close(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(order(quantity=Decimal(100)))
    assert await desk.tick(1, {SPX: ("100", "110")}) == 1
    done = await desk.record.order(sent.order_id)
    assert (done.status, done.filled_quantity, done.average_fill_price) == (
        OrderStatus.FILLED,
        100,
        100,
    )
    fund, strategy = desk.record.navs["alpha", None], desk.record.navs["alpha", "trend"]
    assert fund.nav_usd == strategy.nav_usd == 600_000 + 1000 - 5
    assert (strategy.cash_usd, strategy.fees_usd) == (600_000 - 10_005, 5)
    assert strategy.unrealized_pnl_usd == 1000
    assert desk.record.navs["beta", "parity"].nav_usd == 400_000
    assert (await desk.verbs())[3:] == ["fills.created", "orders.filled", *["nav.updated"] * 4]
    assert desk.record.open_orders == {}
    assert await desk.tick(1, {SPX: ("100", "110")}) == 0, "the same bar again does nothing"
    assert await desk.reconciler.reconcile() == ()


async def test_the_same_key_is_the_same_order_for_ever(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    first = await desk.orders.submit(order())
    again = await desk.orders.submit(order(order_id="other", created_at=desk.clock.now()))
    assert again == first
    await desk.tick(1, {SPX: ("100", "110")})
    late = await desk.orders.submit(order())
    assert late.status is OrderStatus.FILLED
    assert len(desk.venue.submitted) == 1


async def test_two_submits_of_one_key_at_once_make_one_order(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    one, two = await asyncio.gather(desk.orders.submit(order()), desk.orders.submit(order()))
    assert one == two
    assert len(desk.venue.submitted) == desk.risk.asked == 1


@pytest.mark.parametrize(
    "change",
    [{"quantity": Decimal(11)}, {"symbol": Symbol("NDX")}, {"fund_id": "beta"}],
    ids=["quantity", "symbol", "fund"],
)
async def test_a_key_with_other_economics_is_refused(
    new_desk: Any, order: Any, change: dict[str, Any]
) -> None:
    desk = await new_desk()
    await desk.orders.submit(order())
    with pytest.raises(OrderRefused, match="order-k-1") as caught:
        await desk.orders.submit(order(**change))
    assert caught.value.code == DenyCode.KEY_REUSE_MISMATCH
    with pytest.raises(OrderRefused, match="order id") as caught:
        await desk.orders.submit(order("k-2", order_id="order-k-1"))
    assert len(desk.venue.submitted) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"symbol": Symbol("GONE")}, "UNKNOWN_SYMBOL"),
        ({"fund_id": "gamma"}, "UNKNOWN_FUND"),
        ({"broker": "ibkr"}, "BROKER_NOT_ALLOWED"),
        ({"mode": "live"}, "MODE_MISMATCH"),
        ({"status": OrderStatus.FILLED}, "SCHEMA_INVALID"),
    ],
)
async def test_what_can_not_be_an_order_leaves_no_trace(
    new_desk: Any, order: Any, change: dict[str, Any], code: str
) -> None:
    desk = await new_desk()
    with pytest.raises(OrderRefused) as caught:
        await desk.orders.submit(order(**change))
    assert caught.value.code == code
    assert await desk.events() == []


def test_a_limit_order_without_a_price_can_not_even_be_built(order: Any) -> None:
    with pytest.raises(ValidationError, match="needs a limit_price"):
        order(order_type=OrderType.LIMIT)


async def test_a_denial_is_recorded_with_gate_and_code(
    new_desk: Any, order: Any, deny: tuple[str, str]
) -> None:
    desk = await new_desk()
    desk.risk.denials["k-1"] = deny
    done = await desk.orders.submit(order())
    assert (done.status, done.rejected_code) == (OrderStatus.REJECTED, "MAX_POSITION_PCT")
    assert "position_risk" in (done.rejected_reason or "")
    assert await desk.verbs() == ["orders.created", "orders.rejected"]
    assert desk.venue.submitted == []


async def test_no_answer_from_risk_denies(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    desk.risk.down = 1
    done = await desk.orders.submit(order())
    assert (done.status, done.rejected_code) == (OrderStatus.REJECTED, "RISK_UNAVAILABLE")
    assert desk.venue.submitted == []


async def test_no_answer_from_risk_is_waited_out_where_that_is_configured(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk(wait=True)
    desk.risk.down = 3
    done = await desk.orders.submit(order())
    assert done.status is OrderStatus.ACCEPTED
    assert desk.pauses == 3


async def test_a_halt_between_approval_and_send_stops_the_order(new_desk: Any, order: Any) -> None:
    desk = await new_desk()

    def halt_now(decision: Any) -> Any:
        desk.halts.apply(halt(desk))
        return decision

    desk.risk.after = halt_now
    done = await desk.orders.submit(order())
    assert (done.status, done.rejected_code) == (OrderStatus.REJECTED, "FUND_HALTED")
    assert "drawdown" in (done.rejected_reason or "")
    assert desk.venue.submitted == []


async def test_a_halt_after_the_write_ahead_still_stops_the_order(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    approved = desk.gateway.admit(order(), (await desk.risk.check(order())).approval)
    assert isinstance(approved, ApprovedOrder)
    desk.halts.apply(halt(desk, scope="firm"))
    outcome = await desk.gateway.send(approved)
    assert isinstance(outcome, Fenced)
    assert outcome.code == "FIRM_HALTED"
    desk.halts.lift("firm")
    stale = await desk.gateway.send(approved)
    assert isinstance(stale, Fenced)
    assert stale.code == "EPOCH_CHANGED", "the approval belongs to the time before the halt"
    assert desk.venue.submitted == []


async def test_a_halt_of_another_fund_lets_fresh_approvals_pass(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    desk.halts.apply(halt(desk, scope="fund:beta"))
    assert (await desk.orders.submit(order())).status is OrderStatus.ACCEPTED


async def test_an_unreadable_halt_record_stops_everything(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    decision = await desk.risk.check(order())
    (desk.home / "halt").mkdir(exist_ok=True)
    (desk.home / "halt" / "halts.json").write_text("{")
    done = await desk.orders.submit(order())
    assert decision.approved
    assert (done.status, done.rejected_code) == (OrderStatus.REJECTED, "HALT_STATE_UNREADABLE")


async def test_an_approval_is_good_for_one_order_once(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    await desk.orders.submit(order())
    spent = desk.risk.answers["order-k-1"].approval

    def spend_again(decision: Any) -> Any:
        return decision.with_(approval=spent)

    desk.risk.after = spend_again
    other = await desk.orders.submit(order("k-2"))
    assert (other.status, other.rejected_code) == (OrderStatus.REJECTED, "APPROVAL_INVALID")
    assert "order_id" in (other.rejected_reason or "")


async def test_a_consumed_approval_is_refused_in_the_transaction_of_the_send(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    decision = await desk.risk.check(order())
    async with desk.record.unit() as unit:
        unit.use("order-k-1", decision.approval)
    done = await desk.orders.submit(order())
    assert (done.status, done.rejected_code) == (OrderStatus.REJECTED, "APPROVAL_USED")
    assert desk.venue.submitted == []


@pytest.mark.parametrize(
    "change",
    [{"quantity": Decimal(11)}, {"signature": "00" * 64}, {"mode": "live"}, {"symbol": "NDX"}],
    ids=["quantity", "signature", "mode", "symbol"],
)
async def test_an_altered_approval_lets_nothing_out(
    new_desk: Any, order: Any, change: dict[str, Any]
) -> None:
    desk = await new_desk()
    desk.risk.after = lambda d: d.with_(approval=d.approval.with_(**change))
    done = await desk.orders.submit(order())
    assert (done.status, done.rejected_code) == (OrderStatus.REJECTED, "APPROVAL_INVALID")
    assert desk.venue.submitted == []


async def test_an_expired_approval_lets_nothing_out(new_desk: Any, order: Any) -> None:
    desk = await new_desk()

    def dawdle(decision: Any) -> Any:
        desk.clock.advance(2.0)
        return decision

    desk.risk.after = dawdle
    done = await desk.orders.submit(order())
    assert (done.status, done.rejected_code) == (OrderStatus.REJECTED, "APPROVAL_INVALID")


async def test_only_the_gateway_builds_an_approved_order(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    decision = await desk.risk.check(order())
    with pytest.raises(TypeError, match=r"Gateway\.admit"):
        ApprovedOrder(order(), decision.approval, seal=object())  # type: ignore[arg-type]


async def test_silence_of_the_venue_is_not_a_rejection(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    desk.venue.script = [TimeoutError("no answer in 2 s")]
    done = await desk.orders.submit(order())
    assert done.status is OrderStatus.UNKNOWN
    assert (await desk.verbs())[-1] == "orders.unknown"
    assert done.order_id in desk.record.open_orders
    again = await desk.orders.submit(order())
    assert again.status is OrderStatus.ACCEPTED, "asked by key, it was there"
    assert len(desk.venue.submitted) == 1


async def test_what_certainly_never_arrived_is_sent_once_more(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    desk.venue.script = [ConnectionError("refused")]
    assert (await desk.orders.submit(order())).status is OrderStatus.UNKNOWN
    assert (await desk.orders.submit(order())).status is OrderStatus.ACCEPTED
    assert len(desk.venue.submitted) == 1


async def test_sending_again_after_the_approval_ended_needs_a_new_approval(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    desk.venue.script = [ConnectionError("refused")]
    await desk.orders.submit(order())
    desk.clock.advance(5.0)
    done = await desk.orders.submit(order())
    assert done.status is OrderStatus.ACCEPTED
    assert desk.risk.asked == 2
    async with desk.store.read() as tx:
        assert len((await tx.execute(sa.select(approvals_used))).all()) == 2


async def test_a_halt_while_an_order_is_in_doubt_keeps_it_from_being_sent_again(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    desk.venue.script = [ConnectionError("refused")]
    await desk.orders.submit(order())
    desk.halts.apply(halt(desk))
    done = await desk.orders.submit(order())
    assert (done.status, done.rejected_code) == (OrderStatus.REJECTED, "FUND_HALTED")
    assert desk.venue.submitted == []


async def test_an_order_in_doubt_stays_so_while_nobody_can_look(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    desk.venue.script = [TimeoutError("late")]
    await desk.orders.submit(order())
    desk.venue.deaf = True
    assert (await desk.orders.submit(order())).status is OrderStatus.UNKNOWN


async def test_a_refusal_of_the_venue_is_a_rejection_with_its_code(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    desk.venue.script = [BrokerRefused("no such account", code="NO_ACCOUNT")]
    done = await desk.orders.submit(order())
    assert (done.status, done.rejected_code) == (OrderStatus.REJECTED, "NO_ACCOUNT")
    assert "no such account" in (done.rejected_reason or "")


async def test_an_unfilled_day_order_expires_with_its_session(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    limit = order(order_type=OrderType.LIMIT, limit_price=Decimal(50), tif=TimeInForce.DAY)
    sent = await desk.orders.submit(limit)
    await desk.tick(1, {SPX: ("100", "110")})
    done = await desk.record.order(sent.order_id)
    assert done.status is OrderStatus.EXPIRED
    assert "orders.expired" in await desk.verbs()


async def test_a_closed_gate_takes_no_order(new_desk: Any, order: Any) -> None:
    desk = await new_desk(recover=False)
    with pytest.raises(ReconciliationMismatch, match="has not finished"):
        await desk.orders.submit(order())
    assert await desk.events() == []
    await desk.recover()
    assert isinstance(await desk.orders.submit(order()), Order)


async def test_a_good_till_cancelled_order_waits_over_sessions(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    limit = order(order_type=OrderType.LIMIT, limit_price=Decimal(95), tif=TimeInForce.GTC)
    sent = await desk.orders.submit(limit)
    await desk.tick(1, {SPX: ("100", "110")})
    assert (await desk.record.order(sent.order_id)).status is OrderStatus.ACCEPTED
    await desk.tick(2, {SPX: ("90", "92")})
    done = await desk.record.order(sent.order_id)
    assert (done.status, done.average_fill_price) == (OrderStatus.FILLED, 90)
    assert desk.clock.now() - done.created_at == timedelta(days=2)


async def test_a_burst_sheds_new_risk_first_and_cancels_never(new_desk: Any, order: Any) -> None:
    answers = asyncio.Event()
    desk = await new_desk(wait=True, pause=answers.wait)
    standing = await desk.orders.submit(order("standing"))
    desk.orders.load.most = 2
    desk.risk.down = 3
    waiting = [asyncio.create_task(desk.orders.submit(order(key))) for key in "ab"]
    await comes_about(lambda: desk.risk.down == 1)
    shed = order("shed")
    async with asyncio.timeout(20.0):
        with pytest.raises(Overloaded, match="send it again"):
            await desk.orders.submit(shed)
    assert await desk.record.order(shed.order_id) is None
    leaving = order("leaving", reduce_only=True)
    reducing = asyncio.create_task(desk.orders.submit(leaving))
    reply = await desk.canceller.cancel(standing.order_id, actor="operator:ann")
    assert reply.outcome is CancelOutcome.CONFIRMED
    answers.set()
    done = await asyncio.gather(*waiting, reducing)
    assert {one.status for one in done} <= {OrderStatus.ACCEPTED, OrderStatus.CANCELED}
    assert desk.orders.load.working == 0
    assert (await desk.orders.submit(shed)).status is OrderStatus.ACCEPTED
