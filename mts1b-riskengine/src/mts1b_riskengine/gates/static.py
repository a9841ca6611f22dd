"""Limits of one order by itself."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope

from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import positive
from mts1b_riskengine.gates.inline import InlineGate
from mts1b_riskengine.instruments import InstrumentFacts
from mts1b_riskengine.policy import RiskPolicy
from mts1b_riskengine.positions import Mark

__all__ = ["CARD", "StaticGate"]

CARD = GateCard(
    gate="static",
    asks="broker, type and class allowed, price known and fresh, size within limits?",
    codes=(
        DenyCode.BROKER_NOT_ALLOWED,
        DenyCode.ORDER_TYPE_NOT_ALLOWED,
        DenyCode.UNKNOWN_SYMBOL,
        DenyCode.ASSET_CLASS_NOT_ALLOWED,
        DenyCode.REF_PRICE_MISSING,
        DenyCode.REF_PRICE_STALE,
        DenyCode.MAX_ORDER_QTY,
        DenyCode.MAX_ORDER_NOTIONAL,
    ),
    inputs="the envelope, the instrument, the engine's own last price",
    on_failure="an empty list allows nothing; no price, a stale or a non-positive one denies",
    source="RTS 6 Art. 15(1)(a)-(c), SEC 15c3-5(c)(1)(ii)",
    controls=(3, 5, 6, 9),
    facts=("mark", "instrument", "now", "policy"),
)


@dataclass(frozen=True)
class StaticGate(InlineGate):
    """Deny what the fund may never send, whatever it holds."""

    name: str = "static"

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass an order that is allowed in kind, priced and of permitted size."""
        return (
            self._kind(order, envelope, context)
            and self._price(order, context)
            and self._size(order, envelope, context)
        )

    def _kind(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        if order.broker not in envelope.allowed_brokers:
            allowed = ", ".join(envelope.allowed_brokers) or "none"
            return context.reject(
                DenyCode.BROKER_NOT_ALLOWED, "broker", limit=allowed, value=order.broker
            )
        if order.order_type not in envelope.allowed_order_types:
            return context.reject(
                DenyCode.ORDER_TYPE_NOT_ALLOWED,
                "order type",
                limit=", ".join(kind.value for kind in envelope.allowed_order_types) or "none",
                value=order.order_type.value,
            )
        facts: InstrumentFacts | None = context["instrument"]
        if facts is None or positive(facts.multiplier) is None:
            return context.reject(
                DenyCode.UNKNOWN_SYMBOL,
                f"the value of one unit of {order.symbol} is not known; list the instrument",
                value=order.symbol,
            )
        if facts.asset_class not in envelope.allowed_asset_classes:
            return context.reject(
                DenyCode.ASSET_CLASS_NOT_ALLOWED,
                "asset class",
                limit=", ".join(kind.value for kind in envelope.allowed_asset_classes) or "none",
                value=facts.asset_class.value,
            )
        return True

    def _price(self, order: Order, context: RiskContext) -> bool:
        mark: Mark | None = context["mark"]
        if mark is None or not mark.price.is_finite() or mark.price <= 0:
            return context.reject(
                DenyCode.REF_PRICE_MISSING,
                f"no usable price of {order.symbol} has been received",
                value=None if mark is None else mark.price,
            )
        policy: RiskPolicy = context["policy"]
        now = context.now
        if mark.as_of > now or mark.is_stale(now, policy.stale_after_intervals):
            return context.reject(
                DenyCode.REF_PRICE_STALE,
                f"the price of {order.symbol} is of {mark.as_of.isoformat()}",
                limit=f"{policy.stale_after_intervals} x {mark.interval}",
                value=str(now - mark.as_of),
            )
        return True

    def _size(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        if envelope.max_order_qty is not None and order.quantity > envelope.max_order_qty:
            return context.reject(
                DenyCode.MAX_ORDER_QTY,
                "quantity",
                limit=envelope.max_order_qty,
                value=order.quantity,
            )
        notional: Decimal = context["order_value"]
        if notional > envelope.max_order_notional_usd:
            return context.reject(
                DenyCode.MAX_ORDER_NOTIONAL,
                "notional in USD",
                limit=envelope.max_order_notional_usd,
                value=notional,
            )
        return True
