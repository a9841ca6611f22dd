"""How long an order may wait and live."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope
from mts1b_foundation.limits import RiskLimits

from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import is_aware
from mts1b_riskengine.gates.inline import InlineGate

__all__ = ["CARD", "OrderLifeGate"]

CARD = GateCard(
    gate="order_life",
    asks="is the time in force supported, the order young, its expiry within reach?",
    codes=(DenyCode.TIF_NOT_ALLOWED, DenyCode.ORDER_TOO_OLD, DenyCode.GTD_OUT_OF_RANGE),
    inputs="the order, the time",
    on_failure="an order of the future or of an unknown age denies",
    source="trading engines deny GTD in the past, unsupported TIF and orders that waited too long",
    controls=(21,),
    facts=("now",),
    limits=("allowed_tifs", "max_order_age_s", "max_gtd_days"),
)


@dataclass(frozen=True)
class OrderLifeGate(InlineGate):
    """Deny an order that waited too long, or would live too long, or in an unsupported way."""

    limits: RiskLimits
    name: str = "order_life"

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass an order whose life fits the limits."""
        tifs = self.limits.allowed_tifs
        if tifs and order.tif not in tifs:
            return context.reject(
                DenyCode.TIF_NOT_ALLOWED,
                "time in force",
                limit=", ".join(tif.value for tif in tifs),
                value=order.tif.value,
            )
        now = context.now
        if not is_aware(now):
            return context.reject(DenyCode.ORDER_TOO_OLD, "the time is not known", value=now)
        return self._young(order, now, context) and self._in_reach(order, now, context)

    def _young(self, order: Order, now: datetime, context: RiskContext) -> bool:
        limit = self.limits.max_order_age_s
        if limit is None:
            return True
        age = (now - order.created_at).total_seconds()
        if -limit <= age <= limit:
            return True
        return context.reject(
            DenyCode.ORDER_TOO_OLD, "seconds since the order was made", limit=limit, value=age
        )

    def _in_reach(self, order: Order, now: datetime, context: RiskContext) -> bool:
        days = self.limits.max_gtd_days
        if days is None or order.expires_at is None:
            return True
        if now < order.expires_at <= now + timedelta(days=days):
            return True
        return context.reject(
            DenyCode.GTD_OUT_OF_RANGE,
            "expiry",
            limit=f"within {days} days",
            value=order.expires_at.isoformat(),
        )
