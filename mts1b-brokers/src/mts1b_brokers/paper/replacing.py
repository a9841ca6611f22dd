"""Change an open order in one act: its total quantity and its limit."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from mts1b_foundation import Order

from mts1b_brokers.errors import BrokerRefused
from mts1b_brokers.paper.profile import VenueProfile
from mts1b_brokers.paper.state import Terms, WorkingOrder

__all__ = ["replaced"]


def replaced(
    working: WorkingOrder,
    *,
    quantity: Decimal,
    limit_price: Decimal | None,
    now: datetime,
    profile: VenueProfile,
    broker_order_id: str,
) -> WorkingOrder:
    """Return the order with a new total quantity and limit.

    What is filled already counts towards ``quantity``. A limit of None leaves the one that is
    there. The order arrives anew: no bar that opened before fills it at its new terms.

    :raises BrokerRefused: ``TOO_LATE`` when it has ended or its time is over, ``BELOW_FILLED``
        when no open quantity would be left, ``INVALID_REPLACE`` when the order can not have such
        terms.
    """
    order = working.order
    limit = order.limit_price if limit_price is None else limit_price
    _require_in_time(order, now)
    _require_possible(order, quantity, limit)
    changed = order.with_(quantity=quantity, limit_price=limit, broker_order_id=broker_order_id)
    before = Terms(order.broker_order_id or "", order.quantity, order.limit_price)
    return working._replace(
        order=changed,
        arrives_at=now + profile.latency,
        earlier=(*working.earlier, before),
    )


def _require_in_time(order: Order, now: datetime) -> None:
    if order.expires_at is not None and order.expires_at <= now:
        raise BrokerRefused(
            f"the time of order {order.order_id} ended at {order.expires_at.isoformat()}, so "
            "nothing is left to replace",
            code="TOO_LATE",
        )


def _require_possible(order: Order, quantity: Decimal, limit: Decimal | None) -> None:
    if order.is_terminal:
        raise BrokerRefused(
            f"order {order.order_id} is {order.status.value} with {order.filled_quantity} filled, "
            "so nothing is left to replace",
            code="TOO_LATE",
        )
    if not quantity.is_finite() or quantity <= 0:
        raise BrokerRefused(
            f"quantity must be a positive number, not {quantity}", code="INVALID_REPLACE"
        )
    if quantity <= order.filled_quantity:
        raise BrokerRefused(
            f"order {order.order_id} has {order.filled_quantity} filled, so a total of {quantity} "
            "leaves nothing open; cancel it instead",
            code="BELOW_FILLED",
        )
    if limit is None:
        return
    if not order.order_type.needs_limit_price or not limit.is_finite() or limit <= 0:
        raise BrokerRefused(
            f"a {order.order_type.value} order can not have the limit {limit}",
            code="INVALID_REPLACE",
        )
