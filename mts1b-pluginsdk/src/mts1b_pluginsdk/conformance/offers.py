"""What a client offers beyond ``BrokerProtocol``; a claim without its method is a failure.

Each function returns the client itself, typed as what it offers, and raises ``CardFailed`` naming
the method that it lacks.
"""

from __future__ import annotations

from mts1b_foundation.protocols import (
    AccountQuery,
    BrokerProtocol,
    CancelAllOrders,
    CorrectionHistory,
    DeadManTimer,
    FillHistory,
    OrderQuery,
    ReplaceOrders,
)

from mts1b_pluginsdk.conformance.verdicts import CardFailed

__all__ = [
    "account_of",
    "corrections_of",
    "history_of",
    "mass_cancel_of",
    "query_of",
    "replace_of",
    "timer_of",
]


def _absent(method: str) -> CardFailed:
    return CardFailed(f"the client has no {method}")


def query_of(venue: BrokerProtocol) -> OrderQuery:
    """Return the client as one that finds orders by key."""
    if isinstance(venue, OrderQuery):
        return venue
    raise _absent("get_order_by_key")


def history_of(venue: BrokerProtocol) -> FillHistory:
    """Return the client as one that tells fills again."""
    if isinstance(venue, FillHistory):
        return venue
    raise _absent("fills_since")


def account_of(venue: BrokerProtocol) -> AccountQuery:
    """Return the client as one that states cash."""
    if isinstance(venue, AccountQuery):
        return venue
    raise _absent("account_snapshot")


def mass_cancel_of(venue: BrokerProtocol) -> CancelAllOrders:
    """Return the client as one that cancels all orders in one act."""
    if isinstance(venue, CancelAllOrders):
        return venue
    raise _absent("cancel_all")


def replace_of(venue: BrokerProtocol) -> ReplaceOrders:
    """Return the client as one that replaces."""
    if isinstance(venue, ReplaceOrders):
        return venue
    raise _absent("replace")


def corrections_of(venue: BrokerProtocol) -> CorrectionHistory:
    """Return the client as one that tells corrections."""
    if isinstance(venue, CorrectionHistory):
        return venue
    raise _absent("corrections_since")


def timer_of(venue: BrokerProtocol) -> DeadManTimer:
    """Return the client as one with a dead-man timer."""
    if isinstance(venue, DeadManTimer):
        return venue
    raise _absent("cancel_all_after")
