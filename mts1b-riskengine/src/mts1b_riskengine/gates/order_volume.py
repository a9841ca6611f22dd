"""An order that the market can bear: against units, daily volume and what is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from mts1b_foundation import DenyCode, Order, Quote, RiskContext, RiskEnvelope, Symbol
from mts1b_foundation.limits import RiskLimits

from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import is_aware, positive, reduces
from mts1b_riskengine.gates.inline import InlineGate

__all__ = ["CARD", "OrderVolumeGate"]

CARD = GateCard(
    gate="order_volume",
    asks="is the order small against units allowed, mean daily volume and the size shown?",
    codes=(
        DenyCode.MAX_ADV,
        DenyCode.ADV_UNKNOWN,
        DenyCode.MAX_DISPLAYED,
        DenyCode.DISPLAYED_UNKNOWN,
    ),
    inputs="the mean daily volume of the last days, the last quote",
    on_failure="too few days, no quote, an old or a crossed one denies; reducing passes",
    source="RTS 6 Art. 15(1)(c)",
    controls=(6,),
    facts=("mean_volume", "quote", "now"),
    limits=(
        "max_adv_pct",
        "max_displayed_pct",
        "symbols.max_adv_pct",
        "symbols.max_order_quantity",
    ),
    reducing=False,
)


@dataclass(frozen=True)
class OrderVolumeGate(InlineGate):
    """Deny an order that is large against the market."""

    limits: RiskLimits
    name: str = "order_volume"
    _shares: dict[Symbol, Decimal] = field(init=False, default_factory=dict, repr=False)
    """The smaller of the symbol's own and the firm's share, where a symbol has its own."""

    def __post_init__(self) -> None:
        firm = self.limits.max_adv_pct
        for symbol, row in self.limits.symbols.items():
            own = row.max_adv_pct
            if own is not None:
                self._shares[symbol] = own if firm is None else min(own, firm)

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass an order at or below every share."""
        if reduces(context):
            return True
        row = self.limits.symbols.get(order.symbol)
        units = row.max_order_quantity if row is not None else None
        if units is not None and order.quantity > units:
            return context.reject(
                DenyCode.MAX_ADV, "units of one order", limit=units, value=order.quantity
            )
        share = self._shares.get(order.symbol, self.limits.max_adv_pct)
        return (share is None or self._of_volume(order, share, context)) and self._of_display(
            order, context
        )

    def _of_volume(self, order: Order, share: Decimal, context: RiskContext) -> bool:
        mean = positive(context["mean_volume"])
        if mean is None:
            return context.reject(
                DenyCode.ADV_UNKNOWN,
                f"the volume of {self.limits.adv_days} days is not known",
                limit=share,
                value=context["mean_volume"],
            )
        if order.quantity <= share * mean:
            return True
        return context.reject(
            DenyCode.MAX_ADV,
            "units against the mean daily volume",
            limit=share * mean,
            value=order.quantity,
        )

    def _of_display(self, order: Order, context: RiskContext) -> bool:
        share = self.limits.max_displayed_pct
        if share is None:
            return True
        quote = context["quote"]
        shown = self._shown(order, quote, context) if isinstance(quote, Quote) else None
        if shown is None:
            return context.reject(
                DenyCode.DISPLAYED_UNKNOWN, "no sound quote shows a size", limit=share
            )
        if order.quantity <= share * shown:
            return True
        return context.reject(
            DenyCode.MAX_DISPLAYED,
            "units against the size shown",
            limit=share * shown,
            value=order.quantity,
        )

    def _shown(self, order: Order, quote: Quote, context: RiskContext) -> Decimal | None:
        """Return the size at the touch that the order would take, None for an unsound quote."""
        bid, ask = positive(quote.bid), positive(quote.ask)
        if bid is None or ask is None or bid >= ask or not is_aware(quote.timestamp):
            return None
        age = (context.now - quote.timestamp).total_seconds()
        if not 0.0 <= age <= self.limits.max_quote_age_s:
            return None
        size = quote.ask_size if order.side.sign > 0 else quote.bid_size
        return Decimal(size) if type(size) is int and size > 0 else None
