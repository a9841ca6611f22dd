"""No new risk while a halt is in force or a loss limit is reached."""

from __future__ import annotations

from dataclasses import dataclass

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope

from mts1b_riskengine.funds import FundState
from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.inline import InlineGate
from mts1b_riskengine.halts import HaltReading
from mts1b_riskengine.losses import Breach

__all__ = ["CARD", "DrawdownHaltGate"]

CARD = GateCard(
    gate="drawdown_halt",
    asks="is firm, fund, strategy, venue or symbol halted, or a loss limit reached?",
    codes=(
        DenyCode.HALT_STATE_UNREADABLE,
        DenyCode.FIRM_HALTED,
        DenyCode.FUND_HALTED,
        DenyCode.STRATEGY_HALTED,
        DenyCode.VENUE_HALTED,
        DenyCode.SYMBOL_HALTED,
        DenyCode.DAILY_LOSS,
        DenyCode.WEEKLY_LOSS,
        DenyCode.MONTHLY_LOSS,
    ),
    inputs="the durable halt record, the fund's NAV at the start of day, week and month",
    on_failure="a record that can not be read halts the firm; a breach is latched until a resume",
    source="RTS 6 Art. 12 and 15; the limit itself counts as reached",
    controls=(24, 30),
    facts=("halts", "fund"),
)


@dataclass(frozen=True)
class DrawdownHaltGate(InlineGate):
    """Deny new risk under a halt, and from the moment that a loss limit is reached.

    A reduce-only order passes where every halt in force allows it, so that a fund can go flat.
    """

    name: str = "drawdown_halt"

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass when nothing stops the order's scopes, from the firm to its symbol."""
        reading: HaltReading = context["halts"]
        if reading.unreadable:
            return context.reject(
                DenyCode.HALT_STATE_UNREADABLE,
                f"the halt record can not be read: {reading.unreadable}",
            )
        halt = reading.stopping(order) if reading.active else None
        if halt is not None:
            return context.reject(
                reading.code_of(halt),
                f"{halt.scope} is halted: {halt.reason} (halt {halt.halt_id})",
                limit="reduce-only" if halt.reduce_only_allowed else "nothing",
                value=order.side.value,
            )
        return order.reduce_only or self._no_loss(envelope, context)

    def _no_loss(self, envelope: RiskEnvelope, context: RiskContext) -> bool:
        fund: FundState = context["fund"]
        if fund.breach is not None:
            return self._deny(fund.breach.breach, context)
        if fund.halted:
            return context.reject(
                DenyCode.FUND_HALTED,
                "the fund was halted and the halt record no longer says so; resume it",
                limit=fund.halt_epoch,
                value=context["halts"].epoch,
            )
        found = fund.loss(envelope)
        return found is None or self._deny(found, context)

    def _deny(self, breach: Breach, context: RiskContext) -> bool:
        return context.reject(breach.code, breach.reason, limit=breach.limit, value=breach.change)
