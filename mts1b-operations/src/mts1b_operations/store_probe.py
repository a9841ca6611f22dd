"""Look at the operations store: count its rows, and time it."""

from __future__ import annotations

import sqlalchemy as sa
from mts1b_platform.clock import Clock
from mts1b_platform.store import Store

from mts1b_operations.watchdogs.db_watchdog import StoreProbe

__all__ = ["probe_store"]


async def probe_store(store: Store, clock: Clock) -> StoreProbe:
    """Count rows of the operations store, and time it."""
    begin = clock.monotonic()
    async with store.read() as connection:
        consumed = await store.inbox.consumed(connection)
        entries = await connection.scalar(sa.text("SELECT count(*) FROM audit_entries"))
        total = await connection.scalar(sa.text("SELECT max(position) FROM outbox"))
        published = await connection.scalar(sa.text("SELECT max(published) FROM outbox_position"))
    return StoreProbe(
        store=store.name,
        at=clock.now(),
        consumed_events=consumed,
        audit_entries=int(entries or 0),
        outbox_backlog=max(int(total or 0) - int(published or 0), 0),
        query_s=clock.monotonic() - begin,
    )
