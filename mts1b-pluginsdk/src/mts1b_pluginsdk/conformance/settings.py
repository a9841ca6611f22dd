"""What the cards may assume of a venue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

__all__ = ["BenchSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSettings:
    """What the cards may assume of the venue.

    :param run_id: begins every idempotency key; give a new one for an account that remembers
        earlier runs.
    :param symbol: an instrument that the venue trades.
    :param price: where the market stands, in the instrument's currency.
    :param base_currency: the currency of the account, in which fees must come.
    :param patience_s: seconds to wait for a fill of a venue that fills by itself.
    :param start: the venue's time in the first card, for a simulated venue.
    :param thin_volume: a bar's volume that fills an order for ten only in part, where the venue
        fills by volume.
    """

    run_id: str = "check"
    symbol: str = "AAPL"
    price: Decimal = Decimal(100)
    base_currency: str = "USD"
    patience_s: float = 1.0
    start: datetime = datetime(2024, 1, 2, 21, tzinfo=UTC)
    thin_volume: Decimal = Decimal(40)
