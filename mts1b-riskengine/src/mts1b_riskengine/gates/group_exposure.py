"""Caps of one symbol over all funds, and of a foreign currency within a fund."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope
from mts1b_foundation.limits import RiskLimits

from mts1b_riskengine.firm import GroupExposure
from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import at_least_zero, positive, reduces
from mts1b_riskengine.gates.inline import InlineGate

__all__ = ["CARD", "GroupExposureGate"]

CARD = GateCard(
    gate="group_exposure",
    asks="do the symbol over all funds, and its currency in this one, stay within their caps?",
    codes=(DenyCode.MAX_SYMBOL_POSITION, DenyCode.MAX_CURRENCY),
    inputs="positions, working and reserved orders of all funds, last prices, NAV, the currency",
    on_failure="an exposure, a NAV or a currency that is not known denies; reducing passes",
    source="RTS 6 Art. 15(2), (4); SEC 15c3-5(c)(1)(i)",
    controls=(12, 13, 14),
    facts=("symbol_exposure", "currency_exposure", "nav_usd"),
    limits=(
        "max_currency_pct",
        "symbols.max_position_quantity",
        "symbols.max_position_usd",
    ),
    reducing=False,
)


@dataclass(frozen=True)
class GroupExposureGate(InlineGate):
    """Deny what would carry a symbol or a currency over its cap."""

    limits: RiskLimits
    name: str = "group_exposure"

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass a reducing order, and one after which every cap holds."""
        if reduces(context):
            return True
        return self._symbol(order, context) and self._currency(context)

    def _symbol(self, order: Order, context: RiskContext) -> bool:
        row = self.limits.symbols.get(order.symbol)
        units = row.max_position_quantity if row is not None else None
        value = row.max_position_usd if row is not None else None
        if units is None and value is None:
            return True
        exposure = context["symbol_exposure"]
        for word, cap, in_units in (("units", units, True), ("value", value, False)):
            if cap is not None and not _holds(exposure, cap, in_units=in_units):
                return context.reject(
                    DenyCode.MAX_SYMBOL_POSITION,
                    f"{word} of {order.symbol} over all funds, open orders included",
                    limit=cap,
                    value=getattr(exposure, word, None),
                )
        return True

    def _currency(self, context: RiskContext) -> bool:
        share = self.limits.max_currency_pct
        if share is None:
            return True
        nav, exposure = positive(context["nav_usd"]), context["currency_exposure"]
        cap = share * nav if nav is not None else None
        if cap is not None and _holds(exposure, cap):
            return True
        return context.reject(
            DenyCode.MAX_CURRENCY,
            "exposure in the currency of the order, open orders included",
            limit=cap,
            value=getattr(exposure, "value", None),
        )


def _holds(exposure: object, cap: Decimal, *, in_units: bool = False) -> bool:
    """Return whether a known exposure is within its cap."""
    if not isinstance(exposure, GroupExposure):
        return False
    after, unit_value = at_least_zero(exposure.value), positive(exposure.unit_value)
    if after is None or unit_value is None:
        return False
    return after <= (cap * unit_value if in_units else cap)
