"""How long an order may wait here before it leaves."""

from __future__ import annotations

from datetime import timedelta

from mts1b_foundation.orders import Order, TimeInForce

from mts1b_oms.unit import Unit

__all__ = ["why_over"]

_LASTING = frozenset({TimeInForce.GTC, TimeInForce.GTD})
_A_DAY = timedelta(days=1)


async def why_over(unit: Unit, order: Order) -> str:
    """Return why the time of an order was over before it left; nothing where it is not.

    No calendar is asked of one that lives for a day: a day has passed, whichever session was
    meant. What it was made of may be older, as the bar of a Friday is on Monday.
    """
    if order.expires_at is not None and unit.now >= order.expires_at:
        return f"its time ended at {order.expires_at.isoformat()}"
    if order.tif in _LASTING or unit.now - order.created_at <= _A_DAY:
        return ""
    asked = await unit.asked_at(order.order_id)
    return "it waited for a day" if asked is not None and unit.now - asked > _A_DAY else ""
