"""The venue's own record on disk: what was acknowledged survives any crash."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from mts1b_foundation import Fill, Order
from mts1b_platform.store import DecimalText, Store, UtcText
from sqlalchemy.ext.asyncio import AsyncConnection

from mts1b_brokers.paper.state import AccountPosition, Draft, Mark, VenueState, WorkingOrder

__all__ = ["Ledger", "metadata"]

metadata = sa.MetaData()

_orders = sa.Table(
    "venue_orders",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("idempotency_key", sa.Text, nullable=False, unique=True),
    sa.Column("order_id", sa.Text, nullable=False, unique=True),
    sa.Column("broker_order_id", sa.Text, nullable=False, unique=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("arrives_at", UtcText, nullable=False),
    sa.Column("triggered", sa.Integer, nullable=False),
    sa.Column("day", sa.Text, nullable=True),
    sa.Column("fills", sa.Integer, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
)

_fills = sa.Table(
    "venue_fills",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("fill_id", sa.Text, nullable=False, unique=True),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
)
"""``position`` is the cursor: it rises by one with each fill and never changes."""

_positions = sa.Table(
    "venue_positions",
    metadata,
    sa.Column("symbol", sa.Text, primary_key=True),
    sa.Column("quantity", DecimalText, nullable=False),
    sa.Column("average_price", DecimalText, nullable=False),
    sa.Column("realized_pnl", DecimalText, nullable=False),
    sa.Column("fees", DecimalText, nullable=False),
)

_holdings = sa.Table(
    "venue_holdings",
    metadata,
    sa.Column("fund_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("symbol", sa.Text, primary_key=True),
    sa.Column("quantity", DecimalText, nullable=False),
)

_marks = sa.Table(
    "venue_marks",
    metadata,
    sa.Column("symbol", sa.Text, primary_key=True),
    sa.Column("interval", sa.Text, primary_key=True),
    sa.Column("ends_at", UtcText, nullable=False),
    sa.Column("close", DecimalText, nullable=False),
)

_account = sa.Table(
    "venue_account",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("cash", DecimalText, nullable=False),
)


class Ledger:
    """Read and write the state of one venue in one store.

    :param every_mark: record the last price at once, for a venue that fills at it. Else the
        marks of symbols without an open order wait for the next transaction: losing them can
        change no fill, only the value shown until the next bar, and an order is never recorded
        without them.
    """

    def __init__(self, store: Store, *, venue: str, every_mark: bool = False) -> None:
        self._store = store
        self._venue = venue
        self._every_mark = every_mark
        self._pending: dict[tuple[str, str], Mark] = {}

    async def load(self, *, initial_cash: Decimal) -> VenueState:
        """Return the recorded state; a new ledger starts with ``initial_cash``."""
        async with self._store.read() as tx:
            cash = (
                await tx.execute(sa.select(_account.c.cash).where(_account.c.name == self._venue))
            ).scalar()
            state = VenueState(cash=initial_cash if cash is None else cash)
            for row in await tx.execute(sa.select(_orders).order_by(_orders.c.position)):
                state.put(_working(row))
            rows = await tx.execute(sa.select(_fills.c.payload).order_by(_fills.c.position))
            state.fills.extend(Fill.model_validate_json(row.payload) for row in rows)
            for row in await tx.execute(sa.select(_positions)):
                state.positions[row.symbol] = AccountPosition(*row)
            for row in await tx.execute(sa.select(_holdings)):
                state.holdings[row.fund_id, row.strategy_id, row.symbol] = row.quantity
            for row in await tx.execute(sa.select(_marks)):
                state.marks[row.symbol, row.interval] = Mark(row.ends_at, row.close)
                state.see_price(row.symbol, row.ends_at, row.close)
        return state

    async def write(self, draft: Draft, *, fills_before: int) -> None:
        """Record a draft in one transaction; what must not be lost is on disk afterwards."""
        pending = self._pending | draft.marks
        if not (draft.must_be_recorded or (self._every_mark and draft.marks)):
            self._pending = pending
            return
        async with self._store.transaction() as tx:
            for working in draft.orders.values():
                place = {"position": working.position}
                await self._upsert(tx, _orders, place, _order_row(working))
            if draft.fills:
                await self._write_fills(tx, draft, fills_before)
            for (symbol, interval), mark in pending.items():
                key = {"symbol": symbol, "interval": interval}
                values = {"ends_at": mark.ends_at, "close": mark.close}
                await self._upsert(tx, _marks, key, values)
        self._pending = {}

    async def _write_fills(self, tx: AsyncConnection, draft: Draft, before: int) -> None:
        rows = [
            {
                "position": before + offset,
                "fill_id": fill.fill_id,
                "order_id": fill.order_id,
                "payload": fill.model_dump_json(),
            }
            for offset, fill in enumerate(draft.fills, start=1)
        ]
        await tx.execute(sa.insert(_fills), rows)
        for held in draft.positions.values():
            await self._upsert(tx, _positions, {"symbol": held.symbol}, _position_row(held))
        for (fund_id, strategy_id, symbol), quantity in draft.holdings.items():
            owner = {"fund_id": fund_id, "strategy_id": strategy_id, "symbol": symbol}
            await self._upsert(tx, _holdings, owner, {"quantity": quantity})
        await self._upsert(tx, _account, {"name": self._venue}, {"cash": draft.cash})

    async def _upsert(
        self, tx: AsyncConnection, table: sa.Table, key: Mapping[str, Any], row: Mapping[str, Any]
    ) -> None:
        statement = self._store.insert(table).values({**key, **row})
        await tx.execute(statement.on_conflict_do_update(index_elements=list(key), set_=dict(row)))

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()


def _order_row(working: WorkingOrder) -> dict[str, Any]:
    order = working.order
    return {
        "idempotency_key": order.idempotency_key,
        "order_id": order.order_id,
        "broker_order_id": order.broker_order_id,
        "status": order.status.value,
        "arrives_at": working.arrives_at,
        "triggered": int(working.triggered),
        "day": working.day.isoformat() if working.day else None,
        "fills": working.fills,
        "payload": order.model_dump_json(),
    }


def _position_row(held: AccountPosition) -> dict[str, Any]:
    return {
        "quantity": held.quantity,
        "average_price": held.average_price,
        "realized_pnl": held.realized_pnl,
        "fees": held.fees,
    }


def _working(row: sa.Row[Any]) -> WorkingOrder:
    return WorkingOrder(
        position=row.position,
        order=Order.model_validate_json(row.payload),
        arrives_at=row.arrives_at,
        triggered=bool(row.triggered),
        day=date.fromisoformat(row.day) if row.day else None,
        fills=row.fills,
    )
