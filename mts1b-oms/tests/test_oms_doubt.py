"""Orders that nobody knows the fate of: evidence, blocks, resolutions, and one writer."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from mts1b_foundation import (
    DenyCode,
    Fill,
    Order,
    OrderStatus,
    Quote,
    RiskEnvelope,
)
from mts1b_foundation.commands import CancelOutcome, Resolution, ResolveOrder
from mts1b_foundation.risk import ActiveHalt, HaltSeverity
from mts1b_oms.doubt import ALARM_AFTER_S, DoubtWork
from mts1b_oms.errors import ResolutionRefused, UnknownOrder, WriterFenced
from mts1b_oms.outcomes import Fenced
from mts1b_oms.record import OmsRecord
from mts1b_oms.resolve import Resolver, sign_resolution
from mts1b_oms.transitions import OrderEvent
from mts1b_platform.clock import VirtualClock
from mts1b_platform.halt import SendLease
from mts1b_platform.logging import get_logger
from mts1b_platform.rng import SeededRng
from mts1b_platform.signing import KeyRing
from mts1b_riskengine.approval import ApprovalMint

LOST = ConnectionError("reset before anything arrived")


def doubt_of(desk: Any) -> DoubtWork:
    return DoubtWork(desk.orders, desk.replacer, clock=desk.clock, log=get_logger("test"))


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


class TestResolution:
    """`mts oms resolve`."""

    async def lost(self, desk: Any, order: Any) -> Order:
        desk.venue.script = [LOST]
        desk.venue.deaf = True
        found: Order = await desk.orders.submit(order())
        return found

    def keys(self, desk: Any) -> KeyRing:
        ring = KeyRing(desk.home / "keys", SeededRng(5))
        ring.create("operator-ann")
        return ring

    def request(self, order: Order, **changes: Any) -> ResolveOrder:
        words: dict[str, Any] = {
            "order_id": order.order_id,
            "order_version": order.version,
            "resolution": Resolution.NEVER_ARRIVED,
            "filled_quantity": Decimal(0),
            "reason": "the venue's desk has never seen it",
            "signed_by": "operator:ann",
            "requested_at": datetime(2020, 1, 2, tzinfo=UTC),
        }
        return ResolveOrder(**(words | changes))

    async def test_each_resolution(self, new_desk: Any, order: Any) -> None:
        for number, (change, status, filled) in enumerate(
            (
                ({}, OrderStatus.REJECTED, 0),
                ({"resolution": Resolution.CANCELED}, OrderStatus.CANCELED, 0),
                (
                    {"resolution": "canceled", "filled_quantity": 4, "average_price": 101},
                    OrderStatus.CANCELED,
                    4,
                ),
                (
                    {"resolution": "filled", "filled_quantity": 10, "average_price": 101},
                    OrderStatus.FILLED,
                    10,
                ),
            )
        ):
            desk = await new_desk(f"home{number}")
            lost = await self.lost(desk, order)
            ring = self.keys(desk)
            signed = sign_resolution(ring, self.request(lost, **change))
            done = await Resolver(desk.orders, ring).resolve(signed)
            assert (done.status, done.filled_quantity) == (status, filled)
            held = desk.record.ledger.quantities().get(order().symbol, Decimal(0))
            assert held == filled
            assert "orders.resolved" in await desk.verbs()
            with pytest.raises(ResolutionRefused, match="only an order in doubt"):
                await Resolver(desk.orders, ring).resolve(signed)

    async def test_a_late_execution_is_booked_all_the_same(self, new_desk: Any, order: Any) -> None:
        desk = await new_desk()
        lost = await self.lost(desk, order)
        ring = self.keys(desk)
        signed = sign_resolution(ring, self.request(lost, resolution=Resolution.CANCELED))
        await Resolver(desk.orders, ring).resolve(signed)
        desk.venue.deaf = False
        desk.venue.late = [
            Fill(
                fill_id="late-1",
                order_id=lost.order_id,
                symbol=lost.symbol,
                side=lost.side,
                quantity=Decimal(10),
                price=Decimal(99),
                venue="paper",
                timestamp=desk.clock.now(),
            )
        ]
        await desk.sync.collect()
        done = await desk.record.order(lost.order_id)
        assert (done.status, done.filled_quantity) == (OrderStatus.FILLED, 10)

    async def test_what_is_refused(self, new_desk: Any, order: Any) -> None:
        desk = await new_desk()
        lost = await self.lost(desk, order)
        ring = self.keys(desk)
        resolver = Resolver(desk.orders, ring)
        good = sign_resolution(ring, self.request(lost))
        bad: list[ResolveOrder] = [
            self.request(lost),
            good.with_(reason="another reason"),
            good.with_(signed_by="operator:bob"),
            sign_resolution(ring, self.request(lost, order_version=lost.version + 1)),
            sign_resolution(ring, self.request(lost, filled_quantity=Decimal(3))),
            sign_resolution(ring, self.request(lost, resolution=Resolution.FILLED)),
            sign_resolution(
                ring,
                self.request(lost, resolution=Resolution.CANCELED, filled_quantity=Decimal(3)),
            ),
        ]
        for request in bad:
            with pytest.raises(ResolutionRefused):
                await resolver.resolve(request)
        assert (await desk.record.order(lost.order_id)).status is OrderStatus.UNKNOWN
        stranger = sign_resolution(ring, self.request(lost, order_id="order-nothing"))
        with pytest.raises(UnknownOrder):
            await resolver.resolve(stranger)
        with pytest.raises(ResolutionRefused, match="no key"):
            sign_resolution(ring, self.request(lost, signed_by="operator:zoe"))
        assert (await resolver.resolve(good)).status is OrderStatus.REJECTED


async def test_f5_a9_an_earlier_writer_writes_and_sends_no_more(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    await desk.orders.submit(order("before"))
    successor = await OmsRecord.open(desk.store, desk.clock, venue="paper", capital={})
    assert successor.fence == desk.record.fence + 1
    with pytest.raises(WriterFenced, match=f"number {successor.fence}"):
        await desk.orders.submit(order("after"))
    assert len(desk.venue.submitted) == 1


class TestGatewayFences:
    """Everything that stands before the wire, in one block that awaits nothing."""

    def approve(self, desk: Any, order: Order, lease_id: str = "") -> Any:
        mint: ApprovalMint = desk.risk._mint
        return mint.approve(
            order,
            RiskEnvelope(envelope_id="e", fund_id=order.fund_id, nav_usd=Decimal(1)),
            decision_id=order.order_id,
            attempt=1,
            reference_price=Decimal(100),
            epoch=desk.halts.state().epoch,
            now=desk.clock.now(),
            lease_id=lease_id,
        )

    async def test_i7_a_lease_that_ends_between_approval_and_send_stops_the_order(
        self, new_desk: Any, order: Any
    ) -> None:
        desk = await new_desk()
        clock = VirtualClock(desk.clock.now())
        lease = SendLease(clock)
        lease._id, lease._ends = "lease-1", clock.monotonic() + 2.0
        desk.gateway.lease = lease
        admitted = desk.gateway.admit(order(), self.approve(desk, order(), "lease-1"))
        assert not isinstance(admitted, Fenced)
        clock.advance(2.0)
        stopped = await desk.gateway.send(admitted)
        assert isinstance(stopped, Fenced)
        assert stopped.code == DenyCode.LEASE_EXPIRED
        assert desk.venue.submitted == []

    async def test_an_approval_of_another_lease_lets_nothing_out(
        self, new_desk: Any, order: Any
    ) -> None:
        desk = await new_desk()
        refused = desk.gateway.admit(order(), self.approve(desk, order(), "lease-0"))
        assert isinstance(refused, Fenced)
        assert "lease" in refused.reason

    async def test_i1_an_approval_ages_by_the_monotonic_clock(
        self, new_desk: Any, order: Any
    ) -> None:
        desk = await new_desk()
        approval = self.approve(desk, order())
        assert not isinstance(desk.gateway.admit(order(), approval, age_s=1.9), Fenced)
        assert isinstance(desk.gateway.admit(order(), approval, age_s=2.0), Fenced)

    @pytest.mark.parametrize(
        ("scope", "severity", "code"),
        [
            ("venue:paper", HaltSeverity.VENUE_HALT, DenyCode.VENUE_HALTED),
            ("symbol:SPX", HaltSeverity.SYMBOL_HALT, DenyCode.SYMBOL_HALTED),
        ],
    )
    async def test_venue_and_symbol_halts_stop_an_approved_order(
        self, new_desk: Any, order: Any, scope: str, severity: HaltSeverity, code: DenyCode
    ) -> None:
        desk = await new_desk()
        desk.halts.apply(
            ActiveHalt(
                halt_id="h",
                scope=scope,
                severity=severity,
                reason="drill",
                requested_by="operator:ann",
                requested_at=desk.clock.now(),
                epoch=1,
            )
        )
        done = await desk.orders.submit(order())
        assert (done.status, done.rejected_code) == (OrderStatus.REJECTED, code)
        assert desk.venue.submitted == []


async def test_f4_g3_an_approval_that_ended_while_a_commit_stalled_is_not_sent(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    begin = desk.orders._begin_sending

    async def stalled(*parts: Any) -> Order:
        begun: Order = await begin(*parts)
        desk.clock.advance(30.0)
        return begun

    desk.orders._begin_sending = stalled
    sent = await desk.orders.submit(order())

    assert (sent.status, sent.rejected_code) == (OrderStatus.REJECTED, DenyCode.APPROVAL_INVALID)
    assert desk.venue.submitted == []


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
