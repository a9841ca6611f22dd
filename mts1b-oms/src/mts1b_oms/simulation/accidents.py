"""What people at the venue do to the account: too many executions, late ones, orders by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mts1b_foundation.adjustments import AdjustBooks, AdjustmentKind
from mts1b_foundation.orders import Fill, Order, OrderStatus, OrderType, Side, TimeInForce
from mts1b_platform.ids import derive_id

from mts1b_oms.simulation.desk import HIGHEST, LOWEST, OPERATOR, PRICE, STOCK, SYMBOLS

if TYPE_CHECKING:
    from mts1b_brokers.simulation import TrueVenue
    from mts1b_platform.simulation import SimNet

__all__ = ["BY_HAND", "Accidents"]

BY_HAND = "external"
"""Fund and strategy of what somebody does by hand in the account."""

_PAYMENTS = (
    AdjustmentKind.DEPOSIT,
    AdjustmentKind.WITHDRAWAL,
    AdjustmentKind.DIVIDEND,
    AdjustmentKind.FEE,
)
_PAID = frozenset({AdjustmentKind.WITHDRAWAL, AdjustmentKind.FEE})
_OF_STOCK = 1 / 3
"""How many of the movements are of stock: transfers and splits."""
_COUNTED = {
    AdjustmentKind.SPLIT: "D9 split without an order",
    AdjustmentKind.TRANSFER: "D9 transfer without an order",
}
_RATIOS = (Decimal(2), Decimal(3), Decimal("0.5"))
_RECENT = 20


class Accidents:
    """Do to the venue what its people do, and remember what nobody here could have foreseen.

    ``surplus`` holds, by execution, the part of it that was never ordered; ``by_hand`` the ids
    of the orders that are not ours.
    """

    def __init__(self, truth: TrueVenue, net: SimNet) -> None:
        self._truth = truth
        self._net = net
        self.surplus: dict[str, Decimal] = {}
        self.by_hand: list[str] = []
        self.payments: list[AdjustBooks] = []
        """What came or went without an order, as an operator reads it in the venue's statement."""
        self._stock, self._stock_price = Decimal(0), PRICE

    async def overfill(self) -> None:
        """Execute some of a recent order of ours, whatever is open of it."""
        net, truth = self._net, self._truth
        recent = list(truth.orders)[-_RECENT:]
        if truth.is_closed or not recent:
            return
        order_id = recent[net.rng.integer(0, len(recent) - 1)]
        quantity = Decimal(net.rng.integer(1, 5))
        before = await truth.paper.get_order_by_key(truth.orders[order_id].idempotency_key)
        if before is None:
            return
        fill = await truth.paper.overfill(order_id, quantity=quantity, price=PRICE)
        self._note(fill, before)
        truth.tell()

    def _note(self, fill: Fill, before: Order) -> None:
        """Count as surplus what an order had not open: all of it, once it had ended."""
        left = Decimal(0) if before.is_terminal else before.remaining_quantity
        surplus = max(fill.quantity - left, Decimal(0))
        if surplus:
            self.surplus[fill.fill_id] = surplus
        ended = before.status is not OrderStatus.FILLED and before.is_terminal
        self._net.counters.hit("B4 fill after the end" if ended else "B6 overfill")
        self._net.trace.record(
            self._net.loop.time(), "overfill", fill.order_id, fill.quantity, surplus
        )

    async def trade_by_hand(self) -> None:
        """Place an order in the account that the OMS knows nothing of."""
        net = self._net
        if self._truth.is_closed:
            return
        number = len(self.by_hand) + 1
        rests, buys = net.rng.random() < 0.5, net.rng.random() < 0.5
        order = Order(
            order_id=derive_id("hand", str(number)),
            idempotency_key=f"by-hand-{number}",
            symbol=SYMBOLS[net.rng.integer(0, len(SYMBOLS) - 1)],
            side=Side.BUY if buys else Side.SELL,
            quantity=Decimal(net.rng.integer(1, 10)),
            order_type=OrderType.LIMIT if rests else OrderType.MARKET,
            limit_price=(LOWEST - 1 if buys else HIGHEST + 1) if rests else None,
            tif=TimeInForce.GTC,
            fund_id=BY_HAND,
            strategy_id=BY_HAND,
            created_at=net.loop.clock.now(),
        )
        self.by_hand.append(order.order_id)
        await self._truth.paper.external(order)
        net.counters.hit("B12 order by hand")
        net.trace.record(net.loop.time(), "by-hand", order.order_id, order.quantity)

    async def pay(self) -> None:
        """Let money or stock come to the account, or go, or be split, without an order."""
        if self._truth.is_closed:
            return
        of_stock = self._net.rng.random() < _OF_STOCK
        one = self._stock_moved() if of_stock else self._money_moved()
        self.payments.append(one)
        await self._truth.paper.play_adjustment(one)
        self._net.counters.hit(_COUNTED.get(one.kind, "D9 money without an order"))
        self._net.trace.record(
            self._net.loop.time(), "payment", one.kind.value, one.cash_usd, one.quantity, one.ratio
        )

    def _stock_moved(self) -> AdjustBooks:
        rng = self._net.rng
        if self._stock and rng.random() < 0.5:
            ratio = _RATIOS[rng.integer(0, len(_RATIOS) - 1)]
            self._stock, self._stock_price = self._stock * ratio, self._stock_price / ratio
            return self._said(
                AdjustmentKind.SPLIT, symbol=STOCK, ratio=ratio, price=self._stock_price
            )
        units = Decimal(rng.integer(1, 30))
        units = -units if units <= self._stock and rng.random() < 0.5 else units
        self._stock += units
        return self._said(
            AdjustmentKind.TRANSFER,
            fund_id="alpha",
            strategy_id="trend",
            symbol=STOCK,
            quantity=units,
            price=self._stock_price,
        )

    def _money_moved(self) -> AdjustBooks:
        net = self._net
        kind = _PAYMENTS[net.rng.integer(0, len(_PAYMENTS) - 1)]
        amount = Decimal(net.rng.integer(1, 500_000)) / 100
        return self._said(
            kind,
            fund_id="alpha",
            strategy_id="trend",
            cash_usd=-amount if kind in _PAID else amount,
        )

    def _said(self, kind: AdjustmentKind, **terms: Any) -> AdjustBooks:
        return AdjustBooks(
            adjustment_id=f"payment-{len(self.payments) + 1}",
            kind=kind,
            in_part=True,
            reason="the venue's statement",
            signed_by=OPERATOR,
            requested_at=self._net.loop.clock.now(),
            **terms,
        )
