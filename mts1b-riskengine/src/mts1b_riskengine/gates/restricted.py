"""No new risk in what compliance has listed."""

from __future__ import annotations

from dataclasses import dataclass, field

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope, Symbol
from mts1b_foundation.limits import RiskLimits

from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import reduces
from mts1b_riskengine.gates.inline import InlineGate

__all__ = ["CARD", "RestrictedGate"]

CARD = GateCard(
    gate="restricted",
    asks="is the symbol on the restricted list?",
    codes=(DenyCode.RESTRICTED,),
    inputs="limits.restricted",
    on_failure="the list is part of the configuration; a list that is no list does not load",
    source="SEC 15c3-5(c)(2)(i): restricted lists, sanctions, own issuer",
    controls=(4,),
    facts=(),
    limits=("restricted",),
    reducing=False,
)


@dataclass(frozen=True)
class RestrictedGate(InlineGate):
    """Deny new risk in a listed symbol; what is held may be reduced."""

    limits: RiskLimits
    name: str = "restricted"
    _listed: frozenset[Symbol] = field(init=False, default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "_listed", frozenset(self.limits.restricted))

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass a symbol that is not listed."""
        if order.symbol not in self._listed or reduces(context):
            return True
        return context.reject(
            DenyCode.RESTRICTED, "the symbol is restricted", value=str(order.symbol)
        )
