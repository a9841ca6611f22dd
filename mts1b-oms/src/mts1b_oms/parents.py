"""Parent orders: worked here by an algorithm, ended by what becomes of their children."""

from __future__ import annotations

from mts1b_foundation.orders import Order, OrderStatus
from mts1b_oms_algos.schedule import exact_sum
from mts1b_riskengine.parents import is_worked_here, why_no_part

from mts1b_oms.refusals import next_try, passes, why_refused
from mts1b_oms.tables.orders import read_children
from mts1b_oms.transitions import OrderEvent
from mts1b_oms.unit import Unit

__all__ = ["ALGORITHM_FAILED", "PARENT", "WORKING", "is_parent", "settle_parent", "why_no_child"]

ALGORITHM_FAILED = "ALGORITHM_FAILED"
PARENT = "PARENT"
"""The code of a child that its parent does not allow."""

WORKING = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})
"""The states of a parent in which it may have more children."""


def is_parent(order: Order) -> bool:
    """Tell whether an open order is worked here, not at a venue."""
    return not order.is_terminal and is_worked_here(order)


async def why_no_child(unit: Unit, child: Order) -> str:
    """Return why a parent that is worked here may not have ``child``; empty where it may.

    Asked in the transaction that records the child: a cancel of the parent is on record before
    it or after it, and then finds the child.
    """
    parent = await unit.order(child.parent_order_id or "")
    if parent is None or not is_worked_here(parent):
        return ""
    if parent.status not in WORKING:
        return f"parent {parent.order_id} is {parent.status.value}"
    mismatch = why_no_part(child, parent)
    if mismatch:
        return mismatch
    taken = [
        other.filled_quantity if other.is_terminal else other.quantity
        for other in await read_children(unit.tx, parent.order_id)
        if other.order_id != child.order_id
    ]
    if exact_sum((*taken, child.quantity)) <= parent.quantity:
        return ""
    return f"the children of {parent.order_id} would sum to more than its {parent.quantity}"


async def settle_parent(
    unit: Unit, parent_id: str, *, finished: bool = False, failure: str = ""
) -> Order | None:
    """End a parent whose children have all ended without filling it.

    An algorithm ends at the first child that is refused for more than the moment, and when its
    parent is being cancelled.

    :param finished: no more children will come, although they do not sum to the parent.
    :param failure: why the algorithm gave up; where it did not say, a refused child tells.
    """
    parent = await unit.order(parent_id)
    if parent is None or parent.is_terminal or not is_worked_here(parent):
        return parent
    children = [
        await unit.order(child.order_id) or child
        for child in await read_children(unit.tx, parent_id)
    ]
    if any(not child.is_terminal for child in children):
        return parent
    refused = [child for child in children if child.status is OrderStatus.REJECTED]
    sent = exact_sum(child.quantity for child in children if child not in refused)
    asked = parent.status is OrderStatus.PENDING_CANCEL
    ended = asked or not all(passes(child) or child.rejected_code == PARENT for child in refused)
    if not (finished or ended) and sent < parent.quantity:
        return parent
    failure = "" if asked else failure or _told_by(children)
    if not failure:
        detail = "its children ended before it was filled"
        return unit.change(parent, OrderEvent.CANCEL_CONFIRMED, detail=detail)
    return unit.change(
        parent,
        OrderEvent.CANCEL_CONFIRMED,
        detail=failure,
        rejected_code=ALGORITHM_FAILED,
        rejected_reason=failure,
    )


def _told_by(children: list[Order]) -> str:
    """Return why the first child was refused that no other try took the place of; empty: none.

    What was no child of its parent (``PARENT``) says nothing of the others.
    """
    known = {child.order_id for child in children}
    for child in children:
        if child.status is not OrderStatus.REJECTED or child.rejected_code == PARENT:
            continue
        if next_try(child, child.created_at).order_id not in known:
            return why_refused(child)
    return ""
