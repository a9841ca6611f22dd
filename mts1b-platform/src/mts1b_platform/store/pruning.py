"""Prune a store: events that went out long ago, and the ids of messages that can not come again.

An event is pruned when its stream has acknowledged it and it is older than the days that are kept;
from then on it is not sent again, and each later event says so in its header. A reader prunes the
ids of a publisher's days that this header names as gone: it has read on beyond all of them, and
takes a message of such a day, wherever one comes from, as known. A publisher without an outbox
(market data) says nothing of the kind: ids of its messages are pruned by the reader's own days.
"""

from __future__ import annotations

import asyncio
import contextlib

import sqlalchemy as sa
from mts1b_foundation.nats import OPERATIONS_SIGNALS_RECEIVED, STREAMS

from mts1b_platform.clock import Clock
from mts1b_platform.store.connection import AsyncConnection
from mts1b_platform.store.days import Days, Mark, day_of
from mts1b_platform.store.engine import Store, StoreClosed
from mts1b_platform.store.prepared import Prepared
from mts1b_platform.store.tables import consumed, inbox_days, outbox, outbox_position

__all__ = ["StorePruner"]

_STEP = 500
_PAUSE_S = 0.05
_LOOK_EVERY_S = 3600.0

_READ_BACK = f"{OPERATIONS_SIGNALS_RECEIVED}%"
"""Signals from outside stay: their service finds in the outbox which ids it has taken."""

_PUBLISHED = Prepared(sa.select(sa.func.min(outbox_position.c.published)))
_WAITING = Prepared(
    sa.select(outbox.c.position)
    .where(
        outbox.c.position > sa.bindparam("published"), outbox.c.position < sa.bindparam("before")
    )
    .limit(1)
)
_END = Prepared(
    sa.text(
        "SELECT max(position) FROM (SELECT position FROM outbox WHERE position > :after "
        "AND position < :before AND position < (SELECT max(position) FROM outbox) "
        "ORDER BY position LIMIT :most) AS oldest"
    )
)
_PRUNE = Prepared(
    sa.text(
        "DELETE FROM outbox WHERE position > :after AND position <= :end "
        "AND subject NOT LIKE :read_back"
    )
)
_READERS = Prepared(
    sa.select(consumed.c.consumer, consumed.c.stream).order_by(
        consumed.c.consumer, consumed.c.stream
    )
)
_OLDEST = Prepared(
    sa.select(inbox_days.c.day, inbox_days.c.message_id)
    .where(
        inbox_days.c.consumer == sa.bindparam("reader"),
        inbox_days.c.stream == sa.bindparam("of"),
        inbox_days.c.day < sa.bindparam("before"),
    )
    .order_by(inbox_days.c.day, inbox_days.c.message_id)
    .limit(sa.bindparam("most"))
)
_FORGET_ID = Prepared(
    sa.text("DELETE FROM inbox WHERE consumer = :consumer AND message_id = :message_id")
)
_FORGET_DAY = Prepared(
    sa.text(
        "DELETE FROM inbox_days WHERE consumer = :consumer AND stream = :stream "
        "AND day = :day AND message_id = :message_id"
    )
)
_COUNT = Prepared(
    sa.text(
        "INSERT INTO inbox_streams (consumer, stream, seen_day, seen, known_before, forgotten) "
        "VALUES (:consumer, :stream, 0, 0, 0, :count) ON CONFLICT (consumer, stream) "
        "DO UPDATE SET forgotten = inbox_streams.forgotten + excluded.forgotten"
    )
)


class StorePruner:
    """Keep a store small, a bounded step at a time.

    :param keep_days: how many of the last days on which the store was open are kept. Days on
        which it was not do not count, and neither does a clock that jumps.
    :param most: how many rows one transaction may delete.
    :param pause_s: how long others have the store to themselves after each.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        keep_days: int,
        most: int = _STEP,
        pause_s: float = _PAUSE_S,
    ) -> None:
        self._store = store
        self._clock = clock
        self._keep_days = keep_days
        self._most = most
        self._pause_s = pause_s
        self._pruned = 0
        """Up to this position of the outbox nothing is left to prune."""

    async def begin_day(self) -> None:
        """Let what is added from now on be of today."""
        today = day_of(self._clock.now())
        async with self._store.read() as connection:
            known = (await self._store.outbox.days(connection)).today
        if known < today:
            async with self._store.transaction() as tx:
                await self._store.outbox.begin_day(tx, today)

    async def keep(self) -> None:
        """Decide from which day on events are kept, once all before it are acknowledged."""
        async with self._store.transaction() as tx:
            outbox_ = self._store.outbox
            days = await outbox_.days(tx)
            oldest = days.oldest_of(self._keep_days)
            if oldest is None or oldest.day <= days.kept.day:
                return
            await outbox_.record_position(tx, every=1)
            published = int((await _PUBLISHED.run(tx)).scalar() or 0)
            waiting = await _WAITING.run(tx, {"published": published, "before": oldest.position})
            if waiting.first() is None:
                await outbox_.keep_from(tx, oldest)

    async def step(self) -> int:
        """Prune some of what may go, in one short transaction; return how many rows went."""
        async with self._store.transaction() as tx:
            days = await self._store.outbox.days(tx)
            gone = await self._prune_outbox(tx, days.kept)
            if gone:
                return gone
            for reader in (await _READERS.run(tx)).all():
                before = await self._known_before(tx, days, reader.consumer, reader.stream)
                gone = await self._prune_inbox(tx, reader.consumer, reader.stream, before)
                if gone:
                    return gone
        return 0

    async def _prune_outbox(self, tx: AsyncConnection, kept: Mark) -> int:
        """Delete the oldest events before ``kept``; never the last one, which numbers the next."""
        wanted = {"after": self._pruned, "before": kept.position, "most": self._most}
        end = (await _END.run(tx, wanted)).scalar()
        if end is None:
            return 0
        gone = {"after": self._pruned, "end": int(end), "read_back": _READ_BACK}
        count = (await _PRUNE.run(tx, gone)).rowcount
        self._pruned = int(end)
        return max(count, 1)

    async def _known_before(
        self, tx: AsyncConnection, days: Days, consumer: str, stream: str
    ) -> int:
        """Return the day before which a reader needs no ids of a stream."""
        if stream in STREAMS and STREAMS[stream].fast:
            oldest = days.oldest_of(self._keep_days)
            return 0 if oldest is None else oldest.day
        return (await self._store.inbox.memory(tx, consumer, stream)).known_before

    async def _prune_inbox(
        self, tx: AsyncConnection, consumer: str, stream: str, before: int
    ) -> int:
        wanted = {"reader": consumer, "of": stream, "before": before, "most": self._most}
        rows = (await _OLDEST.run(tx, wanted)).all()
        if not rows:
            return 0
        ids = [{"consumer": consumer, "message_id": row.message_id} for row in rows]
        aged = [
            {"consumer": consumer, "stream": stream, "day": row.day, "message_id": row.message_id}
            for row in rows
        ]
        await _FORGET_ID.run_many(tx, ids)
        await _FORGET_DAY.run_many(tx, aged)
        await _COUNT.run(tx, {"consumer": consumer, "stream": stream, "count": len(rows)})
        return len(rows)

    async def prune(self) -> int:
        """Prune all that may go, with pauses for others; return how many rows went."""
        await self.begin_day()
        await self.keep()
        total = 0
        while gone := await self.step():
            total += gone
            await asyncio.sleep(self._pause_s)
        return total

    async def run(self) -> None:
        """Prune now and then, until cancelled or the store is closed."""
        with contextlib.suppress(StoreClosed):
            while True:
                await self.prune()
                await asyncio.sleep(_LOOK_EVERY_S)
