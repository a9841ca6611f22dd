"""Values that the venue makes of parts that were validated when they came in.

Nothing is validated twice: what a client or an operator states goes through ``with_`` or the
model itself, and only what the venue works out from that comes here.
"""

from __future__ import annotations

from typing import Any, TypeVar

from mts1b_foundation import Fill, FrozenModel, Order

__all__ = ["made_fill", "moved_order"]

M = TypeVar("M", bound=FrozenModel)

_FILL_FIELDS = set(Fill.model_fields)
_ORDER_FIELDS = set(Order.model_fields)


def made_fill(values: dict[str, Any]) -> Fill:
    """Return a fill with these values, one for each of its fields."""
    return _made(Fill, values, _FILL_FIELDS)


def moved_order(order: Order, **changes: Any) -> Order:
    """Return an order after a step of its own life: status, filled quantity, average price."""
    return _made(Order, order.__dict__ | changes, _ORDER_FIELDS)


def _made(kind: type[M], values: dict[str, Any], fields: set[str]) -> M:
    model, put = kind.__new__(kind), object.__setattr__
    put(model, "__dict__", values)
    put(model, "__pydantic_fields_set__", fields)
    put(model, "__pydantic_extra__", None)
    put(model, "__pydantic_private__", None)
    return model
