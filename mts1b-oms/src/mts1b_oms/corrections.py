"""Take back and restate executions: afterwards all is as if the venue had told it right at once.

The first telling stays on record, and so does every correction; what counts is made of both. So
the order in which they arrive does not matter, also not a correction that overtakes its fill.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from mts1b_foundation.adjustments import AdjustBooks
from mts1b_foundation.nats import OMS_FILLS_CORRECTED
from mts1b_foundation.orders import CorrectionKind, Fill, FillCorrection, Order, OrderStatus
from mts1b_platform.ids import derive_id
from mts1b_riskengine.parents import is_worked_here

from mts1b_oms.adjustments import holding_after
from mts1b_oms.ledger import ZERO, Holding, payment_of, quantise
from mts1b_oms.tables import corrections as rows
from mts1b_oms.tables.adjustments import adjustments_of_holding
from mts1b_oms.tables.books import BASE_CURRENCY, BookedFill
from mts1b_oms.transitions import OrderEvent
from mts1b_oms.unit import Unit

__all__ = [
    "average_price",
    "counted_of",
    "effective",
    "settle_early",
    "take_corrections",
    "that_count",
]

_LAST = sys.maxsize
"""The position of what this unit has booked: behind all that is on record."""


def effective(item: BookedFill, corrections: Iterable[FillCorrection] = ()) -> Fill | None:
    """Return a fill as it counts after its corrections; None once it was taken back."""
    fill = item.counted
    for one in corrections:
        if one.kind is CorrectionKind.BUST:
            return None
        changes: dict[str, Decimal] = {}
        if one.quantity is not None and one.price is not None:
            changes = {"quantity": one.quantity, "price": one.price}
        if one.fees is not None and one.fee_currency == BASE_CURRENCY:
            changes["fees"] = one.fees
        fill = fill.with_(**changes)
    return fill


def average_price(parts: Sequence[Fill]) -> Decimal | None:
    """Return the mean price of executions, exact before the one rounding; None without any."""
    if not parts:
        return None
    notional = quantity = ZERO
    for part in parts:
        notional += part.notional
        quantity += part.quantity
    return quantise(notional / quantity)


@dataclass(frozen=True, slots=True)
class _Change:
    """One execution before and after a correction; None: it does not count."""

    item: BookedFill
    before: Fill | None
    after: Fill | None
    correction: FillCorrection

    @property
    def grown(self) -> Decimal:
        return _units(self.after) - _units(self.before)


def _units(fill: Fill | None) -> Decimal:
    return fill.quantity if fill is not None else ZERO


async def take_corrections(unit: Unit, told: Sequence[FillCorrection]) -> list[FillCorrection]:
    """Record the corrections that are new, apply those whose fill is booked; return the new ones.

    One that came before its fill waits for it.
    """
    if not told:
        return []
    known = await rows.known_corrections(unit.tx, [one.correction_id for one in told])
    new = []
    for one in told:
        if one.correction_id in known:
            continue
        known.add(one.correction_id)
        new.append(one)
        item = unit.booked(one.fill_id) or await rows.read_fill(unit.tx, one.fill_id)
        earlier = (await unit.corrections_of([one.fill_id])).get(one.fill_id, [])
        await rows.insert_correction(unit.tx, one)
        if item is None:
            unit.await_fill(one.fill_id)
            continue
        before, after = effective(item, earlier), effective(item, [*earlier, one])
        await _apply(unit, _Change(item, before, after, one))
    return new


async def settle_early(unit: Unit, item: BookedFill) -> None:
    """Apply to a fill that was just booked the corrections that came before it."""
    waiting = (await unit.corrections_of([item.fill.fill_id])).get(item.fill.fill_id, [])
    before = effective(item)
    for count, one in enumerate(waiting, start=1):
        after = effective(item, waiting[:count])
        await _apply(unit, _Change(item, before, after, one))
        before = after


async def _apply(unit: Unit, change: _Change) -> None:
    await _restate_holding(unit, change)
    one, owner = change.correction, change.item.owner
    event_id = derive_id("evt", "correction", one.correction_id)
    unit.tell(event_id, OMS_FILLS_CORRECTED, owner[0], one)
    order = await unit.order(change.item.fill.order_id)
    if order is None or order.status is OrderStatus.CREATED:
        return
    restated = await _restate_order(unit, order, change)
    if order.parent_order_id is not None:
        await _restate_parent(unit, order.parent_order_id, change)
    if restated.filled_quantity > restated.quantity and change.grown > 0:
        reason = f"correction {one.correction_id} of fill {one.fill_id}: overfill"
        unit.quarantine(owner, f"{one.fill_id}/{one.correction_id}", reason)


async def _restate_holding(unit: Unit, change: _Change) -> None:
    """Build the holding anew from every fill that counts: no reversal can be exact otherwise."""
    item = change.item
    symbol = item.fill.symbol
    known = unit.ledger.book(*item.owner).holdings.get(symbol, Holding(symbol))
    holding = Holding(symbol, last_fill_price=known.last_fill_price)
    for fact in await _facts_of_holding(unit, item):
        holding = holding.booked(fact) if isinstance(fact, Fill) else holding_after(holding, fact)
    cash_change = _payment(change.before) - _payment(change.after)
    unit.restate(item.owner, holding, cash_change)


def _payment(fill: Fill | None) -> Decimal:
    return payment_of(fill) if fill is not None else ZERO


async def _facts_of_holding(unit: Unit, item: BookedFill) -> list[Fill | AdjustBooks]:
    """Return what made a holding, in the order of booking: fills as they count, adjustments."""
    owner, symbol = item.owner, item.fill.symbol
    stored = await rows.fills_of_holding(unit.tx, owner, symbol)
    later = [(_LAST, one) for one in unit.booked_in(owner, symbol)]
    moved = deque(await adjustments_of_holding(unit.tx, owner, symbol))
    items = [*stored, *later]
    corrected = await unit.corrections_of([one.fill.fill_id for _, one in items])
    facts: list[Fill | AdjustBooks] = []
    for position, one in items:
        while moved and moved[0][0] < position:
            facts.append(moved.popleft()[1])
        fill = effective(one, corrected.get(one.fill.fill_id, ()))
        if fill is not None:
            facts.append(fill)
    return [*facts, *(one for _, one in moved)]


async def that_count(unit: Unit, items: Sequence[BookedFill]) -> list[Fill]:
    """Return fills as they count by all corrections on record, those taken back left out."""
    corrected = await unit.corrections_of([item.fill.fill_id for item in items])
    counted = (effective(i, corrected.get(i.fill.fill_id, ())) for i in items)
    return [fill for fill in counted if fill is not None]


async def counted_of(unit: Unit, order_id: str) -> list[Fill]:
    """Return the fills of an order that count, as they count."""
    return await that_count(unit, await unit.fills_of(order_id))


async def _restate_order(unit: Unit, order: Order, change: _Change) -> Order:
    parts = await counted_of(unit, order.order_id)
    filled = sum((part.quantity for part in parts), ZERO)
    return _changed(unit, order, change, filled, average_price(parts))


def _changed(
    unit: Unit, order: Order, change: _Change, filled: Decimal, average: Decimal | None
) -> Order:
    return unit.change(
        order,
        _event(order, filled),
        detail=f"{change.correction.kind.value} {change.correction.correction_id}",
        filled_quantity=filled,
        average_fill_price=average,
    )


def _event(order: Order, filled: Decimal) -> OrderEvent:
    was, whole = order.status is OrderStatus.FILLED, filled >= order.quantity
    if was == whole:
        return OrderEvent.FILL_CORRECTED
    return OrderEvent.COMPLETE_FILL if whole else OrderEvent.UNFILLED


async def _restate_parent(unit: Unit, parent_id: str, change: _Change) -> None:
    parent = await unit.order(parent_id)
    if parent is None or not is_worked_here(parent):
        return
    notional = parent.filled_quantity * (parent.average_fill_price or ZERO)
    notional += _notional(change.after) - _notional(change.before)
    filled = parent.filled_quantity + change.grown
    average = quantise(notional / filled) if filled > 0 and notional > 0 else None
    _changed(unit, parent, change, filled, average)


def _notional(fill: Fill | None) -> Decimal:
    return fill.notional if fill is not None else ZERO
