"""The price that everything else is measured with must itself be sound."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from mts1b_foundation import DenyCode, Order, Quote, RiskContext, RiskEnvelope
from mts1b_foundation.limits import RiskLimits

from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import positive, reduces
from mts1b_riskengine.gates.inline import InlineGate
from mts1b_riskengine.positions import Mark

__all__ = ["CARD", "ReferenceGate"]

CARD = GateCard(
    gate="reference",
    asks="is the reference fresh, the quote not crossed, the spread normal, the symbol trading?",
    codes=(
        DenyCode.REF_PRICE_TOO_OLD,
        DenyCode.REF_QUOTE_MISSING,
        DenyCode.REF_QUOTE_STALE,
        DenyCode.REF_QUOTE_CROSSED,
        DenyCode.REF_SPREAD_TOO_WIDE,
        DenyCode.INSTRUMENT_HALTED,
    ),
    inputs="the last price, the last quote, trading halts of the venue, the time",
    on_failure="no price or quote, or one that is no sound number, denies; reducing passes",
    source="FIA 2024: market data reasonability; reliability G5",
    controls=(9,),
    facts=("mark", "quote", "trading_halt", "now"),
    limits=("max_reference_age_s", "require_quote", "max_spread_pct"),
    reducing=False,
)


@dataclass(frozen=True)
class ReferenceGate(InlineGate):
    """Deny new risk on a price that is old, or a quote that is missing, crossed, wide or old."""

    limits: RiskLimits
    name: str = "reference"

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass an order whose reference is sound."""
        if reduces(context):
            return True
        halted = context["trading_halt"]
        if halted != "":
            return context.reject(
                DenyCode.INSTRUMENT_HALTED, "it does not trade, as far as is known", value=halted
            )
        return self._price(context) and self._quote(context)

    def _price(self, context: RiskContext) -> bool:
        limit, mark = self.limits.max_reference_age_s, context["mark"]
        if limit is None:
            return True
        if not isinstance(mark, Mark) or positive(mark.price) is None:
            return context.reject(
                DenyCode.REF_PRICE_TOO_OLD, "there is no sound last price", limit=limit, value=mark
            )
        return self._fresh(mark.as_of, limit, DenyCode.REF_PRICE_TOO_OLD, context)

    def _fresh(self, as_of: datetime, limit: float, code: DenyCode, context: RiskContext) -> bool:
        age = (context.now - as_of).total_seconds()
        if 0.0 <= age <= limit:
            return True
        return context.reject(code, "seconds since the price", limit=limit, value=age)

    def _quote(self, context: RiskContext) -> bool:
        limits = self.limits
        if not limits.require_quote and limits.max_spread_pct is None:
            return True
        quote = context["quote"]
        if not isinstance(quote, Quote):
            return context.reject(DenyCode.REF_QUOTE_MISSING, "no quote has been received")
        bid, ask = positive(quote.bid), positive(quote.ask)
        if bid is None or ask is None or bid >= ask:
            return context.reject(
                DenyCode.REF_QUOTE_CROSSED,
                "the quote is crossed, locked or no sound pair of prices",
                limit=quote.ask,
                value=quote.bid,
            )
        if not self._fresh(
            quote.timestamp, limits.max_quote_age_s, DenyCode.REF_QUOTE_STALE, context
        ):
            return False
        return self._narrow(bid, ask, context)

    def _narrow(self, bid: Decimal, ask: Decimal, context: RiskContext) -> bool:
        limit = self.limits.max_spread_pct
        width, height = 2 * (ask - bid), ask + bid
        if limit is None or width <= limit * height:
            return True
        return context.reject(
            DenyCode.REF_SPREAD_TOO_WIDE, "spread, of the mid", limit=limit, value=width / height
        )
