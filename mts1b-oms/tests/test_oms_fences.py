"""What lets nothing out: an earlier writer, a lease or an approval that ended, a halt."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import DenyCode, Order, OrderStatus, RiskEnvelope
from mts1b_foundation.risk import ActiveHalt, HaltSeverity
from mts1b_oms.errors import WriterFenced
from mts1b_oms.outcomes import Fenced
from mts1b_oms.record import OmsRecord
from mts1b_platform.clock import VirtualClock
from mts1b_platform.halt import SendLease
from mts1b_riskengine.approval import ApprovalMint


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
