"""What it costs to borrow an instrument for a short sale."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mts1b_foundation import Symbol

if TYPE_CHECKING:
    from mts1b_platform.config import VenueSettings

__all__ = ["BorrowDesk", "BorrowQuote", "FixedBorrow", "desk_of"]


class BorrowQuote(NamedTuple):
    """State the yearly borrow fee in basis points, and whether shares are located."""

    fee_bps: Decimal
    located: bool


class BorrowDesk(Protocol):
    """Tell the borrow terms of a symbol, from memory: it is asked on the path of every order."""

    def quote(self, symbol: Symbol) -> BorrowQuote | None:
        """Return the terms, or None when they are unknown (which denies a short sale)."""
        ...


@dataclass(frozen=True, slots=True)
class FixedBorrow:
    """Lend everything at one fee, as a simulated venue does."""

    fee_bps: Decimal = Decimal(25)
    located: bool = True

    def quote(self, symbol: Symbol) -> BorrowQuote | None:
        """Return the same terms for every symbol."""
        return BorrowQuote(self.fee_bps, self.located)


def desk_of(venue: VenueSettings) -> BorrowDesk | None:
    """Return the desk of the simulated venue, or None where it lends nothing."""
    return None if venue.borrow_fee_bps is None else FixedBorrow(venue.borrow_fee_bps)
