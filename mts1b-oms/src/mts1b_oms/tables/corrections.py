"""Corrections of fills as rows, and fills as they count after them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa
from mts1b_foundation.orders import FillCorrection
from mts1b_foundation.symbology import Symbol
from mts1b_platform.store import Prepared
from mts1b_platform.store.connection import AsyncConnection

from mts1b_oms.ledger import Owner
from mts1b_oms.tables.books import BookedFill, booked_of_row
from mts1b_oms.tables.store import fill_corrections, fills

__all__ = [
    "corrections_of",
    "early_fill_ids",
    "fills_flagged",
    "fills_of_holding",
    "insert_correction",
    "known_corrections",
    "read_fill",
]

_KNOWN = sa.select(fill_corrections.c.correction_id).where(
    fill_corrections.c.correction_id.in_(sa.bindparam("b_ids", expanding=True))
)
_OF_FILLS = (
    sa.select(fill_corrections)
    .where(fill_corrections.c.fill_id.in_(sa.bindparam("b_ids", expanding=True)))
    .order_by(fill_corrections.c.position)
)
_FILL = Prepared(sa.select(fills).where(fills.c.fill_id == sa.bindparam("fill_id")))
_EARLY = Prepared(
    sa.select(fill_corrections.c.fill_id).where(
        fill_corrections.c.fill_id.not_in(sa.select(fills.c.fill_id))
    )
)
_CHUNK = 500


async def known_corrections(tx: AsyncConnection, ids: Sequence[str]) -> set[str]:
    """Return which of the ids are on record already."""
    found: set[str] = set()
    for start in range(0, len(ids), _CHUNK):
        chunk = list(ids[start : start + _CHUNK])
        found.update((await tx.execute(_KNOWN, {"b_ids": chunk})).scalars())
    return found


async def insert_correction(tx: AsyncConnection, correction: FillCorrection) -> None:
    """Record a correction, whether its execution is known or not."""
    row = {
        "correction_id": correction.correction_id,
        "fill_id": correction.fill_id,
        "payload": correction.model_dump_json(),
    }
    await tx.execute(sa.insert(fill_corrections), row)


async def corrections_of(
    tx: AsyncConnection, fill_ids: Iterable[str]
) -> Mapping[str, list[FillCorrection]]:
    """Return the corrections of some fills, each list in the order of telling."""
    ids = sorted(set(fill_ids))
    found: dict[str, list[FillCorrection]] = {}
    for start in range(0, len(ids), _CHUNK):
        for row in await tx.execute(_OF_FILLS, {"b_ids": ids[start : start + _CHUNK]}):
            one = FillCorrection.model_validate_json(row.payload)
            found.setdefault(row.fill_id, []).append(one)
    return found


async def early_fill_ids(tx: AsyncConnection) -> set[str]:
    """Return the fills that were corrected and are not booked yet."""
    return {row.fill_id for row in await _EARLY.run(tx)}


async def read_fill(tx: AsyncConnection, fill_id: str) -> BookedFill | None:
    """Return one fill as it was told first."""
    row = (await _FILL.run(tx, {"fill_id": fill_id})).first()
    return booked_of_row(row) if row is not None else None


async def fills_flagged(tx: AsyncConnection, flag: str) -> list[BookedFill]:
    """Return the fills with a flag that were not corrected since, in the order of booking."""
    corrected = sa.select(fill_corrections.c.fill_id)
    query = (
        sa.select(fills)
        .where(fills.c.flags.contains(flag, autoescape=True), fills.c.fill_id.not_in(corrected))
        .order_by(fills.c.position)
    )
    return [booked_of_row(row) for row in await tx.execute(query)]


async def fills_of_holding(
    tx: AsyncConnection, owner: Owner, symbol: Symbol
) -> list[tuple[int, BookedFill]]:
    """Return every fill of one symbol in one sub-book with its position, in that order."""
    query = (
        sa.select(fills)
        .where(fills.c.fund_id == owner[0], fills.c.strategy_id == owner[1])
        .where(fills.c.payload.contains(f'"symbol":"{symbol}"', autoescape=True))
        .order_by(fills.c.position)
    )
    found = [(row.position, booked_of_row(row)) for row in await tx.execute(query)]
    return [(position, item) for position, item in found if item.fill.symbol == symbol]
