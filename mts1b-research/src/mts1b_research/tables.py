"""The tables of the research store."""

from __future__ import annotations

import sqlalchemy as sa
from mts1b_platform.store import UtcText

__all__ = ["bars", "inbound", "kept_interval", "metadata", "plans"]

metadata = sa.MetaData()

bars = sa.Table(
    "bars",
    metadata,
    sa.Column("symbol", sa.Text, primary_key=True),
    sa.Column("timestamp", UtcText, primary_key=True),
    sa.Column("open", sa.Float, nullable=False),
    sa.Column("high", sa.Float, nullable=False),
    sa.Column("low", sa.Float, nullable=False),
    sa.Column("close", sa.Float, nullable=False),
    sa.Column("volume", sa.Float, nullable=False),
)

kept_interval = sa.Table(
    "kept_interval",
    metadata,
    sa.Column("interval", sa.Text, primary_key=True),
)
"""One row: of which interval the bars are; empty where any will do."""

plans = sa.Table(
    "plans",
    metadata,
    sa.Column("plan_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, nullable=False),
    sa.Column("as_of", UtcText, nullable=False),
    sa.Column("orders", sa.Text, nullable=False),
)

inbound = sa.Table(
    "inbound",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("signal_id", sa.Text, nullable=False, unique=True),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("done", sa.Boolean, nullable=False),
)
