"""A risk engine that signs what it is not told to deny."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from mts1b_foundation import Order, RiskDecision, RiskEnvelope
from mts1b_oms.errors import RiskUnavailable
from mts1b_platform.clock import VirtualClock
from mts1b_platform.halt import HaltStore
from mts1b_platform.signing import Ed25519Signer
from mts1b_riskengine.approval import ApprovalMint
from oms_fuse import Fuse

SEED = bytes(range(32))


class Risk:
    """A risk engine that signs what it is not told to deny. Its answers outlive the OMS."""

    def __init__(self, clock: VirtualClock, halts: HaltStore, fuse: Fuse) -> None:
        self.amended: list[tuple[str, Decimal]] = []
        self.denials: dict[str, tuple[str, str]] = {}
        self.answers: dict[str, RiskDecision] = {}
        self.down = 0
        self.asked = 0
        self.after: Callable[[RiskDecision], RiskDecision] = lambda decision: decision
        self._mint = ApprovalMint(Ed25519Signer(SEED), ttl_s=2.0, policy_hash="p")
        self._envelope = RiskEnvelope(envelope_id="e", fund_id="alpha", nav_usd=Decimal(1))
        self._clock, self._halts, self._fuse = clock, halts, fuse

    async def check(
        self,
        order: Order,
        *,
        lease_id: str = "",
        amends: str = "",
        parent: Order | None = None,
    ) -> RiskDecision:
        if amends:
            self.amended.append((amends, order.quantity))
        self._fuse.checkpoint("before risk")
        self.asked += 1
        if self.down:
            self.down -= 1
            raise RiskUnavailable("nobody answers")
        known = self.answers.get(order.order_id)
        if known and known.approval and known.approval.expires_at <= self._clock.now():
            known = None
        self.answers[order.order_id] = known or self._decide(order, lease_id)
        self._fuse.checkpoint("after risk")
        return self.after(self.answers[order.order_id])

    def _decide(self, order: Order, lease_id: str) -> RiskDecision:
        common = {"order_id": order.order_id, "decided_at": self._clock.now()}
        if order.idempotency_key in self.denials:
            gate, code = self.denials[order.idempotency_key]
            return RiskDecision(
                approved=False, rejecting_gate=gate, code=code, reason="too much", **common
            )
        approval = self._mint.approve(
            order,
            self._envelope,
            decision_id=order.order_id,
            attempt=self.asked,
            reference_price=order.reference_price or Decimal(100),
            epoch=self._halts.state().epoch,
            now=self._clock.now(),
            lease_id=lease_id,
        )
        return RiskDecision(approved=True, approval=approval, **common)
