"""An optional second opinion that can only say no."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope

from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.isolation import Answered, Failed, Outcome, TimedOut, isolate
from mts1b_riskengine.policy import Absence, RiskPolicy

__all__ = ["CARD", "CroOpinion", "CroVeto", "CroVetoGate"]

CARD = GateCard(
    gate="cro_veto",
    asks="does the CRO opinion object with enough confidence?",
    codes=(DenyCode.CRO_VETO, DenyCode.CRO_UNAVAILABLE),
    inputs="an injected callable, asked before the transaction, only when the envelope enables it",
    on_failure="no answer in cro_veto_timeout_s denies, unless policy.cro_absence is `pass`",
    source="reliability G7: deny-only and time-boxed; the documented default was to fail open",
    controls=(31,),
    facts=("cro_outcome",),
)


@dataclass(frozen=True, slots=True)
class CroOpinion:
    """An opinion; ``confidence`` is in 0..1 and a veto below the threshold is not one."""

    veto: bool
    confidence: float
    reason: str = ""

    @property
    def is_sound(self) -> bool:
        """Return whether the opinion is what it claims; NaN is not."""
        return type(self.veto) is bool and 0.0 <= self.confidence <= 1.0


class CroVeto(Protocol):
    """Give an opinion on an order. It may do I/O; it can not approve, widen or change anything."""

    async def __call__(self, order: Order, envelope: RiskEnvelope) -> CroOpinion:
        """Return the opinion."""
        ...


@dataclass(frozen=True)
class CroVetoGate:
    """Deny what the CRO opinion vetoes, where the envelope enables the veto.

    Deviation: the documented gate fails open. Here an opinion that is missing, late or malformed
    denies; failing open takes an explicit ``RiskPolicy(cro_absence="pass")``.
    """

    veto: CroVeto | None = None
    name: str = "cro_veto"
    inline: ClassVar[bool] = True

    async def prepare(self, order: Order, envelope: RiskEnvelope) -> Mapping[str, Any]:
        """Ask for the opinion, outside of any transaction; return it as a fact."""
        if not envelope.cro_veto_enabled:
            return {}
        return {"cro_outcome": await self._ask(order, envelope)}

    async def check(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass when the veto is not enabled, or the opinion does not object."""
        if not envelope.cro_veto_enabled:
            return True
        outcome: Outcome | None = context.get("cro_outcome")
        if outcome is None:
            outcome = await self._ask(order, envelope)
        if not isinstance(outcome, Answered) or not _is_opinion(outcome.value):
            return self._absent(_problem(outcome), context)
        opinion: CroOpinion = outcome.value
        if opinion.veto and opinion.confidence >= envelope.cro_veto_confidence_threshold:
            return context.reject(
                DenyCode.CRO_VETO,
                opinion.reason or "vetoed",
                limit=envelope.cro_veto_confidence_threshold,
                value=opinion.confidence,
            )
        return True

    async def _ask(self, order: Order, envelope: RiskEnvelope) -> Outcome:
        veto = self.veto
        if veto is None:
            return Failed("no CRO is configured")
        return await isolate(lambda: veto(order, envelope), budget_s=envelope.cro_veto_timeout_s)

    def _absent(self, problem: str, context: RiskContext) -> bool:
        policy: RiskPolicy = context["policy"]
        if policy.cro_absence is Absence.PASS:
            return True
        return context.reject(DenyCode.CRO_UNAVAILABLE, problem)


def _is_opinion(value: object) -> bool:
    return isinstance(value, CroOpinion) and value.is_sound


def _problem(outcome: Outcome) -> str:
    match outcome:
        case TimedOut(budget_s):
            return f"no opinion within {budget_s} s"
        case Failed(error):
            return f"no opinion: {error}"
        case Answered(value):
            return f"not a sound opinion: {value!r}"
