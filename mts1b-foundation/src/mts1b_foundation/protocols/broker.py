"""What a venue that takes orders looks like, and what it may offer beyond the minimum."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from mts1b_foundation.market_data import Bar
from mts1b_foundation.model import FiniteDecimal, FrozenModel, UtcDatetime
from mts1b_foundation.orders import Fill, Order
from mts1b_foundation.positions import Position

__all__ = [
    "AccountQuery",
    "AccountSnapshot",
    "BrokerProtocol",
    "CancelAllOrders",
    "FillHistory",
    "OrderQuery",
    "SimulatedVenue",
]


class AccountSnapshot(FrozenModel):
    """Cash and positions of one account at one moment, as the venue states them."""

    account: str
    cash_usd: FiniteDecimal
    positions: tuple[Position, ...] = ()
    as_of: UtcDatetime


@runtime_checkable
class BrokerProtocol(Protocol):
    """Take orders and report fills.

    ``submit`` is idempotent on ``order.idempotency_key`` and returns the order with
    ``submitted_at`` set. ``cancel`` returns True only when the cancel is confirmed. Fills carry
    fees in the account's base currency, and the stream is safe to replay.
    """

    @property
    def name(self) -> str:
        """Return the stable name used for routing, logs, metrics and audit."""
        ...

    async def submit(self, order: Order) -> Order:
        """Submit an order; return it with the broker's id and state."""
        ...

    async def cancel(self, order_id: str) -> bool:
        """Cancel an open order; True only when the venue confirmed it."""
        ...

    async def get_open_orders(self) -> list[Order]:
        """List the open orders of this account."""
        ...

    async def get_positions(self) -> list[Position]:
        """List the positions of this account."""
        ...

    def stream_fills(self) -> AsyncIterator[Fill]:
        """Yield fills as they occur."""
        ...


@runtime_checkable
class OrderQuery(Protocol):
    """Find an order by the client's own key, open or not."""

    async def get_order_by_key(self, idempotency_key: str) -> Order | None:
        """Return the order, or None when the venue has certainly never seen the key."""
        ...


@runtime_checkable
class FillHistory(Protocol):
    """Give every fill since a cursor."""

    async def fills_since(self, cursor: str | None) -> tuple[list[Fill], str]:
        """Return the fills after ``cursor`` (None: all), oldest first, and the new cursor."""
        ...


@runtime_checkable
class AccountQuery(Protocol):
    """State cash and positions."""

    async def account_snapshot(self) -> AccountSnapshot:
        """Return what the venue has on its books now."""
        ...


@runtime_checkable
class CancelAllOrders(Protocol):
    """Cancel every open order in one act."""

    async def cancel_all(self) -> list[str]:
        """Cancel all; return the order ids that are confirmed cancelled."""
        ...


@runtime_checkable
class SimulatedVenue(Protocol):
    """Be driven by market data instead of by a real market."""

    async def on_bars(self, bars: Sequence[Bar]) -> None:
        """Match the open orders against bars; the same bar twice does nothing."""
        ...

    def set_time(self, now: datetime) -> None:
        """Set the venue's time (aware)."""
        ...
