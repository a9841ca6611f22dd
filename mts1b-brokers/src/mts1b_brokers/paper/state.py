"""What the paper venue knows, and a draft of what one event changes in it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from mts1b_foundation import Fill, Order, Quote
from mts1b_foundation.adjustments import AdjustBooks
from mts1b_foundation.orders import FillCorrection

from mts1b_brokers.paper.budget import MessageBudget

__all__ = ["AccountPosition", "Draft", "Mark", "Terms", "VenueState", "WorkingOrder"]

Owner = tuple[str, str, str]
"""Fund, strategy and symbol."""

_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a replace changed: the broker's id, the quantity and the limit that held before."""

    broker_order_id: str
    quantity: Decimal
    limit_price: Decimal | None


class WorkingOrder(NamedTuple):
    """An order with what the venue keeps beside it.

    ``position`` is its place in the order of arrival; ``day`` the trading day of a day order,
    once its first bar or quote has told it; ``fills`` how many fills it has; ``earlier`` its
    terms before each replace, oldest first.
    """

    position: int
    order: Order
    arrives_at: datetime
    triggered: bool = False
    day: date | None = None
    fills: int = 0
    earlier: tuple[Terms, ...] = ()

    @property
    def broker_ids(self) -> tuple[str, ...]:
        """Return every id that the broker gave it, oldest first."""
        return (*(t.broker_order_id for t in self.earlier), self.order.broker_order_id or "")

    @property
    def as_asked(self) -> Order:
        """Return the order with the quantity and the limit that it was submitted with."""
        if not self.earlier:
            return self.order
        first = self.earlier[0]
        return self.order.with_(quantity=first.quantity, limit_price=first.limit_price)

    def after(self, triggered: bool, today: date, filled: Order | None) -> WorkingOrder:
        """Return the order after one more price, itself where that changed nothing.

        :param filled: the order after a fill at that price, if there was one.
        """
        if filled is None and triggered == self.triggered and self.day is not None:
            return self
        return WorkingOrder(
            self.position,
            filled or self.order,
            self.arrives_at,
            triggered,
            self.day or today,
            self.fills if filled is None else self.fills + 1,
            self.earlier,
        )


class Mark(NamedTuple):
    """The last bar of a symbol and interval: its end and its close."""

    ends_at: datetime
    close: Decimal


class AccountPosition(NamedTuple):
    """The account's net position in one symbol, at average cost."""

    symbol: str
    quantity: Decimal = _NOTHING
    average_price: Decimal = _NOTHING
    realized_pnl: Decimal = _NOTHING
    fees: Decimal = _NOTHING

    def after(self, fill: Fill) -> AccountPosition:
        """Return the position after a fill."""
        return self.traded(fill.signed_quantity, fill.price, fill.fees)

    def traded(self, traded: Decimal, price: Decimal, fees: Decimal = _NOTHING) -> AccountPosition:
        """Return the position after signed units came or went at a price."""
        held = self.quantity
        left = held + traded
        if held * traded >= 0:
            cost = held * self.average_price + traded * price
            average, gain = cost / left, _NOTHING
        else:
            closed = min(abs(held), abs(traded)) * (1 if held > 0 else -1)
            gain = closed * (price - self.average_price)
            average = self.average_price if left * held > 0 else price if left else _NOTHING
        return AccountPosition(
            self.symbol, left, average, self.realized_pnl + gain, self.fees + fees
        )

    def adjusted(self, one: AdjustBooks) -> AccountPosition:
        """Return the position after stock came or went without an order, or was split."""
        if one.ratio is None:
            return self.traded(one.quantity, one.price or _NOTHING)
        return self._replace(
            quantity=self.quantity * one.ratio, average_price=self.average_price / one.ratio
        )


@dataclass(slots=True)
class VenueState:
    """Every order and fill ever, and the account. Changed by :meth:`apply` alone."""

    cash: Decimal
    orders: dict[int, WorkingOrder] = field(default_factory=dict)
    by_key: dict[str, int] = field(default_factory=dict)
    by_order_id: dict[str, int] = field(default_factory=dict)
    by_broker_id: dict[str, int] = field(default_factory=dict)
    open: dict[str, dict[int, None]] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    positions: dict[str, AccountPosition] = field(default_factory=dict)
    holdings: dict[Owner, Decimal] = field(default_factory=dict)
    marks: dict[tuple[str, str], Mark] = field(default_factory=dict)
    quotes: dict[str, Quote] = field(default_factory=dict)
    prices: dict[str, tuple[datetime, Decimal]] = field(default_factory=dict)
    corrections: list[FillCorrection] = field(default_factory=list)
    corrected: dict[str, Fill | None] = field(default_factory=dict)
    """What stands of each execution that was corrected; None: it was taken back."""
    adjustments: list[tuple[int, AdjustBooks]] = field(default_factory=list)
    """What moved the account without an order, each with the number of executions before it."""
    timer: datetime | None = None
    """When the dead-man timer fires."""
    budget: MessageBudget | None = None

    def apply(self, draft: Draft) -> None:
        """Take over everything that a draft changed."""
        for working in draft.orders.values():
            self.put(working)
        if draft.moves_books:
            self.adjustments.extend((len(self.fills), one) for one in draft.adjustments)
            self.fills.extend(draft.fills)
            self.positions.update(draft.positions)
            self.holdings.update(draft.holdings)
            self.cash = draft.cash
            self.corrections.extend(draft.corrections)
            self.corrected.update(draft.corrected)
        self.timer, self.budget = draft.timer, draft.budget
        for key, mark in draft.marks.items():
            self.marks[key] = mark
            self.see_price(key[0], mark.ends_at, mark.close)
        for symbol, quote in draft.quotes.items():
            self.quotes[symbol] = quote
            self.see_price(symbol, quote.timestamp, quote.mid)

    def put(self, working: WorkingOrder) -> None:
        """Keep one order; its ids are indexed when it is new here or was replaced."""
        order, position = working.order, working.position
        before = self.orders.get(position)
        self.orders[position] = working
        if before is None or before.earlier != working.earlier:
            self._index(working)
        if order.is_terminal:
            self.open.get(order.symbol, {}).pop(position, None)
        else:
            self.open.setdefault(order.symbol, {})[position] = None

    def _index(self, working: WorkingOrder) -> None:
        order, position = working.order, working.position
        if self.by_key.get(order.idempotency_key, 0) <= position:
            # A venue that forgets keys can have several orders with one: the newest counts.
            self.by_key[order.idempotency_key] = position
            self.by_order_id[order.order_id] = position
        for terms in working.earlier:
            self.by_broker_id[terms.broker_order_id] = position
        self.by_broker_id[order.broker_order_id or ""] = position

    def see_price(self, symbol: str, at: datetime, price: Decimal) -> None:
        """Keep the newest price of a symbol."""
        known = self.prices.get(symbol)
        if known is None or known[0] <= at:
            self.prices[symbol] = (at, price)

    def find(self, order_id: str) -> WorkingOrder | None:
        """Return an order by the client's id or by the broker's."""
        position = self.by_order_id.get(order_id, self.by_broker_id.get(order_id))
        return None if position is None else self.orders[position]

    def standing(self, fill: Fill) -> Fill | None:
        """Return what stands of an execution after its corrections; None: nothing."""
        return self.corrected.get(fill.fill_id, fill)

    def open_orders(self) -> list[WorkingOrder]:
        """Return the open orders in the order of arrival."""
        places = sorted(place for by_symbol in self.open.values() for place in by_symbol)
        return [self.orders[place] for place in places]


class Draft:
    """Collect what one event changes; the state itself stays untouched until it is on record."""

    __slots__ = (
        "_state",
        "adjustments",
        "budget",
        "cash",
        "corrected",
        "corrections",
        "fills",
        "holdings",
        "marks",
        "orders",
        "positions",
        "quotes",
        "timer",
    )

    def __init__(self, state: VenueState) -> None:
        self._state = state
        self.orders: dict[int, WorkingOrder] = {}
        self.fills: list[Fill] = []
        self.positions: dict[str, AccountPosition] = {}
        self.holdings: dict[Owner, Decimal] = {}
        self.marks: dict[tuple[str, str], Mark] = {}
        self.quotes: dict[str, Quote] = {}
        self.cash = state.cash
        self.corrections: list[FillCorrection] = []
        self.corrected: dict[str, Fill | None] = {}
        self.adjustments: list[AdjustBooks] = []
        self.timer = state.timer
        self.budget = state.budget

    @property
    def moves_books(self) -> bool:
        """Return whether positions or cash change, or what explains them."""
        return bool(self.fills or self.corrections or self.adjustments)

    @property
    def sets_timer(self) -> bool:
        """Return whether the dead-man timer changes."""
        return self.timer != self._state.timer

    @property
    def spends(self) -> bool:
        """Return whether the message budget changes."""
        return self.budget != self._state.budget

    @property
    def must_be_recorded(self) -> bool:
        """Return whether losing this draft could change a later fill."""
        books = bool(self.orders or self.corrections or self.adjustments)
        kept = books or self.sets_timer or self.spends
        return kept or any(self._state.open.get(symbol) for symbol, _ in self.marks)

    def open_orders(self, symbol: str) -> list[WorkingOrder]:
        """Return the open orders of a symbol, oldest first, as the draft has them."""
        places, known = self._state.open.get(symbol), self._state.orders
        if not places:
            return []
        if not self.orders:
            return [known[place] for place in places]
        found = [self.orders.get(place) or known[place] for place in places]
        return [working for working in found if not working.order.is_terminal]

    def mark(self, symbol: str, interval: str) -> Mark | None:
        """Return the last bar of a symbol and interval."""
        key = (symbol, interval)
        return self.marks.get(key) or self._state.marks.get(key)

    def held_by(self, order: Order) -> Decimal:
        """Return the signed quantity that the owner of ``order`` holds."""
        key = (order.fund_id, order.strategy_id, str(order.symbol))
        return self.holdings.get(key, self._state.holdings.get(key, _NOTHING))

    def put(self, working: WorkingOrder) -> None:
        """Note a new state of an order."""
        self.orders[working.position] = working

    def book(self, fill: Fill, order: Order) -> None:
        """Book a fill into position, owner's holding and cash."""
        symbol, traded = str(fill.symbol), fill.signed_quantity
        position = self.positions.get(symbol) or self._state.positions.get(symbol)
        self.positions[symbol] = (position or AccountPosition(symbol)).after(fill)
        self.holdings[order.fund_id, order.strategy_id, symbol] = self.held_by(order) + traded
        self.cash -= traded * fill.price + fill.fees
        self.fills.append(fill)

    def correct(
        self, correction: FillCorrection, before: Fill, after: Fill | None, owner: Order
    ) -> None:
        """Take ``before`` out of the books and put ``after`` in its place.

        The position is built anew from all executions that stand, so it is exactly what it would
        be, had the venue reported ``after`` at once.
        """
        symbol = str(before.symbol)
        moved = (after.signed_quantity if after else _NOTHING) - before.signed_quantity
        self.cash += _paid(before) - (_paid(after) if after else _NOTHING)
        self.corrections.append(correction)
        self.corrected[before.fill_id] = after
        moved *= self._splits_since(before)
        self.holdings[owner.fund_id, owner.strategy_id, symbol] = self.held_by(owner) + moved
        self.positions[symbol] = self._rebuilt(symbol)

    def adjust(self, one: AdjustBooks) -> None:
        """Move money or stock without an order; a split moves every holder's."""
        self.adjustments.append(one)
        self.cash += one.cash_usd
        if one.symbol is None or not one.moves_stock:
            return
        symbol, known = str(one.symbol), self._state
        position = known.positions.get(symbol) or AccountPosition(symbol)
        self.positions[symbol] = position.adjusted(one)
        if one.ratio is not None:
            held = {owner: units for owner, units in known.holdings.items() if owner[2] == symbol}
            self.holdings.update({owner: units * one.ratio for owner, units in held.items()})
        elif one.fund_id is not None and one.strategy_id is not None:
            owner = (one.fund_id, one.strategy_id, symbol)
            self.holdings[owner] = known.holdings.get(owner, _NOTHING) + one.quantity

    def _splits_since(self, fill: Fill) -> Decimal:
        """Return how many units there are now for one of an execution."""
        ids = (one.fill_id for one in self._state.fills)
        place = next(number for number, fill_id in enumerate(ids) if fill_id == fill.fill_id)
        units = Decimal(1)
        for before, one in self._state.adjustments:
            if before > place and one.symbol == fill.symbol and one.ratio is not None:
                units *= one.ratio
        return units

    def _rebuilt(self, symbol: str) -> AccountPosition:
        position, moves = AccountPosition(symbol), deque(self._moves_of(symbol))
        for place, fill in enumerate([*self._state.fills, *self.fills]):
            while moves and moves[0][0] <= place:
                position = position.adjusted(moves.popleft()[1])
            stands = self.standing(fill) if fill.symbol == symbol else None
            position = position.after(stands) if stands is not None else position
        for _, one in moves:
            position = position.adjusted(one)
        return position

    def _moves_of(self, symbol: str) -> list[tuple[int, AdjustBooks]]:
        found = self._state.adjustments
        return [(place, one) for place, one in found if one.symbol == symbol and one.moves_stock]

    def standing(self, fill: Fill) -> Fill | None:
        """Return what stands of an execution after its corrections; None: nothing."""
        if fill.fill_id in self.corrected:
            return self.corrected[fill.fill_id]
        return self._state.standing(fill)


def _paid(fill: Fill) -> Decimal:
    return fill.signed_quantity * fill.price + fill.fees
