"""Keep what operators changed of the watchdogs in the operations store."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from mts1b_platform.store import Store
from mts1b_platform.store.connection import AsyncConnection

from mts1b_operations.audit.entry import stamp
from mts1b_operations.tables import WATCHDOG_OVERRIDES
from mts1b_operations.watchdogs.overrides import Override

__all__ = ["load_overrides", "save_override"]


async def load_overrides(store: Store) -> dict[str, Override]:
    """Return the overrides by watchdog."""
    async with store.read() as connection:
        rows = (await connection.execute(sa.select(WATCHDOG_OVERRIDES))).all()
    return {
        row.watchdog: Override(
            row.watchdog,
            row.threshold,
            datetime.fromisoformat(row.paused_until) if row.paused_until else None,
        )
        for row in rows
    }


async def save_override(store: Store, tx: AsyncConnection, override: Override) -> None:
    """Write one override; a None leaves what was there."""
    values: dict[str, object] = {}
    if override.threshold is not None:
        values["threshold"] = override.threshold
    if override.paused_until is not None:
        values["paused_until"] = stamp(override.paused_until)
    insert = store.insert(WATCHDOG_OVERRIDES).values(watchdog=override.watchdog, **values)
    await tx.execute(insert.on_conflict_do_update(index_elements=["watchdog"], set_=values))
