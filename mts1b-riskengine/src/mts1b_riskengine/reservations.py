"""The ledger of approved orders: each counts as exposure until nothing of it can fill."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from mts1b_foundation import Fill, Order, OrderStatus, Symbol
from mts1b_platform.ids import derive_id
from mts1b_platform.store import Prepared, Store
from mts1b_platform.store.connection import AsyncConnection

from mts1b_riskengine import tables
from mts1b_riskengine.errors import ReservationInUse
from mts1b_riskengine.parents import is_worked_here
from mts1b_riskengine.positions import PositionBook
from mts1b_riskengine.statements import upsert

__all__ = ["Reservation", "ReservationLedger", "reservation_id_of"]

ZERO = Decimal(0)
_FIND = Prepared(
    sa.select(tables.reservations).where(tables.reservations.c.order_id == sa.bindparam("order_id"))
)
_DENIED = Prepared(
    sa.select(tables.decisions.c.decision_id).where(
        tables.decisions.c.order_id == sa.bindparam("order_id"),
        sa.not_(tables.decisions.c.approved),
    )
)
_UNSENT = frozenset({OrderStatus.CREATED, OrderStatus.PENDING_RISK, OrderStatus.APPROVED})


@lru_cache(maxsize=4096)
def reservation_id_of(order_id: str) -> str:
    """Return the id of an order's reservation; an order has at most one."""
    return derive_id("rsv", order_id)


@dataclass(slots=True)
class Reservation:
    """What one order may still change: ``expected`` units in all, ``filled`` of them seen.

    ``expected`` is the order's quantity until its terminal event, then what the OMS says was
    filled; so a fill that arrives after the terminal event is still reserved for. Once a change
    is approved it is the larger of both quantities, until an event that knows of the change.
    ``counted`` is how much of it the lines of the book hold.
    ``version`` is the order's newest that is known: what an older event says is past, for events
    can overtake each other.
    """

    order_id: str
    fund_id: str
    strategy_id: str
    symbol: Symbol
    sign: int
    expected: Decimal
    filled: Decimal = ZERO
    sent: bool = False
    terminal: bool = False
    version: int = -1
    amended: bool = False
    counted: Decimal = ZERO

    @property
    def remaining(self) -> Decimal:
        """Return how many units may still fill."""
        left = self.expected - self.filled
        return left if left >= ZERO else ZERO

    def is_of(self, order: Order) -> bool:
        """Return whether an order is of the same owner, symbol and side."""
        ours = (self.fund_id, self.strategy_id, self.symbol, self.sign)
        return ours == (order.fund_id, order.strategy_id, order.symbol, order.side.sign)

    def values(self) -> dict[str, Any]:
        """Return the row's columns but the key."""
        return {
            "reservation_id": reservation_id_of(self.order_id),
            "fund_id": self.fund_id,
            "strategy_id": self.strategy_id,
            "symbol": str(self.symbol),
            "sign": self.sign,
            "expected": self.expected,
            "filled": self.filled,
            "sent": self.sent,
            "terminal": self.terminal,
            "open": self.remaining > 0,
            "version": self.version,
            "amended": self.amended,
        }


class ReservationLedger:
    """Hold reservations in memory and store, and their weight on the lines of the book."""

    def __init__(self, store: Store, positions: PositionBook) -> None:
        self._keeps = store.keeps
        self._upsert = upsert(store, tables.reservations)
        self._positions = positions
        self._closed: dict[str, Reservation] | None = None if store.keeps else {}
        """What no store would give back."""
        self._open: dict[str, Reservation] = {}
        self._sides: dict[tuple[Symbol, int], dict[str, Reservation]] = {}

    def of_side(self, symbol: Symbol, sign: int) -> tuple[Reservation, ...]:
        """Return the open reservations of one side of a symbol, of every fund."""
        return tuple(self._sides.get((symbol, sign), {}).values())

    def _hold(self, reservation: Reservation) -> None:
        self._open[reservation.order_id] = reservation
        side = self._sides.setdefault((reservation.symbol, reservation.sign), {})
        side[reservation.order_id] = reservation

    def _drop(self, reservation: Reservation) -> None:
        self._open.pop(reservation.order_id, None)
        if self._closed is not None:
            self._closed[reservation.order_id] = reservation
        side = self._sides.get((reservation.symbol, reservation.sign))
        if side is not None:
            side.pop(reservation.order_id, None)

    def get(self, order_id: str) -> Reservation | None:
        """Return the open reservation of an order, or None."""
        return self._open.get(order_id)

    def open_ids(self) -> list[str]:
        """Return the orders that hold a reservation."""
        return sorted(self._open)

    async def reserve(self, tx: AsyncConnection, order: Order) -> None:
        """Reserve for an order that is about to be approved; again is the same reservation."""
        if order.order_id not in self._open:
            reservation = _reservation_of(order)
            self._begin(reservation)
            if self._keeps:
                await self._save(tx, reservation)

    def _begin(self, reservation: Reservation) -> None:
        """Hold a reservation, and let the book count it."""
        reservation.counted = reservation.remaining
        self._hold(reservation)
        self._weigh(reservation, reservation.counted)

    async def amend(self, tx: AsyncConnection, order_id: str, amended: Order) -> None:
        """Reserve for the larger of an open order and what it is about to become."""
        reservation = self._open[order_id]
        reservation.expected = max(reservation.expected, amended.quantity)
        reservation.version = max(reservation.version, amended.version)
        reservation.amended = True
        await self._changed(tx, reservation)

    async def settle_fill(self, tx: AsyncConnection, fill: Fill) -> None:
        """Turn reserved units into filled ones."""
        reservation = self._open.get(fill.order_id) or await self.find(tx, fill.order_id)
        if reservation is not None:
            reservation.filled += fill.quantity
            await self._changed(tx, reservation)

    async def correct(self, tx: AsyncConnection, order_id: str, grown: Decimal) -> None:
        """Follow an execution that was restated by ``grown`` units.

        What a venue took back may fill again, until an event says that the order is over.
        """
        reservation = self._open.get(order_id) or await self.find(tx, order_id)
        if reservation is not None and grown:
            reservation.filled += grown
            await self._changed(tx, reservation)

    async def on_order(self, tx: AsyncConnection, order: Order) -> None:
        """Follow an order event: a terminal one releases what did not fill."""
        if order.status in _UNSENT:
            return
        reservation = self._open.get(order.order_id) or await self.find(tx, order.order_id)
        if reservation is None:
            await self._adopt(tx, order)
            return
        reservation.sent = True
        if order.version > reservation.version:
            over = order.is_terminal
            reservation.version = order.version
            reservation.terminal = over
            reservation.expected = order.filled_quantity if over else order.quantity
        await self._changed(tx, reservation)

    async def _adopt(self, tx: AsyncConnection, order: Order) -> None:
        """Count an order that is at a venue although this engine never approved it, or forgot it.

        Of one that is over it is kept that it is, for an older event of it may come yet. A parent
        is at no venue; its children are what trades.
        """
        over = order.is_terminal
        if is_worked_here(order) or (over and not await self._may_have_left(tx, order)):
            return
        reservation = _reservation_of(order)
        reservation.sent, reservation.terminal = True, over
        reservation.version = order.version
        reservation.filled = await self._seen_fills(tx, order.order_id)
        if over:
            reservation.expected = order.filled_quantity
        await self._changed(tx, reservation)

    async def _may_have_left(self, tx: AsyncConnection, order: Order) -> bool:
        """Return whether an order may have been approved: not where its denial is on record."""
        if not self._keeps:
            return False
        return (await _DENIED.run(tx, {"order_id": order.order_id})).first() is None

    async def _seen_fills(self, tx: AsyncConnection, order_id: str) -> Decimal:
        where = tables.fills.c.order_id == order_id
        rows = await tx.execute(sa.select(tables.fills.c.signed_quantity).where(where))
        return sum((abs(row.signed_quantity) for row in rows), ZERO)

    async def release(self, tx: AsyncConnection, order_id: str) -> bool:
        """Give back the reservation of an order that was checked and will never be sent.

        :raises ReservationInUse: when the OMS has reported the order.
        """
        reservation = self._open.get(order_id)
        if reservation is None:
            return False
        if reservation.sent or reservation.filled:
            raise ReservationInUse(
                f"order {order_id} was sent, {reservation.remaining} may still fill; "
                "cancel it, its terminal event releases the reservation"
            )
        reservation.terminal, reservation.expected = True, ZERO
        await self._changed(tx, reservation)
        return True

    async def agree(self, tx: AsyncConnection, order_id: str, told: Order | None) -> bool:
        """Take what the OMS has of an order, older or newer than what was heard of it before.

        Of an open one the larger quantity counts. Nothing at all gives back what is left; any
        event takes the reservation up again then, and a check decides anew.

        :return: whether there was a reservation.
        """
        reservation = self._open.get(order_id)
        if reservation is None:
            return False
        over = told is None or told.is_terminal
        reservation.terminal = over
        if told is None:
            reservation.expected, reservation.version = reservation.filled, -1
            reservation.sent = False
        else:
            larger = max(reservation.expected, told.quantity)
            reservation.expected = told.filled_quantity if over else larger
            reservation.version = told.version
        await self._changed(tx, reservation)
        return True

    async def _changed(self, tx: AsyncConnection, reservation: Reservation) -> None:
        """Let the book count what may still fill of a reservation now."""
        left = reservation.remaining
        if left != reservation.counted:
            self._weigh(reservation, left - reservation.counted)
            reservation.counted = left
        if left <= ZERO:
            self._drop(reservation)
        elif reservation.order_id not in self._open:
            self._hold(reservation)
        if self._keeps:
            await self._save(tx, reservation)

    def _weigh(self, reservation: Reservation, units: Decimal) -> None:
        self._positions.change(
            reservation.fund_id,
            reservation.strategy_id,
            reservation.symbol,
            open_buy=units if reservation.sign > 0 else ZERO,
            open_sell=units if reservation.sign < 0 else ZERO,
        )

    async def _save(self, tx: AsyncConnection, reservation: Reservation) -> None:
        await self._upsert.run(tx, {"order_id": reservation.order_id, **reservation.values()})

    async def find(self, tx: AsyncConnection, order_id: str) -> Reservation | None:
        """Return the reservation of an order from the store, open or not."""
        if self._closed is not None:
            return self._open.get(order_id) or self._closed.get(order_id)
        row = (await _FIND.run(tx, {"order_id": order_id})).first()
        return None if row is None else _from_row(row)

    async def load(self, tx: AsyncConnection) -> None:
        """Replace the memory by the open reservations of the store."""
        self._open, self._sides = {}, {}
        where = tables.reservations.c.open.is_(True)
        for row in await tx.execute(sa.select(tables.reservations).where(where)):
            self._begin(_from_row(row))


def _reservation_of(order: Order) -> Reservation:
    return Reservation(
        order_id=order.order_id,
        fund_id=order.fund_id,
        strategy_id=order.strategy_id,
        symbol=order.symbol,
        sign=order.side.sign,
        expected=order.quantity,
    )


def _from_row(row: Any) -> Reservation:
    return Reservation(
        order_id=row.order_id,
        fund_id=row.fund_id,
        strategy_id=row.strategy_id,
        symbol=Symbol(row.symbol),
        sign=row.sign,
        expected=row.expected,
        filled=row.filled,
        sent=row.sent,
        terminal=row.terminal,
        version=row.version,
        amended=row.amended,
    )
