"""What a venue must offer to have accidents of its own."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol, runtime_checkable

from mts1b_foundation import Fill, Order
from mts1b_foundation.orders import FillCorrection

__all__ = ["Desk"]


@runtime_checkable
class Desk(Protocol):
    """Be a venue whose people can be made to act, as those of the paper venue."""

    async def bust(self, fill_id: str, reason: str = "") -> FillCorrection:
        """Take an execution back."""
        ...

    async def amend(
        self,
        fill_id: str,
        *,
        quantity: Decimal | None = None,
        price: Decimal | None = None,
        reason: str = "",
    ) -> FillCorrection:
        """State quantity and price of an execution anew."""
        ...

    async def fee(self, fill_id: str, *, fees: Decimal, reason: str = "") -> FillCorrection:
        """State the fees of an execution anew."""
        ...

    async def external(self, order: Order) -> Order:
        """Take an order that a person placed by hand."""
        ...

    async def overfill(self, order_id: str, *, quantity: Decimal, price: Decimal) -> Fill:
        """Execute a quantity of an order whatever is open of it."""
        ...
