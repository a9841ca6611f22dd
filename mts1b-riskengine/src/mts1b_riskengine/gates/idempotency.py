"""One key, one order, for ever."""

from __future__ import annotations

from dataclasses import dataclass

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope

from mts1b_riskengine.decisions import Claim
from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.inline import InlineGate

__all__ = ["CARD", "IdempotencyGate"]

CARD = GateCard(
    gate="idempotency",
    asks="is the key new, or already used by another order?",
    codes=(DenyCode.DUPLICATE_KEY, DenyCode.KEY_REUSE_MISMATCH),
    inputs="the permanent record of decisions",
    on_failure="a record that can not be read denies",
    source="SEC 15c3-5 (duplicative orders); reliability ruling P1",
    controls=(1,),
    facts=("claim",),
)


@dataclass(frozen=True)
class IdempotencyGate(InlineGate):
    """Deny a key that another order holds.

    A five-minute window is the documented minimum; here a key stays taken for ever. The same
    order asked again never comes here: the engine answers it with its recorded decision.
    """

    name: str = "idempotency"

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass an order whose key nobody holds."""
        claim: Claim | None = context["claim"]
        if claim is None:
            return True
        if claim.idempotency_key != order.idempotency_key:
            return context.reject(
                DenyCode.KEY_REUSE_MISMATCH,
                f"order id {order.order_id} was decided under another idempotency key",
                limit=claim.idempotency_key,
                value=order.idempotency_key,
            )
        if claim.order_id != order.order_id and claim.same_economics:
            return context.reject(
                DenyCode.DUPLICATE_KEY,
                f"key {order.idempotency_key} belongs to order {claim.order_id}",
                limit=claim.order_id,
                value=order.order_id,
            )
        return context.reject(
            DenyCode.KEY_REUSE_MISMATCH,
            f"key {order.idempotency_key} belongs to an order with other terms "
            f"({claim.order_id}); use a new key",
            limit=claim.order_id,
            value=order.order_id,
        )
