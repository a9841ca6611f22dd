"""Parents and what their children may still fill, so that children never exceed their parent."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from mts1b_foundation import Order, OrderStatus
from mts1b_foundation.limits import RiskLimits
from mts1b_platform.store import Store
from mts1b_platform.store.connection import AsyncConnection

from mts1b_riskengine import tables
from mts1b_riskengine.statements import upsert

__all__ = ["ParentBook", "ParentFacts", "is_worked_here", "why_no_part"]

ZERO = Decimal(0)
_WORKING = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})
_SAME = ("fund_id", "strategy_id", "account", "mode", "symbol", "side", "reduce_only")
"""What a child has from its parent, whatever it is cut into."""


def is_worked_here(order: Order) -> bool:
    """Tell whether an order is a parent: accepted by the OMS itself, never sent to a venue."""
    return order.accepted_at is not None and order.submitted_at is None


def why_no_part(child: Order, parent: Order) -> str:
    """Return what of an order makes it no part of its parent; empty where it is one.

    Whether all children together fit into the parent is another question.
    """
    for name in _SAME:
        ours, theirs = getattr(child, name), getattr(parent, name)
        if ours != theirs:
            return f"{name} is {ours}, that of parent {parent.order_id} is {theirs}"
    limit, own = parent.limit_price, child.limit_price
    if limit is not None and (own is None or child.side.sign * (own - limit) > 0):
        return f"limit_price is {own}, worse than the {limit} of parent {parent.order_id}"
    return ""


def _why_not_of(child: Order, told: Order) -> str:
    """Return why an order that the OMS told as the parent is not, or may have no more children."""
    if told.order_id != child.parent_order_id or not is_worked_here(told):
        return f"order {told.order_id} is no parent that is worked by the OMS"
    if told.status not in _WORKING:
        return f"parent {told.order_id} is {told.status.value}"
    return why_no_part(child, told)


@dataclass(frozen=True, slots=True)
class ParentFacts:
    """What a parent asks for (None: not known), and its other children's units and value.

    ``mismatch`` says why the order can be no child of it; empty where it can.
    """

    quantity: Decimal | None
    units: Decimal
    value: Decimal
    mismatch: str = ""


@dataclass(frozen=True, slots=True)
class _Child:
    quantity: Decimal
    unit_value: Decimal


class ParentBook:
    """Count, per parent, what children have filled or may still fill."""

    def __init__(self, store: Store, limits: RiskLimits) -> None:
        self.on = limits.children_within_parent or limits.max_parent_usd is not None
        self._upsert = upsert(store, tables.children)
        self._quantities: dict[str, Decimal] = {}
        self._children: dict[str, dict[str, _Child]] = {}

    def facts(
        self, order: Order, amends: str = "", told: Order | None = None
    ) -> ParentFacts | None:
        """Return what is known of the order's parent; this very order, and the one that it
        amends, left out.

        :param told: the parent as the OMS has it on record, whose event may not have come yet.
        """
        parent_id = order.parent_order_id
        if parent_id is None:
            return None
        others = [
            child
            for order_id, child in self._children.get(parent_id, {}).items()
            if order_id not in (order.order_id, amends)
        ]
        quantity, mismatch = self._quantities.get(parent_id), ""
        if told is not None:
            mismatch = _why_not_of(order, told)
            if quantity not in (None, told.quantity):
                mismatch = f"parent {parent_id} is told as {told.quantity}, it was {quantity}"
            quantity = told.quantity
        return ParentFacts(
            quantity,
            sum((child.quantity for child in others), ZERO),
            sum((child.quantity * child.unit_value for child in others), ZERO),
            mismatch,
        )

    async def approved(
        self, tx: AsyncConnection, order: Order, unit_value: Decimal, amends: str = ""
    ) -> None:
        """Count a child that is about to be approved, or changed: then at the larger quantity."""
        if self.on and order.parent_order_id is not None:
            child_id = amends or order.order_id
            known = self._children.get(order.parent_order_id, {}).get(child_id)
            units = max(order.quantity, known.quantity) if known is not None else order.quantity
            child = _Child(units, unit_value)
            await self._put(tx, order.parent_order_id, child_id, child)

    async def on_order(self, tx: AsyncConnection, order: Order) -> None:
        """Take a parent's quantity; give back what a child that ended did not fill."""
        if not self.on:
            return
        if order.parent_order_id is None:
            if is_worked_here(order):
                self._quantities[order.order_id] = order.quantity
                await self._save(tx, order.order_id, order.order_id, _Child(order.quantity, ZERO))
            return
        known = self._children.get(order.parent_order_id, {}).get(order.order_id)
        unit_value = known.unit_value if known is not None else ZERO
        units = order.filled_quantity if order.is_terminal else order.quantity
        child = _Child(units, unit_value)
        if child != known:
            await self._put(tx, order.parent_order_id, order.order_id, child)

    async def release(self, tx: AsyncConnection, order_id: str) -> None:
        """Give back a child that was approved and will never be sent."""
        for parent_id, children in self._children.items():
            if order_id in children:
                await self._put(tx, parent_id, order_id, _Child(ZERO, ZERO))

    async def _put(self, tx: AsyncConnection, parent_id: str, order_id: str, child: _Child) -> None:
        self._children.setdefault(parent_id, {})[order_id] = child
        await self._save(tx, parent_id, order_id, child)

    async def _save(
        self, tx: AsyncConnection, parent_id: str, order_id: str, child: _Child
    ) -> None:
        row = {"parent_id": parent_id, "order_id": order_id}
        await self._upsert.run(
            tx, {**row, "quantity": child.quantity, "unit_value": child.unit_value}
        )

    async def load(self, tx: AsyncConnection) -> None:
        """Replace the memory by what the store holds."""
        self._quantities, self._children = {}, {}
        for row in await tx.execute(sa.select(tables.children)):
            if row.order_id == row.parent_id:
                self._quantities[row.order_id] = row.quantity
            else:
                child = _Child(row.quantity, row.unit_value)
                self._children.setdefault(row.parent_id, {})[row.order_id] = child
