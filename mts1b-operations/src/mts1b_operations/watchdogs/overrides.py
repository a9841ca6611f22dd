"""What operators change of the watchdogs while the system runs: thresholds and pauses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from mts1b_platform.store import Store
from sqlalchemy.ext.asyncio import AsyncConnection

from mts1b_operations.audit.entry import stamp
from mts1b_operations.tables import WATCHDOG_OVERRIDES

__all__ = ["Override", "load_overrides", "save_override"]


@dataclass(frozen=True, slots=True)
class Override:
    """One watchdog's changed threshold, and until when (wall time) it is paused."""

    watchdog: str
    threshold: float | None = None
    paused_until: datetime | None = None

    def paused(self, now: datetime) -> bool:
        """Return whether the pause is still on at ``now`` (wall time)."""
        return self.paused_until is not None and now < self.paused_until


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
