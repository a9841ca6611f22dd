"""What a venue's view proves of a change of an order, recorded."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mts1b_foundation.commands import ReplaceOutcome
from mts1b_foundation.nats import OMS_ORDERS_ACCEPTED, OMS_ORDERS_REPLACED
from mts1b_foundation.orders import Order, OrderStatus
from mts1b_platform.ids import derive_id

from mts1b_oms.acknowledge import conclude
from mts1b_oms.outcomes import Refused
from mts1b_oms.tables.replaces import Replace
from mts1b_oms.transitions import OrderEvent
from mts1b_oms.unit import Unit

__all__ = ["keep", "settle_replace", "take_terms", "terms_text"]

_PENDING = frozenset({OrderStatus.PENDING_REPLACE, OrderStatus.PENDING_CANCEL})


async def settle_replace(
    unit: Unit, order: Order, change: Replace, theirs: Order | None, refused: Refused | None
) -> Order:
    """Record what a venue's view proves of a change; without proof nothing moves.

    :param theirs: the venue's view; None where nothing reached it, or it can not be asked.
    :param refused: why the change was not made, once that is certain; None while it may still be.
    """
    if order.is_terminal or order.status not in _PENDING:
        return order
    if theirs is not None and change.is_made_in(theirs):
        await unit.end_replace(change, ReplaceOutcome.CONFIRMED)
        made = _made(unit, order, change, theirs)
        await _look_again(unit, made, counted_at=order.quantity)
        return _concluded(unit, made, theirs)
    over = theirs is not None and theirs.is_terminal
    if not over and refused is None:
        return order
    outcome = ReplaceOutcome.TOO_LATE if over else ReplaceOutcome.REFUSED
    why = refused or Refused("TOO_LATE", "the order had ended at the venue")
    await unit.end_replace(change, outcome, why.code, why.reason)
    old = {"quantity": change.old_quantity, "limit_price": change.old_limit_price}
    kept = keep(unit, order, why.reason, **old)
    await _look_again(unit, kept, counted_at=order.quantity)
    return _concluded(unit, kept, theirs)


async def take_terms(unit: Unit, order: Order, theirs: Order, *, first_version: int = 0) -> Order:
    """Record the terms that a venue shows, which no change on record explains, and tell of them.

    So they count where the record is a backup that was put back, and where somebody changed an
    order at the venue by hand. Terms that are the same are told again: others may have heard of
    later ones that never came about.

    :param first_version: what an older version than this one says nobody believes.
    """
    other = (theirs.quantity, theirs.limit_price) != (order.quantity, order.limit_price)
    if other:
        parts = (order.order_id, str(order.version), str(theirs.quantity), str(theirs.limit_price))
        key = derive_id("found", *parts, theirs.broker_order_id or "")
        await unit.add_replace(Replace.found(order, theirs, key=key, at=unit.now))
    taken = unit.change(
        order,
        OrderEvent.TERMS_SHOWN,
        detail=terms_text(order, theirs),
        first_version=first_version,
        quantity=theirs.quantity,
        limit_price=theirs.limit_price,
        broker_order_id=theirs.broker_order_id or order.broker_order_id,
    )
    _tell(unit, taken, OMS_ORDERS_REPLACED if other else OMS_ORDERS_ACCEPTED)
    await _look_again(unit, taken, counted_at=order.quantity)
    return _concluded(unit, taken, None)


def terms_text(before: Order, after: Order) -> str:
    """Return the quantity and limit of an order before and after a change."""
    shown = (
        f"{one.quantity.normalize():f}"
        + (f" @ {one.limit_price.normalize():f}" if one.limit_price is not None else "")
        for one in (before, after)
    )
    return " -> ".join(shown)


async def _look_again(unit: Unit, order: Order, *, counted_at: Decimal) -> None:
    """Quarantine the strategy of an order that executed more than it turns out to be for.

    While its change was in doubt it counted at the larger quantity, so no execution up to that was
    one too many.
    """
    if order.quantity < order.filled_quantity <= counted_at:
        last = (await unit.fills_of(order.order_id))[-1]
        reason = (
            f"order {order.order_id} is for {order.quantity} now that its change is settled, and "
            f"{order.filled_quantity} were executed: overfill"
        )
        unit.quarantine(last.owner, f"{last.fill.fill_id}/overfill", reason)


def _made(unit: Unit, order: Order, change: Replace, theirs: Order) -> Order:
    part = order.filled_quantity > 0
    event = OrderEvent.REPLACED_PARTLY_FILLED if part else OrderEvent.REPLACED
    changed = unit.change(
        order,
        event,
        detail=f"{change.replace_key}: {order.broker_order_id} -> {theirs.broker_order_id}",
        quantity=change.quantity,
        limit_price=change.limit_price,
        broker_order_id=theirs.broker_order_id or order.broker_order_id,
    )
    _tell(unit, changed, OMS_ORDERS_REPLACED)
    return changed


def keep(unit: Unit, order: Order, reason: str, **old: Any) -> Order:
    """Record that an order stays as it was, and tell those who count it at a larger quantity."""
    part = order.filled_quantity > 0
    event = OrderEvent.WORKING_PARTLY_FILLED if part else OrderEvent.WORKING
    kept = unit.change(order, event, detail=reason, **old)
    if part:
        _tell(unit, kept, OMS_ORDERS_ACCEPTED)
    return kept


def _tell(unit: Unit, order: Order, subject: str) -> None:
    event_id = derive_id("evt", order.order_id, subject, str(order.version))
    unit.tell(event_id, subject, order.fund_id, order)


def _concluded(unit: Unit, order: Order, theirs: Order | None) -> Order:
    """End an order that its new terms leave nothing of, or that the venue ended."""
    if order.filled_quantity >= order.quantity:
        return unit.change(order, OrderEvent.COMPLETE_FILL, detail="filled to its new total")
    return order if theirs is None else conclude(unit, order, theirs)
