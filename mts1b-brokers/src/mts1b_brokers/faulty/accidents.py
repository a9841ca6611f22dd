"""What the people and machines of a venue do to orders and executions of their own accord."""

from __future__ import annotations

from decimal import Decimal

from mts1b_foundation import Fill, Order, OrderStatus
from mts1b_platform.ids import derive_id

from mts1b_brokers.faulty.faults import Dice, VenueFaults
from mts1b_brokers.faulty.ports import Desk
from mts1b_brokers.faulty.reports import FillReports
from mts1b_brokers.shape import CompleteVenue

__all__ = ["Accidents"]

_CENT = Decimal("0.01")


class Accidents:
    """Cause accidents at the venue itself, so that its books and its reports agree on them.

    :param desk: the venue's people; None where there are none to be had.
    """

    def __init__(
        self,
        venue: CompleteVenue,
        desk: Desk | None,
        *,
        reports: FillReports,
        dice: Dice,
        faults: VenueFaults,
    ) -> None:
        self._venue = venue
        self._desk = desk
        self._reports = reports
        self._dice = dice
        self._faults = faults
        self._orders: dict[str, Order] = {}
        self._busted: set[str] = set()
        self._strangers = 0
        self._doomed: dict[str, Order] = {}
        self.rejected: dict[str, Order] = {}
        """By key: what was accepted and then rejected."""

    def note(self, order: Order) -> None:
        """Remember an order that arrived."""
        self._orders[order.order_id] = order

    def doom(self, order: Order) -> None:
        """Have an accepted order rejected some time later, unless it is filled before."""
        self._doomed[order.order_id] = order

    async def view(self, order_id: str) -> Order | None:
        """Return the venue's view of an order that arrived here, by any of its ids."""
        known = self._orders.get(order_id)
        if known is None:
            found = await self._venue.get_open_orders()
            return next((o for o in found if order_id in (o.order_id, o.broker_order_id)), None)
        return await self._venue.get_order_by_key(known.idempotency_key)

    async def execute(self, order_id: str, *, whole: bool) -> bool:
        """Execute what is open of an order, or half of it; tell whether that was possible."""
        order = await self.view(order_id)
        if self._desk is None or order is None or order.is_terminal:
            return False
        price = self._price(order)
        open_quantity = order.remaining_quantity
        quantity = open_quantity if whole else open_quantity // 2
        if price is None or quantity <= 0:
            return False
        await self._desk.overfill(order.order_id, quantity=quantity, price=price)
        return True

    def _price(self, order: Order) -> Decimal | None:
        for price in (order.limit_price, order.stop_price, order.reference_price):
            if price is not None:
                return price
        past = (fill.price for fill in reversed(self._reports.truth) if fill.symbol == order.symbol)
        return next(past, None)

    async def happen(self) -> None:
        """Let happen what may."""
        await self._reject_the_doomed()
        if self._desk is None:
            self._reports.fresh.clear()
            return
        while self._reports.fresh:
            await self._after_execution(self._reports.fresh.pop(0), self._desk)
        await self._to_old_executions(self._desk)
        await self._to_old_orders(self._desk)
        await self._state_fees(self._desk)
        if self._orders and self._dice.takes(self._faults.external, "B12 external order"):
            await self._trade_by_hand(self._desk)

    async def _reject_the_doomed(self) -> None:
        while self._doomed:
            order_id, order = self._doomed.popitem()
            theirs = await self._venue.get_order_by_key(order.idempotency_key)
            if theirs is None or theirs.filled_quantity or not await self._venue.cancel(order_id):
                continue
            self._dice.count("A12 rejected after accept")
            self.rejected[order.idempotency_key] = theirs.with_(
                status=OrderStatus.REJECTED,
                rejected_code="VENUE_RISK",
                rejected_reason="the venue took it and then thought better of it",
            )

    async def _after_execution(self, fill: Fill, desk: Desk) -> None:
        if self._dice.takes(self._faults.bust_unseen, "B8 bust before the fill"):
            self._reports.hide(fill.fill_id, self._dice.up_to(self._faults.late_fill_s))
            await self._bust(fill, desk)

    async def _to_old_executions(self, desk: Desk) -> None:
        truth = [fill for fill in self._reports.truth if fill.fill_id not in self._busted]
        if not truth or not (self._faults.bust or self._faults.amend):
            return
        fill = truth[self._dice.rng.integer(0, len(truth) - 1)]
        if self._dice.takes(self._faults.bust, "B8 bust"):
            await self._bust(fill, desk)
        elif self._dice.takes(self._faults.amend, "B8 amend"):
            await desk.amend(fill.fill_id, price=fill.price + _CENT, reason="wrong price")

    async def _to_old_orders(self, desk: Desk) -> None:
        """Execute more of an order that had ended."""
        if not self._orders or not (self._faults.overfill or self._faults.late_execution):
            return
        every = list(self._orders)
        order = await self.view(every[self._dice.rng.integer(0, len(every) - 1)])
        if order is None or not order.is_terminal or order.idempotency_key in self.rejected:
            return
        filled, price = order.status is OrderStatus.FILLED, self._price(order)
        probability = self._faults.overfill if filled else self._faults.late_execution
        if price is not None and self._dice.falls(probability):
            quantity = min(order.quantity, Decimal(1))
            await desk.overfill(order.order_id, quantity=quantity, price=price)
            self._dice.count("B6 overfill" if filled else "B4 fill after the end")

    async def _bust(self, fill: Fill, desk: Desk) -> None:
        self._busted.add(fill.fill_id)
        await desk.bust(fill.fill_id, reason="clearly erroneous")

    async def _state_fees(self, desk: Desk) -> None:
        if not self._reports.without_fee or not self._dice.falls(0.5):
            return
        fill = self._reports.without_fee.pop(0)
        if fill.fill_id not in self._busted:
            self._dice.count("B11 fee stated later")
            await desk.fee(fill.fill_id, fees=fill.fees, reason="fee known now")

    async def _trade_by_hand(self, desk: Desk) -> None:
        self._strangers += 1
        like = list(self._orders.values())[-1]
        key = derive_id("external", self._venue.name, str(self._strangers))
        stranger = Order(
            order_id=key,
            idempotency_key=key,
            symbol=like.symbol,
            side=like.side,
            quantity=Decimal(1),
            fund_id="external",
            strategy_id="external",
            created_at=like.created_at,
            mode=like.mode,
        )
        await desk.external(stranger)
