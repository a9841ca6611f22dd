"""How long an order may wait here before it leaves."""

from __future__ import annotations

from datetime import timedelta

from mts1b_foundation.orders import Order, TimeInForce

from mts1b_oms.unit import Unit

__all__ = ["is_of_another_day"]

_LASTING = frozenset({TimeInForce.GTC, TimeInForce.GTD})
_A_DAY = timedelta(days=1)


async def is_of_another_day(unit: Unit, order: Order) -> bool:
    """Return whether an order that lives for a day has waited here for longer.

    No calendar is asked: a day has passed, whichever session was meant. What it was made of may be
    older, as the bar of a Friday is on Monday.
    """
    if order.tif in _LASTING or unit.now - order.created_at <= _A_DAY:
        return False
    asked = await unit.asked_at(order.order_id)
    return asked is not None and unit.now - asked > _A_DAY
