"""What enters the store: each message has its effect once, whatever the bus delivers."""

from __future__ import annotations

import json

import sqlalchemy as sa

from mts1b_platform.store.connection import AsyncConnection
from mts1b_platform.store.prepared import Prepared
from mts1b_platform.store.tables import consumed

__all__ = ["Inbox"]

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


class Inbox:
    """Remember, in the transaction of the effect, which messages had theirs."""

    def __init__(self, dialect: str) -> None:
        self._claim = _CLAIM[dialect]

    async def claim(self, tx: AsyncConnection, consumer: str, message_ids: list[str]) -> set[str]:
        """Record the ids; return those that are new. Duplicates within the call count once."""
        if not message_ids:
            return set()
        wanted = {"consumer": consumer, "ids": json.dumps(message_ids)}
        return {row[0] for row in await self._claim.run(tx, wanted)}

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
