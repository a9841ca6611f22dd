"""The digest of the engine's economic state: equal for equal runs, whatever died in between."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from mts1b_platform.lockstep import DigestParts, digest_rows
from mts1b_platform.store import Store

from mts1b_riskengine.tables import decisions, envelopes, funds, positions, reservations

__all__ = ["economic_digest"]

_QUERIES: dict[str, sa.Select[tuple[object, ...]]] = {
    "positions": sa.select(
        positions.c.fund_id, positions.c.strategy_id, positions.c.symbol, positions.c.quantity
    ).order_by(positions.c.fund_id, positions.c.strategy_id, positions.c.symbol),
    "reservations": sa.select(
        reservations.c.order_id,
        reservations.c.sign,
        reservations.c.expected,
        reservations.c.filled,
    ).order_by(reservations.c.order_id),
    "funds": sa.select(
        funds.c.fund_id,
        funds.c.nav,
        funds.c.as_of,
        funds.c.peak,
        funds.c.day_nav,
        funds.c.week_nav,
        funds.c.month_nav,
        funds.c.halted,
        funds.c.halt_id,
    ).order_by(funds.c.fund_id),
    "decisions": sa.select(
        decisions.c.decision_id, decisions.c.approved, decisions.c.gate, decisions.c.code
    ).order_by(decisions.c.decision_id),
    "envelopes": sa.select(envelopes.c.fund_id, envelopes.c.version, envelopes.c.body).order_by(
        envelopes.c.fund_id, envelopes.c.version
    ),
}


async def economic_digest(store: Store) -> DigestParts:
    """Return (hex digest, row counts). No signatures, attempts, times of day or latencies."""
    rows: list[Sequence[object]] = []
    counts: dict[str, int] = {}
    async with store.read() as connection:
        for name, query in _QUERIES.items():
            found = (await connection.execute(query)).all()
            counts[name] = len(found)
            rows += [(name, *row) for row in found]
    return digest_rows(rows), counts
