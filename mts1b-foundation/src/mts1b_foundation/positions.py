"""Positions and the lots that they are made of."""

from __future__ import annotations

from decimal import Decimal

from mts1b_foundation.model import FiniteDecimal, FrozenModel, Identifier, UtcDatetime
from mts1b_foundation.symbology import Symbol

__all__ = ["Position", "PositionLot", "TaxLot"]


class Position(FrozenModel):
    """Hold a signed quantity of one symbol; positive is long.

    ``average_price`` and ``last_price`` are in the instrument's currency; the ``_usd`` fields in
    the fund's base currency.
    """

    symbol: Symbol
    quantity: FiniteDecimal
    average_price: FiniteDecimal = Decimal(0)
    last_price: FiniteDecimal | None = None
    market_value_usd: FiniteDecimal = Decimal(0)
    realized_pnl_usd: FiniteDecimal = Decimal(0)
    unrealized_pnl_usd: FiniteDecimal = Decimal(0)
    fund_id: str | None = None
    strategy_id: str | None = None
    account: str | None = None
    as_of: UtcDatetime | None = None


class PositionLot(FrozenModel):
    """Hold what is left of one opening fill.

    ``quantity`` is signed; ``price`` is that of the fill, in the instrument's currency.
    """

    lot_id: Identifier
    symbol: Symbol
    quantity: FiniteDecimal
    price: FiniteDecimal
    opened_at: UtcDatetime
    fund_id: str | None = None
    strategy_id: str | None = None


class TaxLot(FrozenModel):
    """Record one closed piece of a lot with its proceeds, basis and gain, in base currency."""

    lot_id: Identifier
    symbol: Symbol
    quantity: FiniteDecimal
    opened_at: UtcDatetime
    closed_at: UtcDatetime
    cost_basis_usd: FiniteDecimal
    proceeds_usd: FiniteDecimal
    realized_gain_usd: FiniteDecimal
    fund_id: str | None = None
