"""Change open orders: approved anew, written ahead of the wire, settled by evidence alone.

While nobody knows what the venue has, the order counts at the larger of both quantities.
"""

from __future__ import annotations

from dataclasses import replace as with_changes
from decimal import Decimal

from mts1b_foundation.commands import ReplaceOrder, ReplaceOutcome, ReplaceReply
from mts1b_foundation.orders import Order, OrderStatus
from mts1b_foundation.risk import DenyCode
from mts1b_platform.ids import derive_id

from mts1b_oms.approved import ApprovedOrder
from mts1b_oms.errors import OrderRefused, UnknownOrder
from mts1b_oms.gateway import Gateway
from mts1b_oms.orders import OrderService
from mts1b_oms.outcomes import CouldNotLook, Fenced, Refused, Sent, Silent
from mts1b_oms.parents import is_parent
from mts1b_oms.replaced import keep, settle_replace
from mts1b_oms.tables.replaces import Replace, read_replace, was_found
from mts1b_oms.transitions import OrderEvent
from mts1b_oms.venue_sync import VenueSync

__all__ = ["REPLACEABLE", "Replacer"]

REPLACEABLE = frozenset({OrderStatus.SUBMITTED, OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})
NEVER_ARRIVED = "NEVER_ARRIVED"

_NEVER_SENT = Fenced(
    "NEVER_SENT", "the OMS ended before it could be sent; ask again under a new key"
)


class Replacer:
    """Change the total quantity and the limit of orders that are working at the venue."""

    def __init__(self, *, service: OrderService, gateway: Gateway, sync: VenueSync) -> None:
        self._service = service
        self._record = service.record
        self._gateway = gateway
        self._sync = sync

    async def replace(self, command: ReplaceOrder) -> ReplaceReply:
        """Change one order; the same key is the same change, whenever it comes again.

        :raises UnknownOrder: when there is no such order.
        :raises OrderRefused: ``KEY_REUSE_MISMATCH`` when the key asked for another change.
        :raises ReconciliationMismatch: while the reconciliation gate is closed.
        """
        order = await self._record.order(command.order_id)
        if order is None:
            raise UnknownOrder(command.order_id)
        async with self._service.keys.hold(order.idempotency_key):
            known = await self._known(command)
            if known is not None and known.is_begun:
                return await self._again(known)
            self._service.require_open()
            order = await self._fresh(order)
            change = known or Replace.of(command, order, at=self._record.clock.now())
            if known is None and await self._is_made(change):
                return await self._decided(change, ReplaceOutcome.CONFIRMED)
            refused = await self._why_not(order, change)
            if refused is not None and known is not None:
                return await self._fenced(order, change, Fenced(refused.code, refused.reason))
            if refused is not None:
                return await self._refuse(order, change, refused)
            if known is None:
                await self._write_ahead(order, change)
            return await self._carry_out(order, change, f"{command.actor}: {command.reason}")

    async def settle(self, order_id: str) -> Order | CouldNotLook:
        """Look at the venue for what became of a change that is in doubt.

        :raises UnknownOrder: when there is no such order.
        """
        order = await self._record.order(order_id)
        if order is None:
            raise UnknownOrder(order_id)
        async with self._service.keys.hold(order.idempotency_key):
            return await self._settle(await self._fresh(order))

    async def _settle(
        self, order: Order, *, refused: Refused | None = None
    ) -> Order | CouldNotLook:
        change = self._record.replacing.get(order.order_id)
        if change is not None and not change.is_begun:
            await self._fenced(order, change, _NEVER_SENT)
            return await self._fresh(order)
        if change is None or order.status is not OrderStatus.PENDING_REPLACE:
            return order
        await self._sync.collect()
        found = await self._gateway.find(order)
        if isinstance(found, CouldNotLook) and refused is None:
            return found
        theirs = found.theirs if isinstance(found, Sent) else None
        certain = refused is not None or self._gateway.shows_all_of(order.order_id)
        async with self._record.unit() as unit:
            current = await unit.order(order.order_id) or order
            why = refused or Refused(NEVER_ARRIVED, "the venue kept the order as it was")
            return await settle_replace(unit, current, change, theirs, why if certain else None)

    async def _known(self, command: ReplaceOrder) -> Replace | None:
        async with self._record.store.read() as tx:
            known = await read_replace(tx, command.replace_key)
        if known is not None and not known.asks_what(command):
            raise OrderRefused(
                DenyCode.KEY_REUSE_MISMATCH,
                f"replace key {command.replace_key!r} belongs to another change of order "
                f"{known.order_id}, for ever; use a new key",
            )
        return known

    async def _again(self, change: Replace) -> ReplaceReply:
        """Answer for a change that is on record, after another look where it is in doubt."""
        order = await self._record.order(change.order_id)
        if order is None:
            raise UnknownOrder(change.order_id)
        if change.outcome is None:
            await self._settle(order)
        return await self._reply(change)

    async def _reply(self, change: Replace) -> ReplaceReply:
        async with self._record.store.read() as tx:
            known = await read_replace(tx, change.replace_key) or change
        order = await self._record.order(change.order_id)
        if order is None:
            raise UnknownOrder(change.order_id)
        outcome = known.outcome
        if outcome is None:
            outcome = ReplaceOutcome.TOO_LATE if order.is_terminal else ReplaceOutcome.UNKNOWN
        return ReplaceReply(order=order, outcome=outcome, code=known.code, reason=known.reason)

    async def _why_not(self, order: Order, change: Replace) -> Refused | None:
        if order.is_terminal:
            return Refused("TOO_LATE", f"order {order.order_id} is {order.status.value}")
        if is_parent(order):
            return Refused("PARENT", "an algorithm works it; cancel it and submit a new one")
        if not self._gateway.can_replace:
            return Refused(
                "UNSUPPORTED", f"venue {self._record.venue} does not replace; cancel and submit"
            )
        if order.status not in REPLACEABLE:
            return Refused("NOT_WORKING", f"order {order.order_id} is {order.status.value}")
        if change.quantity <= order.filled_quantity:
            return Refused(
                "BELOW_FILLED",
                f"{order.filled_quantity} is filled, a total of {change.quantity} leaves nothing "
                "open; cancel it instead",
            )
        if change.limit_price is not None and order.limit_price is None:
            return Refused("NO_LIMIT", f"a {order.order_type.value} order has no limit price")
        if (change.quantity, change.limit_price) == (order.quantity, order.limit_price):
            return Refused("NOTHING_CHANGES", "it has these very terms already")
        return await self._exceeds_parent(order, change)

    async def _exceeds_parent(self, order: Order, change: Replace) -> Refused | None:
        if order.parent_order_id is None:
            return None
        parent = await self._record.order(order.parent_order_id)
        children = await self._record.children(order.parent_order_id)
        others = sum(
            (
                child.filled_quantity if child.is_terminal else child.quantity
                for child in children
                if child.order_id != order.order_id
            ),
            Decimal(0),
        )
        if parent is not None and others + change.quantity <= parent.quantity:
            return None
        limit = parent.quantity if parent is not None else Decimal(0)
        return Refused(
            "PARENT_EXCEEDED",
            f"its parent asks for {limit}, the other children have {others}",
        )

    async def _refuse(self, order: Order, change: Replace, why: Refused) -> ReplaceReply:
        """Record a change that never went to the venue."""
        outcome = ReplaceOutcome.TOO_LATE if order.is_terminal else ReplaceOutcome.REFUSED
        return await self._decided(change, outcome, why.code, why.reason)

    async def _is_made(self, change: Replace) -> bool:
        """Return whether the venue shows a change already that this record has lost."""
        async with self._record.store.read() as tx:
            return await was_found(tx, change)

    async def _decided(
        self, change: Replace, outcome: ReplaceOutcome, code: str = "", reason: str = ""
    ) -> ReplaceReply:
        decided = with_changes(change, outcome=outcome, code=code, reason=reason)
        async with self._record.unit() as unit:
            await unit.add_replace(decided)
        return await self._reply(decided)

    async def _write_ahead(self, order: Order, change: Replace) -> None:
        """Record a change ahead of the question to risk, which reserves for it when it approves.

        So what this process does not live to hear, the next one tells risk to give back.
        """
        left = self._record.replacing.get(order.order_id)
        if left is not None and not left.is_begun:
            await self._fenced(order, left, _NEVER_SENT)
        async with self._record.unit() as unit:
            await unit.add_replace(change)

    async def _carry_out(self, order: Order, change: Replace, why: str) -> ReplaceReply:
        wanted = _wanted(order, change)
        admitted = await self._service.approve(wanted, amends=order.order_id)
        if isinstance(admitted, ApprovedOrder):
            admitted = await self._begin(change, admitted, why)
        if isinstance(admitted, Fenced):
            return await self._fenced(order, change, admitted)
        self._service.before_send()
        outcome = await self._gateway.replace(order, admitted)
        await self._record_outcome(order.order_id, change, outcome)
        return await self._reply(change)

    async def _begin(
        self, change: Replace, approved: ApprovedOrder, why: str
    ) -> ApprovedOrder | Fenced:
        """Consume the approval and write the change ahead of the wire."""
        async with self._record.unit() as unit:
            current = await unit.order(change.order_id)
            if current is None or current.status not in REPLACEABLE:
                return Fenced("TOO_LATE", "the order moved on while risk was asked")
            fence = self._service.why_not_now(current)
            if fence is not None:
                return fence
            if await unit.is_used(approved.approval):
                return Fenced(DenyCode.APPROVAL_USED, "its approval was used before")
            unit.use(approved.order.order_id, approved.approval)
            await unit.begin_replace(change)
            unit.change(
                current,
                OrderEvent.REPLACE_ASKED,
                detail=f"{change.replace_key} ({why})",
                quantity=max(change.quantity, change.old_quantity),
            )
        return approved

    async def _fenced(self, order: Order, change: Replace, fence: Fenced) -> ReplaceReply:
        """Record a change that was stopped before the wire; risk may hold the larger quantity."""
        async with self._record.unit() as unit:
            current = await unit.order(order.order_id) or order
            over = current.is_terminal
            outcome = ReplaceOutcome.TOO_LATE if over else ReplaceOutcome.REFUSED
            await unit.end_replace(change, outcome, fence.code, fence.reason)
            if current.status in REPLACEABLE:
                keep(unit, current, fence.reason)
        return await self._reply(change)

    async def _record_outcome(
        self, order_id: str, change: Replace, outcome: Sent | Refused | Fenced | Silent
    ) -> None:
        order = await self._record.order(order_id)
        if order is None:
            raise UnknownOrder(order_id)
        match outcome:
            case Sent(theirs):
                await self._sync.collect()
                async with self._record.unit() as unit:
                    current = await unit.order(order_id) or order
                    await settle_replace(unit, current, change, theirs, None)
            case Refused():
                await self._settle(order, refused=outcome)
            case Fenced(code, reason):
                async with self._record.unit() as unit:
                    current = await unit.order(order_id) or order
                    await settle_replace(unit, current, change, None, Refused(code, reason))
            case Silent():
                await self._sync.collect()

    async def _fresh(self, order: Order) -> Order:
        return await self._record.order(order.order_id) or order


def _wanted(order: Order, change: Replace) -> Order:
    """Return the order as it shall be, under an id and key that follow from the change."""
    name = derive_id("replace", order.order_id, change.replace_key)
    return order.with_(
        order_id=name,
        idempotency_key=name,
        quantity=change.quantity,
        limit_price=change.limit_price,
        status=OrderStatus.PENDING_RISK,
        created_at=change.asked_at,
    )
