"""Where only reducing is allowed, only reducing passes."""

from __future__ import annotations

from dataclasses import dataclass

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope
from mts1b_foundation.limits import RiskLimits, TradingState

from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import reduces
from mts1b_riskengine.gates.inline import InlineGate

__all__ = ["CARD", "TradingStateGate"]

CARD = GateCard(
    gate="trading_state",
    asks="does the firm, the fund, the strategy or the symbol take no new risk?",
    codes=(DenyCode.REDUCING_ONLY,),
    inputs="limits.state, reducing_funds, reducing_strategies, symbols, the position",
    on_failure="an order that is not known to reduce counts as new risk",
    source="RTS 6 Art. 12; the REDUCING state of trading engines",
    controls=(19, 30),
    facts=("reducing",),
    limits=("state", "reducing_funds", "reducing_strategies", "symbols.reduce_only"),
    reducing=False,
)


@dataclass(frozen=True)
class TradingStateGate(InlineGate):
    """Deny new risk in a scope that is reducing."""

    limits: RiskLimits
    name: str = "trading_state"

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass where new risk is taken, and what can only reduce."""
        scope = self._scope(order)
        if scope is None or reduces(context):
            return True
        return context.reject(
            DenyCode.REDUCING_ONLY, f"{scope} takes no new risk", limit=TradingState.REDUCING
        )

    def _scope(self, order: Order) -> str | None:
        limits = self.limits
        if limits.state is not TradingState.ACTIVE:
            return "the firm"
        if order.fund_id in limits.reducing_funds:
            return f"fund {order.fund_id}"
        if order.strategy_id in limits.reducing_strategies:
            return f"strategy {order.strategy_id}"
        row = limits.symbols.get(order.symbol)
        return f"symbol {order.symbol}" if row is not None and row.reduce_only else None
