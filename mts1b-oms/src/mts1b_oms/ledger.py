"""Positions, FIFO lots, cash and profit of every strategy: a value that fills change.

Each (fund, strategy) has a virtual sub-book. The sub-books are the only record of who owns what;
summed over all of them they equal the position at the venue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import partial
from types import MappingProxyType

from mts1b_foundation.orders import Fill
from mts1b_foundation.positions import Position, PositionLot
from mts1b_foundation.symbology import Symbol

from mts1b_oms.lots import Lot, Lots

__all__ = ["Holding", "Ledger", "Owner", "SubBook", "payment_of", "quantise"]

QUANTUM = Decimal("1e-8")
ZERO = Decimal(0)

Owner = tuple[str, str]
"""(fund_id, strategy_id)"""


quantise = partial(Decimal.quantize, exp=QUANTUM, rounding=ROUND_HALF_EVEN)
"""Return an amount of money rounded to 1e-8, half to even."""


@dataclass(frozen=True, slots=True)
class Holding:
    """One symbol in one sub-book: open lots, oldest first, and what closed ones earned.

    All lots have one sign. ``quantity`` is the signed position, ``paid`` the sum of quantity times
    price over the lots, USD; both are kept up as lots are opened, so that a position of thousands
    of fills costs no more to add to, or to mark, than a new one.
    """

    symbol: Symbol
    lots: Lots = field(default_factory=Lots)
    realized_usd: Decimal = ZERO
    fees_usd: Decimal = ZERO
    last_fill_price: Decimal = ZERO
    quantity: Decimal = ZERO
    paid: Decimal = ZERO

    @classmethod
    def of(
        cls,
        symbol: Symbol,
        lots: Lots,
        realized_usd: Decimal,
        fees_usd: Decimal,
        last_fill_price: Decimal,
    ) -> Holding:
        """Return the holding that these lots make up."""
        return cls(symbol, lots, realized_usd, fees_usd, last_fill_price, *_sums_of(lots))

    @property
    def average_price(self) -> Decimal:
        """Return the mean price of the open lots, 1e-8; zero when flat."""
        return quantise(self.paid / self.quantity) if self.quantity else ZERO

    def unrealized(self, mark: Decimal) -> Decimal:
        """Return what closing every lot at ``mark`` would earn before fees, USD."""
        return quantise(self.quantity * mark - self.paid)

    def booked(self, fill: Fill) -> Holding:
        """Return the holding after ``fill``: it closes the oldest opposite lots, then opens."""
        return self.moved(
            fill.signed_quantity, fill.price, fill.fees, lot_id=fill.fill_id, at=fill.timestamp
        )

    def moved(
        self, left: Decimal, price: Decimal, fees: Decimal = ZERO, *, lot_id: str, at: datetime
    ) -> Holding:
        """Return the holding after ``left`` signed units came or went at ``price``."""
        kept, quantity, paid, gain = self.lots, self.quantity, self.paid, ZERO
        if left * quantity < 0:
            kept, left, gain = self._closed(left, price)
            quantity, paid = _sums_of(kept)
        if left:
            ordinal = self.lots[-1].ordinal + 1 if self.lots else 0
            kept = kept.with_(Lot(lot_id, left, price, at, ordinal))
            quantity, paid = quantity + left, paid + left * price
        return Holding(
            self.symbol,
            kept,
            self.realized_usd + quantise(gain),
            self.fees_usd + quantise(fees),
            price,
            quantity,
            paid,
        )

    def split(self, ratio: Decimal, price: Decimal) -> Holding:
        """Return the holding with ``ratio`` units for each, worth ``price`` now; same cost."""
        lots = Lots(
            [replace(o, quantity=o.quantity * ratio, price=o.price / ratio) for o in self.lots]
        )
        return Holding.of(self.symbol, lots, self.realized_usd, self.fees_usd, price)

    def _closed(self, left: Decimal, price: Decimal) -> tuple[Lots, Decimal, Decimal]:
        """Close the oldest lots; return the others, what is left to trade, and the gain, USD."""
        gain = ZERO
        for place, lot in enumerate(self.lots):
            closed = -left if abs(left) < abs(lot.quantity) else lot.quantity
            gain += closed * (price - lot.price)
            left += closed
            if closed != lot.quantity:
                rest = replace(lot, quantity=lot.quantity - closed)
                return Lots([rest, *self.lots[place + 1 :]]), left, gain
            if not left:
                return Lots(self.lots[place + 1 :]), left, gain
        return Lots(), left, gain


def _sums_of(lots: Iterable[Lot]) -> tuple[Decimal, Decimal]:
    """Return the signed quantity of lots, and their quantities times prices."""
    quantity, paid = ZERO, ZERO
    for lot in lots:
        quantity += lot.quantity
        paid += lot.quantity * lot.price
    return quantity, paid


def payment_of(fill: Fill) -> Decimal:
    """Return what a fill costs in cash, fees included, USD; negative when it pays."""
    return quantise(fill.signed_quantity * fill.price) + quantise(fill.fees)


@dataclass(frozen=True, slots=True)
class SubBook:
    """The virtual account of one strategy in one fund.

    ``initial_usd`` is the capital that was paid in until now, what was taken out deducted;
    ``income_usd`` was earned, or paid, without an order: dividends, interest, fees of the account.
    """

    fund_id: str
    strategy_id: str
    initial_usd: Decimal = ZERO
    cash_usd: Decimal = ZERO
    holdings: Mapping[Symbol, Holding] = field(default_factory=lambda: MappingProxyType({}))
    income_usd: Decimal = ZERO

    @property
    def owner(self) -> Owner:
        """Return (fund_id, strategy_id)."""
        return (self.fund_id, self.strategy_id)

    @property
    def realized_usd(self) -> Decimal:
        """Return the profit of closed lots before fees."""
        return sum((h.realized_usd for h in self.holdings.values()), ZERO)

    @property
    def fees_usd(self) -> Decimal:
        """Return all fees paid."""
        return sum((h.fees_usd for h in self.holdings.values()), ZERO)

    def booked(self, fill: Fill) -> SubBook:
        """Return the book after ``fill``."""
        holding = self.holdings.get(fill.symbol) or Holding(fill.symbol)
        return self.restated(holding.booked(fill), -payment_of(fill))

    def restated(self, holding: Holding, cash_change: Decimal) -> SubBook:
        """Return the book with another holding of its symbol, and cash moved with it."""
        holdings = MappingProxyType({**self.holdings, holding.symbol: holding})
        cash = self.cash_usd + cash_change
        return SubBook(
            self.fund_id, self.strategy_id, self.initial_usd, cash, holdings, self.income_usd
        )


@dataclass(frozen=True, slots=True)
class Ledger:
    """All sub-books and the last price of every symbol. Changes return a new ledger."""

    books: Mapping[Owner, SubBook] = field(default_factory=lambda: MappingProxyType({}))
    marks: Mapping[Symbol, Decimal] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, books: Iterable[SubBook], marks: Mapping[Symbol, Decimal] | None = None) -> Ledger:
        """Return a ledger of ``books``."""
        return cls(
            MappingProxyType({book.owner: book for book in books}),
            MappingProxyType(dict(marks or {})),
        )

    def book(self, fund_id: str, strategy_id: str) -> SubBook:
        """Return one sub-book; an empty one without capital when it was never used."""
        return self.books.get((fund_id, strategy_id)) or SubBook(fund_id, strategy_id)

    def booked(self, fill: Fill, owner: Owner) -> Ledger:
        """Return the ledger after ``owner`` got ``fill``."""
        book = self.books.get(owner) or SubBook(*owner)
        changed = book.booked(fill)
        return Ledger(MappingProxyType({**self.books, owner: changed}), self.marks)

    def restated(self, owner: Owner, holding: Holding, cash_change: Decimal) -> Ledger:
        """Return the ledger with another holding of ``owner``, and cash moved with it."""
        changed = self.book(*owner).restated(holding, cash_change)
        return Ledger(MappingProxyType({**self.books, owner: changed}), self.marks)

    def with_books(self, changed: Iterable[SubBook]) -> Ledger:
        """Return the ledger with these sub-books in the place of those of their owners."""
        books = {**self.books, **{book.owner: book for book in changed}}
        return Ledger(MappingProxyType(books), self.marks)

    def marked(self, prices: Mapping[Symbol, Decimal]) -> Ledger:
        """Return the ledger with newer last prices."""
        return Ledger(self.books, MappingProxyType({**self.marks, **prices}))

    def mark(self, holding: Holding) -> Decimal:
        """Return the last price of a holding: the market's, else that of its last fill."""
        return self.marks.get(holding.symbol, holding.last_fill_price)

    def quantities(self) -> dict[Symbol, Decimal]:
        """Return the position per symbol summed over all sub-books; flat symbols are left out."""
        total: dict[Symbol, Decimal] = {}
        for book in self.books.values():
            for symbol, holding in book.holdings.items():
                total[symbol] = total.get(symbol, ZERO) + holding.quantity
        return {symbol: quantity for symbol, quantity in total.items() if quantity}

    def held(self) -> frozenset[Symbol]:
        """Return the symbols in which any sub-book has a position."""
        holdings = (holding for book in self.books.values() for holding in book.holdings.values())
        return frozenset(holding.symbol for holding in holdings if holding.lots)

    def cash(self) -> Decimal:
        """Return the cash of all sub-books together, USD."""
        return sum((book.cash_usd for book in self.books.values()), ZERO)

    def positions(
        self, *, fund_id: str | None = None, strategy_id: str | None = None, as_of: datetime
    ) -> tuple[Position, ...]:
        """Return the open positions of a fund or strategy (None: all), sorted by owner, symbol."""
        found = []
        for owner, book in sorted(self.books.items()):
            if fund_id not in (None, owner[0]) or strategy_id not in (None, owner[1]):
                continue
            for _, holding in sorted(book.holdings.items()):
                if holding.quantity:
                    found.append(self._position(book, holding, as_of))
        return tuple(found)

    def _position(self, book: SubBook, holding: Holding, as_of: datetime) -> Position:
        mark = self.mark(holding)
        return Position(
            symbol=holding.symbol,
            quantity=holding.quantity,
            average_price=holding.average_price,
            last_price=mark,
            market_value_usd=quantise(holding.quantity * mark),
            realized_pnl_usd=holding.realized_usd,
            unrealized_pnl_usd=holding.unrealized(mark),
            fund_id=book.fund_id,
            strategy_id=book.strategy_id,
            as_of=as_of,
        )

    def lots(self, fund_id: str, strategy_id: str) -> tuple[PositionLot, ...]:
        """Return the open lots of one sub-book, by symbol, oldest first."""
        book = self.book(fund_id, strategy_id)
        return tuple(
            PositionLot(
                lot_id=lot.lot_id,
                symbol=symbol,
                quantity=lot.quantity,
                price=lot.price,
                opened_at=lot.opened_at,
                fund_id=fund_id,
                strategy_id=strategy_id,
            )
            for symbol, holding in sorted(book.holdings.items())
            for lot in holding.lots
        )
