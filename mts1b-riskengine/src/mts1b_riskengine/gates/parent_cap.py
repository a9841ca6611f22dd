"""Children never exceed their parent, and no parent exceeds the basket cap."""

from __future__ import annotations

from dataclasses import dataclass

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope
from mts1b_foundation.limits import RiskLimits

from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import at_least_zero, positive, reduces
from mts1b_riskengine.gates.inline import InlineGate
from mts1b_riskengine.parents import ParentFacts

__all__ = ["CARD", "ParentCapGate"]

CARD = GateCard(
    gate="parent_cap",
    asks="is this order a part of its parent, do all children stay within it and the basket cap?",
    codes=(
        DenyCode.PARENT_UNKNOWN,
        DenyCode.PARENT_MISMATCH,
        DenyCode.PARENT_EXCEEDED,
        DenyCode.MAX_PARENT,
    ),
    inputs="the parent as the OMS has it, what its other children have filled or may still fill",
    on_failure="a parent that is not known, or sums that are no numbers, deny; reducing passes",
    source="SEC 34-70694 (Knight: 212 parents, children without bound); FCA 2024 (Citi: basket)",
    controls=(22, 23),
    facts=("parent", "order_value"),
    limits=("children_within_parent", "max_parent_usd"),
    reducing=False,
)


@dataclass(frozen=True)
class ParentCapGate(InlineGate):
    """Deny a child that would carry its parent over its quantity or the cap."""

    limits: RiskLimits
    name: str = "parent_cap"

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass an order without a parent, and a child that fits."""
        if order.parent_order_id is None or reduces(context):
            return True
        facts = context["parent"]
        if not isinstance(facts, ParentFacts):
            return self._unknown(order, facts, context)
        return self._within_parent(order, facts, context) and self._within_cap(
            order, facts, context
        )

    def _unknown(self, order: Order, value: object, context: RiskContext) -> bool:
        reason = f"parent {order.parent_order_id} and its children are not known"
        return context.reject(DenyCode.PARENT_UNKNOWN, reason, value=value)

    def _within_parent(self, order: Order, facts: ParentFacts, context: RiskContext) -> bool:
        if not self.limits.children_within_parent:
            return True
        whole, others = positive(facts.quantity), at_least_zero(facts.units)
        if whole is None or others is None:
            return self._unknown(order, facts.quantity, context)
        if facts.mismatch:
            return context.reject(DenyCode.PARENT_MISMATCH, facts.mismatch)
        if others + order.quantity <= whole:
            return True
        return context.reject(
            DenyCode.PARENT_EXCEEDED,
            f"units of all children of {order.parent_order_id}",
            limit=whole,
            value=others + order.quantity,
        )

    def _within_cap(self, order: Order, facts: ParentFacts, context: RiskContext) -> bool:
        cap = self.limits.max_parent_usd
        if cap is None:
            return True
        others, value = at_least_zero(facts.value), positive(context["order_value"])
        if others is None or value is None:
            return self._unknown(order, facts.value, context)
        if others + value <= cap:
            return True
        return context.reject(
            DenyCode.MAX_PARENT,
            f"value of all children of {order.parent_order_id}",
            limit=cap,
            value=others + value,
        )
