"""Open orders by symbol and side, with the price at which each may trade."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

import sqlalchemy as sa
from mts1b_foundation import Order
from mts1b_platform.store.connection import AsyncConnection

from mts1b_riskengine.reservations import Reservation, ReservationLedger
from mts1b_riskengine.tables import decisions

__all__ = ["Resting", "RestingBook"]

_BATCH = 500


class Resting(NamedTuple):
    """One open order; ``price`` is its limit, None for a market order or when not known."""

    order_id: str
    fund_id: str
    strategy_id: str
    price: Decimal | None


class RestingBook:
    """Know the limit prices of open orders; the ledger knows which are open."""

    def __init__(self, ledger: ReservationLedger, *, on: bool) -> None:
        self._ledger = ledger
        self.on = on
        self._prices: dict[str, Decimal | None] = {}

    def opposite(self, order: Order) -> tuple[Resting, ...]:
        """Return the open orders that could trade with ``order``, of every fund."""
        found = self._ledger.of_side(order.symbol, -order.side.sign)
        return tuple(self._resting(one) for one in found if one.order_id != order.order_id)

    def _resting(self, one: Reservation) -> Resting:
        return Resting(one.order_id, one.fund_id, one.strategy_id, self._prices.get(one.order_id))

    def note(self, order: Order) -> None:
        """Take the price of an order that is approved, or that the OMS reports."""
        if not self.on:
            return
        if self._ledger.get(order.order_id) is None:
            self._prices.pop(order.order_id, None)
        else:
            self._prices[order.order_id] = order.limit_price

    def forget(self, order_id: str) -> None:
        """Know no price of an order whose price is about to change, until an event tells it."""
        self._prices.pop(order_id, None)

    async def load(self, tx: AsyncConnection) -> None:
        """Find the prices of all open orders in the record of decisions."""
        if not self.on:
            return
        self._prices = {}
        open_ids = [one for one in self._ledger.open_ids() if not self._is_amended(one)]
        for begin in range(0, len(open_ids), _BATCH):
            await self._load(tx, open_ids[begin : begin + _BATCH])

    def _is_amended(self, order_id: str) -> bool:
        held = self._ledger.get(order_id)
        return held is not None and held.amended

    async def _load(self, tx: AsyncConnection, order_ids: Iterable[str]) -> None:
        where = decisions.c.order_id.in_(list(order_ids)), decisions.c.approved.is_(True)
        for row in await tx.execute(
            sa.select(decisions.c.order_id, decisions.c.body).where(*where)
        ):
            self._prices[row.order_id] = _limit_price(row.body)


def _limit_price(body: str) -> Decimal | None:
    text = (json.loads(body).get("approval") or {}).get("limit_price")
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        return None
