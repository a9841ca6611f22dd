"""The order is what its type says."""

from __future__ import annotations

from dataclasses import dataclass

from mts1b_foundation import DenyCode, Order, OrderStatus, RiskContext, RiskEnvelope
from pydantic import TypeAdapter, ValidationError

from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.inline import InlineGate

__all__ = ["CARD", "SchemaGate"]

CARD = GateCard(
    gate="schema",
    asks="is it a valid, unexpired order that has not been at a venue?",
    codes=(DenyCode.SCHEMA_INVALID,),
    inputs="the order, the time",
    on_failure="anything that is no valid order denies",
    source="RTS 6 Art. 15; an object built without validation is no order",
    controls=(21, 23),
    facts=("now",),
)

_VALIDATE = TypeAdapter(Order).validator.validate_python
_FRESH = frozenset({OrderStatus.CREATED, OrderStatus.PENDING_RISK, OrderStatus.APPROVED})


@dataclass(frozen=True)
class SchemaGate(InlineGate):
    """Validate the order again: a caller in this process can have built it unvalidated."""

    name: str = "schema"

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass a valid order for this envelope's fund that is still to be sent."""
        try:
            _VALIDATE(order.__dict__)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "order"
            return context.reject(
                DenyCode.SCHEMA_INVALID, f"{where}: {first['msg']}", value=first.get("input")
            )
        if order.status not in _FRESH:
            return context.reject(
                DenyCode.SCHEMA_INVALID,
                f"an order that is {order.status.value} can not be sent again",
                limit=", ".join(sorted(status.value for status in _FRESH)),
                value=order.status.value,
            )
        if order.fund_id != envelope.fund_id:
            return context.reject(
                DenyCode.SCHEMA_INVALID,
                f"the envelope is of fund {envelope.fund_id}",
                limit=envelope.fund_id,
                value=order.fund_id,
            )
        if order.expires_at is not None and order.expires_at <= context.now:
            return context.reject(
                DenyCode.SCHEMA_INVALID,
                "the order has expired",
                limit=order.expires_at.isoformat(),
                value=context.now.isoformat(),
            )
        return True
