"""Look at the operations store: count its rows, and time it."""

from __future__ import annotations

import sqlalchemy as sa
from mts1b_platform.clock import Clock
from mts1b_platform.store import Store

from mts1b_operations.watchdogs.db_watchdog import StoreProbe

__all__ = ["StoreLook"]

_COUNT_EVERY_S = 600.0


class StoreLook:
    """Look at the operations store now and then.

    The ids of consumed events are counted one by one, months of them, and nothing else is answered
    meanwhile: so they are counted every ten minutes only.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._next_count = clock.monotonic()

    async def probe(self) -> StoreProbe:
        """Return how much the store holds, and how long it took to answer."""
        begin, store = self._clock.monotonic(), self._store
        consumed = None
        async with store.read() as connection:
            if begin >= self._next_count:
                self._next_count = begin + _COUNT_EVERY_S
                consumed = await store.inbox.consumed(connection)
            last = await connection.scalar(sa.text("SELECT max(sequence) FROM audit_entries"))
            total = await connection.scalar(sa.text("SELECT max(position) FROM outbox"))
            published = await connection.scalar(
                sa.text("SELECT max(published) FROM outbox_position")
            )
        return StoreProbe(
            store=store.name,
            at=self._clock.now(),
            consumed_events=consumed,
            audit_entries=0 if last is None else int(last) + 1,
            outbox_backlog=max(int(total or 0) - int(published or 0), 0),
            query_s=self._clock.monotonic() - begin,
        )
