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
Seconds = Annotated[float, Field(gt=0.0, le=366 * 86_400.0, allow_inf_nan=False)]
Margin = Annotated[float, Field(ge=0.0, le=86_400.0, allow_inf_nan=False)]


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

    mandate_id: Identifier = Field(description="unique name")
    strategy_id: Identifier = Field(description="who trades")
    fund_id: Identifier = Field(description="for whom")
    symbols: list[Symbol] = Field(min_length=1, description="what it may trade")
    max_gross_usd: PositiveDecimal | None = Field(
        None, description="most that its positions and open orders may be worth"
    )
    max_position_usd: PositiveDecimal | None = Field(None, description="most in one symbol")
    max_order_usd: PositiveDecimal | None = Field(None, description="most in one order")
    max_orders_per_day: Count | None = Field(None, description="approvals per UTC day")
    venues: list[str] = Field(default_factory=list, description="brokers; empty: as the envelope")
    order_types: list[OrderType] = Field(
        default_factory=list, description="order types; empty: as the envelope"
    )
    status: MandateStatus = Field(
        MandateStatus.ACTIVE, description="only an active mandate takes new risk"
    )
    owner: Identifier = Field(description="who answers for it")
    operators: list[str] = Field(
        default_factory=list, description="who may override its soft blocks; empty: any operator"
    )
    valid_from: UtcDatetime | None = Field(None, description="takes no new risk before")
    valid_until: UtcDatetime | None = Field(None, description="takes no new risk from then on")


class SymbolLimits(FrozenModel):
    """The limits of one symbol, across all funds; where both are set, the tighter one binds.

    ``tick_size``, ``lot_size`` and ``minimum_notional`` replace the instrument's own.
    """

    max_order_quantity: PositiveDecimal | None = Field(None, description="most units in one order")
    max_order_usd: PositiveDecimal | None = Field(None, description="most in one order")
    max_position_quantity: PositiveDecimal | None = Field(
        None, description="most units held and open, firm-wide"
    )
    max_position_usd: PositiveDecimal | None = Field(
        None, description="most held and open, firm-wide"
    )
    collar_pct: PositiveDecimal | None = Field(None, description="as limits.collar_pct")
    max_adv_pct: PositiveDecimal | None = Field(None, description="as limits.max_adv_pct")
    tick_size: PositiveDecimal | None = Field(None, description="instead of the instrument's")
    lot_size: PositiveDecimal | None = Field(None, description="instead of the instrument's")
    minimum_notional: NonNegativeDecimal | None = Field(
        None, description="instead of the instrument's"
    )
    reduce_only: bool = Field(False, description="true: no new risk in it")


class MessageLimits(FrozenModel):
    """How many messages may leave in any ``window_s``: new orders and amendments apart.

    Cancels are counted and never denied.
    """

    window_s: Seconds = Field(1.0, description="seconds that are counted")
    strategy_new: Count | None = Field(None, description="new orders of a strategy")
    strategy_amend: Count | None = Field(None, description="amendments of a strategy")
    venue_new: Count | None = Field(None, description="new orders to a venue")
    venue_amend: Count | None = Field(None, description="amendments to a venue")
    firm_new: Count | None = Field(None, description="new orders of all")
    firm_amend: Count | None = Field(None, description="amendments of all")


class Permission(FrozenModel):
    """What one strategy may use; an empty list leaves its kind to the envelope."""

    brokers: list[str] = Field(default_factory=list, description="brokers that it may use")
    accounts: list[str] = Field(default_factory=list, description="accounts that it may use")
    order_types: list[OrderType] = Field(
        default_factory=list, description="order types that it may use"
    )
    asset_classes: list[AssetClass] = Field(
        default_factory=list, description="asset classes that it may trade"
    )
    actors: list[str] = Field(default_factory=list, description="who may send its orders")


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

    state: TradingState = Field(TradingState.ACTIVE, description="reducing: no new risk at all")
    reducing_funds: list[str] = Field(
        default_factory=list, description="funds that take no new risk"
    )
    reducing_strategies: list[str] = Field(
        default_factory=list, description="strategies that take no new risk"
    )
    collar_pct: PositiveDecimal | None = Field(
        None, description="price from the reference, on the costly side"
    )
    collar_soft_pct: PositiveDecimal | None = Field(
        None, description="from here on two people must agree"
    )
    collar_period_pct: PositiveDecimal | None = Field(
        None, description="price from every reference of the period"
    )
    collar_period_s: Seconds = Field(300.0, description="length of the period")
    max_reference_age_s: Seconds | None = Field(None, description="age of the last price")
    require_quote: bool = Field(False, description="deny without a sound quote")
    max_quote_age_s: Seconds = Field(5.0, description="age of a quote")
    max_spread_pct: PositiveDecimal | None = Field(
        None, description="spread of a quote, of its mid"
    )
    max_order_usd: PositiveDecimal | None = Field(None, description="most in one order")
    soft_order_usd: PositiveDecimal | None = Field(
        None, description="from here on two people must agree"
    )
    max_adv_pct: PositiveDecimal | None = Field(None, description="order of the mean daily volume")
    adv_days: int = Field(default=20, ge=1, le=250, description="days that the mean needs")
    max_displayed_pct: PositiveDecimal | None = Field(
        None, description="order of the size shown at the touch"
    )
    check_increments: bool = Field(False, description="tick, lot and least notional")
    messages: MessageLimits = Field(MessageLimits(), description="messages per window")
    repeat_max: Count | None = Field(
        None, description="orders of one strategy, symbol and side, then it is disabled"
    )
    repeat_window_s: Seconds = Field(60.0, description="window of repeat_max")
    duplicate_window_s: Seconds | None = Field(
        None, description="same economics again: two people must agree"
    )
    self_match: bool = Field(False, description="deny what would trade with our own order")
    max_currency_pct: PositiveDecimal | None = Field(
        None, description="exposure in one currency, of NAV"
    )
    firm_max_gross_usd: PositiveDecimal | None = Field(None, description="gross over all funds")
    firm_max_net_usd: PositiveDecimal | None = Field(
        None, description="net over all funds, either sign"
    )
    buying_power_multiple: PositiveDecimal | None = Field(
        None, description="purchases per unit of cash; 1: cash account"
    )
    buying_power_fee_bps: NonNegativeDecimal = Field(
        Decimal(0), description="fees counted on purchases"
    )
    sessions_only: bool = Field(False, description="new risk only while the exchange is open")
    session_open_margin_s: Margin = Field(0.0, description="not so soon after the open")
    session_close_margin_s: Margin = Field(0.0, description="not so close to the close")
    expiry_days: int | None = Field(
        default=None, ge=0, le=36_500, description="no new risk so close to the end of a contract"
    )
    allowed_tifs: list[TimeInForce] = Field(default_factory=list, description="empty: all")
    max_order_age_s: Seconds | None = Field(None, description="since the order was created")
    max_gtd_days: Count | None = Field(None, description="furthest expiry")
    max_parent_usd: PositiveDecimal | None = Field(None, description="all children of one parent")
    children_within_parent: bool = Field(
        False, description="children sum to no more than their parent"
    )
    unit_tolerance_pct: PositiveDecimal | None = Field(
        None, description="caller's value of the order from the engine's"
    )
    bind_mode: bool = Field(False, description="the order's mode is the system's")
    permissions: dict[str, Permission] = Field(
        default_factory=dict, description="per strategy; empty: off"
    )
    restricted: list[Symbol] = Field(
        default_factory=list, description="no new risk in these symbols"
    )
    symbols: dict[Symbol, SymbolLimits] = Field(default_factory=dict, description="per symbol")
    block_ttl_s: Seconds = Field(900.0, description="how long a soft block may be overridden")

    @model_validator(mode="after")
    def _soft_lies_below_hard(self) -> Self:
        for soft, hard in (("collar_soft_pct", "collar_pct"), ("soft_order_usd", "max_order_usd")):
            low, high = getattr(self, soft), getattr(self, hard)
            if low is not None and (high is None or low >= high):
                raise ValueError(f"{soft} {low} needs a {hard} above it, not {high}")
        return self
