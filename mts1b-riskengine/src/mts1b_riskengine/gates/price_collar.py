"""A price may be only so far from the market, on the side that costs money."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope, Symbol
from mts1b_foundation.limits import RiskLimits

from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import positive, reduces, soft_block
from mts1b_riskengine.gates.inline import InlineGate
from mts1b_riskengine.positions import Mark

__all__ = ["CARD", "PriceCollarGate"]

CARD = GateCard(
    gate="price_collar",
    asks="is the order's price near the reference, now and over the last minutes?",
    codes=(
        DenyCode.PRICE_COLLAR,
        DenyCode.PRICE_COLLAR_PERIOD,
        DenyCode.PRICE_COLLAR_SOFT,
        DenyCode.COLLAR_REFERENCE,
    ),
    soft=(DenyCode.PRICE_COLLAR_SOFT,),
    inputs="limit and stop price, the price the caller saw, the references of the period",
    on_failure="no sound reference denies new risk; a reducing order without a price passes",
    source="RTS 6 Art. 15(1)(a): per order and over a period; SEC 15c3-5(c)(1)(ii)",
    controls=(8, 29),
    facts=("mark", "reference_range", "now"),
    limits=("collar_pct", "collar_period_pct", "symbols.collar_pct"),
)


@dataclass(frozen=True)
class PriceCollarGate(InlineGate):
    """Deny a price that is too far on the costly side: a buy above, a sale below.

    An order without a price of its own is measured by the reference that its sender saw, so a
    market that has run away since is noticed.
    """

    limits: RiskLimits
    name: str = "price_collar"
    _hards: dict[Symbol, Decimal] = field(init=False, default_factory=dict, repr=False)
    """The narrower of the symbol's own and the firm's collar, where a symbol has its own."""

    def __post_init__(self) -> None:
        firm = self.limits.collar_pct
        for symbol, row in self.limits.symbols.items():
            own = row.collar_pct
            if own is not None:
                self._hards[symbol] = own if firm is None else min(own, firm)

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass an order whose prices lie within the collars."""
        mark = context["mark"]
        reference = _reference(mark, context) if isinstance(mark, Mark) else None
        if reference is None:
            if reduces(context) and order.limit_price is None:
                return True
            return context.reject(DenyCode.COLLAR_REFERENCE, "no sound reference price", value=mark)
        worst = _worst(order, reference)
        return self._per_order(order, worst, reference, context) and self._over_period(
            order, worst, context
        )

    def _per_order(
        self, order: Order, worst: Decimal, reference: Decimal, context: RiskContext
    ) -> bool:
        hard = self._hards.get(order.symbol, self.limits.collar_pct)
        if hard is None:
            return True
        excess = max(_excess(order.side.sign, worst, reference), _moved(order, reference))
        if excess > hard:
            return context.reject(
                DenyCode.PRICE_COLLAR,
                f"price beyond the reference {reference}",
                limit=hard,
                value=excess,
            )
        soft = self.limits.collar_soft_pct
        if soft is None or excess <= soft:
            return True
        return soft_block(
            context,
            DenyCode.PRICE_COLLAR_SOFT,
            f"price beyond the reference {reference}",
            limit=soft,
            value=excess,
        )

    def _over_period(self, order: Order, worst: Decimal, context: RiskContext) -> bool:
        limit = self.limits.collar_period_pct
        if limit is None:
            return True
        lowest, highest = context["reference_range"] or (None, None)
        low, high, sign = positive(lowest), positive(highest), order.side.sign
        base = low if sign > 0 else high
        if base is None or low is None or high is None:
            if reduces(context) and order.limit_price is None:
                return True
            return context.reject(
                DenyCode.COLLAR_REFERENCE, "no references of the period", value=base
            )
        excess = _excess(sign, worst, base)
        if low <= high and excess <= limit:
            return True
        return context.reject(
            DenyCode.PRICE_COLLAR_PERIOD,
            f"price beyond {base}, the reference {self.limits.collar_period_s:g} s back",
            limit=limit,
            value=excess,
        )


def _reference(mark: Mark, context: RiskContext) -> Decimal | None:
    """Return the last price where it is sound and fresh."""
    intervals = context["policy"].stale_after_intervals
    now = context.now
    fresh = mark.as_of <= now and not mark.is_stale(now, intervals)
    return positive(mark.price) if fresh else None


def _worst(order: Order, reference: Decimal) -> Decimal:
    """Return the costliest price that the order may trade at: its own ones, or the reference."""
    limit, stop = order.limit_price, order.stop_price
    if limit is None or stop is None:
        return limit or stop or reference
    return max(limit, stop) if order.side.sign > 0 else min(limit, stop)


def _excess(sign: int, price: Decimal, reference: Decimal) -> Decimal:
    """Return how far a price lies on the costly side, as a fraction; negative: on the good one."""
    return sign * (price - reference) / reference


def _moved(order: Order, reference: Decimal) -> Decimal:
    """Return how far the market has moved, either way, from what the sender saw."""
    seen = order.reference_price
    if seen is None or order.limit_price is not None or order.stop_price is not None:
        return Decimal(0)
    return abs(reference - seen) / seen
