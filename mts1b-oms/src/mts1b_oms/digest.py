"""The economic state of the OMS as one digest: equal for equal runs, whatever was killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from mts1b_foundation.commands import OrdersQuery
from mts1b_platform.lockstep import digest_rows

from mts1b_oms.record import OmsRecord
from mts1b_oms.tables import books, orders
from mts1b_oms.tables.books import BookedFill
from mts1b_oms.tables.orders import StoredOrder
from mts1b_oms.tables.store import cash, fill_corrections, lots, navs, positions

__all__ = ["state_digest"]

Row = Sequence[object]


def _order_row(stored: StoredOrder) -> Row:
    order = stored.order
    return (
        "order",
        order.order_id,
        order.idempotency_key,
        order.fund_id,
        order.strategy_id,
        order.symbol,
        order.side,
        order.quantity,
        order.status,
        order.filled_quantity,
        order.average_fill_price,
        order.rejected_code,
        order.parent_order_id,
    )


def _fill_row(item: BookedFill) -> Row:
    fill = item.fill
    return (
        "fill",
        fill.fill_id,
        fill.order_id,
        *item.owner,
        fill.symbol,
        fill.side,
        fill.quantity,
        fill.price,
        fill.fees,
        fill.timestamp,
        *item.flags,
    )


def _lot_rows(rows: Iterable[sa.Row[Any]]) -> list[Row]:
    """Return the lots of every holding, each with its place among those that are open."""
    places: Counter[tuple[str, str, str]] = Counter()
    found: list[Row] = []
    for row in rows:
        holding = (row.fund_id, row.strategy_id, row.symbol)
        found.append(("lots", *holding, places[holding], *row[4:]))
        places[holding] += 1
    return found


async def state_digest(record: OmsRecord) -> tuple[str, dict[str, int]]:
    """Return SHA-256 over orders, fills, positions, lots, cash and NAVs, and their counts."""
    tables: dict[str, list[Row]] = {}
    async with record.store.read() as tx:
        found = await orders.find_orders(tx, OrdersQuery())
        tables["orders"] = sorted((_order_row(item) for item in found), key=lambda row: str(row[1]))
        fills = await books.read_fills(tx)
        tables["fills"] = sorted((_fill_row(item) for item in fills), key=lambda row: str(row[1]))
        for name, table in (("positions", positions), ("cash", cash)):
            rows = await tx.execute(sa.select(table).order_by(*table.primary_key.columns))
            tables[name] = [(name, *row) for row in rows]
        rows = await tx.execute(sa.select(lots).order_by(*lots.primary_key.columns))
        tables["lots"] = _lot_rows(rows)
        told = sa.select(fill_corrections.c.payload).order_by(fill_corrections.c.position)
        tables["corrections"] = [("correction", *row) for row in await tx.execute(told)]
        kept = (*navs.primary_key.columns, navs.c.payload)
        rows = await tx.execute(sa.select(*kept).order_by(*navs.primary_key.columns))
        tables["navs"] = [("nav", *row) for row in rows]
    everything = [row for name in sorted(tables) for row in tables[name]]
    return digest_rows(everything), {name: len(rows) for name, rows in tables.items()}
