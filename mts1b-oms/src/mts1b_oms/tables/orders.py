"""Orders and their events as rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from mts1b_foundation.commands import OrdersQuery
from mts1b_foundation.orders import TERMINAL_STATUSES, Order, OrderStatus
from mts1b_foundation.risk import RiskApproval
from mts1b_platform.store import Prepared
from mts1b_platform.store.connection import AsyncConnection

from mts1b_oms.tables.store import approvals_used, order_events, orders
from mts1b_oms.transitions import Transition

__all__ = [
    "StoredOrder",
    "approval_is_used",
    "asked_at",
    "find_orders",
    "history",
    "insert_orders",
    "last_approval",
    "last_position",
    "read_children",
    "read_order",
    "read_rivals",
    "write_events",
    "write_orders",
]

_OPEN = orders.c.status.not_in([status.value for status in TERMINAL_STATUSES])


_WRITE = Prepared(
    sa.update(orders)
    .where(orders.c.order_id == sa.bindparam("b_id"))
    .where(orders.c.version == sa.bindparam("b_version"))
    .values(
        status=sa.bindparam("b_status"),
        version=sa.bindparam("b_next"),
        payload=sa.bindparam("b_payload"),
    )
)

_LAST_POSITION = Prepared(sa.select(sa.func.max(orders.c.position).label("position")))
_INSERT = Prepared(sa.insert(orders))
_ONE = Prepared(sa.select(orders).where(orders.c.order_id == sa.bindparam("b_id")))
_INSERT_EVENTS = Prepared(sa.insert(order_events))
_RIVALS = Prepared(
    sa.select(orders).where(
        (orders.c.idempotency_key == sa.bindparam("b_key"))
        | (orders.c.order_id == sa.bindparam("b_id"))
    )
)
_USED = Prepared(
    sa.select(approvals_used.c.order_id).where(
        (approvals_used.c.approval_id == sa.bindparam("b_id"))
        | (approvals_used.c.nonce == sa.bindparam("b_nonce"))
    )
)


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """An order with what the OMS keeps beside it."""

    order: Order
    algo: str | None = None
    params: dict[str, Any] = field(default_factory=dict)


def _stored(row: sa.Row[Any]) -> StoredOrder:
    return StoredOrder(
        order=Order.model_validate_json(row.payload),
        algo=row.algo,
        params=json.loads(row.params) if row.params else {},
    )


async def read_order(tx: AsyncConnection, order_id: str) -> StoredOrder | None:
    """Return one order by its id."""
    row = (await _ONE.run(tx, {"b_id": order_id})).first()
    return _stored(row) if row else None


async def read_rivals(tx: AsyncConnection, order: Order) -> list[Order]:
    """Return the orders on record that have the key or the id of ``order``."""
    wanted = {"b_key": order.idempotency_key, "b_id": order.order_id}
    return [_stored(row).order for row in await _RIVALS.run(tx, wanted)]


async def read_children(tx: AsyncConnection, parent_id: str) -> list[Order]:
    """Return the children of a parent order, oldest first."""
    query = (
        sa.select(orders).where(orders.c.parent_order_id == parent_id).order_by(orders.c.position)
    )
    return [_stored(row).order for row in await tx.execute(query)]


async def find_orders(tx: AsyncConnection, query: OrdersQuery) -> list[StoredOrder]:
    """Return the orders that a query asks for, oldest first."""
    select = sa.select(orders).order_by(orders.c.position)
    for column, wanted in (
        (orders.c.fund_id, query.fund_id),
        (orders.c.strategy_id, query.strategy_id),
        (orders.c.order_id, query.order_id),
    ):
        if wanted is not None:
            select = select.where(column == wanted)
    if query.open_only:
        select = select.where(_OPEN)
    return [_stored(row) for row in await tx.execute(select)]


async def last_position(tx: AsyncConnection) -> int:
    """Return the position of the newest order; 0 before the first."""
    return int((await _LAST_POSITION.run(tx)).scalar() or 0)


async def history(tx: AsyncConnection, order_id: str) -> list[dict[str, Any]]:
    """Return every recorded change of an order, oldest first."""
    query = (
        sa.select(order_events)
        .where(order_events.c.order_id == order_id)
        .order_by(order_events.c.version)
    )
    return [dict(row._mapping) for row in await tx.execute(query)]


async def asked_at(tx: AsyncConnection, order_id: str) -> datetime | None:
    """Return when the intent of an order was recorded; one taken over from the venue has none."""
    query = sa.select(order_events.c.at).where(
        order_events.c.order_id == order_id, order_events.c.before == OrderStatus.CREATED.value
    )
    found: datetime | None = (await tx.execute(query.limit(1))).scalar()
    return found


async def insert_orders(tx: AsyncConnection, created: Sequence[tuple[int, StoredOrder]]) -> None:
    """Insert new orders with their positions."""
    rows = [
        {
            "order_id": new.order.order_id,
            "position": position,
            "idempotency_key": new.order.idempotency_key,
            "fund_id": new.order.fund_id,
            "strategy_id": new.order.strategy_id,
            "status": new.order.status.value,
            "version": new.order.version,
            "parent_order_id": new.order.parent_order_id,
            "algo": new.algo,
            "params": json.dumps(new.params, sort_keys=True, default=str) if new.algo else None,
            "payload": new.order.model_dump_json(),
        }
        for position, new in created
    ]
    await _INSERT.run_many(tx, rows)


async def write_orders(tx: AsyncConnection, changed: Sequence[tuple[int, Order]]) -> int:
    """Replace orders, each only while its stored version is the given one; return how many."""
    written = 0
    for version, order in changed:
        result = await _WRITE.run(
            tx,
            {
                "b_id": order.order_id,
                "b_version": version,
                "b_status": order.status.value,
                "b_next": order.version,
                "b_payload": order.model_dump_json(),
            },
        )
        written += result.rowcount
    return written


async def write_events(tx: AsyncConnection, transitions: Sequence[Transition]) -> None:
    """Append the records of changes."""
    await _INSERT_EVENTS.run_many(
        tx,
        [
            {
                "order_id": change.order_id,
                "version": change.version,
                "event": change.event.value,
                "before": change.before.value,
                "after": change.after.value,
                "detail": change.detail,
                "at": change.at,
            }
            for change in transitions
        ],
    )


async def last_approval(tx: AsyncConnection, order_id: str) -> RiskApproval | None:
    """Return the approval that was consumed last for an order."""
    query = (
        sa.select(approvals_used.c.payload)
        .where(approvals_used.c.order_id == order_id)
        .order_by(approvals_used.c.used_at.desc())
    )
    payload = (await tx.execute(query)).scalars().first()
    return RiskApproval.model_validate_json(payload) if payload else None


async def approval_is_used(tx: AsyncConnection, approval: RiskApproval) -> bool:
    """Tell whether an approval, or its nonce, was consumed before."""
    wanted = {"b_id": approval.approval_id, "b_nonce": approval.nonce}
    return (await _USED.run(tx, wanted)).first() is not None
