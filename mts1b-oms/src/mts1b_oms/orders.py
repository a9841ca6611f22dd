"""The order service: from an intent to the venue's answer, once per key, whatever dies between.

The steps are recorded in three transactions: the intent; the consumed approval, ahead of the
wire; the venue's answer. A restart continues from the last of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol

from mts1b_foundation.orders import Order, OrderStatus
from mts1b_foundation.risk import DenyCode, RiskDecision
from mts1b_platform.latency import StageLatency

from mts1b_oms.acknowledge import record_outcome
from mts1b_oms.approved import ApprovedOrder
from mts1b_oms.errors import (
    OrderRefused,
    ReconciliationMismatch,
    RiskUnavailable,
    UnknownOrder,
)
from mts1b_oms.gate import ReconciliationGate
from mts1b_oms.gateway import Gateway
from mts1b_oms.intake import Intake, same_economics
from mts1b_oms.load import Load
from mts1b_oms.locks import KeyedLocks
from mts1b_oms.outcomes import CouldNotLook, Fenced, NeverSeen, Refused, Sent, Silent
from mts1b_oms.parents import PARENT, is_parent, why_no_child
from mts1b_oms.record import OmsRecord
from mts1b_oms.transitions import OrderEvent
from mts1b_oms.unit import Unit
from mts1b_oms.waiting import why_over

__all__ = ["QUARANTINED", "OrderService", "RiskChecker"]

QUARANTINED = "QUARANTINED"
_ODD = "an odd execution waits for its halt"

IN_DOUBT = frozenset({OrderStatus.SUBMITTING, OrderStatus.UNKNOWN})


class RiskChecker(Protocol):
    """Decide whether an order may leave; asked twice for one order, it answers the same."""

    async def check(
        self,
        order: Order,
        *,
        lease_id: str = "",
        amends: str = "",
        parent: Order | None = None,
    ) -> RiskDecision:
        """Return the decision; an approval is good under ``lease_id`` alone.

        ``amends`` names the open order that ``order`` would take the place of, ``parent`` is the
        order's parent as it is on record here.

        :raises RiskUnavailable: when there is no answer.
        """
        ...


class OrderService:
    """Own every order from intent to terminal state.

    :param risk_pause: waited between attempts while risk is unavailable; None denies instead.
    :param load: bounds how many orders are worked at once.
    """

    def __init__(
        self,
        *,
        record: OmsRecord,
        gateway: Gateway,
        risk: RiskChecker,
        intake: Intake,
        gate: ReconciliationGate,
        latency: StageLatency,
        risk_pause: Callable[[], Awaitable[None]] | None = None,
        load: Load | None = None,
    ) -> None:
        self.record = record
        self.load = load or Load()
        self.keys = KeyedLocks()
        self.cancel_wanted: set[str] = set()
        self.before_send: Callable[[], None] = lambda: None
        """Called when a send is on record, before it leaves."""
        self._refusals: dict[str, Refused] = {}
        """What the venue refused, by order, until it is on record: few venues tell it twice."""
        self._gateway = gateway
        self._risk = risk
        self._intake = intake
        self._gate = gate
        self._latency = latency
        self._risk_pause = risk_pause

    @property
    def is_reconciled(self) -> bool:
        """Return whether record and venue agree, so that orders may leave."""
        return self._gate.is_open

    @property
    def may_send(self) -> bool:
        """Return whether anything can leave now: the books agree, and a lease is valid."""
        return self._gate.is_open and self._gateway.lease.valid()

    async def submit(self, order: Order) -> Order:
        """Take an order through to the venue's answer and return it as recorded.

        The same key with the same economics returns the order that is there, and continues it
        when it was interrupted.

        :raises OrderRefused: when it can not become an order; ``KEY_REUSE_MISMATCH`` when its
            key was used for other economics.
        :raises ReconciliationMismatch: while the reconciliation gate is closed.
        :raises Overloaded: while as many orders are on their way as may be.
        """
        with self._latency.stage("oms.submit"):
            self._gate.require_open()
            self._intake.check(order, held=self.record.ledger.held)
            with self.load.one_more(order):
                async with self.keys.hold(order.idempotency_key):
                    return await self._carry_on(await self._intend(order))

    async def take_parent(self, order: Order, *, algo: str, params: dict[str, Any]) -> Order:
        """Record an order that an algorithm works here; its children are what is submitted.

        :raises OrderRefused, ReconciliationMismatch: as :meth:`submit` does.
        """
        self._gate.require_open()
        self._intake.check(order, held=self.record.ledger.held)
        async with self.record.unit() as unit:
            known = await _known_order(unit, order)
            if known is not None:
                return known
            unit.create(order, algo=algo, params=params)
            return unit.change(
                order, OrderEvent.ALGORITHM_STARTED, detail=algo, accepted_at=unit.now
            )

    async def carry_on(self, order_id: str, *, waits: bool = True) -> Order:
        """Continue an order from where its record stands.

        One that waits for risk goes on waiting while there is no lease, as when operations start
        after the OMS: it was taken, and nothing speaks against it.

        :param waits: wait for risk, where the settings say so, for as long as it is away.
        :raises UnknownOrder: when there is none.
        :raises RiskUnavailable: when risk is away and it is not waited for; nothing has changed.
        """
        order = await self.record.order(order_id)
        if order is None:
            raise UnknownOrder(order_id)
        async with self.keys.hold(order.idempotency_key):
            current = await self.record.order(order_id) or order
            if current.status is OrderStatus.PENDING_RISK and not self._gateway.lease.valid():
                return current
            return await self._carry_on(current, waits=waits)

    async def _intend(self, order: Order) -> Order:
        async with self.record.unit() as unit:
            known = await _known_order(unit, order)
            if known is not None:
                _require_no_algorithm(known)
                return known
            refusal = await why_no_child(unit, order) if order.parent_order_id else ""
            unit.create(order)
            if refusal:
                return _deny(unit, order, PARENT, refusal)
            if (order.fund_id, order.strategy_id) in self.record.unhalted:
                return _deny(unit, order, QUARANTINED, _ODD)
            doubt = self._in_doubt_beside(order) if self.record.in_doubt else None
            if doubt is not None:
                return _deny(
                    unit,
                    order,
                    DenyCode.IN_DOUBT,
                    f"order {doubt.order_id} of this strategy in {order.symbol} may be at the "
                    "venue; nobody knows yet. Wait, or resolve it with `mts oms resolve`",
                )
            return unit.change(order, OrderEvent.RISK_ASKED)

    def _in_doubt_beside(self, order: Order) -> Order | None:
        """Return an order of the same strategy and symbol that nobody knows the fate of.

        A reduce-only order may pass: what is in doubt is reserved, and reducing is always possible.
        """
        if order.reduce_only:
            return None
        return next(
            (
                other
                for other in self.record.in_doubt.values()
                if other.symbol == order.symbol
                and other.strategy_id == order.strategy_id
                and other.fund_id == order.fund_id
            ),
            None,
        )

    async def _carry_on(self, order: Order, *, waits: bool = True) -> Order:
        if order.status in IN_DOUBT:
            order = await self._resolve(order)
        if order.status is OrderStatus.PENDING_RISK and self._gate.is_open:
            order = await self._decide(order, waits)
        return order

    async def _decide(self, order: Order, waits: bool) -> Order:
        admitted = await self.approve(order, waits=waits)
        async with self.record.unit() as unit:
            current = await unit.order(order.order_id) or order
            if current.status is not OrderStatus.PENDING_RISK:
                return current
            if order.order_id in self.cancel_wanted:
                return unit.change(current, OrderEvent.CANCEL_CONFIRMED)
            if over := await why_over(unit, current):
                return unit.change(current, OrderEvent.EXPIRY, detail=over)
            if isinstance(admitted, Fenced):
                return _deny(unit, current, admitted.code, admitted.reason)
            if not self._gate.is_open:  # it closed while risk was asked
                return current
            begun = await self._begin_sending(unit, current, admitted)
        return await self._send(admitted) if begun.status is OrderStatus.SUBMITTING else begun

    def require_open(self) -> None:
        """Return when orders may leave.

        :raises ReconciliationMismatch: while the reconciliation gate is closed.
        """
        self._gate.require_open()

    def why_not_now(self, order: Order) -> Fenced | None:
        """Return what came about while risk was asked and lets no change of ``order`` leave."""
        if order.order_id in self.cancel_wanted:
            return Fenced("CANCEL_ASKED", "a cancel of the order was asked for")
        if (order.fund_id, order.strategy_id) in self.record.unhalted:
            return Fenced(QUARANTINED, _ODD)
        if not self._gate.is_open:
            return Fenced(ReconciliationMismatch.code, f"nothing leaves: {self._gate.reason}")
        return None

    async def approve(
        self, order: Order, *, amends: str = "", waits: bool = True
    ) -> ApprovedOrder | Fenced:
        """Ask risk; return the order as approved, or what stands before the wire.

        :raises RiskUnavailable: as :meth:`carry_on` does.
        """
        answer = await self._ask_risk(order, amends, waits)
        if isinstance(answer, Fenced):
            return answer
        decision, asked_at = answer
        if not decision.approved or decision.approval is None:
            return Fenced(decision.code, f"{decision.rejecting_gate}: {decision.reason}")
        age_s = self.record.clock.monotonic() - asked_at
        return self._gateway.admit(order, decision.approval, age_s=age_s)

    async def _ask_risk(
        self, order: Order, amends: str, waits: bool
    ) -> tuple[RiskDecision, float] | Fenced:
        """Return the decision, and when it was asked for by the monotonic clock."""
        while True:
            asked_at = self.record.clock.monotonic()
            try:
                with self._latency.stage("oms.risk"):
                    lease_id = self._gateway.lease.current
                    parent_id = order.parent_order_id
                    parent = await self.record.order(parent_id) if parent_id else None
                    decision = await self._risk.check(
                        order, lease_id=lease_id, amends=amends, parent=parent
                    )
                return decision, asked_at
            except RiskUnavailable as error:
                given_up = not error.retry or (amends or order.order_id) in self.cancel_wanted
                if self._risk_pause is None or given_up:
                    return Fenced(DenyCode.RISK_UNAVAILABLE, str(error))
                if not waits:
                    raise
            await self._risk_pause()

    async def _begin_sending(self, unit: Unit, order: Order, approved: ApprovedOrder) -> Order:
        """Consume the approval and write the send ahead; or end the order here."""
        if (order.fund_id, order.strategy_id) in self.record.unhalted:
            return _deny(unit, order, QUARANTINED, _ODD)
        approval = approved.approval
        if await unit.is_used(approval):
            reason = f"approval {approval.approval_id} was used before"
            return _deny(unit, order, DenyCode.APPROVAL_USED, reason)
        unit.use(order.order_id, approval)
        steps = (OrderEvent.RISK_APPROVED, OrderEvent.SENDING)
        return unit.change(order, *steps, detail=approval.approval_id)

    async def _send(self, approved: ApprovedOrder) -> Order:
        with self._latency.stage("oms.gateway"):
            self.before_send()
            known = await self._known_there(approved.order) if self.record.restored else None
            outcome = known or await self._gateway.send(approved)
        return await self._recorded(approved.order.order_id, outcome)

    async def _known_there(self, order: Order) -> Sent | Refused | Silent | None:
        """Return what the venue knows of a key that a restored record may have forgotten."""
        match await self._gateway.find(order, sent_at=self._lost_at(order)):
            case NeverSeen():
                return None
            case CouldNotLook(reason):
                return Silent(f"the record was restored, and {reason}")
            case known:
                return known

    async def forgotten(self, order: Order) -> Order | CouldNotLook | None:
        """Return what the venue has of an order that a restored record may have lost; None: none.

        Only such a record is in doubt: in any other, what is not sent on record never left.
        """
        if not self.record.restored:
            return None
        match await self._gateway.find(order, sent_at=self._lost_at(order)):
            case Sent(theirs):
                return theirs
            case CouldNotLook() as blind:
                return blind
            case _:
                return None

    def _lost_at(self, order: Order) -> datetime | None:
        """Return when an order may have left that is lost; None: the venue must show it by now."""
        return order.created_at if self.record.orders_lost else None

    async def _recorded(self, order_id: str, outcome: Sent | Refused | Fenced | Silent) -> Order:
        if isinstance(outcome, Refused):
            self._refusals[order_id] = outcome
        async with self.record.unit() as unit:
            order = await unit.order(order_id)
            if order is None:
                raise UnknownOrder(order_id)
            recorded = record_outcome(unit, order, outcome)
        self._refusals.pop(order_id, None)
        return recorded

    async def adopt(self, order: Order) -> Order | CouldNotLook | NeverSeen:
        """Look for an order in doubt at the venue and take over what is found there.

        What the venue refused a moment ago, and no transaction could keep, it is not asked for.
        """
        told = self._refusals.get(order.order_id)
        if told is not None:
            return await self._recorded(order.order_id, told)
        sent_at = await self.record.sent_at(order.order_id)
        match await self._gateway.find(order, sent_at=sent_at):
            case Sent() | Refused() as found:
                return await self._recorded(order.order_id, found)
            case absent:
                return absent

    async def _resolve(self, order: Order) -> Order:
        match await self.adopt(order):
            case Order() as adopted:
                return adopted
            case CouldNotLook(reason):
                return await self._recorded(order.order_id, Silent(reason))
            case NeverSeen() if not self._gate.is_open:
                return order
            case NeverSeen():
                return await self._send_again(order)

    async def _send_again(self, order: Order) -> Order:
        """Send an order that certainly never arrived, with the approval consumed for it.

        The approval is for one send that reaches the venue, and the venue has proved that none
        did. When it does not hold any more, risk is asked anew.
        """
        approval = await self.record.approval_of(order.order_id)
        if approval is None:
            raise UnknownOrder(order.order_id)
        admitted = self._gateway.admit(order, approval)
        if isinstance(admitted, ApprovedOrder):
            return await self._send(admitted)
        if admitted.code != DenyCode.APPROVAL_INVALID:
            return await self._recorded(order.order_id, admitted)
        async with self.record.unit() as unit:
            current = await unit.order(order.order_id) or order
            if current.status not in IN_DOUBT:
                return current
            return unit.change(current, OrderEvent.NOT_AT_VENUE, detail=admitted.reason)


async def _known_order(unit: Unit, order: Order) -> Order | None:
    rivals = await unit.rivals(order)
    for rival in rivals:
        if rival.idempotency_key != order.idempotency_key:
            continue
        if same_economics(rival, order):
            return rival
        if await _was_asked_as(unit, rival, order):
            return rival
        raise OrderRefused(
            DenyCode.KEY_REUSE_MISMATCH,
            f"key {order.idempotency_key!r} belongs to order {rival.order_id} with other "
            "economics, for ever; use a new key",
        )
    if rivals:
        raise OrderRefused(
            DenyCode.KEY_REUSE_MISMATCH,
            f"order id {order.order_id!r} was used with another key; use a new id",
        )
    return None


def _require_no_algorithm(known: Order) -> None:
    if is_parent(known):
        raise OrderRefused(
            DenyCode.KEY_REUSE_MISMATCH,
            f"key {known.idempotency_key!r} belongs to order {known.order_id}, which an algorithm "
            "works; use a new key",
        )


async def _was_asked_as(unit: Unit, known: Order, order: Order) -> bool:
    """Return whether ``order`` asks for what a known one was before it was changed.

    What one was asked as that a restored record has from the venue alone, nobody knows: it may have
    been changed there, so its total and limit tell no intent from another.
    """
    before = (order.quantity, order.limit_price) in await unit.terms_before(known.order_id)
    if not before and await unit.asked_at(known.order_id) is not None:
        return False
    changed = order.with_(quantity=known.quantity, limit_price=known.limit_price)
    return same_economics(known, changed)


def _deny(unit: Unit, order: Order, code: str, reason: str) -> Order:
    return unit.change(
        order, OrderEvent.DENIED, detail=code, rejected_code=code, rejected_reason=reason
    )
