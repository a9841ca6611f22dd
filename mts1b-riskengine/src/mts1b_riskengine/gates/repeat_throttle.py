"""A strategy that repeats itself is disabled until people have looked."""

from __future__ import annotations

from dataclasses import dataclass

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope, SoftBlock
from mts1b_foundation.limits import RiskLimits

from mts1b_riskengine.flow import FlowBook
from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import moment_of, reduces, soft_block
from mts1b_riskengine.gates.inline import InlineGate

__all__ = ["CARD", "RepeatThrottleGate"]

CARD = GateCard(
    gate="repeat_throttle",
    asks="has the strategy repeated this trade too often, or is it disabled for having done so?",
    codes=(DenyCode.REPEATED_EXECUTION, DenyCode.STRATEGY_DISABLED, DenyCode.REPEATS_UNKNOWN),
    soft=(DenyCode.REPEATED_EXECUTION,),
    inputs="approvals of the window by strategy, symbol and side; strategies that are disabled",
    on_failure="counts that are not known deny; reducing passes; a restart re-enables nothing",
    source="RTS 6 Art. 15(3): repeated automated execution throttle, re-enabled by a person",
    controls=(11, 29, 30),
    facts=("flow", "disabled", "moment"),
    limits=("repeat_max",),
    reducing=False,
)


@dataclass(frozen=True)
class RepeatThrottleGate(InlineGate):
    """Disable a strategy at its first order over the limit; its block re-enables it."""

    limits: RiskLimits
    name: str = "repeat_throttle"

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass an order of a strategy that is enabled and does not repeat itself."""
        if reduces(context) or context["counted"] is True:
            return True
        flow, moment = context["flow"], moment_of(context)
        disabled = context["disabled"]
        if isinstance(disabled, SoftBlock):
            return context.reject(
                DenyCode.STRATEGY_DISABLED,
                f"strategy {order.strategy_id} is disabled since {disabled.raised_at.isoformat()}; "
                f"two operators re-enable it: mts risk override {disabled.block_id}",
                limit=disabled.limit,
                value=disabled.block_id,
            )
        if not isinstance(flow, FlowBook) or moment is None or disabled is not None:
            return context.reject(DenyCode.REPEATS_UNKNOWN, "past approvals are not known")
        if not flow.repeats(order, moment):
            return True
        return soft_block(
            context,
            DenyCode.REPEATED_EXECUTION,
            f"{order.strategy_id} repeats {order.side.value} {order.symbol}; it is disabled now",
            limit=f"{self.limits.repeat_max} in {self.limits.repeat_window_s:g} s",
            value=order.order_id,
        )
