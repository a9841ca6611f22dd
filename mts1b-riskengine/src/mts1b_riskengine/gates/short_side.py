"""Selling what one does not hold."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope, Side

from mts1b_riskengine.borrow import BorrowQuote
from mts1b_riskengine.exposure import ExposureProbe
from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import at_least_zero
from mts1b_riskengine.gates.inline import InlineGate

__all__ = ["CARD", "ShortSideGate"]

CARD = GateCard(
    gate="short_side",
    asks="may the fund go short here, at this borrow fee, with shares located?",
    codes=(
        DenyCode.SHORTING_DISABLED,
        DenyCode.BORROW_FEE_TOO_HIGH,
        DenyCode.BORROW_NOT_LOCATED,
    ),
    inputs="the envelope, open orders, the borrow desk",
    on_failure="an unknown or non-finite fee denies",
    source="Regulation SHO Rule 203(b) (locate)",
    controls=(17,),
    facts=("exposure", "borrow"),
)


@dataclass(frozen=True)
class ShortSideGate(InlineGate):
    """Judge a SHORT, and a SELL that would sell more than the position and its open sells."""

    name: str = "short_side"

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass an order that opens no short, or one that the envelope and the desk permit."""
        probe = context["exposure"]
        if not isinstance(probe, ExposureProbe):
            raise TypeError("the exposure of the fund is not known")
        if order.side is not Side.SHORT and not probe.opens_short:
            return True
        if not envelope.enable_shorting:
            return context.reject(
                DenyCode.SHORTING_DISABLED,
                "the order opens a short position",
                limit=probe.line.quantity - probe.line.open_sell,
                value=order.signed_quantity,
            )
        return self._borrowable(envelope, context)

    def _borrowable(self, envelope: RiskEnvelope, context: RiskContext) -> bool:
        quote: BorrowQuote | None = context["borrow"]
        ceiling = Decimal(str(envelope.max_short_fee_bps))
        if quote is None or at_least_zero(quote.fee_bps) is None:
            return context.reject(
                DenyCode.BORROW_FEE_TOO_HIGH, "no borrow fee is known", limit=ceiling
            )
        if quote.fee_bps > ceiling:
            return context.reject(
                DenyCode.BORROW_FEE_TOO_HIGH,
                "borrow fee in bps a year",
                limit=ceiling,
                value=quote.fee_bps,
            )
        if envelope.require_borrow_locate and not quote.located:
            return context.reject(
                DenyCode.BORROW_NOT_LOCATED, "no shares are located", limit=True, value=False
            )
        return True
