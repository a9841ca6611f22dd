"""Values that the venue makes of parts that were validated when they came in.

Nothing is validated twice: what a client or an operator states goes through ``with_`` or the
model itself, and only what the venue works out from that comes here.
"""

from __future__ import annotations

from typing import Any, TypeVar

from mts1b_foundation import Fill, FrozenModel, Order

__all__ = ["made", "moved"]

M = TypeVar("M", bound=FrozenModel)

_FIELDS: dict[type[FrozenModel], set[str]] = {
    kind: set(kind.model_fields) for kind in (Fill, Order)
}


def made(kind: type[M], values: dict[str, Any]) -> M:
    """Return a fill or an order with these values, one for each of its fields."""
    model, put = kind.__new__(kind), object.__setattr__
    put(model, "__dict__", values)
    put(model, "__pydantic_fields_set__", _FIELDS[kind])
    put(model, "__pydantic_extra__", None)
    put(model, "__pydantic_private__", None)
    return model


def moved(order: Order, **changes: Any) -> Order:
    """Return an order after a step of its own life: status, filled quantity, average price."""
    return made(Order, order.__dict__ | changes)
