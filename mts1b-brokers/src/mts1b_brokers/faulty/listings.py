"""How a venue lists what it has: pages missing, rows twice, caches old, halves of a replace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from mts1b_foundation import Order

from mts1b_brokers.faulty.faults import Dice, VenueFaults

__all__ = ["Listings"]

T = TypeVar("T")


class Listings:
    """Make listings wrong in the ways in which real ones are."""

    def __init__(self, dice: Dice, faults: VenueFaults) -> None:
        self._dice = dice
        self._faults = faults
        self._last: dict[str, object] = {}
        self._halves: dict[str, Order] = {}

    def ended_half(self, order: Order) -> None:
        """Remember what a replace ended: the order as it was, under its former id."""
        self._halves[order.idempotency_key] = order

    def cached(self, what: str, fresh: T) -> T:
        """Return ``fresh``, or what was returned before and differs."""
        last = self._last.get(what, fresh)
        if isinstance(last, type(fresh)) and last != fresh and self._dice.falls(self._faults.stale):
            self._dice.count("D6 stale cache")
            return last
        self._last[what] = fresh
        return fresh

    def of_orders(self, fresh: Sequence[Order]) -> list[Order]:
        """Return a listing of open orders."""
        orders = self.cached("orders", list(fresh))
        if len(orders) > 1 and self._dice.takes(self._faults.page_missing, "D6 page missing"):
            orders = orders[: len(orders) // 2]
        if orders and self._dice.takes(self._faults.duplicate_rows, "D6 duplicate rows"):
            orders = [*orders, orders[0]]
        halves = [self._halves[o.idempotency_key] for o in orders if self._has_half(o)]
        if halves and self._dice.takes(self._faults.old_half, "C8 old half shown"):
            orders = [*orders, *halves]
        return orders

    def _has_half(self, order: Order) -> bool:
        half = self._halves.get(order.idempotency_key)
        return half is not None and half.broker_order_id != order.broker_order_id
