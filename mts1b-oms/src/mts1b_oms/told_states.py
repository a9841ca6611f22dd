"""Which event tells of an order that enters a state."""

from __future__ import annotations

from collections.abc import Mapping

from mts1b_foundation.nats import (
    OMS_ORDERS_ACCEPTED,
    OMS_ORDERS_CANCELED,
    OMS_ORDERS_CREATED,
    OMS_ORDERS_EXPIRED,
    OMS_ORDERS_FILLED,
    OMS_ORDERS_REJECTED,
    OMS_ORDERS_SUBMITTED,
    OMS_ORDERS_UNKNOWN,
)
from mts1b_foundation.orders import OrderStatus

__all__ = ["SUBJECT_OF"]

SUBJECT_OF: Mapping[OrderStatus, str] = {
    OrderStatus.CREATED: OMS_ORDERS_CREATED,
    OrderStatus.SUBMITTED: OMS_ORDERS_SUBMITTED,
    OrderStatus.ACCEPTED: OMS_ORDERS_ACCEPTED,
    OrderStatus.FILLED: OMS_ORDERS_FILLED,
    OrderStatus.REJECTED: OMS_ORDERS_REJECTED,
    OrderStatus.CANCELED: OMS_ORDERS_CANCELED,
    OrderStatus.EXPIRED: OMS_ORDERS_EXPIRED,
    OrderStatus.UNKNOWN: OMS_ORDERS_UNKNOWN,
}
"""The event that tells of an order entering a state; other states have none."""
