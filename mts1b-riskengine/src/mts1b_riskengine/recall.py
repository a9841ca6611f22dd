"""Fill the windows of a fresh process from the record, so that a restart opens none."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from mts1b_foundation import Order, RiskApproval, RiskDecision
from mts1b_platform.store.connection import AsyncConnection

from mts1b_riskengine.book import RiskBook
from mts1b_riskengine.tables import decisions

__all__ = ["recall_flow"]


async def recall_flow(tx: AsyncConnection, book: RiskBook, *, now: datetime, moment: float) -> int:
    """Count again what was approved in the windows that are configured; return how many.

    An approval that was judged again counts at its last decision: later, so never looser.
    """
    begin = _begin(book, now)
    if begin is None:
        return 0
    query = (
        sa.select(decisions.c.body)
        .where(decisions.c.approved.is_(True), decisions.c.decided_at >= begin)
        .order_by(decisions.c.sequence)
    )
    rows = (await tx.execute(query)).all()
    for row in rows:
        decision = RiskDecision.model_validate_json(row.body)
        if decision.approval is not None:
            age_s = (now - decision.decided_at).total_seconds()
            order = _order_of(decision.approval)
            book.flow.recalled(order, moment - age_s, decision.decided_at)
    return len(rows)


def _begin(book: RiskBook, now: datetime) -> datetime | None:
    """Return the start of the longest window in use, or None when none is."""
    limits = book.limits
    seconds = [limits.duplicate_window_s or 0.0]
    if limits.repeat_max is not None:
        seconds.append(limits.repeat_window_s)
    if limits.messages != type(limits.messages)():
        seconds.append(limits.messages.window_s)
    starts = [now - timedelta(seconds=max(seconds))] if max(seconds) else []
    if any(mandate.max_orders_per_day is not None for mandate in book.mandates.mandates):
        starts.append(now.replace(hour=0, minute=0, second=0, microsecond=0))
    return min(starts, default=None)


def _order_of(approval: RiskApproval) -> Order:
    """Return the order that an approval is bound to."""
    return Order(
        order_id=approval.order_id,
        idempotency_key=approval.idempotency_key,
        symbol=approval.symbol,
        side=approval.side,
        quantity=approval.quantity,
        order_type=approval.order_type,
        limit_price=approval.limit_price,
        stop_price=approval.stop_price,
        tif=approval.tif,
        expires_at=approval.order_expires_at,
        fund_id=approval.fund_id,
        strategy_id=approval.strategy_id,
        broker=approval.broker,
        account=approval.account or None,
        mode=approval.mode,
        reduce_only=approval.reduce_only,
        parent_order_id=approval.parent_order_id or None,
        created_at=approval.issued_at,
    )
