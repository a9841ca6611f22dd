"""The tables that every store has."""

from __future__ import annotations

import sqlalchemy as sa

from mts1b_platform.store.types import UtcText

__all__ = ["consumed", "inbox", "lockstep", "metadata", "outbox", "outbox_position", "schema"]

metadata = sa.MetaData()

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("event_id", sa.Text, nullable=False, unique=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
)

outbox_position = sa.Table(
    "outbox_position",
    metadata,
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("published", sa.Integer, nullable=False),
    sa.Column("incarnation", sa.Text, nullable=False),
)

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("message_id", sa.Text, primary_key=True),
    sqlite_with_rowid=False,
)

consumed = sa.Table(
    "consumed",
    metadata,
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("incarnation", sa.Text, nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
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
