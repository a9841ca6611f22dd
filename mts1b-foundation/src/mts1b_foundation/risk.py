"""Envelopes, decisions, approvals and halts: what risk says, and with what evidence."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from mts1b_foundation.deny_codes import DenyCode
from mts1b_foundation.halts import (
    ActiveHalt,
    Cosignature,
    HaltRequest,
    HaltScope,
    HaltSeverity,
    ResumeRequest,
    halt_scope,
)
from mts1b_foundation.model import (
    WRITERS,
    FrozenModel,
    Identifier,
    PositiveDecimal,
    UtcDatetime,
    canonical_text,
)
from mts1b_foundation.orders import ExecutionMode, Order, OrderType, Side, TimeInForce
from mts1b_foundation.symbology import AssetClass, Symbol

__all__ = [
    "ActiveHalt",
    "Cosignature",
    "DenyCode",
    "GateResult",
    "HaltRequest",
    "HaltSeverity",
    "OrderRejection",
    "ResumeRequest",
    "RiskApproval",
    "RiskContext",
    "RiskDecision",
    "RiskEnvelope",
    "SoftBlock",
    "SoftOverride",
    "WatchdogAlert",
    "halt_scope",
]

Share = Annotated[float, Field(gt=0.0, le=1.0)]


class RiskEnvelope(FrozenModel):
    """The limits of one fund, versioned. Every ``_pct`` is a fraction of NAV: 0.05 is 5 %."""

    envelope_id: Identifier
    fund_id: Identifier
    nav_usd: PositiveDecimal
    max_gross_exposure_pct: float = Field(default=1.0, ge=0.0, le=5.0)
    max_net_exposure_pct: float = Field(default=1.0, ge=-5.0, le=5.0)
    max_position_pct: Share = 0.05
    max_position_usd: PositiveDecimal | None = None
    max_sector_pct: Share = 0.30
    max_asset_class_pct: Share = 1.0
    max_country_pct: Share = 1.0
    daily_loss_halt_pct: Share = 0.03
    weekly_loss_halt_pct: Share = 0.08
    monthly_loss_halt_pct: Share = 0.15
    max_order_notional_usd: PositiveDecimal = Decimal(100_000)
    max_order_qty: PositiveDecimal | None = None
    allowed_brokers: list[str] = Field(default_factory=list)
    allowed_order_types: list[OrderType] = Field(
        default_factory=lambda: [OrderType.MARKET, OrderType.LIMIT]
    )
    allowed_asset_classes: list[AssetClass] = Field(default_factory=lambda: [AssetClass.EQUITIES])
    enable_shorting: bool = False
    max_short_fee_bps: float = Field(default=200.0, ge=0.0, allow_inf_nan=False)
    require_borrow_locate: bool = False
    enable_synthetic_stop: bool = True
    synthetic_stop_pct: Share = 0.10
    cro_veto_enabled: bool = False
    cro_veto_confidence_threshold: float = Field(default=0.85, ge=0.0, le=1.0)
    cro_veto_timeout_s: float = Field(default=5.0, gt=0.0, le=3600.0)
    version: int = Field(default=1, ge=1, le=2**31 - 1)
    created_at: UtcDatetime = Field(default_factory=lambda: datetime(1970, 1, 1, tzinfo=UTC))
    notes: str = ""


class GateResult(FrozenModel):
    """What one gate said of one order; ``limit`` and ``value`` explain a denial."""

    gate: str
    passed: bool
    code: str | None = None
    reason: str = ""
    limit: str | None = None
    value: str | None = None


class OrderRejection(FrozenModel):
    """Say which gate rejected which order, and why."""

    order_id: Identifier
    gate: str
    code: str
    reason: str
    limit: str | None = None
    value: str | None = None
    fund_id: str
    strategy_id: str
    timestamp: UtcDatetime


def _text(value: object) -> str | None:
    return None if value is None else str(value)


class RiskContext(dict[str, Any]):
    """The facts that gates may read, by name, with typed accessors for the usual ones.

    It is a ``dict``, so ``context["market_open_today"]`` works as documented; a gate that wants
    to explain a denial ends with ``return context.reject(...)``.
    """

    rejection: GateResult | None = None

    def reject(
        self, code: DenyCode | str, reason: str, *, limit: object = None, value: object = None
    ) -> bool:
        """Record why the current gate denies, and return False."""
        self.rejection = GateResult(
            gate=str(self.get("gate", "")),
            passed=False,
            code=str(code),
            reason=reason,
            limit=_text(limit),
            value=_text(value),
        )
        return False

    def need_decimal(self, name: str) -> Decimal:
        """Return a finite Decimal.

        :raises LookupError: when it is missing.
        :raises TypeError: when it is no Decimal.
        :raises ValueError: when it is not finite.
        """
        value = self[name]
        if not isinstance(value, Decimal):
            raise TypeError(f"context[{name!r}] must be a Decimal, not {type(value).__name__}")
        if not value.is_finite():
            raise ValueError(f"context[{name!r}] is {value}")
        return value

    @property
    def now(self) -> datetime:
        """Return the time of the check (aware).

        :raises LookupError: when the context has none.
        """
        moment: datetime = self["now"]
        return moment


class RiskApproval(FrozenModel):
    """A signed permission to send exactly one order, once, before it expires.

    Every field but ``signature`` is bound by the signature (reliability ruling 9.4).
    """

    approval_id: Identifier
    order_id: Identifier
    idempotency_key: Identifier
    fund_id: Identifier
    strategy_id: Identifier
    account: str = ""
    mode: ExecutionMode
    broker: Identifier
    symbol: Symbol
    side: Side
    quantity: PositiveDecimal
    order_type: OrderType
    limit_price: PositiveDecimal | None = None
    stop_price: PositiveDecimal | None = None
    tif: TimeInForce
    order_expires_at: UtcDatetime | None = None
    reduce_only: bool = False
    parent_order_id: str = ""
    reference_price: PositiveDecimal
    envelope_id: Identifier
    envelope_version: int = Field(ge=1)
    reservation_id: Identifier
    intent_id: str = ""
    halt_epoch: int = Field(ge=0)
    lease_id: str = ""
    policy_hash: str
    issued_at: UtcDatetime
    expires_at: UtcDatetime
    nonce: Identifier
    key_id: Identifier
    algorithm: str
    signature: str = ""

    def signing_fields(self) -> list[tuple[str, str]]:
        """Return (name, text) of every bound field in the order of declaration."""
        writers = WRITERS
        return [
            (name, writers[type(value)](value))
            for name, value in self.__dict__.items()
            if name != "signature"
        ]

    @classmethod
    def terms_of(cls, order: Order) -> dict[str, Any]:
        """Return the bound fields that an order itself decides."""
        return {
            "order_id": order.order_id,
            "idempotency_key": order.idempotency_key,
            "fund_id": order.fund_id,
            "strategy_id": order.strategy_id,
            "account": order.account or "",
            "mode": order.mode,
            "broker": order.broker,
            "symbol": order.symbol,
            "side": order.side,
            "quantity": order.quantity,
            "order_type": order.order_type,
            "limit_price": order.limit_price,
            "stop_price": order.stop_price,
            "tif": order.tif,
            "order_expires_at": order.expires_at,
            "reduce_only": order.reduce_only,
            "parent_order_id": order.parent_order_id or "",
            "intent_id": order.signal_id or "",
        }


class RiskDecision(FrozenModel):
    """The answer of the risk engine for one order, with the result of every gate that ran."""

    order_id: Identifier
    approved: bool
    rejecting_gate: str = ""
    code: str = ""
    reason: str = ""
    gates: tuple[GateResult, ...] = ()
    approval: RiskApproval | None = None
    decided_at: UtcDatetime
    fund_id: str = ""
    strategy_id: str = ""

    @model_validator(mode="after")
    def _an_approval_has_evidence(self) -> Self:
        if self.approved and self.approval is None:
            raise ValueError("an approved decision carries its signed approval")
        if not self.approved and not (self.code and self.rejecting_gate):
            raise ValueError("a denial names its gate and code")
        return self

    @property
    def rejection_code(self) -> str:
        """Return ``code``, by its name on the wire."""
        return self.code


class SoftOverride(FrozenModel):
    """Two operators let one softly blocked order pass, for a stated reason, until it expires.

    Both signatures cover domain ``mts/override/v1`` and ``signing_fields``.
    """

    block_id: Identifier
    reason: str = Field(min_length=10)
    requested_by: Cosignature
    approved_by: Cosignature
    requested_at: UtcDatetime
    expires_at: UtcDatetime

    @model_validator(mode="after")
    def _two_people(self) -> Self:
        if self.requested_by.signed_by == self.approved_by.signed_by:
            raise ValueError("an override takes two different operators")
        if self.expires_at <= self.requested_at:
            raise ValueError("expires_at must lie after requested_at")
        return self

    def signing_fields(self) -> list[tuple[str, str]]:
        """Return (name, text) of every field that both signatures bind."""
        return [
            ("block_id", self.block_id),
            ("reason", self.reason),
            ("requested_by", self.requested_by.signed_by),
            ("approved_by", self.approved_by.signed_by),
            ("requested_at", canonical_text(self.requested_at)),
            ("expires_at", canonical_text(self.expires_at)),
        ]


class SoftBlock(FrozenModel):
    """A denial that two operators may override: one order, one code, until ``expires_at``.

    The override lets pass one order with the economics of ``order``, under any new key.
    """

    block_id: Identifier
    order: Order
    gate: Identifier
    code: str
    reason: str
    limit: str | None = None
    value: str | None = None
    raised_at: UtcDatetime
    expires_at: UtcDatetime
    override: SoftOverride | None = None
    used_by: str | None = None


class WatchdogAlert(FrozenModel):
    """What one watchdog noticed."""

    alert_id: Identifier
    watchdog: Identifier
    scope: HaltScope
    message: str
    value: str
    threshold: str
    action: str
    raised_at: UtcDatetime
