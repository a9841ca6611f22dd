"""Funds and their net asset value."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from pydantic import Field

from mts1b_foundation.model import (
    FiniteDecimal,
    FrozenModel,
    Identifier,
    NonNegativeDecimal,
    PositiveDecimal,
    UtcDatetime,
)
from mts1b_foundation.symbology import AssetClass, Currency

__all__ = ["FundConfig", "NavSnapshot"]


class FundConfig(FrozenModel):
    """Describe one fund: its capital, its broker, what it trades."""

    fund_id: Identifier
    name: str
    description: str = ""
    base_currency: Currency = Currency.USD
    target_nav_usd: PositiveDecimal
    broker: Identifier = "paper"
    broker_account_id: str = ""
    active: bool = True
    asset_classes: list[AssetClass] = Field(default_factory=lambda: [AssetClass.EQUITIES])
    strategies: list[str] = Field(default_factory=list)
    created_at: UtcDatetime = Field(default_factory=lambda: datetime(1970, 1, 1, tzinfo=UTC))
    notes: str = ""


class NavSnapshot(FrozenModel):
    """Net asset value at one moment; of a fund, or of one strategy in it.

    ``drawdown`` is a fraction of the peak, zero or negative. ``capital_usd`` is what was paid in
    until then, what was taken out deducted; None where nobody counts it. Realized profit includes
    dividends, interest and what else was earned or paid without an order.
    """

    fund_id: Identifier
    strategy_id: str | None = None
    as_of: UtcDatetime
    nav_usd: FiniteDecimal
    cash_usd: FiniteDecimal
    gross_exposure_usd: NonNegativeDecimal = Decimal(0)
    net_exposure_usd: FiniteDecimal = Decimal(0)
    realized_pnl_usd: FiniteDecimal = Decimal(0)
    unrealized_pnl_usd: FiniteDecimal = Decimal(0)
    fees_usd: FiniteDecimal = Decimal(0)
    peak_nav_usd: FiniteDecimal = Decimal(0)
    capital_usd: FiniteDecimal | None = None
    drawdown: Decimal = Field(default=Decimal(0), le=0, allow_inf_nan=False)

    def capital_since(self, before: NavSnapshot) -> Decimal:
        """Return what owners have paid in since an earlier snapshot, USD; negative: taken out."""
        if self.capital_usd is None or before.capital_usd is None:
            return Decimal(0)
        return self.capital_usd - before.capital_usd

    def gain_since(self, before: NavSnapshot) -> Decimal:
        """Return what was earned since an earlier snapshot, USD: capital that came is no gain."""
        return self.nav_usd - before.nav_usd - self.capital_since(before)
