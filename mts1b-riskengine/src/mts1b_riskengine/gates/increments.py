"""Ticks, lots and least notionals: what does not fit is denied, never rounded."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope
from mts1b_foundation.limits import RiskLimits

from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import at_least_zero, positive, reduces
from mts1b_riskengine.gates.inline import InlineGate
from mts1b_riskengine.instruments import InstrumentFacts

__all__ = ["CARD", "IncrementsGate"]

CARD = GateCard(
    gate="increments",
    asks="do price and size fit the instrument's tick, lot and least notional?",
    codes=(
        DenyCode.TICK_SIZE,
        DenyCode.LOT_SIZE,
        DenyCode.MIN_NOTIONAL,
        DenyCode.INCREMENTS_UNKNOWN,
    ),
    inputs="the listed instrument, limits.symbols, the order's value",
    on_failure="an increment that is not known denies; nothing is rounded, so no risk is added",
    source="venue rules; trading engines check precision before the wire",
    controls=(7,),
    facts=("instrument", "order_value"),
    limits=(
        "check_increments",
        "symbols.tick_size",
        "symbols.lot_size",
        "symbols.minimum_notional",
    ),
)


@dataclass(frozen=True)
class IncrementsGate(InlineGate):
    """Deny a price off the tick, a size off the lot, a value below the least."""

    limits: RiskLimits
    name: str = "increments"

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass an order whose numbers the venue can take as they are.

        The rest of a position may be smaller than the least notional: it can still be closed.
        """
        facts = context["instrument"]
        row = self.limits.symbols.get(order.symbol)
        if row is None and not self.limits.check_increments:
            return True
        listed = facts if isinstance(facts, InstrumentFacts) else None
        tick = (row and row.tick_size) or (listed and listed.tick_size)
        lot = (row and row.lot_size) or (listed and listed.lot_size)
        return self._fits(order, tick, lot, context) and (
            reduces(context) or self._large_enough(order, listed, context)
        )

    def _fits(self, order: Order, tick: object, lot: object, context: RiskContext) -> bool:
        for price in (order.limit_price, order.stop_price):
            if price is not None and not self._whole(
                price, tick, DenyCode.TICK_SIZE, "price", context
            ):
                return False
        return self._whole(order.quantity, lot, DenyCode.LOT_SIZE, "quantity", context)

    def _whole(
        self, value: Decimal, step: object, code: DenyCode, word: str, context: RiskContext
    ) -> bool:
        size = positive(step)
        if size is None:
            if not self.limits.check_increments and step is None:
                return True
            return context.reject(
                DenyCode.INCREMENTS_UNKNOWN, f"the step of {word} is not known", value=step
            )
        if value % size == 0:
            return True
        return context.reject(code, f"{word} is no multiple", limit=size, value=value)

    def _large_enough(
        self, order: Order, listed: InstrumentFacts | None, context: RiskContext
    ) -> bool:
        row = self.limits.symbols.get(order.symbol)
        least: object = row.minimum_notional if row is not None else None
        if least is None and self.limits.check_increments:
            least = listed.minimum_notional if listed is not None else None
        if least is None and not self.limits.check_increments:
            return True
        floor, value = at_least_zero(least), positive(context["order_value"])
        if floor is None or value is None:
            return context.reject(
                DenyCode.INCREMENTS_UNKNOWN, "the notional can not be judged", limit=least
            )
        if value >= floor:
            return True
        return context.reject(DenyCode.MIN_NOTIONAL, "notional", limit=floor, value=value)
