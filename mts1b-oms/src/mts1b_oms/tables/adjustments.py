"""Adjustments of the books as rows."""

from __future__ import annotations

from decimal import Decimal

import sqlalchemy as sa
from mts1b_foundation.adjustments import AdjustBooks
from mts1b_foundation.symbology import Symbol
from mts1b_platform.store import Prepared
from mts1b_platform.store.connection import AsyncConnection

from mts1b_oms.ledger import ZERO, Owner, quantise
from mts1b_oms.tables.store import adjustments

__all__ = ["adjustments_of_holding", "incomes", "insert_adjustment", "read_adjustment"]

_ONE = Prepared(
    sa.select(adjustments.c.payload).where(
        adjustments.c.adjustment_id == sa.bindparam("adjustment_id")
    )
)
_INSERT = Prepared(sa.insert(adjustments))
_INCOMES = Prepared(
    sa.select(adjustments.c.fund_id, adjustments.c.strategy_id, adjustments.c.income_usd).order_by(
        adjustments.c.position
    )
)


async def read_adjustment(tx: AsyncConnection, adjustment_id: str) -> AdjustBooks | None:
    """Return an adjustment that was booked, by its id."""
    payload = (await _ONE.run(tx, {"adjustment_id": adjustment_id})).scalar()
    return None if payload is None else AdjustBooks.model_validate_json(payload)


async def insert_adjustment(tx: AsyncConnection, one: AdjustBooks, fill_position: int) -> None:
    """Record an adjustment that comes after the fill at ``fill_position``."""
    await _INSERT.run(
        tx,
        {
            "adjustment_id": one.adjustment_id,
            "fund_id": one.fund_id or "",
            "strategy_id": one.strategy_id or "",
            "symbol": str(one.symbol or ""),
            "income_usd": quantise(one.income_usd),
            "fill_position": fill_position,
            "payload": one.model_dump_json(),
        },
    )


async def incomes(tx: AsyncConnection) -> dict[Owner, Decimal]:
    """Return what each sub-book has earned without an order."""
    found: dict[Owner, Decimal] = {}
    for row in await _INCOMES.run(tx):
        owner = (row.fund_id, row.strategy_id)
        found[owner] = found.get(owner, ZERO) + row.income_usd
    return found


async def adjustments_of_holding(
    tx: AsyncConnection, owner: Owner, symbol: Symbol
) -> list[tuple[int, AdjustBooks]]:
    """Return what changed a holding without an order, each with the position of the fill before."""
    of_owner = (adjustments.c.fund_id == owner[0]) & (adjustments.c.strategy_id == owner[1])
    of_all = adjustments.c.fund_id == ""
    query = (
        sa.select(adjustments.c.fill_position, adjustments.c.payload)
        .where(adjustments.c.symbol == str(symbol), of_owner | of_all)
        .order_by(adjustments.c.position)
    )
    found = [
        (row.fill_position, AdjustBooks.model_validate_json(row.payload))
        for row in await tx.execute(query)
    ]
    return [(position, one) for position, one in found if one.moves_stock]
