"""How the paper venue behaves: fees, slippage, latency, depth and when it fills."""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import Literal

from mts1b_foundation import FrozenModel, NonNegativeDecimal
from pydantic import Field

__all__ = ["FillPolicy", "VenueProfile"]

_CENT = Decimal("0.01")
_PRICE_STEP = Decimal("0.000001")
_BPS = Decimal(10_000)


class FillPolicy(StrEnum):
    """Say which prices fill an order. Quotes fill under every policy."""

    NEXT_OPEN = "next_open"
    """Also bars that open after the order arrived."""
    QUOTE = "quote"
    """Quotes alone; bars only mark positions."""
    IMMEDIATE = "immediate"
    """Also the last known price at submission, then as ``next_open``."""


class VenueProfile(FrozenModel):
    """State the behaviour of one simulated venue.

    Fees and slippage are in basis points of the price, per side. ``max_participation`` is the
    largest fraction of a bar's volume that all orders together may take; None lifts the cap. A
    key is remembered for ever.
    """

    fee_bps_per_side: NonNegativeDecimal = Decimal(5)
    slippage_bps: NonNegativeDecimal = Decimal(0)
    latency_ms: NonNegativeDecimal = Decimal(0)
    max_participation: Decimal | None = Field(default=Decimal("0.1"), gt=0, le=1)
    fill: FillPolicy = FillPolicy.NEXT_OPEN
    initial_cash: Decimal = Field(default=Decimal(1_000_000), allow_inf_nan=False)
    currency: str = "USD"
    dedupe: Literal["permanent"] = "permanent"

    @property
    def latency(self) -> timedelta:
        """Return the time from submission to arrival."""
        return timedelta(milliseconds=float(self.latency_ms))

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
