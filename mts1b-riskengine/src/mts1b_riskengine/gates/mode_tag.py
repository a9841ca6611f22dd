"""An order of one mode never ends in a system of another."""

from __future__ import annotations

from dataclasses import dataclass

from mts1b_foundation import DenyCode, ExecutionMode, Order, RiskContext, RiskEnvelope
from mts1b_foundation.limits import RiskLimits

from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.inline import InlineGate

__all__ = ["CARD", "ModeTagGate"]

CARD = GateCard(
    gate="mode_tag",
    asks="is the order meant for the mode that this system runs in?",
    codes=(DenyCode.MODE_MISMATCH,),
    inputs="the order, the mode of the configuration",
    on_failure="an unknown mode denies",
    source="paper and live are told apart by a tag that the approval binds (reliability P9, G2)",
    controls=(28,),
    facts=("mode",),
    limits=("bind_mode",),
)


@dataclass(frozen=True)
class ModeTagGate(InlineGate):
    """Deny an order whose mode is not the system's."""

    limits: RiskLimits
    name: str = "mode_tag"

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass an order of this system's mode."""
        mode = context.get("mode")
        if not self.limits.bind_mode or (mode is order.mode and isinstance(mode, ExecutionMode)):
            return True
        return context.reject(
            DenyCode.MODE_MISMATCH, "the system runs in another mode", limit=mode, value=order.mode
        )
