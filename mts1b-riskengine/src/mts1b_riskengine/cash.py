"""What a fund can pay: its cash at the last NAV, moved by every fill since."""

from __future__ import annotations

from decimal import Decimal

from mts1b_foundation import Fill, NavSnapshot

__all__ = ["CashBook"]


class CashBook:
    """Keep the cash of every fund, in base currency. A fund without a NAV yet has none known."""

    def __init__(self) -> None:
        self._cash: dict[str, Decimal] = {}

    def get(self, fund_id: str) -> Decimal | None:
        """Return a fund's cash, None while no NAV has told it."""
        return self._cash.get(fund_id)

    def on_nav(self, nav: NavSnapshot) -> None:
        """Take the cash of a fund's snapshot."""
        self._cash[nav.fund_id] = nav.cash_usd

    def on_fill(self, fund_id: str, fill: Fill, multiplier: Decimal) -> None:
        """Pay for an execution, or be paid; the next snapshot knows it better."""
        known = self._cash.get(fund_id)
        if known is not None:
            self._cash[fund_id] = known - fill.signed_quantity * fill.price * multiplier - fill.fees
