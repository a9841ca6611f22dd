"""Orders and fills: the words that every package uses for them."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from mts1b_foundation.model import (
    FrozenModel,
    Identifier,
    NonNegativeDecimal,
    PositiveDecimal,
    UtcDatetime,
)
from mts1b_foundation.symbology import Symbol

__all__ = [
    "TERMINAL_STATUSES",
    "CorrectionKind",
    "ExecutionMode",
    "Fill",
    "FillCorrection",
    "Liquidity",
    "Order",
    "OrderStatus",
    "OrderType",
    "Side",
    "TimeInForce",
    "resolve_side",
]


class Side(StrEnum):
    """Say which way an order moves a position, and from which side of zero.

    :ivar sign: +1 when a fill adds to the signed position (buy, cover), -1 otherwise.
    """

    BUY = "buy"
    SELL = "sell"
    SHORT = "short"
    COVER = "cover"

    sign: int

    def __init__(self, value: str) -> None:
        self.sign = 1 if value in ("buy", "cover") else -1


class OrderType(StrEnum):
    """Say how an order may be priced.

    :ivar needs_limit_price: whether an order of this type is meaningless without a limit price.
    :ivar needs_stop_price: whether it is meaningless without a stop price.
    """

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    MARKETABLE_LIMIT = "marketable_limit"

    needs_limit_price: bool
    needs_stop_price: bool

    def __init__(self, value: str) -> None:
        self.needs_limit_price = "limit" in value
        self.needs_stop_price = "stop" in value


class TimeInForce(StrEnum):
    """Say how long an order stays at the venue."""

    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    OPG = "opg"
    GTD = "gtd"


class OrderStatus(StrEnum):
    """Name the state of an order. The legal moves between states are one table in the OMS."""

    CREATED = "created"
    PENDING_RISK = "pending_risk"
    APPROVED = "approved"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    PENDING_REPLACE = "pending_replace"
    PENDING_CANCEL = "pending_cancel"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"


TERMINAL_STATUSES = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.EXPIRED}
)


class ExecutionMode(StrEnum):
    """Say where an order may end: only ``LIVE`` reaches a real market."""

    BACKTEST = "backtest"
    PAPER = "paper"
    SHADOW = "shadow"
    LIVE = "live"


class Liquidity(StrEnum):
    """Say whether a fill made or took liquidity."""

    MAKER = "maker"
    TAKER = "taker"


class Order(FrozenModel):
    """One order, from intent to its terminal state.

    Quantities are in units of the instrument and positive (``side`` carries the sign); prices in
    the instrument's currency. ``version`` counts the recorded changes of the order.
    """

    order_id: Identifier
    idempotency_key: Identifier
    symbol: Symbol
    side: Side
    quantity: PositiveDecimal
    order_type: OrderType = OrderType.MARKET
    limit_price: PositiveDecimal | None = None
    stop_price: PositiveDecimal | None = None
    tif: TimeInForce = TimeInForce.DAY
    fund_id: Identifier
    strategy_id: Identifier
    broker: Identifier = "paper"
    actor: str = ""
    created_at: UtcDatetime
    status: OrderStatus = OrderStatus.CREATED
    mode: ExecutionMode = ExecutionMode.PAPER
    account: str | None = None
    parent_order_id: str | None = None
    signal_id: str | None = None
    reference_price: PositiveDecimal | None = None
    reduce_only: bool = False
    expires_at: UtcDatetime | None = None
    submitted_at: UtcDatetime | None = None
    accepted_at: UtcDatetime | None = None
    broker_order_id: str | None = None
    filled_quantity: NonNegativeDecimal = Decimal(0)
    average_fill_price: PositiveDecimal | None = None
    rejected_code: str | None = None
    rejected_reason: str | None = None
    version: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _prices_fit_the_type(self) -> Self:
        kind = self.order_type
        if kind.needs_limit_price and self.limit_price is None:
            raise ValueError(f"a {kind.value} order needs a limit_price")
        if kind.needs_stop_price and self.stop_price is None:
            raise ValueError(f"a {kind.value} order needs a stop_price")
        if self.limit_price is not None and not kind.needs_limit_price:
            raise ValueError(f"a {kind.value} order takes no limit_price")
        if self.stop_price is not None and not kind.needs_stop_price:
            raise ValueError(f"a {kind.value} order takes no stop_price")
        return self

    @model_validator(mode="after")
    def _expiry_fits_the_tif(self) -> Self:
        if self.tif is TimeInForce.GTD:
            if self.expires_at is None:
                raise ValueError("a gtd order needs expires_at")
            if self.expires_at <= self.created_at:
                raise ValueError("expires_at must lie after created_at")
        elif self.expires_at is not None:
            raise ValueError(f"only a gtd order takes expires_at, this one is {self.tif.value}")
        return self

    @property
    def signed_quantity(self) -> Decimal:
        """Return the quantity with the sign of its effect on the position."""
        return self.quantity * self.side.sign

    @property
    def remaining_quantity(self) -> Decimal:
        """Return what is not filled yet; zero after an overfill."""
        return max(self.quantity - self.filled_quantity, Decimal(0))

    @property
    def is_terminal(self) -> bool:
        """Return whether no further change but a late fill is possible."""
        return self.status in TERMINAL_STATUSES


class Fill(FrozenModel):
    """One execution at a venue.

    ``quantity`` is positive, in units of the instrument, and ``side`` carries the sign; ``price``
    is in the instrument's currency, ``fees`` in ``fee_currency``; negative fees are a rebate.
    """

    fill_id: Identifier
    order_id: Identifier
    symbol: Symbol
    side: Side
    quantity: PositiveDecimal
    price: PositiveDecimal
    fees: Decimal = Field(default=Decimal(0), allow_inf_nan=False)
    venue: Identifier
    timestamp: UtcDatetime
    broker_order_id: str | None = None
    fund_id: str | None = None
    strategy_id: str | None = None
    fee_currency: str = "USD"
    liquidity: Liquidity | None = None

    @property
    def signed_quantity(self) -> Decimal:
        """Return the quantity with the sign of its effect on the position."""
        return self.quantity * self.side.sign

    @property
    def notional(self) -> Decimal:
        """Return quantity times price, without sign and fees."""
        return self.quantity * self.price


class CorrectionKind(StrEnum):
    """Say what a venue changes about an execution that it reported before."""

    BUST = "bust"
    AMEND = "amend"
    FEE = "fee"


class FillCorrection(FrozenModel):
    """A venue's change of one of its executions, also when it arrives before the execution.

    A ``bust`` takes the execution back whole; an ``amend`` states its quantity and price anew; a
    ``fee`` states its fees anew. Fields that a kind does not state stay None.
    """

    correction_id: Identifier
    fill_id: Identifier
    order_id: Identifier
    kind: CorrectionKind
    quantity: PositiveDecimal | None = None
    price: PositiveDecimal | None = None
    fees: Decimal | None = Field(default=None, allow_inf_nan=False)
    fee_currency: str = "USD"
    venue: Identifier
    timestamp: UtcDatetime
    reason: str = ""

    @model_validator(mode="after")
    def _states_what_its_kind_needs(self) -> Self:
        amends = self.quantity is not None and self.price is not None
        if self.kind is CorrectionKind.AMEND and not amends:
            raise ValueError("an amend states quantity and price")
        if self.kind is CorrectionKind.FEE and self.fees is None:
            raise ValueError("a fee correction states fees")
        return self


def resolve_side(intent: str, current_qty: Decimal) -> Side:
    """Map a two-way intent to the four-way side, given the current signed position.

    "buy" is BUY from flat or long and COVER from short; "sell" is SELL from long and SHORT from
    flat or short.

    :raises ValueError: for any other intent.
    """
    if intent == "buy":
        return Side.BUY if current_qty >= 0 else Side.COVER
    if intent == "sell":
        return Side.SELL if current_qty > 0 else Side.SHORT
    raise ValueError(f"intent must be 'buy' or 'sell', not {intent!r}")
