"""Pre-trade limits and mandates: one schema, which is exactly what the gates read.

A limit that is None (or False, or empty) is off, and the controls report says so. Every ``_pct``
is a fraction: 0.05 is 5 %. Amounts ``_usd`` are in base currency.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from mts1b_foundation.model import (
    FrozenModel,
    Identifier,
    NonNegativeDecimal,
    PositiveDecimal,
    UtcDatetime,
)
from mts1b_foundation.orders import OrderType, TimeInForce
from mts1b_foundation.symbology import AssetClass, Symbol

__all__ = [
    "Mandate",
    "MandateStatus",
    "MessageLimits",
    "Permission",
    "RiskLimits",
    "SymbolLimits",
    "TradingState",
]

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Seconds = Annotated[float, Field(gt=0.0)]


class TradingState(StrEnum):
    """Say whether the firm takes new risk."""

    ACTIVE = "active"
    REDUCING = "reducing"


class MandateStatus(StrEnum):
    """Say whether a mandate lets its strategy take new risk."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    EXPIRED = "expired"


class Mandate(FrozenModel):
    """Let one strategy trade some symbols for one fund, within a risk budget.

    ``operators`` (names, without ``operator:``) may override its soft blocks; empty: any
    registered operator. ``venues`` and ``order_types``, where not empty, narrow the envelope's.
    ``max_orders_per_day`` counts approvals per UTC day.
    """

    mandate_id: Identifier
    strategy_id: Identifier
    fund_id: Identifier
    symbols: list[Symbol] = Field(min_length=1)
    max_gross_usd: PositiveDecimal | None = None
    max_position_usd: PositiveDecimal | None = None
    max_order_usd: PositiveDecimal | None = None
    max_orders_per_day: Count | None = None
    venues: list[str] = Field(default_factory=list)
    order_types: list[OrderType] = Field(default_factory=list)
    status: MandateStatus = MandateStatus.ACTIVE
    owner: Identifier
    operators: list[str] = Field(default_factory=list)
    valid_from: UtcDatetime | None = None
    valid_until: UtcDatetime | None = None


class SymbolLimits(FrozenModel):
    """The limits of one symbol, across all funds; where both are set, the tighter one binds.

    ``tick_size``, ``lot_size`` and ``minimum_notional`` replace the instrument's own.
    """

    max_order_quantity: PositiveDecimal | None = None
    max_order_usd: PositiveDecimal | None = None
    max_position_quantity: PositiveDecimal | None = None
    max_position_usd: PositiveDecimal | None = None
    collar_pct: PositiveDecimal | None = None
    max_adv_pct: PositiveDecimal | None = None
    tick_size: PositiveDecimal | None = None
    lot_size: PositiveDecimal | None = None
    minimum_notional: NonNegativeDecimal | None = None
    reduce_only: bool = False


class MessageLimits(FrozenModel):
    """How many messages may leave in any ``window_s``: new orders and amendments apart.

    Cancels are counted and never denied.
    """

    window_s: Seconds = 1.0
    strategy_new: Count | None = None
    strategy_amend: Count | None = None
    venue_new: Count | None = None
    venue_amend: Count | None = None
    firm_new: Count | None = None
    firm_amend: Count | None = None


class Permission(FrozenModel):
    """What one strategy may use; an empty list leaves its kind to the envelope."""

    brokers: list[str] = Field(default_factory=list)
    accounts: list[str] = Field(default_factory=list)
    order_types: list[OrderType] = Field(default_factory=list)
    asset_classes: list[AssetClass] = Field(default_factory=list)
    actors: list[str] = Field(default_factory=list)


class RiskLimits(FrozenModel):
    """Every number of the pre-trade controls.

    - Price: ``collar_pct`` bounds an order's price against the reference on its costly side,
      ``collar_period_pct`` against every reference of the last ``collar_period_s``;
      ``collar_soft_pct`` asks two people. ``max_reference_age_s``, ``require_quote``,
      ``max_quote_age_s`` and ``max_spread_pct`` say which reference is sound.
    - Size: ``max_order_usd``, ``soft_order_usd`` (two people), ``max_adv_pct`` of the mean daily
      volume of the last ``adv_days`` known days, ``max_displayed_pct`` of the size shown at the
      touch, ``check_increments`` (tick, lot, least notional).
    - Flow: ``messages``; ``repeat_max`` approvals of one strategy, symbol and side in
      ``repeat_window_s`` disable the strategy; ``duplicate_window_s`` (two people);
      ``self_match``.
    - Capital: ``max_currency_pct`` of NAV, ``firm_max_gross_usd`` and ``firm_max_net_usd`` over
      all funds; ``buying_power_multiple`` times the cash must cover what is bought, fees of
      ``buying_power_fee_bps`` included.
    - Time: ``sessions_only`` with margins, ``expiry_days`` before a contract ends,
      ``allowed_tifs``, ``max_order_age_s`` since creation, ``max_gtd_days``.
    - Intent: ``max_parent_usd`` for all children of one parent, ``children_within_parent``,
      ``unit_tolerance_pct`` between the caller's and the engine's value of an order,
      ``bind_mode``.
    """

    state: TradingState = TradingState.ACTIVE
    reducing_funds: list[str] = Field(default_factory=list)
    reducing_strategies: list[str] = Field(default_factory=list)
    collar_pct: PositiveDecimal | None = None
    collar_soft_pct: PositiveDecimal | None = None
    collar_period_pct: PositiveDecimal | None = None
    collar_period_s: Seconds = 300.0
    max_reference_age_s: Seconds | None = None
    require_quote: bool = False
    max_quote_age_s: Seconds = 5.0
    max_spread_pct: PositiveDecimal | None = None
    max_order_usd: PositiveDecimal | None = None
    soft_order_usd: PositiveDecimal | None = None
    max_adv_pct: PositiveDecimal | None = None
    adv_days: int = Field(default=20, ge=1, le=250)
    max_displayed_pct: PositiveDecimal | None = None
    check_increments: bool = False
    messages: MessageLimits = MessageLimits()
    repeat_max: Count | None = None
    repeat_window_s: Seconds = 60.0
    duplicate_window_s: Seconds | None = None
    self_match: bool = False
    max_currency_pct: PositiveDecimal | None = None
    firm_max_gross_usd: PositiveDecimal | None = None
    firm_max_net_usd: PositiveDecimal | None = None
    buying_power_multiple: PositiveDecimal | None = None
    buying_power_fee_bps: NonNegativeDecimal = Decimal(0)
    sessions_only: bool = False
    session_open_margin_s: float = Field(default=0.0, ge=0.0)
    session_close_margin_s: float = Field(default=0.0, ge=0.0)
    expiry_days: int | None = Field(default=None, ge=0)
    allowed_tifs: list[TimeInForce] = Field(default_factory=list)
    max_order_age_s: Seconds | None = None
    max_gtd_days: Count | None = None
    max_parent_usd: PositiveDecimal | None = None
    children_within_parent: bool = False
    unit_tolerance_pct: PositiveDecimal | None = None
    bind_mode: bool = False
    permissions: dict[str, Permission] = Field(default_factory=dict)
    restricted: list[Symbol] = Field(default_factory=list)
    symbols: dict[Symbol, SymbolLimits] = Field(default_factory=dict)
    block_ttl_s: Seconds = 900.0

    @model_validator(mode="after")
    def _soft_lies_below_hard(self) -> Self:
        for soft, hard in (("collar_soft_pct", "collar_pct"), ("soft_order_usd", "max_order_usd")):
            low, high = getattr(self, soft), getattr(self, hard)
            if low is not None and (high is None or low >= high):
                raise ValueError(f"{soft} {low} needs a {hard} above it, not {high}")
        return self
