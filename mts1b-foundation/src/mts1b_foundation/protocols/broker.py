"""What a venue that takes orders looks like, and what it may offer beyond the minimum."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, Self, runtime_checkable

from pydantic import Field, model_validator

from mts1b_foundation.market_data import Bar
from mts1b_foundation.model import FiniteDecimal, FrozenModel, Identifier, UtcDatetime
from mts1b_foundation.orders import Fill, FillCorrection, Order, OrderType, TimeInForce
from mts1b_foundation.positions import Position

__all__ = [
    "AccountQuery",
    "AccountSnapshot",
    "BrokerProtocol",
    "CancelAllOrders",
    "CapabilityCard",
    "CorrectionHistory",
    "DeadManTimer",
    "DedupePolicy",
    "FillHistory",
    "OrderQuery",
    "ReplaceOrders",
    "SimulatedVenue",
    "VenueCard",
]


class DedupePolicy(StrEnum):
    """Say how long a venue refuses a second order with the same client key."""

    NONE = "none"
    OPEN_ORDERS = "open_orders"
    WINDOW = "window"
    PERMANENT = "permanent"


class VenueCard(FrozenModel):
    """What a venue promises about itself; the order path relies on nothing that is not here.

    ``visibility_lag_s`` is the longest time for which an order that was taken may be missing
    from every query; ``fill_history_s`` how far back fills can be read (None: all of them);
    ``orders_per_s`` the rate limit on messages (None: none).
    """

    venue: Identifier
    dedupe: DedupePolicy = DedupePolicy.NONE
    dedupe_window_s: float | None = Field(default=None, gt=0.0)
    visibility_lag_s: float = Field(default=0.0, ge=0.0)
    fill_history_s: float | None = Field(default=None, gt=0.0)
    order_types: tuple[OrderType, ...] = (OrderType.MARKET, OrderType.LIMIT)
    tifs: tuple[TimeInForce, ...] = (TimeInForce.DAY, TimeInForce.GTC)
    replaces: bool = False
    replace_changes_id: bool = False
    cancels_all: bool = False
    corrects: bool = False
    dead_man_max_s: float | None = Field(default=None, gt=0.0)
    orders_per_s: float | None = Field(default=None, gt=0.0)

    @model_validator(mode="after")
    def _window_fits_the_policy(self) -> Self:
        if (self.dedupe is DedupePolicy.WINDOW) != (self.dedupe_window_s is not None):
            raise ValueError("dedupe_window_s goes with dedupe 'window', and with nothing else")
        return self


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

    An error that is the venue's own refusal (``mts1b_brokers.errors.BrokerRefused``) is evidence
    that nothing happened. Every other error, a time-out first of all, says nothing: the order may
    be at the venue, and is looked for there.
    """

    @property
    def name(self) -> str:
        """Return the stable name used for routing, logs, metrics and audit."""
        ...

    async def submit(self, order: Order) -> Order:
        """Submit an order; return it with the broker's id, state and ``submitted_at``.

        The same key again returns the order that is there and sends nothing.
        """
        ...

    async def cancel(self, order_id: str) -> bool:
        """Cancel an open order; True only when the venue confirmed it.

        False where it did not, e.g. because the order had ended; its fills come as fills.
        """
        ...

    async def get_open_orders(self) -> list[Order]:
        """List the open orders of this account."""
        ...

    async def get_positions(self) -> list[Position]:
        """List the positions of this account."""
        ...

    def stream_fills(self) -> AsyncIterator[Fill]:
        """Yield fills as they occur; one that was told before may come again, by the same id."""
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
class CapabilityCard(Protocol):
    """State what the venue can do."""

    def capabilities(self) -> VenueCard:
        """Return the card; it does not change while the venue is open."""
        ...


@runtime_checkable
class ReplaceOrders(Protocol):
    """Change an open order in one act of the venue."""

    async def replace(
        self, order_id: str, *, quantity: Decimal, limit_price: Decimal | None
    ) -> Order:
        """Change the total quantity (what is filled included) and the limit price.

        Returns the order as the venue now has it; its ``broker_order_id`` may be new. Raises the
        venue's refusal when the order had ended or the change is not possible; what was there
        before then still stands.
        """
        ...


@runtime_checkable
class CorrectionHistory(Protocol):
    """Give every bust and correction since a cursor."""

    async def corrections_since(self, cursor: str | None) -> tuple[list[FillCorrection], str]:
        """Return the corrections after ``cursor`` (None: all), oldest first, and the new cursor."""
        ...


@runtime_checkable
class DeadManTimer(Protocol):
    """Have the venue cancel everything unless it hears from us."""

    async def cancel_all_after(self, seconds: float) -> None:
        """Cancel all open orders ``seconds`` from now unless called again; 0 disarms."""
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
