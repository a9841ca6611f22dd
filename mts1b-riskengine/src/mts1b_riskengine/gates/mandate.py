"""A strategy trades what its mandate lists, within the mandate's budget."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope
from mts1b_foundation.limits import Mandate, MandateStatus

from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import at_least_zero, positive, reduces
from mts1b_riskengine.gates.inline import InlineGate
from mts1b_riskengine.instruments import InstrumentFacts
from mts1b_riskengine.mandates import MandateTable

__all__ = ["CARD", "MandateGate"]

CARD = GateCard(
    gate="mandate",
    asks="does an active mandate let this strategy trade this symbol, within its budget?",
    codes=(
        DenyCode.NO_MANDATE,
        DenyCode.MANDATE_INACTIVE,
        DenyCode.MANDATE_SCOPE,
        DenyCode.MANDATE_BUDGET,
    ),
    inputs="mandates (or the strategies of the configuration), the classes that the fund trades, "
    "the strategy's book, the time",
    on_failure="no mandate, an unknown class, or a budget that can not be measured, denies; "
    "reducing passes",
    source="RTS 6 Art. 8 (deployment limits) and 15(4); FCA 2025: owner and operators",
    controls=(3, 27),
    facts=("mandate", "instrument", "order_value", "strategy_exposure", "orders_today", "now"),
    reducing=False,
)


_Caps = tuple[tuple[str, Decimal | None], ...]
_NO_CAPS: _Caps = (("gross", None), ("position", None))


@dataclass(frozen=True)
class MandateGate(InlineGate):
    """Deny what no active mandate covers.

    ``quiet``: a mandate that only follows from the configuration leaves no line where it passes.
    """

    mandates: MandateTable
    name: str = "mandate"

    @property
    def quiet(self) -> bool:
        """Return whether passing goes unrecorded."""
        return self.mandates.implicit or not self.mandates.required

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass a reducing order, and one that its mandate covers."""
        if reduces(context):
            return True
        return self._of_the_fund(order, context) and (
            not self.mandates.required or self._covered(order, context)
        )

    def _of_the_fund(self, order: Order, context: RiskContext) -> bool:
        members = self.mandates.members.get(order.fund_id)
        if members is not None and order.strategy_id not in members:
            return context.reject(
                DenyCode.NO_MANDATE,
                f"strategy is not among those that may trade for fund {order.fund_id}",
                limit=", ".join(sorted(members)),
                value=order.strategy_id,
            )
        classes = self.mandates.classes.get(order.fund_id)
        if classes is None:
            return True
        facts = context["instrument"]
        one = facts.asset_class if isinstance(facts, InstrumentFacts) else None
        if one in classes:
            return True
        return context.reject(
            DenyCode.MANDATE_SCOPE,
            f"asset class is outside of what fund {order.fund_id} trades",
            limit=", ".join(sorted(classes)) or "none",
            value=one,
        )

    def _covered(self, order: Order, context: RiskContext) -> bool:
        mandate = context["mandate"]
        if not isinstance(mandate, Mandate):
            return context.reject(
                DenyCode.NO_MANDATE,
                f"strategy {order.strategy_id} has no mandate for fund {order.fund_id}",
                value=order.strategy_id,
            )
        return (
            self._active(mandate, context)
            and self._in_scope(mandate, order, context)
            and self._within_budget(mandate, context)
        )

    def _active(self, mandate: Mandate, context: RiskContext) -> bool:
        now = context.now
        state: object = mandate.status
        if mandate.status is MandateStatus.ACTIVE:
            if mandate.valid_from is not None and now < mandate.valid_from:
                state = f"not before {mandate.valid_from.isoformat()}"
            elif mandate.valid_until is not None and now >= mandate.valid_until:
                state = f"ended {mandate.valid_until.isoformat()}"
            else:
                return isinstance(now, datetime)
        return context.reject(
            DenyCode.MANDATE_INACTIVE,
            f"mandate {mandate.mandate_id} of {mandate.owner} takes no new risk",
            limit=MandateStatus.ACTIVE,
            value=state,
        )

    def _in_scope(self, mandate: Mandate, order: Order, context: RiskContext) -> bool:
        venues, types = mandate.venues, mandate.order_types
        if not self.mandates.covers(mandate, order.symbol):
            word, limit, value = "symbol", mandate.symbols, order.symbol
        elif venues and order.broker not in venues:
            return self._outside(mandate, "venue", venues, order.broker, context)
        elif types and order.order_type not in types:
            return self._outside(mandate, "order type", types, order.order_type, context)
        else:
            return True
        return self._outside(mandate, word, limit, value, context)

    def _outside(
        self, mandate: Mandate, word: str, limit: object, value: object, context: RiskContext
    ) -> bool:
        shown = ", ".join(str(item) for item in limit) if isinstance(limit, list) else limit
        return context.reject(
            DenyCode.MANDATE_SCOPE,
            f"{word} is outside mandate {mandate.mandate_id} of {mandate.owner}",
            limit=shown,
            value=value,
        )

    def _within_budget(self, mandate: Mandate, context: RiskContext) -> bool:
        if mandate.max_order_usd is not None:
            value = positive(context["order_value"])
            if value is None or value > mandate.max_order_usd:
                return self._over(mandate, "order", mandate.max_order_usd, value, context)
        count = mandate.max_orders_per_day
        if count is not None:
            today = context["orders_today"]
            if type(today) is not int or not 0 <= today < count:
                return self._over(mandate, "orders of the day", count, today, context)
        caps = (("gross", mandate.max_gross_usd), ("position", mandate.max_position_usd))
        return caps == _NO_CAPS or self._within_exposure(mandate, caps, context)

    def _within_exposure(self, mandate: Mandate, caps: _Caps, context: RiskContext) -> bool:
        measured = context["strategy_exposure"]
        for word, cap in caps:
            if cap is None:
                continue
            after = at_least_zero(getattr(measured, word, None))
            if after is None or after > cap:
                return self._over(mandate, word, cap, after, context)
        return True

    def _over(
        self, mandate: Mandate, word: str, cap: Decimal | int, value: object, context: RiskContext
    ) -> bool:
        return context.reject(
            DenyCode.MANDATE_BUDGET,
            f"{word} against mandate {mandate.mandate_id} of {mandate.owner}"
            + ("" if value is not None else ": it can not be measured"),
            limit=cap,
            value=value,
        )
