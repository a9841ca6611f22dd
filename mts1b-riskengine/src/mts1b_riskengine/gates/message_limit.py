"""How many messages a strategy, a venue and the firm may send. Cancels are never denied."""

from __future__ import annotations

from dataclasses import dataclass

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope
from mts1b_foundation.limits import RiskLimits

from mts1b_riskengine.flow import FlowBook
from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import moment_of, reduces
from mts1b_riskengine.gates.inline import InlineGate

__all__ = ["CARD", "MessageLimitGate"]

CARD = GateCard(
    gate="message_limit",
    asks="may one more new order, or amendment, leave in this window?",
    codes=(DenyCode.MESSAGE_LIMIT, DenyCode.MESSAGES_UNKNOWN),
    inputs="approvals of the window per strategy, venue and firm; new and amend apart",
    on_failure="counts that are not known deny; reducing passes, and counts; cancels never come",
    source="RTS 6 Art. 15(1)(d); Art. 12: cancelling stays possible",
    controls=(10, 30),
    facts=("flow", "moment"),
    limits=(
        "messages.strategy_new",
        "messages.strategy_amend",
        "messages.venue_new",
        "messages.venue_amend",
        "messages.firm_new",
        "messages.firm_amend",
    ),
    reducing=False,
)


@dataclass(frozen=True)
class MessageLimitGate(InlineGate):
    """Deny what would exceed a window."""

    limits: RiskLimits
    name: str = "message_limit"

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass an order for which every window has room."""
        if reduces(context) or context["counted"] is True:
            return True
        flow, moment = context["flow"], moment_of(context)
        if not isinstance(flow, FlowBook) or moment is None:
            return context.reject(DenyCode.MESSAGES_UNKNOWN, "past messages are not known")
        full = flow.full(order, moment)
        if full is None:
            return True
        return context.reject(
            DenyCode.MESSAGE_LIMIT,
            f"{full.kind} messages of {full.scope} in {self.limits.messages.window_s:g} s",
            limit=full.limit,
            value=full.limit + 1,
        )
