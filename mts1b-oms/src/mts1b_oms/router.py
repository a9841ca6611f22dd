"""Where an order goes and how a slice of a parent is priced: policy as small tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from mts1b_foundation.orders import Order, OrderType
from mts1b_foundation.risk import DenyCode

from mts1b_oms.errors import OrderRefused

__all__ = ["MAX_OFFSET_BPS", "PricingRule", "RoutingTable", "Urgency", "priced"]

MAX_OFFSET_BPS = Decimal(50)
"""The furthest that a routed price may lie from the reference price."""

_CENT = Decimal("0.01")


class Urgency(StrEnum):
    """Say what matters more: the price (patient) or the execution (urgent)."""

    PATIENT = "patient"
    BALANCED = "balanced"
    URGENT = "urgent"


@dataclass(frozen=True, slots=True)
class PricingRule:
    """An order type, and an offset in basis points in the order's disfavour (negative: better)."""

    order_type: OrderType
    offset_bps: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        if abs(self.offset_bps) > MAX_OFFSET_BPS:
            raise ValueError(
                f"offset {self.offset_bps} bps exceeds the limit of {MAX_OFFSET_BPS} bps"
            )


PRICING: Mapping[Urgency, PricingRule] = MappingProxyType(
    {
        Urgency.PATIENT: PricingRule(OrderType.LIMIT, Decimal(-5)),
        Urgency.BALANCED: PricingRule(OrderType.MARKETABLE_LIMIT, Decimal(10)),
        Urgency.URGENT: PricingRule(OrderType.MARKET),
    }
)
"""Maker first: only an urgent order gives up its price."""


def priced(order: Order, urgency: Urgency, rules: Mapping[Urgency, PricingRule] = PRICING) -> Order:
    """Return ``order`` with the type and limit price that the policy gives it.

    The limit is the reference price moved by the rule's offset, rounded to a cent toward the
    reference price's safe side: a buy never pays more than the exact figure.

    :raises OrderRefused: when the rule needs a reference price and the order has none.
    """
    rule = rules[urgency]
    if not rule.order_type.needs_limit_price:
        return order.with_(order_type=rule.order_type, limit_price=None, stop_price=None)
    if order.reference_price is None:
        raise OrderRefused(
            DenyCode.REF_PRICE_MISSING,
            f"order {order.order_id} needs a reference_price to be priced {urgency.value}",
        )
    sign = order.side.sign
    exact = order.reference_price * (1 + sign * rule.offset_bps / 10_000)
    rounding = "ROUND_FLOOR" if sign > 0 else "ROUND_CEILING"
    limit = exact.quantize(_CENT, rounding=rounding)
    return order.with_(order_type=rule.order_type, limit_price=max(limit, _CENT), stop_price=None)


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """Which venue takes the orders of which broker name.

    :param venues: broker name of an order -> name of the connected venue.
    """

    venues: Mapping[str, str] = field(default_factory=dict)

    def venue_of(self, order: Order) -> str:
        """Return the venue for an order.

        :raises OrderRefused: when no venue takes it.
        """
        venue = self.venues.get(order.broker)
        if venue is None:
            known = ", ".join(sorted(self.venues)) or "none"
            raise OrderRefused(
                DenyCode.BROKER_NOT_ALLOWED,
                f"no venue takes orders for broker {order.broker!r}; known: {known}",
            )
        return venue
