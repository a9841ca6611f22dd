"""Reports of reconciliation as rows."""

from __future__ import annotations

import sqlalchemy as sa
from mts1b_foundation.commands import ReconciliationReport
from mts1b_platform.store import Prepared
from mts1b_platform.store.connection import AsyncConnection

from mts1b_oms.tables.store import reconciliations

__all__ = ["insert_report", "last_report"]

_INSERT = Prepared(sa.insert(reconciliations))
_NEWEST = Prepared(
    sa.select(reconciliations.c.payload).order_by(reconciliations.c.position.desc()).limit(1)
)


async def insert_report(tx: AsyncConnection, report: ReconciliationReport) -> None:
    """Append a report."""
    await _INSERT.run(tx, {"payload": report.model_dump_json()})


async def last_report(tx: AsyncConnection) -> ReconciliationReport | None:
    """Return the newest report."""
    payload = (await _NEWEST.run(tx)).scalar()
    return ReconciliationReport.model_validate_json(payload) if payload else None
