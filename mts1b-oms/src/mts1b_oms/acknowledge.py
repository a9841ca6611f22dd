"""Take over what the venue says of an order, through the same transitions everywhere."""

from __future__ import annotations

from mts1b_foundation.orders import Order, OrderStatus
from mts1b_foundation.risk import DenyCode

from mts1b_oms.outcomes import Fenced, Refused, Sent, Silent
from mts1b_oms.transitions import OrderEvent
from mts1b_oms.unit import Unit

__all__ = ["conclude", "record_outcome"]

_IN_DOUBT = frozenset({OrderStatus.SUBMITTING, OrderStatus.UNKNOWN})
_CONCLUSIONS = {
    OrderStatus.CANCELED: OrderEvent.CANCEL_CONFIRMED,
    OrderStatus.EXPIRED: OrderEvent.EXPIRY,
    OrderStatus.REJECTED: OrderEvent.VENUE_REFUSED,
}


def record_outcome(unit: Unit, order: Order, outcome: Sent | Refused | Fenced | Silent) -> Order:
    """Record what became of a send; an order that moved on meanwhile keeps its state."""
    if order.status not in _IN_DOUBT:
        return _acknowledge_filled(unit, order, outcome)
    match outcome:
        case Sent(theirs):
            sent = _acknowledge(unit, order, theirs)
            return conclude(unit, sent, theirs) if theirs.status in _CONCLUSIONS else sent
        case Refused(code, reason):
            return unit.change(
                order,
                OrderEvent.VENUE_REFUSED,
                detail=code,
                rejected_code=code,
                rejected_reason=reason,
            )
        case Fenced(code, reason):
            return _fence(unit, order, code, reason)
        case Silent(reason):
            if order.status is OrderStatus.UNKNOWN:
                return order
            return unit.change(order, OrderEvent.SILENCE, detail=reason)


def _acknowledge(unit: Unit, order: Order, theirs: Order) -> Order:
    sent = unit.change(
        order,
        OrderEvent.SENT,
        submitted_at=theirs.submitted_at or unit.now,
        broker_order_id=theirs.broker_order_id,
    )
    if theirs.status in (OrderStatus.SUBMITTED, OrderStatus.REJECTED):
        return sent
    return unit.change(
        sent, OrderEvent.WORKING, accepted_at=theirs.accepted_at or theirs.submitted_at or unit.now
    )


def _acknowledge_filled(unit: Unit, order: Order, outcome: object) -> Order:
    """Record an acknowledgement that an execution overtook."""
    if not isinstance(outcome, Sent) or order.accepted_at is not None or order.is_terminal:
        return order
    return unit.change(
        order,
        OrderEvent.WORKING_PARTLY_FILLED,
        submitted_at=outcome.theirs.submitted_at or unit.now,
        accepted_at=outcome.theirs.accepted_at or unit.now,
        broker_order_id=outcome.theirs.broker_order_id,
    )


def _fence(unit: Unit, order: Order, code: str, reason: str) -> Order:
    if order.status is OrderStatus.UNKNOWN:
        order = unit.change(order, OrderEvent.NOT_AT_VENUE, detail=code)
    return unit.change(
        order, OrderEvent.DENIED, detail=code, rejected_code=code, rejected_reason=reason
    )


def conclude(unit: Unit, order: Order, theirs: Order) -> Order:
    """Record that the venue ended an order, once all that it filled is booked."""
    event = _CONCLUSIONS.get(theirs.status)
    if event is None or order.is_terminal or theirs.filled_quantity > order.filled_quantity:
        return order
    if unit.is_left_half(theirs):
        return order
    if event is not OrderEvent.VENUE_REFUSED:
        return unit.change(order, event)
    code = theirs.rejected_code or DenyCode.VENUE_REFUSED
    return unit.change(
        order,
        event,
        detail=code,
        rejected_code=code,
        rejected_reason=theirs.rejected_reason or "the venue gave no reason",
    )
