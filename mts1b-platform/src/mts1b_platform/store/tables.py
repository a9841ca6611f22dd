"""The tables that every store has."""

from __future__ import annotations

import sqlalchemy as sa

from mts1b_platform.store.types import UtcText

__all__ = [
    "consumed",
    "inbox",
    "inbox_days",
    "inbox_streams",
    "lockstep",
    "metadata",
    "outbox",
    "outbox_days",
    "outbox_heads",
    "outbox_position",
    "schema",
]

metadata = sa.MetaData()

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""Of an event or a message: in years there may be more than 2**31."""

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("position", _NUMBER, primary_key=True, autoincrement=True),
    sa.Column("event_id", sa.Text, nullable=False, unique=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
)

outbox_position = sa.Table(
    "outbox_position",
    metadata,
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("published", _NUMBER, nullable=False),
    sa.Column("incarnation", sa.Text, nullable=False),
)

outbox_heads = sa.Table(
    "outbox_heads",
    metadata,
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("head", _NUMBER, nullable=False),
)
"""How long a stream was when what is published was recorded."""

outbox_days = sa.Table(
    "outbox_days",
    metadata,
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("position", _NUMBER, nullable=False),
)

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("message_id", sa.Text, primary_key=True),
    sqlite_with_rowid=False,
)

inbox_days = sa.Table(
    "inbox_days",
    metadata,
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("message_id", sa.Text, primary_key=True),
    sqlite_with_rowid=False,
)
"""Ids by age, for the pruning; what is not here is kept for ever."""

inbox_streams = sa.Table(
    "inbox_streams",
    metadata,
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("seen_day", sa.Integer, nullable=False),
    sa.Column("seen", _NUMBER, nullable=False),
    sa.Column("known_before", sa.Integer, nullable=False),
    sa.Column("forgotten", _NUMBER, nullable=False, server_default="0"),
)

consumed = sa.Table(
    "consumed",
    metadata,
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("incarnation", sa.Text, nullable=False),
    sa.Column("sequence", _NUMBER, nullable=False),
)

lockstep = sa.Table(
    "lockstep",
    metadata,
    sa.Column("service", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("tick", sa.Integer, nullable=False),
    sa.Column("as_of", UtcText, nullable=False),
)

schema = sa.Table(
    "schema_version",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)
