"""What enters the store: each message has its effect once, whatever the bus delivers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from mts1b_platform.store.connection import AsyncConnection
from mts1b_platform.store.days import BEGINNING, Mark
from mts1b_platform.store.prepared import Prepared
from mts1b_platform.store.tables import consumed, inbox_streams

__all__ = ["Inbox", "Memory"]

_CLAIM = {
    "sqlite": Prepared(
        sa.text(
            "INSERT INTO inbox (consumer, message_id) SELECT :consumer, value FROM json_each(:ids) "
            "WHERE true ON CONFLICT DO NOTHING RETURNING message_id"
        )
    ),
    "postgresql": Prepared(
        sa.text(
            "INSERT INTO inbox (consumer, message_id) "
            "SELECT :consumer, value FROM json_array_elements_text(CAST(:ids AS json)) "
            "ON CONFLICT DO NOTHING RETURNING message_id"
        )
    ),
}

_AGE = {
    "sqlite": Prepared(
        sa.text(
            "INSERT INTO inbox_days (consumer, stream, day, message_id) "
            "SELECT :consumer, :stream, json_extract(value, '$[0]'), json_extract(value, '$[1]') "
            "FROM json_each(:aged) WHERE true ON CONFLICT DO NOTHING"
        )
    ),
    "postgresql": Prepared(
        sa.text(
            "INSERT INTO inbox_days (consumer, stream, day, message_id) "
            "SELECT :consumer, :stream, CAST(value ->> 0 AS integer), value ->> 1 "
            "FROM json_array_elements(CAST(:aged AS json)) ON CONFLICT DO NOTHING"
        )
    ),
}

_MEMORY = Prepared(
    sa.select(inbox_streams.c.seen_day, inbox_streams.c.seen, inbox_streams.c.known_before).where(
        inbox_streams.c.consumer == sa.bindparam("reader"),
        inbox_streams.c.stream == sa.bindparam("of"),
    )
)
_REMEMBER = Prepared(
    sa.text(
        "INSERT INTO inbox_streams (consumer, stream, seen_day, seen, known_before) "
        "VALUES (:consumer, :stream, :seen_day, :seen, :known_before) "
        "ON CONFLICT (consumer, stream) DO UPDATE SET seen_day = excluded.seen_day, "
        "seen = excluded.seen, known_before = excluded.known_before"
    )
)

_CONSUMED = Prepared(
    sa.text(
        "SELECT (SELECT count(*) FROM inbox) "
        "+ (SELECT coalesce(sum(forgotten), 0) FROM inbox_streams)"
    )
)

_POSITION = Prepared(
    sa.select(consumed.c.sequence, consumed.c.incarnation).where(
        consumed.c.consumer == sa.bindparam("reader"), consumed.c.stream == sa.bindparam("of")
    )
)
_ADVANCE = Prepared(
    sa.text(
        "INSERT INTO consumed (consumer, stream, incarnation, sequence) "
        "VALUES (:consumer, :stream, :incarnation, :sequence) "
        "ON CONFLICT (consumer, stream) DO UPDATE "
        "SET incarnation = excluded.incarnation, sequence = excluded.sequence"
    )
)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a reader knows of a publisher's outbox.

    ``seen``: the last event that it has read, by day and position. ``known_before``: a day; events
    of days before it had their effect, or never will, so nobody needs their ids.
    """

    seen: Mark = BEGINNING
    known_before: int = 0


class Inbox:
    """Remember, in the transaction of the effect, which messages had theirs."""

    def __init__(self, dialect: str) -> None:
        self._claim = _CLAIM[dialect]
        self._age = _AGE[dialect]

    async def claim(self, tx: AsyncConnection, consumer: str, message_ids: list[str]) -> set[str]:
        """Record the ids; return those that are new. Duplicates within the call count once."""
        if not message_ids:
            return set()
        wanted = {"consumer": consumer, "ids": json.dumps(message_ids)}
        return {row[0] for row in await self._claim.run(tx, wanted)}

    async def age(
        self, tx: AsyncConnection, consumer: str, stream: str, aged: Sequence[tuple[int, str]]
    ) -> None:
        """Record the days of claimed ids: what has one can be pruned."""
        if aged:
            wanted = {"consumer": consumer, "stream": stream, "aged": json.dumps(aged)}
            await self._age.run(tx, wanted)

    async def memory(self, tx: AsyncConnection, consumer: str, stream: str) -> Memory:
        """Return what a reader knows of the publisher of a stream."""
        row = (await _MEMORY.run(tx, {"reader": consumer, "of": stream})).first()
        if row is None:
            return Memory()
        return Memory(Mark(int(row.seen), int(row.seen_day)), int(row.known_before))

    async def remember(
        self, tx: AsyncConnection, consumer: str, stream: str, memory: Memory
    ) -> None:
        """Record what a reader knows."""
        await _REMEMBER.run(
            tx,
            {
                "consumer": consumer,
                "stream": stream,
                "seen_day": memory.seen.day,
                "seen": memory.seen.position,
                "known_before": memory.known_before,
            },
        )

    async def consumed(self, connection: AsyncConnection) -> int:
        """Return how many messages were ever claimed, those included whose ids are pruned."""
        return int((await _CONSUMED.run(connection)).scalar() or 0)

    async def position(
        self, tx: AsyncConnection, consumer: str, stream: str, incarnation: str
    ) -> int:
        """Return the last sequence consumed of this incarnation of the stream, or 0."""
        row = (await _POSITION.run(tx, {"reader": consumer, "of": stream})).first()
        return int(row.sequence) if row is not None and row.incarnation == incarnation else 0

    async def advance(
        self, tx: AsyncConnection, consumer: str, stream: str, incarnation: str, sequence: int
    ) -> None:
        """Record that everything up to ``sequence`` is consumed."""
        await _ADVANCE.run(
            tx,
            {
                "consumer": consumer,
                "stream": stream,
                "incarnation": incarnation,
                "sequence": sequence,
            },
        )
