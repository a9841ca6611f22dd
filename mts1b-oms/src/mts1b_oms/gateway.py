"""The only door to a venue: verified approval, halt epoch, then the wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from operator import attrgetter

from mts1b_brokers.errors import BrokerRefused
from mts1b_foundation.orders import ExecutionMode, Order, OrderStatus
from mts1b_foundation.protocols import (
    BrokerProtocol,
    CapabilityCard,
    FillHistory,
    OrderQuery,
    ReplaceOrders,
    VenueCard,
)
from mts1b_foundation.risk import ActiveHalt, DenyCode, HaltSeverity, RiskApproval
from mts1b_platform.clock import Clock
from mts1b_platform.halt import HaltStateUnreadable, HaltStore, SendLease
from mts1b_platform.signing import Verifier
from mts1b_riskengine.approval import verify_approval
from mts1b_riskengine.errors import ApprovalInvalid

from mts1b_oms.approved import _SEAL, ApprovedOrder
from mts1b_oms.last_acts import LastActs
from mts1b_oms.outcomes import NO_EVIDENCE, CouldNotLook, Fenced, NeverSeen, Refused, Sent, Silent

__all__ = ["Gateway", "card_of"]

_UNKNOWN_LAG_S = 30.0
"""How late a venue without a card may show an order."""

_HALT_CODE: Mapping[HaltSeverity, DenyCode] = {
    HaltSeverity.FIRM_HALT: DenyCode.FIRM_HALTED,
    HaltSeverity.FUND_HALT: DenyCode.FUND_HALTED,
    HaltSeverity.STRATEGY_HALT: DenyCode.STRATEGY_HALTED,
    HaltSeverity.VENUE_HALT: DenyCode.VENUE_HALTED,
    HaltSeverity.SYMBOL_HALT: DenyCode.SYMBOL_HALTED,
}


_TERMS = ("order_id", "idempotency_key", "symbol", "side", "quantity")
"""What a venue's answer says as our order does, or makes no sense."""

_UNCHANGED = attrgetter(*_TERMS)


class Gateway:
    """Let approved orders out, one approval at a time.

    :param venue: where orders go.
    :param verifier: checks the risk engine's signature.
    :param halts: this machine's halt record; read without any network.
    :param lease: the right to send now; None where senders need none.
    :param fills_from: the cursor up to which fills are booked already.
    """

    def __init__(
        self,
        *,
        venue: BrokerProtocol,
        verifier: Verifier,
        halts: HaltStore,
        clock: Clock,
        mode: ExecutionMode,
        lease: SendLease | None = None,
        fills_from: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._fills_from = fills_from
        self.lease = lease or SendLease.unlimited()
        self._card = card_of(venue)
        self._venue = venue
        self._verifier = verifier
        self._halts = halts
        self._clock = clock
        self._mode = mode
        self._acts = LastActs(clock, lag_s=self._card.visibility_lag_s)
        self._in_use_there: set[str] = set()

    @property
    def answers_by_key(self) -> bool:
        """Return whether the venue can be asked for an order."""
        return isinstance(self._venue, OrderQuery)

    def admit(
        self, order: Order, approval: RiskApproval, *, age_s: float = 0.0
    ) -> ApprovedOrder | Fenced:
        """Return the order as approved, or what forbids it. Reads no network.

        :param age_s: seconds since the approval was asked for, on the monotonic clock.
        """
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
                lease_id=self.lease.current,
                age_s=age_s,
            )
        except ApprovalInvalid as error:
            return Fenced(DenyCode.APPROVAL_INVALID, str(error))
        life = (approval.expires_at - approval.issued_at).total_seconds()
        ends = self._clock.monotonic() + life - age_s
        return ApprovedOrder(order, approval, ends=ends, seal=_SEAL)

    def _fence(self, order: Order, epoch: int) -> Fenced | None:
        try:
            current = self._halts.state().epoch
        except HaltStateUnreadable as error:
            return Fenced(DenyCode.HALT_STATE_UNREADABLE, str(error))
        halt = self._halts.blocked(
            fund_id=order.fund_id,
            strategy_id=order.strategy_id,
            venue=self._venue.name,
            symbol=order.symbol,
            reduce_only=order.reduce_only,
        )
        if halt is not None:
            return Fenced(_HALT_CODE[halt.severity], _halt_text(halt))
        if current != epoch:
            return Fenced(
                DenyCode.EPOCH_CHANGED,
                f"approved in halt epoch {epoch}, now it is {current}; submit a new order",
            )
        if not self.lease.valid():
            return Fenced(
                DenyCode.LEASE_EXPIRED,
                "no lease from operations, so nobody knows whether a halt is in force elsewhere; "
                "it comes back by itself when operations answers",
            )
        return None

    async def send(self, approved: ApprovedOrder) -> Sent | Refused | Fenced | Silent:
        """Send an order whose approval is consumed on record. Never raises what a venue raises."""
        order, approval = approved.order, approved.approval
        # Nothing may be awaited between the fence and the venue: a halt that returned before
        # this block is seen, one that returns after it finds the order already on the wire.
        fence = self._fence(order, approval.halt_epoch) or self._expired(approved)
        if fence is not None:
            return fence
        self._acts.note(order.order_id)
        outcome = await self._act(order, partial(self._venue.submit, order))
        if isinstance(outcome, Refused) and outcome.code == DenyCode.KEY_REUSE_MISMATCH:
            return await self._in_use(order, outcome)
        return outcome

    async def _in_use(self, order: Order, refused: Refused) -> Sent | Refused | Silent:
        """Return the order that has the key at the venue, on whatever terms it is there by now.

        A venue that refuses the key has an order of ours: not to see it is no proof of none, then
        and later, for the venue may forget the key and take a second one.
        """
        self._in_use_there.add(order.idempotency_key)
        found = await self.find(order)
        if isinstance(found, Sent | Refused):
            return found
        return Silent(f"the venue has the key already: {refused.reason}")

    def _expired(self, approved: ApprovedOrder) -> Fenced | None:
        """Return what forbids a send that took too long to get here, as after a stalled commit."""
        approval = approved.approval
        wall, own = self._clock.now(), self._clock.monotonic()
        if wall < approval.expires_at and own < approved.ends:
            return None
        return Fenced(
            DenyCode.APPROVAL_INVALID,
            f"the approval ended at {approval.expires_at} before the order could be sent at {wall}",
        )

    async def _act(
        self, ours: Order, act: Callable[[], Awaitable[Order]]
    ) -> Sent | Refused | Silent:
        """Have the venue act, and tell a refusal from silence and from an answer without sense."""
        try:
            theirs = await act()
            wrong = _nonsense(ours, theirs)
        except BrokerRefused as error:
            return Refused(error.code, str(error))
        except NO_EVIDENCE as error:
            return Silent(f"{type(error).__name__}: {error}")
        finally:
            # It may have arrived as late as this, also where its answer does not get on record.
            self._acts.note(ours.order_id)
        return Silent(f"the answer makes no sense: {wrong}") if wrong else _answer(theirs)

    @property
    def can_replace(self) -> bool:
        """Return whether the venue changes orders in one act."""
        return self._card.replaces and isinstance(self._venue, ReplaceOrders)

    async def replace(
        self, order: Order, approved: ApprovedOrder
    ) -> Sent | Refused | Fenced | Silent:
        """Change an open order into an approved one. Never raises what a venue raises."""
        venue, wanted = self._venue, approved.order
        if not isinstance(venue, ReplaceOrders):
            return Refused("UNSUPPORTED", f"venue {venue.name} does not replace orders")
        # As in ``send``: nothing is awaited between the fence and the venue.
        fence = self._fence(wanted, approved.approval.halt_epoch) or self._expired(approved)
        if fence is not None:
            return fence
        self._acts.note(order.order_id)
        ours = wanted.with_(order_id=order.order_id, idempotency_key=order.idempotency_key)
        return await self._act(
            ours,
            partial(
                venue.replace,
                order.order_id,
                quantity=wanted.quantity,
                limit_price=wanted.limit_price,
            ),
        )

    def shows_all_of(self, order_id: str) -> bool:
        """Return whether whatever was sent of an order must be visible at the venue by now."""
        return self._acts.quiet_s(order_id) >= self._card.visibility_lag_s

    def is_untouched(self, order_id: str) -> bool:
        """Return whether whatever was sent of an order left in a process before this one."""
        return not self._acts.noted(order_id)

    @property
    def shows_all_from_before(self) -> bool:
        """Return whether whatever processes before this one sent must be visible by now."""
        return self._acts.age_s >= self._card.visibility_lag_s

    async def find(
        self, order: Order, *, sent_at: datetime | None = None
    ) -> Sent | Refused | NeverSeen | CouldNotLook:
        """Ask the venue for an order.

        That it never arrived takes all the evidence there is: the query by key, the open orders
        and the fills, and as much time as the venue may show orders late.

        :param sent_at: when it was last written ahead of the wire; None: it never was.
        """
        if not isinstance(self._venue, OrderQuery):
            return CouldNotLook(f"venue {self._venue.name} can not be asked by key")
        try:
            theirs = await self._venue.get_order_by_key(order.idempotency_key)
            if theirs is not None:
                # A change may have been made, so the quantity may be another.
                wrong = _nonsense(order.with_(quantity=theirs.quantity), theirs)
                if wrong:
                    return CouldNotLook(f"the answer makes no sense: {wrong}")
                return _answer(theirs)
            return await self._prove_absence(order, sent_at)
        except NO_EVIDENCE as error:
            return CouldNotLook(f"{type(error).__name__}: {error}")

    async def _prove_absence(
        self, order: Order, sent_at: datetime | None
    ) -> Sent | NeverSeen | CouldNotLook:
        lag = self._card.visibility_lag_s
        if sent_at is not None and lag > 0.0:
            age = self._acts.quiet_s(order.order_id)
            if age <= lag:
                return CouldNotLook(
                    f"sent {age:.1f} s ago, and the venue may show an order up to {lag:.0f} s late"
                )
        for theirs in await self._venue.get_open_orders():
            if theirs.idempotency_key == order.idempotency_key:
                return Sent(theirs)
        if isinstance(self._venue, FillHistory):
            fills, _ = await self._venue.fills_since(self._fills_from())
            if any(fill.order_id == order.order_id for fill in fills):
                return CouldNotLook("the venue has fills of it; they are booked first")
        if order.idempotency_key in self._in_use_there:
            return CouldNotLook("the venue refused its key as that of another order; resolve it")
        return NeverSeen()

    async def open_orders(self) -> list[Order] | CouldNotLook:
        """Return what the venue shows open."""
        try:
            return await self._venue.get_open_orders()
        except NO_EVIDENCE as error:
            return CouldNotLook(f"{type(error).__name__}: {error}")

    async def cancel(self, order_id: str) -> bool | Silent:
        """Ask the venue to cancel: True confirmed, False not cancelled, or no evidence."""
        try:
            return await self._venue.cancel(order_id)
        except NO_EVIDENCE as error:
            return Silent(f"{type(error).__name__}: {error}")


def card_of(venue: BrokerProtocol) -> VenueCard:
    """Return the venue's card; one that has none is trusted with nothing."""
    if isinstance(venue, CapabilityCard):
        return venue.capabilities()
    return VenueCard(venue=venue.name, visibility_lag_s=_UNKNOWN_LAG_S)


def _nonsense(ours: Order, theirs: Order) -> str:
    """Return what of a venue's answer can not be true of our order; empty where all can."""
    told, meant = _UNCHANGED(theirs), _UNCHANGED(ours)
    if told == meant:
        return ""
    pairs = zip(_TERMS, told, meant, strict=True)
    return next(f"{name} {one!r} for {other!r}" for name, one, other in pairs if one != other)


def _answer(theirs: Order) -> Sent | Refused:
    if theirs.status is not OrderStatus.REJECTED:
        return Sent(theirs)
    code = theirs.rejected_code or DenyCode.VENUE_REFUSED
    return Refused(code, theirs.rejected_reason or "the venue gave no reason")


def _halt_text(halt: ActiveHalt) -> str:
    return f"{halt.scope} is halted since {halt.requested_at.isoformat()}: {halt.reason}"
