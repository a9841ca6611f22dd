"""Whether the venue still knows a client's key, and what a second order with it must equal."""

from __future__ import annotations

from datetime import datetime, timedelta

from mts1b_foundation import Order
from mts1b_foundation.protocols import DedupePolicy

from mts1b_brokers.errors import KeyReuseMismatch
from mts1b_brokers.paper.profile import VenueProfile
from mts1b_brokers.paper.state import VenueState, WorkingOrder

__all__ = ["remembered", "require_same"]

_ECONOMICS = (
    "symbol",
    "side",
    "quantity",
    "order_type",
    "limit_price",
    "stop_price",
    "tif",
    "expires_at",
    "reduce_only",
    "fund_id",
    "strategy_id",
    "account",
)


def remembered(
    state: VenueState, key: str, now: datetime, *, profile: VenueProfile
) -> WorkingOrder | None:
    """Return the order for which the venue would refuse a second one with the same key.

    A venue that dedupes open orders or a window only forgets the key afterwards, and takes a
    second order with it: whoever sends must not rely on the venue.
    """
    place = state.by_key.get(key)
    if place is None or profile.dedupe is DedupePolicy.NONE:
        return None
    working = state.orders[place]
    if profile.dedupe is DedupePolicy.OPEN_ORDERS and working.order.is_terminal:
        return None
    taken = working.order.submitted_at
    if profile.dedupe_window_s is not None and taken is not None:
        fresh = now - taken < timedelta(seconds=profile.dedupe_window_s)
        return working if fresh else None
    return working


def require_same(order: Order, known: WorkingOrder) -> None:
    """Let an order pass that has the economics with which the key came first.

    :raises KeyReuseMismatch: for any other.
    """
    first = known.as_asked
    for name in _ECONOMICS:
        asked, held = getattr(order, name), getattr(first, name)
        if asked != held:
            raise KeyReuseMismatch(
                f"idempotency key {order.idempotency_key!r} is that of order {first.order_id} "
                f"with {name} {held}, not {asked}; use a new key for a new order"
            )
