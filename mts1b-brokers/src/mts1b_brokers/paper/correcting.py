"""What a venue does to its own executions afterwards: bust, amend, state fees, overfill."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from mts1b_foundation import Fill, Order, OrderStatus
from mts1b_foundation.orders import CorrectionKind, FillCorrection
from mts1b_platform.ids import derive_id

from mts1b_brokers.errors import BrokerRefused
from mts1b_brokers.paper.state import Draft, VenueState, WorkingOrder

__all__ = ["Restatement", "correct", "order_after"]


@dataclass(frozen=True, slots=True)
class Restatement:
    """What an operator of the venue states anew; a field of None stays as it is."""

    kind: CorrectionKind
    reason: str
    quantity: Decimal | None = None
    price: Decimal | None = None
    fees: Decimal | None = None


def correct(
    state: VenueState, fill_id: str, new: Restatement, *, now: datetime, venue: str
) -> tuple[FillCorrection, Draft]:
    """Correct one execution, in the books and in its order.

    An order that had ended stays ended: a bust does not bring back its open quantity.

    :raises BrokerRefused: ``UNKNOWN_FILL``, or ``ALREADY_BUSTED``.
    """
    fill = next((fill for fill in reversed(state.fills) if fill.fill_id == fill_id), None)
    if fill is None:
        raise BrokerRefused(f"venue {venue} has no execution {fill_id}", code="UNKNOWN_FILL")
    before = state.standing(fill)
    if before is None:
        raise BrokerRefused(f"execution {fill_id} is taken back already", code="ALREADY_BUSTED")
    after = _restated(before, new)
    correction = _correction(state, after or before, new, now)
    working = state.orders[state.by_broker_id[fill.broker_order_id or ""]]
    draft = Draft(state)
    draft.correct(correction, before, after, working.order)
    standing = (draft.standing(one) for one in state.fills if _is_of(one, working))
    order = order_after(working.order, (one for one in standing if one is not None))
    if order != working.order:
        draft.put(working._replace(order=order))
    return correction, draft


def _is_of(fill: Fill, working: WorkingOrder) -> bool:
    return (fill.broker_order_id or "") in working.broker_ids


def _restated(before: Fill, new: Restatement) -> Fill | None:
    if new.kind is CorrectionKind.BUST:
        return None
    return before.with_(
        quantity=before.quantity if new.quantity is None else new.quantity,
        price=before.price if new.price is None else new.price,
        fees=before.fees if new.fees is None else new.fees,
    )


def _correction(state: VenueState, fill: Fill, new: Restatement, now: datetime) -> FillCorrection:
    amends = new.kind is CorrectionKind.AMEND
    number = sum(one.fill_id == fill.fill_id for one in state.corrections) + 1
    return FillCorrection(
        correction_id=derive_id("correction", fill.venue, fill.fill_id, str(number)),
        fill_id=fill.fill_id,
        order_id=fill.order_id,
        kind=new.kind,
        quantity=fill.quantity if amends else None,
        price=fill.price if amends else None,
        fees=new.fees,
        fee_currency=fill.fee_currency,
        venue=fill.venue,
        timestamp=now,
        reason=new.reason,
    )


def order_after(order: Order, executions: Iterable[Fill]) -> Order:
    """Return an order as the executions that stand make it."""
    done = list(executions)
    total = sum((fill.quantity for fill in done), Decimal(0))
    paid = sum((fill.notional for fill in done), Decimal(0))
    return order.with_(
        filled_quantity=total,
        average_fill_price=paid / total if total else None,
        status=_status(order, total),
    )


def _status(order: Order, total: Decimal) -> OrderStatus:
    if total >= order.quantity:
        return OrderStatus.FILLED
    if order.status is OrderStatus.FILLED:
        return OrderStatus.CANCELED
    if order.is_terminal:
        return order.status
    return OrderStatus.PARTIALLY_FILLED if total else OrderStatus.ACCEPTED
