"""The tables of the OMS. One transaction writes state and outbox, never one without the other."""

from __future__ import annotations

import sqlalchemy as sa
from mts1b_platform.store import DecimalText, UtcText

__all__ = [
    "adjustments",
    "approvals_used",
    "bars_pending",
    "cash",
    "corrections_of",
    "fill_corrections",
    "fills",
    "lots",
    "marks",
    "metadata",
    "navs",
    "order_events",
    "orders",
    "positions",
    "quarantines",
    "reconciliations",
    "replaces",
    "restores",
    "store_identity",
    "venue_cursor",
    "writer",
]

metadata = sa.MetaData()

writer = sa.Table(
    "writer",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("fence", sa.Integer, nullable=False),
)
"""One row: the number of the last OMS that opened this store. An earlier one writes no more."""

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False, unique=True),
    sa.Column("idempotency_key", sa.Text, nullable=False, unique=True),
    sa.Column("fund_id", sa.Text, nullable=False),
    sa.Column("strategy_id", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False, index=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("parent_order_id", sa.Text, nullable=True, index=True),
    sa.Column("algo", sa.Text, nullable=True),
    sa.Column("params", sa.Text, nullable=True),
    sa.Column("payload", sa.Text, nullable=False),
)
"""Every order ever; a key is never forgotten. ``position`` is the order of arrival."""

order_events = sa.Table(
    "order_events",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("at", UtcText, nullable=False),
)

fills = sa.Table(
    "fills",
    metadata,
    sa.Column("fill_id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False, unique=True),
    sa.Column("order_id", sa.Text, nullable=False, index=True),
    sa.Column("fund_id", sa.Text, nullable=False),
    sa.Column("strategy_id", sa.Text, nullable=False),
    sa.Column("flags", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
)
"""Every execution, booked once by the venue's own id."""

fill_corrections = sa.Table(
    "fill_corrections",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("correction_id", sa.Text, nullable=False, unique=True),
    sa.Column("fill_id", sa.Text, nullable=False, index=True),
    sa.Column("payload", sa.Text, nullable=False),
)
"""What venues changed about their executions, in the order in which it was told; ``fills`` keeps
what was told first. A correction may come before its execution."""

positions = sa.Table(
    "positions",
    metadata,
    sa.Column("fund_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("symbol", sa.Text, primary_key=True),
    sa.Column("quantity", DecimalText, nullable=False),
    sa.Column("average_price", DecimalText, nullable=False),
    sa.Column("realized_usd", DecimalText, nullable=False),
    sa.Column("fees_usd", DecimalText, nullable=False),
    sa.Column("last_fill_price", DecimalText, nullable=False),
)

lots = sa.Table(
    "lots",
    metadata,
    sa.Column("fund_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("symbol", sa.Text, primary_key=True),
    sa.Column("ordinal", sa.Integer, primary_key=True),
    sa.Column("lot_id", sa.Text, nullable=False),
    sa.Column("quantity", DecimalText, nullable=False),
    sa.Column("price", DecimalText, nullable=False),
    sa.Column("opened_at", UtcText, nullable=False),
)

cash = sa.Table(
    "cash",
    metadata,
    sa.Column("fund_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("initial_usd", DecimalText, nullable=False),
    sa.Column("cash_usd", DecimalText, nullable=False),
)

navs = sa.Table(
    "navs",
    metadata,
    sa.Column("fund_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("as_of", UtcText, primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
)
"""The last snapshot of every moment; ``strategy_id`` is empty for the fund as a whole.
``revision`` counts the snapshots of the same moment before it."""

approvals_used = sa.Table(
    "approvals_used",
    metadata,
    sa.Column("approval_id", sa.Text, primary_key=True),
    sa.Column("nonce", sa.Text, nullable=False, unique=True),
    sa.Column("order_id", sa.Text, nullable=False, index=True),
    sa.Column("used_at", UtcText, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
)
"""Approvals are for one send: the row is written with the order's SUBMITTING."""

replaces = sa.Table(
    "replaces",
    metadata,
    sa.Column("replace_key", sa.Text, primary_key=True),
    sa.Column("order_id", sa.Text, nullable=False, index=True),
    sa.Column("quantity", DecimalText, nullable=False),
    sa.Column("limit_price", DecimalText, nullable=True),
    sa.Column("old_quantity", DecimalText, nullable=False),
    sa.Column("old_limit_price", DecimalText, nullable=True),
    sa.Column("old_broker_order_id", sa.Text, nullable=True),
    sa.Column("asked_at", UtcText, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)
"""Every change of an order ever asked for; ``outcome`` is empty while nobody knows."""

store_identity = sa.Table(
    "store_identity",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("store_id", sa.Text, nullable=False),
)
"""One row: a name that this store got when it was created, and that its backups share."""

restores = sa.Table(
    "restores",
    metadata,
    sa.Column("fence", sa.Integer, primary_key=True),
    sa.Column("at", UtcText, nullable=False),
    sa.Column("lost", sa.Text, nullable=False),
    sa.Column("made_up", sa.Integer, nullable=False),
)
"""The starts that found the store behind its witness; ``made_up`` is 1 once the open orders that
it had lost are taken over."""

reconciliations = sa.Table(
    "reconciliations",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("payload", sa.Text, nullable=False),
)
"""Every report that said something else than the one before."""

adjustments = sa.Table(
    "adjustments",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("adjustment_id", sa.Text, nullable=False, unique=True),
    sa.Column("fund_id", sa.Text, nullable=False),
    sa.Column("strategy_id", sa.Text, nullable=False),
    sa.Column("symbol", sa.Text, nullable=False, index=True),
    sa.Column("income_usd", DecimalText, nullable=False),
    sa.Column("fill_position", sa.Integer, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
)
"""What operators booked without an order; ``fill_position`` is that of the last fill before it.
Owner and symbol are empty where it has none."""

quarantines = sa.Table(
    "quarantines",
    metadata,
    sa.Column("fund_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("fill_id", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", UtcText, nullable=False),
    sa.Column("halted", sa.Integer, nullable=False),
)
"""Odd executions; ``halted`` is 1 once operations confirmed the halt of the strategy."""

venue_cursor = sa.Table(
    "venue_cursor",
    metadata,
    sa.Column("venue", sa.Text, primary_key=True),
    sa.Column("cursor", sa.Text, nullable=False),
)


def corrections_of(venue: str) -> str:
    """Return the name under which the cursor of a venue's corrections is kept."""
    return f"{venue}#corrections"


marks = sa.Table(
    "marks",
    metadata,
    sa.Column("symbol", sa.Text, primary_key=True),
    sa.Column("price", DecimalText, nullable=False),
    sa.Column("as_of", UtcText, nullable=False),
)

bars_pending = sa.Table(
    "bars_pending",
    metadata,
    sa.Column("symbol", sa.Text, primary_key=True),
    sa.Column("interval", sa.Text, primary_key=True),
    sa.Column("as_of", UtcText, primary_key=True),
    sa.Column("payload", sa.Text, nullable=False),
)
"""Bars taken from the bus that the venue and the ledger have not worked through yet."""
