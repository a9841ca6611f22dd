"""The tables of the risk engine's store."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from mts1b_platform.store import DecimalText, UtcText
from mts1b_platform.store.migrations import register_migration

__all__ = [
    "SCHEMA_VERSION",
    "blocks",
    "book_version",
    "children",
    "decisions",
    "early_corrections",
    "envelopes",
    "fills",
    "funds",
    "marks",
    "metadata",
    "positions",
    "reservations",
    "splits",
    "volumes",
]

SCHEMA_VERSION = 3
metadata = sa.MetaData()

book_version = sa.Table(
    "book_version",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)

positions = sa.Table(
    "positions",
    metadata,
    sa.Column("fund_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("symbol", sa.Text, primary_key=True),
    sa.Column("quantity", DecimalText, nullable=False),
)

marks = sa.Table(
    "marks",
    metadata,
    sa.Column("symbol", sa.Text, primary_key=True),
    sa.Column("price", DecimalText, nullable=False),
    sa.Column("as_of", UtcText, nullable=False),
    sa.Column("interval", sa.Text, nullable=False),
)

fills = sa.Table(
    "fills",
    metadata,
    sa.Column("fill_id", sa.Text, primary_key=True),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("signed_quantity", DecimalText, nullable=False),
    sa.Column("fund_id", sa.Text, nullable=False, server_default=""),
    sa.Column("strategy_id", sa.Text, nullable=False, server_default=""),
    sa.Column("symbol", sa.Text, nullable=False, server_default=""),
    sa.Column("corrected_at", UtcText, nullable=True),
    sa.Column("splits_before", sa.Integer, nullable=False, server_default="0"),
)
"""Every execution as it counts now; its owner is empty where version 1 recorded it.
``splits_before`` are the splits of its symbol that came earlier: it is in units of after those.
``corrected_at`` is the time of the newest correction: an older one, coming late, says nothing."""

splits = sa.Table(
    "splits",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("symbol", sa.Text, nullable=False),
    sa.Column("ratio", DecimalText, nullable=False),
)
"""The splits of every symbol in their order: units afterwards for each one before."""

reservations = sa.Table(
    "reservations",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("reservation_id", sa.Text, nullable=False),
    sa.Column("fund_id", sa.Text, nullable=False),
    sa.Column("strategy_id", sa.Text, nullable=False),
    sa.Column("symbol", sa.Text, nullable=False),
    sa.Column("sign", sa.Integer, nullable=False),
    sa.Column("expected", DecimalText, nullable=False),
    sa.Column("filled", DecimalText, nullable=False),
    sa.Column("sent", sa.Boolean, nullable=False),
    sa.Column("terminal", sa.Boolean, nullable=False),
    sa.Column("open", sa.Boolean, nullable=False, index=True),
    sa.Column("version", sa.Integer, nullable=False, server_default="-1"),
    sa.Column("amended", sa.Boolean, nullable=False, server_default=sa.false()),
)

early_corrections = sa.Table(
    "early_corrections",
    metadata,
    sa.Column("correction_id", sa.Text, primary_key=True),
    sa.Column("fill_id", sa.Text, nullable=False, index=True),
    sa.Column("payload", sa.Text, nullable=False),
)
"""Corrections that came before their fill: events can overtake each other."""

funds = sa.Table(
    "funds",
    metadata,
    sa.Column("fund_id", sa.Text, primary_key=True),
    sa.Column("nav", DecimalText),
    sa.Column("as_of", UtcText),
    sa.Column("peak", DecimalText),
    sa.Column("day_nav", DecimalText),
    sa.Column("week_nav", DecimalText),
    sa.Column("month_nav", DecimalText),
    sa.Column("halted", sa.Boolean, nullable=False),
    sa.Column("halt_epoch", sa.Integer, nullable=False),
    sa.Column("breach_rule", sa.Text),
    sa.Column("breach_code", sa.Text),
    sa.Column("breach_change", DecimalText),
    sa.Column("breach_limit", DecimalText),
    sa.Column("breach_at", UtcText),
    sa.Column("halt_id", sa.Text),
)

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("decision_id", sa.Text, nullable=False, unique=True),
    sa.Column("order_id", sa.Text, nullable=False, index=True),
    sa.Column("idempotency_key", sa.Text, nullable=False, index=True),
    sa.Column("terms", sa.Text, nullable=False),
    sa.Column("approved", sa.Boolean, nullable=False),
    sa.Column("gate", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("decided_at", UtcText, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)

envelopes = sa.Table(
    "envelopes",
    metadata,
    sa.Column("fund_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("recorded_at", UtcText, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)

volumes = sa.Table(
    "volumes",
    metadata,
    sa.Column("symbol", sa.Text, primary_key=True),
    sa.Column("interval", sa.Text, primary_key=True),
    sa.Column("day", sa.Text, primary_key=True),
    sa.Column("volume", DecimalText, nullable=False),
    sa.Column("last_bar", UtcText, nullable=False),
)

children = sa.Table(
    "children",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("parent_id", sa.Text, nullable=False, index=True),
    sa.Column("quantity", DecimalText, nullable=False),
    sa.Column("unit_value", DecimalText, nullable=False),
)

blocks = sa.Table(
    "blocks",
    metadata,
    sa.Column("block_id", sa.Text, primary_key=True),
    sa.Column("fund_id", sa.Text, nullable=False),
    sa.Column("terms", sa.Text, nullable=False),
    sa.Column("open", sa.Boolean, nullable=False, index=True),
    sa.Column("body", sa.Text, nullable=False),
)


def _name_owners_and_versions(alter: Any) -> None:
    for name in ("fund_id", "strategy_id", "symbol"):
        alter.add_column("fills", sa.Column(name, sa.Text, nullable=False, server_default=""))
    alter.add_column("fills", sa.Column("corrected_at", UtcText, nullable=True))
    version = sa.Column("version", sa.Integer, nullable=False, server_default="-1")
    amended = sa.Column("amended", sa.Boolean, nullable=False, server_default=sa.false())
    alter.add_column("reservations", version)
    alter.add_column("reservations", amended)


def _count_splits(alter: Any) -> None:
    column = sa.Column("splits_before", sa.Integer, nullable=False, server_default="0")
    alter.add_column("fills", column)


register_migration("riskengine", 2, _name_owners_and_versions)
register_migration("riskengine", 3, _count_splits)
