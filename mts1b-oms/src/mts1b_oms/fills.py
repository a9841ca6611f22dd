"""Book executions: once by the venue's id, whatever state the order is in. Fills always win."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any

from mts1b_foundation.orders import Fill, FillCorrection, Order, OrderStatus
from mts1b_riskengine.parents import is_worked_here

from mts1b_oms.corrections import average_price, settle_early, take_corrections, that_count
from mts1b_oms.ledger import ZERO, Owner, quantise
from mts1b_oms.stated import STATED, giving_way, stated_in
from mts1b_oms.tables import books
from mts1b_oms.tables.books import BookedFill
from mts1b_oms.transitions import OrderEvent
from mts1b_oms.unit import Unit

__all__ = ["EXTERNAL", "QUARANTINING", "book_fills", "flags_of"]

EXTERNAL = "external"
"""Owner of executions that no order of ours explains."""

LATE = "late"
LATE_AFTER_REFUSAL = "late_after_refusal"
EARLY = "early"
OVERFILL = "overfill"
MISMATCH = "mismatch"
TWIN = "twin"
"""It says what another fill of its order says, under another id: perhaps one told twice."""
FEE_PENDING = "fee_pending"
"""Its fee is not in the base currency, and counts as nothing until a correction states it so."""

_TWIN_S = 2.0
_ID = attrgetter("fill_id")

QUARANTINING = frozenset({LATE_AFTER_REFUSAL, OVERFILL, MISMATCH, EXTERNAL})
"""Flags after which the strategy must not trade until somebody has looked."""

_EARLY_STATES = frozenset({OrderStatus.CREATED, OrderStatus.PENDING_RISK, OrderStatus.APPROVED})
_LATE_STATES = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED})


def flags_of(order: Order | None, fill: Fill, earlier: Sequence[Fill] = ()) -> tuple[str, ...]:
    """Return what is odd about a fill, given the order before it; nothing odd: empty.

    :param earlier: the fills of the order that are booked.
    """
    found = [FEE_PENDING] if fill.fee_currency != books.BASE_CURRENCY else []
    if order is None:
        return (EXTERNAL, *found)
    if earlier and any(_is_twin(fill, other) for other in earlier):
        found.append(TWIN)
    if order.status in _LATE_STATES:
        found.append(LATE)
    if order.status is OrderStatus.REJECTED:
        found.append(LATE_AFTER_REFUSAL)
    if order.status in _EARLY_STATES:
        found.append(EARLY)
    if order.filled_quantity + fill.quantity > order.quantity:
        found.append(OVERFILL)
    if fill.symbol != order.symbol or fill.side is not order.side:
        found.append(MISMATCH)
    return tuple(found)


def _is_twin(fill: Fill, other: Fill) -> bool:
    same = (fill.quantity, fill.price, fill.side) == (other.quantity, other.price, other.side)
    return same and abs((fill.timestamp - other.timestamp).total_seconds()) <= _TWIN_S


async def book_fills(
    unit: Unit, fills: Sequence[Fill], *, stated: bool = False
) -> list[BookedFill]:
    """Book the fills that are new, move their orders, flag and quarantine what is odd.

    :param stated: they are the word of an operator; once the venue tells executions of their
        order, so much of them is taken back.
    :return: what was booked, in order.
    """
    if not fills:
        return []
    known = await unit.known_fills(list(map(_ID, fills)))
    booked = []
    for fill in fills:
        if fill.fill_id not in known:
            known.add(fill.fill_id)
            booked.append(await _book(unit, fill, stated=stated))
    return booked


async def _book(unit: Unit, fill: Fill, *, stated: bool) -> BookedFill:
    order = await unit.order(fill.order_id)
    partly = order is not None and order.filled_quantity > 0
    items = await unit.fills_of(fill.order_id) if partly else []
    earlier = await that_count(unit, items) if items else []
    owner = (order.fund_id, order.strategy_id) if order is not None else _stranger(fill)
    said = [] if stated else stated_in(items, earlier)
    place = len(items)
    gives_way = giving_way(said, fill, place=place)
    flags = (STATED,) if stated else _flags_of(order, fill, earlier, gives_way)
    item = BookedFill(fill, owner, flags)
    unit.book(item)
    if order is not None and order.status is not OrderStatus.CREATED:
        average = average_price([*earlier, fill]) or fill.price
        detail = ",".join((fill.fill_id, *item.flags))
        proof = _proof(fill) if order.submitted_at is None else {}
        _fill_order(unit, order, fill, average, detail, proof)
        if order.parent_order_id is not None:
            await _fill_parent(unit, order.parent_order_id, fill)
    odd = QUARANTINING.intersection(item.flags)
    if odd:
        reason = f"fill {fill.fill_id} of order {fill.order_id}: {', '.join(sorted(odd))}"
        unit.quarantine(item.owner, fill.fill_id, reason)
    if unit.is_awaited(fill.fill_id):
        await settle_early(unit, item)
    for counts in await that_count(unit, [item]) if said else ():
        # Afterwards: whoever follows the events never counts less than there is.
        await take_corrections(unit, giving_way(said, counts, place=place))
    return item


def _flags_of(
    order: Order | None, fill: Fill, earlier: Sequence[Fill], gives_way: Sequence[FillCorrection]
) -> tuple[str, ...]:
    """Return what is odd about a fill once what gives way to it has done so."""
    if order is None or not gives_way:
        return flags_of(order, fill, earlier)
    left = {one.fill_id: one.quantity or ZERO for one in gives_way}
    others = [other for other in earlier if other.fill_id not in left]
    gone = sum((f.quantity - left[f.fill_id] for f in earlier if f.fill_id in left), ZERO)
    before = order.with_(filled_quantity=order.filled_quantity - gone)
    return flags_of(before, fill, others)


def _stranger(fill: Fill) -> Owner:
    """Return whose a fill is that no order of ours explains, as it says."""
    return (fill.fund_id or EXTERNAL, fill.strategy_id or EXTERNAL)


def _proof(fill: Fill) -> dict[str, Any]:
    """Return what an execution that overtook the acknowledgement proves of its order."""
    return {"submitted_at": fill.timestamp, "broker_order_id": fill.broker_order_id}


def _fill_order(
    unit: Unit, order: Order, fill: Fill, average: Decimal, detail: str, proof: dict[str, Any]
) -> None:
    filled = order.filled_quantity + fill.quantity
    complete = filled >= order.quantity
    unit.change(
        order,
        OrderEvent.COMPLETE_FILL if complete else OrderEvent.PARTIAL_FILL,
        detail=detail,
        filled_quantity=filled,
        average_fill_price=average,
        **proof,
    )


async def _fill_parent(unit: Unit, parent_id: str, fill: Fill) -> None:
    parent = await unit.order(parent_id)
    if parent is None or not is_worked_here(parent):
        return
    before = parent.filled_quantity * (parent.average_fill_price or Decimal(0))
    filled = parent.filled_quantity + fill.quantity
    average = quantise((before + fill.notional) / filled)
    _fill_order(unit, parent, fill, average, fill.fill_id, {})
