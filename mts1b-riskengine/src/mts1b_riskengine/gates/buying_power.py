"""A purchase must be paid for, fees included, after all that is open is paid."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope
from mts1b_foundation.limits import RiskLimits

from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import at_least_zero, finite, positive, reduces
from mts1b_riskengine.gates.inline import InlineGate

__all__ = ["CARD", "BuyingPowerGate"]

CARD = GateCard(
    gate="buying_power",
    asks="does the fund's cash cover this purchase and all open ones, with fees?",
    codes=(DenyCode.BUYING_POWER, DenyCode.CASH_UNKNOWN),
    inputs="cash of the last NAV moved by every fill since, open purchases, the order's value",
    on_failure="no cash figure, or one that is no number, denies; reducing passes",
    source="trading engines check free balance with fees; SEC 15c3-5(c)(1)(i)",
    controls=(16,),
    facts=("cash_usd", "open_purchases", "order_value"),
    limits=("buying_power_multiple",),
    reducing=False,
)

_BPS = Decimal(10_000)


@dataclass(frozen=True)
class BuyingPowerGate(InlineGate):
    """Deny a purchase that cash, times the multiple, does not cover.

    Short sales bring no buying power, and a sale does not until it has filled.
    """

    limits: RiskLimits
    name: str = "buying_power"
    _with_fees: Decimal = field(init=False, default=Decimal(1))

    def __post_init__(self) -> None:
        fees = self.limits.buying_power_fee_bps / _BPS
        object.__setattr__(self, "_with_fees", 1 + fees)

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass a sale, a reducing order, and a purchase that is covered."""
        multiple = self.limits.buying_power_multiple
        if multiple is None or order.side.sign < 0 or reduces(context):
            return True
        cash = finite(context["cash_usd"])
        open_value = at_least_zero(context["open_purchases"])
        value = positive(context["order_value"])
        if cash is None or open_value is None or value is None:
            return context.reject(
                DenyCode.CASH_UNKNOWN, "cash, open purchases or the order's value is not known"
            )
        needed = (open_value + value) * self._with_fees
        if needed <= cash * multiple:
            return True
        return context.reject(
            DenyCode.BUYING_POWER,
            "purchases with fees, open ones included",
            limit=cash * multiple,
            value=needed,
        )
