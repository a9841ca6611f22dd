"""The most that one order may be worth, whatever its fund permits."""

from __future__ import annotations

from dataclasses import dataclass

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope
from mts1b_foundation.limits import RiskLimits

from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import positive, reduces, soft_block
from mts1b_riskengine.gates.inline import InlineGate

__all__ = ["CARD", "OrderValueGate"]

CARD = GateCard(
    gate="order_value",
    asks="is the order's value below the firm's and the symbol's caps?",
    codes=(DenyCode.MAX_ORDER_VALUE, DenyCode.FAT_FINGER, DenyCode.ORDER_VALUE_UNKNOWN),
    soft=(DenyCode.FAT_FINGER,),
    inputs="quantity, the highest of reference, limit and stop price, the multiplier",
    on_failure="a value that is no positive number denies; reducing passes",
    source="RTS 6 Art. 15(1)(b); SEC 15c3-5(c)(1)(ii)",
    controls=(5, 29),
    facts=("order_value",),
    limits=("max_order_usd", "soft_order_usd", "symbols.max_order_usd"),
    reducing=False,
)


@dataclass(frozen=True)
class OrderValueGate(InlineGate):
    """Deny above the hard cap; between soft and hard cap two people must agree."""

    limits: RiskLimits
    name: str = "order_value"

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass an order at or below the caps."""
        if reduces(context):
            return True
        row = self.limits.symbols.get(order.symbol)
        caps = (self.limits.max_order_usd, row.max_order_usd if row is not None else None)
        value = positive(context["order_value"])
        if value is None:
            return context.reject(
                DenyCode.ORDER_VALUE_UNKNOWN,
                "the value of the order can not be told",
                value=context["order_value"],
            )
        for cap in caps:
            if cap is not None and value > cap:
                return context.reject(
                    DenyCode.MAX_ORDER_VALUE, "value of the order", limit=cap, value=value
                )
        soft = self.limits.soft_order_usd
        if soft is None or value <= soft:
            return True
        return soft_block(
            context, DenyCode.FAT_FINGER, "value of the order", limit=soft, value=value
        )
