"""What a fund can pay: its cash at the last NAV, moved by every fill since."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from mts1b_foundation import Fill, NavSnapshot

__all__ = ["CashBook"]


class _Cash(NamedTuple):
    amount: Decimal
    as_of: datetime


class CashBook:
    """Keep the cash of every fund, in base currency. A fund without a NAV yet has none known.

    No store has it: what a transaction changed stays to be undone until it is known to have
    committed. Otherwise an event that is applied again after a failed commit would pay twice.
    """

    def __init__(self) -> None:
        self._cash: dict[str, _Cash] = {}
        self._before: dict[str, _Cash | None] = {}

    def get(self, fund_id: str) -> Decimal | None:
        """Return a fund's cash, None while no NAV has told it."""
        known = self._cash.get(fund_id)
        return None if known is None else known.amount

    def on_nav(self, nav: NavSnapshot) -> None:
        """Take the cash of a fund's snapshot; one that is older than the last says nothing."""
        known = self._cash.get(nav.fund_id)
        if known is None or nav.as_of >= known.as_of:
            self._put(nav.fund_id, _Cash(nav.cash_usd, nav.as_of))

    def on_fill(self, fund_id: str, fill: Fill, multiplier: Decimal) -> None:
        """Pay for an execution, or be paid; the next snapshot knows it better."""
        known = self._cash.get(fund_id)
        if known is not None:
            paid = fill.signed_quantity * fill.price * multiplier + fill.fees
            self._put(fund_id, _Cash(known.amount - paid, known.as_of))

    def _put(self, fund_id: str, cash: _Cash) -> None:
        self._before.setdefault(fund_id, self._cash.get(fund_id))
        self._cash[fund_id] = cash

    def settle(self) -> None:
        """Take notice that what was changed so far has committed."""
        if self._before:
            self._before.clear()

    def undo(self) -> None:
        """Go back to what the last transaction that committed left."""
        for fund_id, known in self._before.items():
            if known is None:
                del self._cash[fund_id]
            else:
                self._cash[fund_id] = known
        self._before.clear()
