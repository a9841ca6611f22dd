"""The same trade again, under another name: two people must agree."""

from __future__ import annotations

from dataclasses import dataclass

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope
from mts1b_foundation.limits import RiskLimits

from mts1b_riskengine.flow import FlowBook
from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import moment_of, reduces, soft_block
from mts1b_riskengine.gates.inline import InlineGate

__all__ = ["CARD", "DuplicateEconomicsGate"]

CARD = GateCard(
    gate="duplicate_economics",
    asks="was an order with the same economics approved a moment ago?",
    codes=(DenyCode.DUPLICATE_ECONOMICS, DenyCode.HISTORY_UNKNOWN),
    soft=(DenyCode.DUPLICATE_ECONOMICS,),
    inputs="the approvals of the window, by their terms without ids, keys and signals",
    on_failure="a history that is not known denies; reducing passes",
    source="SEC 15c3-5(c)(1)(ii): duplicative orders",
    controls=(2, 29),
    facts=("flow", "moment"),
    limits=("duplicate_window_s",),
    reducing=False,
)


@dataclass(frozen=True)
class DuplicateEconomicsGate(InlineGate):
    """Deny a twin within the window, unless it is a child of a parent (slices are alike)."""

    limits: RiskLimits
    name: str = "duplicate_economics"

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass an order that nothing alike preceded."""
        if order.parent_order_id is not None or reduces(context):
            return True
        flow, moment = context["flow"], moment_of(context)
        if not isinstance(flow, FlowBook) or moment is None:
            return context.reject(DenyCode.HISTORY_UNKNOWN, "past approvals are not known")
        twin = flow.twin(order, moment)
        if twin is None:
            return True
        return soft_block(
            context,
            DenyCode.DUPLICATE_ECONOMICS,
            f"order {twin} has the same economics",
            limit=f"{self.limits.duplicate_window_s} s",
            value=twin,
        )
