"""What the whole firm may have at risk, over all its funds."""

from __future__ import annotations

from dataclasses import dataclass

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope
from mts1b_foundation.limits import RiskLimits

from mts1b_riskengine.firm import FirmExposure
from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import at_least_zero, reduces
from mts1b_riskengine.gates.inline import InlineGate

__all__ = ["CARD", "FirmCapitalGate"]

CARD = GateCard(
    gate="firm_capital",
    asks="do gross and net exposure of all funds together stay within the firm's capital?",
    codes=(DenyCode.FIRM_CAPITAL, DenyCode.FIRM_EXPOSURE_UNKNOWN),
    inputs="positions, working and reserved orders of every fund, last prices",
    on_failure="an exposure that is no number denies; reducing passes",
    source="SEC 15c3-5(c)(1)(i): pre-set credit and capital thresholds in the aggregate (Knight)",
    controls=(13, 15),
    facts=("firm_exposure",),
    limits=("firm_max_gross_usd", "firm_max_net_usd"),
    reducing=False,
)


@dataclass(frozen=True)
class FirmCapitalGate(InlineGate):
    """Deny what would carry the firm over its capital thresholds."""

    limits: RiskLimits
    name: str = "firm_capital"

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass a reducing order, and one after which both thresholds hold."""
        if reduces(context):
            return True
        exposure = context["firm_exposure"]
        caps = (("gross", self.limits.firm_max_gross_usd), ("net", self.limits.firm_max_net_usd))
        for measure, cap in caps:
            if cap is None:
                continue
            known = isinstance(exposure, FirmExposure)
            after = at_least_zero(getattr(exposure, measure)) if known else None
            if after is None:
                return context.reject(
                    DenyCode.FIRM_EXPOSURE_UNKNOWN, f"{measure} exposure is not known", limit=cap
                )
            if after > cap:
                return context.reject(
                    DenyCode.FIRM_CAPITAL,
                    f"{measure} exposure of all funds, open orders included",
                    limit=cap,
                    value=after,
                )
        return True
