"""The tables of the venue's record, and the steps from one version of them to the next."""

from __future__ import annotations

import functools
from typing import Any

import sqlalchemy as sa
from mts1b_platform.store import DecimalText, UtcText
from mts1b_platform.store.migrations import register_migration

__all__ = [
    "VERSION",
    "account",
    "adjustments",
    "corrections",
    "fills",
    "holdings",
    "limits",
    "marks",
    "metadata",
    "orders",
    "positions",
    "register_steps",
    "replaces",
]

VERSION = 2
"""1: one order a key. 2: a venue that forgets keys can have several; corrections; limits."""

metadata = sa.MetaData()

orders = sa.Table(
    "venue_orders",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("idempotency_key", sa.Text, nullable=False),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("broker_order_id", sa.Text, nullable=False, unique=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("arrives_at", UtcText, nullable=False),
    sa.Column("triggered", sa.Integer, nullable=False),
    sa.Column("day", sa.Text, nullable=True),
    sa.Column("fills", sa.Integer, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
)

fills = sa.Table(
    "venue_fills",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("fill_id", sa.Text, nullable=False, unique=True),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
)
"""``position`` is the cursor: it rises by one with each fill and never changes."""

positions = sa.Table(
    "venue_positions",
    metadata,
    sa.Column("symbol", sa.Text, primary_key=True),
    sa.Column("quantity", DecimalText, nullable=False),
    sa.Column("average_price", DecimalText, nullable=False),
    sa.Column("realized_pnl", DecimalText, nullable=False),
    sa.Column("fees", DecimalText, nullable=False),
)

holdings = sa.Table(
    "venue_holdings",
    metadata,
    sa.Column("fund_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("symbol", sa.Text, primary_key=True),
    sa.Column("quantity", DecimalText, nullable=False),
)

marks = sa.Table(
    "venue_marks",
    metadata,
    sa.Column("symbol", sa.Text, primary_key=True),
    sa.Column("interval", sa.Text, primary_key=True),
    sa.Column("ends_at", UtcText, nullable=False),
    sa.Column("close", DecimalText, nullable=False),
)

account = sa.Table(
    "venue_account",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("cash", DecimalText, nullable=False),
)

replaces = sa.Table(
    "venue_replaces",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("broker_order_id", sa.Text, nullable=False),
    sa.Column("quantity", DecimalText, nullable=False),
    sa.Column("limit_price", DecimalText, nullable=True),
)
"""The terms of an order before each replace."""

corrections = sa.Table(
    "venue_corrections",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("fill_id", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("stands", sa.Text, nullable=True),
)
"""``stands`` is the execution afterwards, null when it was taken back."""

adjustments = sa.Table(
    "venue_adjustments",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("adjustment_id", sa.Text, nullable=False, unique=True),
    sa.Column("fills", sa.Integer, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
)
"""What moved the account without an order; ``fills`` are the executions before it."""

limits = sa.Table(
    "venue_limits",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("fires_at", UtcText, nullable=True),
    sa.Column("budget_left", sa.Float, nullable=True),
    sa.Column("budget_at", UtcText, nullable=True),
)


@functools.cache
def register_steps(store: str) -> None:
    """Register the steps for the store of one venue, once."""
    register_migration(store, 2, _lets_keys_repeat)


def _lets_keys_repeat(operations: Any) -> None:
    with operations.batch_alter_table("venue_orders", copy_from=orders, recreate="always"):
        pass
