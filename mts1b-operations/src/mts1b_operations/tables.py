"""The tables of the operations store."""

from __future__ import annotations

import sqlalchemy as sa

__all__ = [
    "AUDIT_CHECKPOINTS",
    "AUDIT_ENTRIES",
    "HALTS",
    "METADATA",
    "WATCHDOG_OVERRIDES",
    "WATCHED",
]

METADATA = sa.MetaData()

AUDIT_ENTRIES = sa.Table(
    "audit_entries",
    METADATA,
    sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("timestamp", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject_id", sa.Text, nullable=False, index=True),
    sa.Column("data", sa.Text, nullable=False),
    sa.Column("previous_hash", sa.Text, nullable=False),
)
"""The log. Times and data are kept as the text that is hashed."""

WATCHED = "action IN ('fill_created', 'nav_updated', 'watchdog_alert')"
"""The entries that a start looks back on. A query finds their index by these very words."""

sa.Index(
    "ix_audit_entries_watched",
    AUDIT_ENTRIES.c.sequence,
    AUDIT_ENTRIES.c.action,
    AUDIT_ENTRIES.c.subject_id,
    sqlite_where=sa.text(WATCHED),
    postgresql_where=sa.text(WATCHED),
)

AUDIT_CHECKPOINTS = sa.Table(
    "audit_checkpoints",
    METADATA,
    sa.Column("size", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("root", sa.Text, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("signature", sa.Text, nullable=False),
)
"""Signed roots of the log at some of its sizes."""

HALTS = sa.Table(
    "halts",
    METADATA,
    sa.Column("halt_id", sa.Text, primary_key=True),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("sessions", sa.Integer, nullable=False, default=0),
    sa.Column("resumed", sa.Boolean, nullable=False, default=False),
)
"""Every halt; ``record`` is the JSON of its ActiveHalt, ``sessions`` how many it has lasted."""

WATCHDOG_OVERRIDES = sa.Table(
    "watchdog_overrides",
    METADATA,
    sa.Column("watchdog", sa.Text, primary_key=True),
    sa.Column("threshold", sa.Float, nullable=True),
    sa.Column("paused_until", sa.Text, nullable=True),
)
"""What operators changed while the system runs."""
