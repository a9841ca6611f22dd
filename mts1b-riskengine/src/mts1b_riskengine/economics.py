"""What an order does, whatever it is called: the same economics under another id and key."""

from __future__ import annotations

import hashlib
from operator import attrgetter

from mts1b_foundation import Order, canonical_text
from mts1b_platform.signing import encode_fields

__all__ = ["Economics", "economic_terms", "terms_digest"]

Economics = tuple[object, ...]
_FIELDS = (
    "fund_id",
    "strategy_id",
    "account",
    "mode",
    "broker",
    "symbol",
    "side",
    "quantity",
    "order_type",
    "limit_price",
    "stop_price",
    "tif",
    "reduce_only",
    "parent_order_id",
)
_TERMS = attrgetter(*_FIELDS)
_DOMAIN = "mts/economics/v1"


def economic_terms(order: Order) -> Economics:
    """Return the terms that make two orders the same trade; ids, keys and signals do not count."""
    terms: Economics = _TERMS(order)
    return terms


def terms_digest(order: Order) -> str:
    """Return the SHA-256 (hex) of the terms and the order's expiry, to be stored."""
    fields = [(name, canonical_text(getattr(order, name))) for name in _FIELDS]
    fields.append(("expires_at", canonical_text(order.expires_at)))
    return hashlib.sha256(encode_fields(_DOMAIN, fields)).hexdigest()
