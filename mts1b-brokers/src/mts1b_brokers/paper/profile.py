"""How the paper venue behaves: when and what it fills, and what it promises of itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import Any, Self

from mts1b_foundation import FrozenModel, NonNegativeDecimal
from mts1b_foundation.model import PositiveDecimal, UtcDatetime
from mts1b_foundation.protocols import DedupePolicy
from pydantic import Field, model_validator

__all__ = ["FillPolicy", "MaintenanceWindow", "VenueProfile"]

_CENT = Decimal("0.01")
_PRICE_STEP = Decimal("0.000001")
_BPS = Decimal(10_000)
_AT_ONCE = timedelta()


class FillPolicy(StrEnum):
    """Say which prices fill an order. Quotes fill under every policy."""

    NEXT_OPEN = "next_open"
    """Also bars that open after the order arrived."""
    QUOTE = "quote"
    """Quotes alone; bars only mark positions."""
    IMMEDIATE = "immediate"
    """Also the last known price at submission, then as ``next_open``."""


class MaintenanceWindow(FrozenModel):
    """A time in which the venue answers nobody and fills nothing; ``ends`` is outside."""

    begins: UtcDatetime
    ends: UtcDatetime

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.ends <= self.begins:
            raise ValueError(f"maintenance must end after it begins ({self.begins.isoformat()})")
        return self


class VenueProfile(FrozenModel):
    """State the behaviour of one simulated venue. The defaults are those of a kind venue.

    Fees and slippage are in basis points of the price, per side; slippage is less than 10 000,
    which would leave a seller no price. ``max_participation`` is the
    largest fraction of a bar's volume that all orders together may take; None lifts the cap.
    ``max_fill_quantity`` is the most that one order gets at one bar or quote.

    ``dedupe`` says how long a key is remembered: ``window`` for ``dedupe_window_s`` after it was
    taken. ``visibility_lag_s``: orders and fills are missing from every query for so long.
    ``fill_history_s``: how far back fills can be read. ``replace_changes_id``: a replaced order
    has a new ``broker_order_id``. ``orders_per_s`` with ``burst``: the limit on messages, of
    which a fifth is kept for cancels. ``dead_man_max_s``: the longest dead-man timer; None: the
    venue has none.
    """

    fee_bps_per_side: NonNegativeDecimal = Decimal(5)
    slippage_bps: NonNegativeDecimal = Field(default=Decimal(0), lt=10_000)
    latency_ms: NonNegativeDecimal = Decimal(0)
    max_participation: Decimal | None = Field(default=Decimal("0.1"), gt=0, le=1)
    max_fill_quantity: PositiveDecimal | None = None
    fill: FillPolicy = FillPolicy.NEXT_OPEN
    initial_cash: Decimal = Field(default=Decimal(1_000_000), allow_inf_nan=False)
    currency: str = "USD"
    dedupe: DedupePolicy = DedupePolicy.PERMANENT
    dedupe_window_s: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    visibility_lag_s: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    fill_history_s: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    replaces: bool = True
    replace_changes_id: bool = False
    orders_per_s: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    burst: int | None = Field(default=None, ge=2)
    dead_man_max_s: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    maintenance: tuple[MaintenanceWindow, ...] = ()

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if (self.dedupe is DedupePolicy.WINDOW) != (self.dedupe_window_s is not None):
            raise ValueError("dedupe_window_s goes with dedupe 'window', and with nothing else")
        if (self.orders_per_s is None) != (self.burst is None):
            raise ValueError("orders_per_s and burst go together")
        return self

    @classmethod
    def named(cls, name: str) -> Self:
        """Return one of the ready profiles; change it with ``with_``.

        ``none``, ``open_orders``, ``ten_minutes`` and ``permanent`` say how long a key is
        remembered and are kind otherwise. ``strict`` does everything that makes a venue hard:
        keys of open orders only, orders shown up to 30 s late, fills of one day, a new id for
        each replace, ten messages a second, a dead-man timer of at most an hour.

        :raises ValueError: for any other name.
        """
        if name not in _NAMED:
            raise ValueError(f"no venue profile {name!r}; known: {', '.join(_NAMED)}")
        return cls.model_validate(_NAMED[name])

    @staticmethod
    def names() -> tuple[str, ...]:
        """Return the names of the ready profiles."""
        return tuple(_NAMED)

    @property
    def visibility_lag(self) -> timedelta:
        """Return how long an order or a fill may be missing from queries."""
        return timedelta(seconds=self.visibility_lag_s) if self.visibility_lag_s else _AT_ONCE

    def closed_until(self, moment: datetime) -> datetime | None:
        """Return when the maintenance ends in which ``moment`` lies; None outside of any."""
        if not self.maintenance:
            return None
        ends = [w.ends for w in self.maintenance if w.begins <= moment < w.ends]
        return max(ends, default=None)

    @property
    def latency(self) -> timedelta:
        """Return the time from submission to arrival."""
        return timedelta(milliseconds=float(self.latency_ms)) if self.latency_ms else _AT_ONCE

    def fee(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Return the fee of one fill in the account's currency, to the cent."""
        exact = quantity * price * self.fee_bps_per_side / _BPS
        return exact.quantize(_CENT, ROUND_HALF_EVEN)

    def slipped(self, price: Decimal, sign: int) -> Decimal:
        """Return ``price`` moved against the taker (``sign`` +1 buys), to six decimals."""
        moved = price * (1 + sign * self.slippage_bps / _BPS)
        rounded = moved.quantize(_PRICE_STEP, ROUND_HALF_EVEN)
        return rounded if rounded > 0 else moved

    def depth(self, volume: Decimal) -> Decimal | None:
        """Return what may trade in a bar of ``volume``; None when that is not limited.

        A volume of zero means that the source does not know it.
        """
        if self.max_participation is None or volume == 0:
            return None
        return volume * self.max_participation


_NAMED: Mapping[str, Mapping[str, Any]] = {
    "none": {"dedupe": DedupePolicy.NONE},
    "open_orders": {"dedupe": DedupePolicy.OPEN_ORDERS},
    "ten_minutes": {"dedupe": DedupePolicy.WINDOW, "dedupe_window_s": 600.0},
    "permanent": {},
    "strict": {
        "dedupe": DedupePolicy.OPEN_ORDERS,
        "visibility_lag_s": 30.0,
        "fill_history_s": 86_400.0,
        "replace_changes_id": True,
        "orders_per_s": 10.0,
        "burst": 20,
        "dead_man_max_s": 3_600.0,
    },
}
