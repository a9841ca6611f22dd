"""Children that were refused: what passes by itself, and the tries of one slice.

A denial is final for its order, so a slice that may be tried again is another order each time: the
key of try N is the child's key and ``/try-N``. Whatever a restart needs to know is on record.
"""

from __future__ import annotations

from datetime import datetime

from mts1b_foundation.orders import Order, OrderStatus
from mts1b_foundation.risk import DenyCode
from mts1b_platform.ids import derive_id

from mts1b_oms.record import OmsRecord

__all__ = [
    "MOST_TRIES",
    "PASSING",
    "last_try",
    "next_try",
    "passes",
    "tries_of",
    "try_number",
    "why_refused",
]

MOST_TRIES = 18
"""Of one slice: with the dispatcher's pauses some six minutes, then its algorithm ends."""

PASSING = frozenset(
    {
        DenyCode.MESSAGE_LIMIT,
        "RATE_LIMITED",  # the venue's own limit on messages: it has not taken the order
        # the market, or what is known of it
        DenyCode.INSTRUMENT_HALTED,
        DenyCode.OUTSIDE_SESSION,
        DenyCode.PRICE_COLLAR,
        DenyCode.PRICE_COLLAR_PERIOD,
        DenyCode.COLLAR_REFERENCE,
        DenyCode.REF_PRICE_MISSING,
        DenyCode.REF_PRICE_STALE,
        DenyCode.REF_PRICE_TOO_OLD,
        DenyCode.REF_QUOTE_MISSING,
        DenyCode.REF_QUOTE_STALE,
        DenyCode.REF_QUOTE_CROSSED,
        DenyCode.REF_SPREAD_TOO_WIDE,
        DenyCode.MAX_DISPLAYED,
        DenyCode.DISPLAYED_UNKNOWN,
        DenyCode.CASH_UNKNOWN,
        # the way to the venue
        DenyCode.RISK_UNAVAILABLE,
        DenyCode.GATE_TIMEOUT,
        DenyCode.CRO_UNAVAILABLE,
        DenyCode.APPROVAL_INVALID,
        DenyCode.EPOCH_CHANGED,
        DenyCode.LEASE_EXPIRED,
        DenyCode.NOT_RECONCILED,
        DenyCode.IN_DOUBT,
    }
)
"""Refusals of the moment or of the market. Any other, of risk or of the venue, is final."""

_MARK = "/try-"


def passes(child: Order) -> bool:
    """Return whether an order was refused for a reason that passes by itself."""
    return child.status is OrderStatus.REJECTED and child.rejected_code in PASSING


def try_number(child: Order) -> int:
    """Return which try of its slice a child is: 0 is the child as the algorithm made it."""
    _, mark, number = child.idempotency_key.rpartition(_MARK)
    return int(number) if mark and number.isdecimal() else 0


def next_try(child: Order, at: datetime) -> Order:
    """Return the try that follows a child, made at a given time."""
    key = f"{_slice_key(child)}{_MARK}{try_number(child) + 1}"
    return child.with_(order_id=derive_id("ord", key), idempotency_key=key, created_at=at)


def tries_of(child: Order) -> list[Order]:
    """Return every try that the slice of a child may ever have."""
    key = _slice_key(child)
    tries = [child.with_(order_id=derive_id("ord", key), idempotency_key=key)]
    while len(tries) < MOST_TRIES:
        tries.append(next_try(tries[-1], child.created_at))
    return tries


def _slice_key(child: Order) -> str:
    """Return the key that the algorithm gave a child, whichever try of it this is."""
    key = child.idempotency_key
    return key.rpartition(_MARK)[0] if try_number(child) else key


async def last_try(record: OmsRecord, order_id: str) -> Order | None:
    """Return an order, or the last try of the slice in the place of one that was refused."""
    found = order = await record.order(order_id)
    while order is not None and passes(order):
        found = order
        order = await record.order(next_try(order, order.created_at).order_id)
    return order or found


def why_refused(child: Order) -> str:
    """Return what an operator is told of a child that ends its algorithm."""
    tries = try_number(child) + 1
    times = f", {tries} times" if tries > 1 else ""
    code, reason = child.rejected_code, child.rejected_reason
    return f"child {child.order_id} was refused{times}: {code}: {reason}"
