"""Our own orders never trade with one another."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope
from mts1b_foundation.limits import RiskLimits

from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import positive
from mts1b_riskengine.gates.inline import InlineGate
from mts1b_riskengine.resting import Resting

__all__ = ["CARD", "SelfMatchGate"]

CARD = GateCard(
    gate="self_match",
    asks="could this order trade with an open one of any of our strategies?",
    codes=(DenyCode.SELF_MATCH, DenyCode.OPEN_ORDERS_UNKNOWN),
    inputs="open orders on the other side of the symbol, all funds, with their limit prices",
    on_failure="an open order without a known price matches everything",
    source="FIA 2024 (self-match prevention); wash trades: CEA s. 4c(a), MAR Art. 12",
    controls=(18,),
    facts=("opposite_orders",),
    limits=("self_match",),
)


@dataclass(frozen=True)
class SelfMatchGate(InlineGate):
    """Deny an order that crosses an open one of our own; cancel that one first."""

    limits: RiskLimits
    name: str = "self_match"

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass an order that crosses nothing of ours."""
        if not self.limits.self_match:
            return True
        others = context["opposite_orders"]
        if not isinstance(others, tuple) or not all(isinstance(one, Resting) for one in others):
            return context.reject(
                DenyCode.OPEN_ORDERS_UNKNOWN, f"open orders of {order.symbol} are not known"
            )
        for one in others:
            if _crosses(order, one):
                return context.reject(
                    DenyCode.SELF_MATCH,
                    f"it would trade with {one.order_id} of {one.fund_id}/{one.strategy_id}; "
                    "cancel that first",
                    limit=one.price,
                    value=order.limit_price,
                )
        return True


def _crosses(order: Order, other: Resting) -> bool:
    """Return whether the prices meet; no limit, or none that is sound, meets any."""
    ours, theirs = order.limit_price, positive(other.price)
    if ours is None or theirs is None:
        return True
    gap: Decimal = (ours - theirs) * order.side.sign
    return gap >= 0
