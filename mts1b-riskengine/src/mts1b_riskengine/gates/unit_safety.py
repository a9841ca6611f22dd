"""Units, notionals and contracts must not be taken for one another."""

from __future__ import annotations

from dataclasses import dataclass

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope
from mts1b_foundation.limits import RiskLimits

from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import positive
from mts1b_riskengine.gates.inline import InlineGate
from mts1b_riskengine.instruments import InstrumentFacts
from mts1b_riskengine.positions import Mark

__all__ = ["CARD", "UnitSafetyGate"]

CARD = GateCard(
    gate="unit_safety",
    asks="do sender and engine mean the same value by this quantity?",
    codes=(DenyCode.UNIT_MISMATCH,),
    inputs="the price that the sender saw, the engine's own price and multiplier",
    on_failure="an order without the sender's price, or an unknown multiplier, denies",
    source="FCA and PRA v. Citigroup 2024: a notional typed as units; reliability G8",
    controls=(23,),
    facts=("mark", "instrument"),
    limits=("unit_tolerance_pct",),
    reducing=False,
)


@dataclass(frozen=True)
class UnitSafetyGate(InlineGate):
    """Deny an order whose value differs between its sender's price and the engine's.

    A price in cents, a quote per contract instead of per point, or a notional in the place of a
    quantity is off by far more than any tolerance. What reduces is bounded by the position.
    """

    limits: RiskLimits
    name: str = "unit_safety"

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass an order that both sides value alike."""
        tolerance = self.limits.unit_tolerance_pct
        if tolerance is None or context["reducing"] is True:
            return True
        mark, facts = context["mark"], context["instrument"]
        price = positive(mark.price) if isinstance(mark, Mark) else None
        factor = positive(facts.multiplier) if isinstance(facts, InstrumentFacts) else None
        seen = positive(order.reference_price)
        if price is None or factor is None or seen is None:
            return context.reject(
                DenyCode.UNIT_MISMATCH,
                "the value can not be compared: it takes the sender's reference price, the "
                "engine's price and the multiplier",
                limit=tolerance,
                value=seen,
            )
        ours, theirs = order.quantity * price * factor, order.quantity * seen * factor
        off = abs(ours - theirs) / ours
        if off <= tolerance:
            return True
        return context.reject(
            DenyCode.UNIT_MISMATCH,
            f"the sender values {order.quantity} units at {theirs}, the engine at {ours}",
            limit=tolerance,
            value=off,
        )
