"""The only door to a venue: verified approval, halt epoch, then the wire."""

from __future__ import annotations

from collections.abc import Mapping

from mts1b_brokers.errors import BrokerError, BrokerRefused
from mts1b_foundation.orders import ExecutionMode, Order, OrderStatus
from mts1b_foundation.protocols import BrokerProtocol, OrderQuery
from mts1b_foundation.risk import ActiveHalt, DenyCode, HaltSeverity, RiskApproval
from mts1b_platform.clock import Clock
from mts1b_platform.halt import HaltStateUnreadable, HaltStore
from mts1b_platform.signing import Verifier
from mts1b_riskengine.approval import verify_approval
from mts1b_riskengine.errors import ApprovalInvalid

from mts1b_oms.approved import _SEAL, ApprovedOrder
from mts1b_oms.outcomes import CouldNotLook, Fenced, NeverSeen, Refused, Sent, Silent

__all__ = ["Gateway"]

_HALT_CODE: Mapping[HaltSeverity, DenyCode] = {
    HaltSeverity.FIRM_HALT: DenyCode.FIRM_HALTED,
    HaltSeverity.FUND_HALT: DenyCode.FUND_HALTED,
    HaltSeverity.STRATEGY_HALT: DenyCode.STRATEGY_HALTED,
}
_NO_EVIDENCE = (TimeoutError, OSError, BrokerError, ValueError)
"""What a venue may raise that says nothing of the order. ``BrokerRefused`` is caught first."""


class Gateway:
    """Let approved orders out, one approval at a time.

    :param venue: where orders go.
    :param verifier: checks the risk engine's signature.
    :param halts: this machine's halt record; read without any network.
    """

    def __init__(
        self,
        *,
        venue: BrokerProtocol,
        verifier: Verifier,
        halts: HaltStore,
        clock: Clock,
        mode: ExecutionMode,
    ) -> None:
        self._venue = venue
        self._verifier = verifier
        self._halts = halts
        self._clock = clock
        self._mode = mode

    def admit(self, order: Order, approval: RiskApproval) -> ApprovedOrder | Fenced:
        """Return the order as approved, or what forbids it. Reads no network."""
        fence = self._fence(order, approval.halt_epoch)
        if fence is not None:
            return fence
        try:
            verify_approval(
                approval,
                order,
                self._verifier,
                now=self._clock.now(),
                epoch=self._halts.state().epoch,
                mode=self._mode,
            )
        except ApprovalInvalid as error:
            return Fenced(DenyCode.APPROVAL_INVALID, str(error))
        return ApprovedOrder(order, approval, seal=_SEAL)

    def _fence(self, order: Order, epoch: int) -> Fenced | None:
        try:
            current = self._halts.state().epoch
        except HaltStateUnreadable as error:
            return Fenced(DenyCode.HALT_STATE_UNREADABLE, str(error))
        halt = self._halts.blocked(
            fund_id=order.fund_id, strategy_id=order.strategy_id, reduce_only=order.reduce_only
        )
        if halt is not None:
            return Fenced(_HALT_CODE[halt.severity], _halt_text(halt))
        if current != epoch:
            return Fenced(
                DenyCode.EPOCH_CHANGED,
                f"approved in halt epoch {epoch}, now it is {current}; submit a new order",
            )
        return None

    async def send(self, approved: ApprovedOrder) -> Sent | Refused | Fenced | Silent:
        """Send an order whose approval is consumed on record. Never raises what a venue raises."""
        order = approved.order
        # Nothing may be awaited between the fence and the venue: a halt that returned before
        # this block is seen, one that returns after it finds the order already on the wire.
        fence = self._fence(order, approved.approval.halt_epoch)
        if fence is not None:
            return fence
        try:
            theirs = await self._venue.submit(order)
        except BrokerRefused as error:
            return Refused(error.code, str(error))
        except _NO_EVIDENCE as error:
            return Silent(f"{type(error).__name__}: {error}")
        return _answer(theirs)

    async def find(self, order: Order) -> Sent | Refused | NeverSeen | CouldNotLook:
        """Ask the venue for an order by its key."""
        if not isinstance(self._venue, OrderQuery):
            return CouldNotLook(f"venue {self._venue.name} can not be asked by key")
        try:
            theirs = await self._venue.get_order_by_key(order.idempotency_key)
        except _NO_EVIDENCE as error:
            return CouldNotLook(f"{type(error).__name__}: {error}")
        return NeverSeen() if theirs is None else _answer(theirs)

    async def cancel(self, order_id: str) -> bool | Silent:
        """Ask the venue to cancel: True confirmed, False not cancelled, or no evidence."""
        try:
            return await self._venue.cancel(order_id)
        except _NO_EVIDENCE as error:
            return Silent(f"{type(error).__name__}: {error}")


def _answer(theirs: Order) -> Sent | Refused:
    if theirs.status is not OrderStatus.REJECTED:
        return Sent(theirs)
    code = theirs.rejected_code or DenyCode.VENUE_REFUSED
    return Refused(code, theirs.rejected_reason or "the venue gave no reason")


def _halt_text(halt: ActiveHalt) -> str:
    return f"{halt.scope} is halted since {halt.requested_at.isoformat()}: {halt.reason}"
