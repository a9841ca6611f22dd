"""Cancel orders and say truthfully what became of it."""

from __future__ import annotations

from mts1b_foundation.commands import CancelAllReply, CancelOutcome, CancelReply
from mts1b_foundation.orders import Order, OrderStatus

from mts1b_oms.acknowledge import conclude
from mts1b_oms.errors import OrderRefused, UnknownOrder
from mts1b_oms.gateway import Gateway
from mts1b_oms.orders import IN_DOUBT, OrderService
from mts1b_oms.outcomes import (
    NOT_ON_RECORD,
    CouldNotLook,
    NeverSeen,
    Refused,
    Sent,
    Silent,
)
from mts1b_oms.parents import is_parent, settle_parent
from mts1b_oms.replaced import settle_replace
from mts1b_oms.transitions import OrderEvent
from mts1b_oms.venue_sync import VenueSync

__all__ = ["Canceller", "in_scope"]

_BEFORE_VENUE = frozenset({OrderStatus.CREATED, OrderStatus.PENDING_RISK, OrderStatus.APPROVED})

_KEPT = Refused("CANCEL_ASKED", "a cancel was asked for, the venue kept the order")


def in_scope(order: Order, scope: str, *, venue: str) -> bool:
    """Return whether a scope covers an order.

    A scope is ``firm``, ``fund:ID``, ``strategy:ID``, ``venue:NAME`` or ``symbol:SYMBOL``.

    :raises OrderRefused: for any other text.
    """
    kind, _, name = scope.partition(":")
    match kind:
        case "firm" if not name:
            return True
        case "fund" if name:
            return order.fund_id == name
        case "strategy" if name:
            return order.strategy_id == name
        case "venue" if name:
            return venue == name
        case "symbol" if name:
            return order.symbol == name
        case _:
            raise OrderRefused(
                "SCOPE_INVALID",
                f"scope {scope!r} is none of firm, fund:ID, strategy:ID, venue:NAME, symbol:SYMBOL",
            )


class Canceller:
    """Cancel through the venue's own evidence."""

    def __init__(self, *, service: OrderService, gateway: Gateway, sync: VenueSync) -> None:
        self._service = service
        self._record = service.record
        self._gateway = gateway
        self._sync = sync

    async def cancel(self, order_id: str, *, actor: str, reason: str = "") -> CancelReply:
        """Cancel one order. A cancel that is repeated, or comes too late, changes nothing.

        A record that fails, as on a full disk, stops no cancel: the venue is told, and what became
        of it is learned once it can be recorded.

        :raises UnknownOrder: when there is no such order.
        """
        order = await self._record.order(order_id)
        if order is None:
            raise UnknownOrder(order_id)
        self._service.cancel_wanted.add(order_id)
        try:
            if is_parent(order):
                await self._ask(order, reason)
                await self._cancel_children(order_id, actor, reason)
            async with self._service.keys.hold(order.idempotency_key):
                return await self._cancel(await self._fresh(order), f"{actor}: {reason}")
        except NOT_ON_RECORD:
            await self._gateway.cancel(order_id)
            raise
        finally:
            self._service.cancel_wanted.discard(order_id)

    async def cancel_all(self, scope: str, *, actor: str, reason: str = "") -> CancelAllReply:
        """Cancel every open order of a scope; list what may still be open.

        What the venue shows open in the scope and this record does not know is cancelled too.
        """
        canceled: list[str] = []
        residue: list[str] = []
        venue = self._record.venue
        ours = [o for o in self._record.open_orders.values() if in_scope(o, scope, venue=venue)]
        for found in ours:
            order = await self._fresh(found)
            if order.is_terminal:
                continue
            try:
                reply = await self.cancel(order.order_id, actor=actor, reason=reason)
            except NOT_ON_RECORD:
                residue.append(order.order_id)
                continue
            if reply.outcome is CancelOutcome.CONFIRMED:
                canceled.append(order.order_id)
            elif not reply.order.is_terminal:
                residue.append(order.order_id)
        await self._cancel_strangers(scope, canceled, residue)
        return CancelAllReply(canceled=tuple(canceled), residue=tuple(residue))

    async def _cancel_strangers(self, scope: str, canceled: list[str], residue: list[str]) -> None:
        """Cancel what rests at the venue and is not ours; a venue that can not be asked may
        hold anything."""
        shown = await self._gateway.open_orders()
        if isinstance(shown, CouldNotLook):
            residue.append(f"whatever rests at {self._record.venue} ({shown.reason})")
            return
        for theirs in shown:
            known = theirs.order_id in canceled or theirs.order_id in residue
            if known or not in_scope(theirs, scope, venue=self._record.venue):
                continue
            answer = await self._gateway.cancel(theirs.order_id)
            (canceled if answer is True else residue).append(theirs.order_id)

    async def _fresh(self, order: Order) -> Order:
        return await self._record.order(order.order_id) or order

    async def _cancel_children(self, parent_id: str, actor: str, reason: str) -> None:
        for child in await self._record.children(parent_id):
            if not child.is_terminal:
                await self.cancel(child.order_id, actor=actor, reason=reason)

    async def _cancel(self, order: Order, why: str) -> CancelReply:
        if order.status in IN_DOUBT:
            match await self._service.adopt(order):
                case Order() as adopted:
                    order = adopted
                case CouldNotLook():
                    return CancelReply(order=order, outcome=CancelOutcome.UNKNOWN)
                case NeverSeen():
                    return _reply(await self._confirmed(order, why))
        if order.is_terminal:
            return _reply(order)
        if order.status in _BEFORE_VENUE:
            return _reply(await self._confirmed(order, why))
        if is_parent(order):
            async with self._record.unit() as unit:
                return _reply(await settle_parent(unit, order.order_id, finished=True) or order)
        return await self._cancel_at_venue(order, why)

    async def _confirmed(self, order: Order, why: str) -> Order:
        async with self._record.unit() as unit:
            current = await unit.order(order.order_id) or order
            if current.is_terminal:
                return current
            return unit.change(current, OrderEvent.CANCEL_CONFIRMED, detail=why)

    async def _cancel_at_venue(self, order: Order, why: str) -> CancelReply:
        asked = await self._ask(order, why)
        if asked.is_terminal:
            return _reply(asked)
        answer = await self._gateway.cancel(order.order_id)
        await self._sync.collect(everything=False)
        found = await self._gateway.find(order)
        if answer is True and await self._is_all_booked(order, found):
            return _reply(await self._ended(order, found, why))
        over = isinstance(found, Sent) and found.theirs.is_terminal
        if isinstance(answer, Silent) and not over:
            return _reply(await self._fresh(order))
        return _reply(await self._restored(order, found))

    async def _ended(self, order: Order, found: object, why: str) -> Order:
        """Record a cancel that the venue confirmed, and what that proves of a change in doubt."""
        async with self._record.unit() as unit:
            current = await unit.order(order.order_id) or order
            change = self._record.replacing.get(order.order_id)
            if change is not None and isinstance(found, Sent):
                current = await settle_replace(unit, current, change, found.theirs, _KEPT)
            if current.is_terminal:
                return current
            return unit.change(current, OrderEvent.CANCEL_CONFIRMED, detail=why)

    async def _is_all_booked(self, order: Order, found: object) -> bool:
        """Return whether every execution of a cancelled order is booked here.

        What the venue has filled and not told yet stays reserved: the order ends when it is told.
        A venue that can not be asked by key is believed.
        """
        if not self._gateway.answers_by_key:
            return True
        ours = await self._fresh(order)
        return isinstance(found, Sent) and found.theirs.filled_quantity <= ours.filled_quantity

    async def _ask(self, order: Order, why: str) -> Order:
        """Record that a cancel is asked for, before the venue hears of it."""
        async with self._record.unit() as unit:
            current = await unit.order(order.order_id) or order
            if current.is_terminal or current.status is OrderStatus.PENDING_CANCEL:
                return current
            return unit.change(current, OrderEvent.CANCEL_ASKED, detail=why)

    async def _restored(self, order: Order, found: object) -> Order:
        """Return the order after a cancel that did not end it, given what the venue shows."""
        async with self._record.unit() as unit:
            current = await unit.order(order.order_id) or order
            change = self._record.replacing.get(order.order_id)
            if change is not None and isinstance(found, Sent):
                return await settle_replace(unit, current, change, found.theirs, _KEPT)
            if current.is_terminal or not isinstance(found, Sent):
                return current
            if found.theirs.is_terminal:
                return conclude(unit, current, found.theirs)
            part = current.filled_quantity > 0
            event = OrderEvent.WORKING_PARTLY_FILLED if part else OrderEvent.WORKING
            return unit.change(current, event, detail="the venue did not cancel it")


def _reply(order: Order) -> CancelReply:
    """Return what the state of the order proves of its cancel."""
    if order.status is OrderStatus.CANCELED:
        outcome = CancelOutcome.CONFIRMED
    elif order.is_terminal:
        outcome = CancelOutcome.TOO_LATE
    else:
        outcome = CancelOutcome.UNKNOWN
    return CancelReply(order=order, outcome=outcome)
