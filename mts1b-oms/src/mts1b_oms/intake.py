"""Refuse what can not become an order, before anything is recorded."""

from __future__ import annotations

from collections.abc import Callable, Collection

from mts1b_foundation.orders import ExecutionMode, Order, OrderStatus
from mts1b_foundation.risk import DenyCode, RiskApproval

from mts1b_oms.errors import OrderRefused
from mts1b_oms.router import RoutingTable

__all__ = ["Intake", "same_economics"]

UNKNOWN_FUND = "UNKNOWN_FUND"
FUND_INACTIVE = "FUND_INACTIVE"
MODE_MISMATCH = "MODE_MISMATCH"


def same_economics(one: Order, other: Order) -> bool:
    """Tell whether two orders ask for the same thing; their ids and times may differ."""
    return _economics(one) == _economics(other)


def _economics(order: Order) -> dict[str, object]:
    terms = RiskApproval.terms_of(order)
    del terms["order_id"]
    return terms


class Intake:
    """What this OMS takes orders for.

    :param symbols: the configured instruments.
    :param funds: the configured funds.
    :param inactive: those of them that only reduce what they hold.
    """

    def __init__(
        self,
        *,
        symbols: Collection[str],
        funds: Collection[str],
        mode: ExecutionMode,
        routes: RoutingTable,
        inactive: Collection[str] = (),
    ) -> None:
        self._symbols = frozenset(symbols)
        self._funds = frozenset(funds)
        self._inactive = frozenset(inactive)
        self._mode = mode
        self._routes = routes

    def check(self, order: Order, *, held: Callable[[], Collection[str]] = frozenset) -> None:
        """Return when the order can be taken.

        What is held is reduced, configured or not: a symbol may have been taken out of the
        configuration while it was held.

        :param held: returns the symbols in which there is a position.
        :raises OrderRefused: with the reason and what would be accepted.
        """
        if order.status is not OrderStatus.CREATED or order.version or order.filled_quantity:
            raise OrderRefused(
                DenyCode.SCHEMA_INVALID,
                f"order {order.order_id} is {order.status.value} (version {order.version}); "
                "submit a new order in state created, version 0, nothing filled",
            )
        if order.symbol not in self._symbols and not (order.reduce_only and order.symbol in held()):
            raise OrderRefused(
                DenyCode.UNKNOWN_SYMBOL,
                f"unknown symbol {order.symbol}; configured are {_list(self._symbols)}",
            )
        if order.fund_id not in self._funds:
            raise OrderRefused(
                UNKNOWN_FUND, f"unknown fund {order.fund_id}; configured are {_list(self._funds)}"
            )
        if order.fund_id in self._inactive and not order.reduce_only:
            raise OrderRefused(
                FUND_INACTIVE,
                f"fund {order.fund_id} is not active: it takes reduce-only orders; set "
                "`active: true` in its settings",
            )
        if order.mode is not self._mode:
            raise OrderRefused(
                MODE_MISMATCH,
                f"order {order.order_id} is for mode {order.mode.value}, "
                f"this OMS runs in mode {self._mode.value}",
            )
        self._routes.venue_of(order)


def _list(names: Collection[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:12]) + (f" and {len(shown) - 12} more" if len(shown) > 12 else "")
