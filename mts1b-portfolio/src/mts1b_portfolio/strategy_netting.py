"""The wants of many strategies as few orders, and whose each part of them is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any

from mts1b_foundation.symbology import Symbol

from mts1b_portfolio.errors import BadTarget
from mts1b_portfolio.inputs import read_decimal, read_mapping
from mts1b_portfolio.netting import OrderDelta, net_to_orders, read_lot, read_symbol

__all__ = ["Crossing", "NetOrder", "NettedBook", "net_strategies"]

_DIGITS = 120
_ZERO = Decimal(0)

Book = Mapping[str, Mapping[Symbol, Decimal]]
"""Signed quantities by strategy and symbol."""


@dataclass(frozen=True, slots=True)
class NetOrder:
    """One order and what each strategy has in it: ``shares`` are signed and sum to the order."""

    order: OrderDelta
    shares: Mapping[str, Decimal]
    lot_size: Decimal = Decimal(1)

    def split(self, filled: Decimal) -> dict[str, Decimal]:
        """Return the signed part of each strategy in ``filled``, a part of the order.

        Parts are whole lots (but for what ``filled`` itself holds beyond them), sum to ``filled``
        exactly and are each within a lot of their share. Use it on the total of an order's fills:
        totals that grow never take back more than a lot from anyone.

        :raises BadTarget: for less than nothing, or more than the order.
        """
        done = read_decimal("filled", filled)
        if not _ZERO <= done <= self.order.quantity:
            raise BadTarget(f"filled is {filled}; the order is {self.order.quantity}")
        wants = {name: share.copy_abs() for name, share in self.shares.items()}
        sign = self.order.side.sign
        parts = _apportion(done, wants, self.lot_size)
        with localcontext(prec=_DIGITS):
            return {name: sign * part for name, part in parts.items()}


@dataclass(frozen=True, slots=True)
class Crossing:
    """What strategies trade among each other at no market: signed quantities that sum to zero."""

    symbol: Symbol
    shares: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class NettedBook:
    """The orders of the whole book, and the crossings that make them smaller."""

    orders: tuple[NetOrder, ...]
    crossings: tuple[Crossing, ...]

    def attributed(self) -> dict[str, dict[Symbol, Decimal]]:
        """Return the signed change of each strategy once every order is filled; zeros left out."""
        changes: dict[str, dict[Symbol, Decimal]] = {}
        parts = [(item.order.symbol, item.shares) for item in self.orders]
        parts += [(item.symbol, item.shares) for item in self.crossings]
        with localcontext(prec=_DIGITS):
            for symbol, shares in parts:
                for name, share in shares.items():
                    mine = changes.setdefault(name, {})
                    mine[symbol] = mine.get(symbol, _ZERO) + share
        return changes


def net_strategies(
    targets: Book,
    current: Book,
    *,
    lot_size: Decimal = Decimal(1),
    min_quantity: Decimal = Decimal(0),
) -> NettedBook:
    """Return the orders that bring all strategies to their targets together.

    Opposite wants meet first, without a market: a :class:`Crossing` gives the smaller side all it
    wants and the larger side its part in proportion. The rest becomes orders of the book as a whole
    (never through zero in one order), attributed in proportion to what is still wanted. Each
    strategy gets whole lots, never more than it wants and never in the other direction. The result
    depends on the numbers alone, not on the order of strategies.

    Only cross where your rules allow it; without, net each strategy by itself with
    ``net_to_orders``.

    :param targets: signed quantities by strategy; a symbol that a strategy holds and does not list
        is closed.
    :param current: signed quantities that each strategy holds now.
    :param min_quantity: an order of the book below it is left out; nobody gets a part of it.
    :raises BadTarget: for a quantity that is not finite, or a lot or minimum out of range.

    >>> from decimal import Decimal
    >>> from mts1b_portfolio import net_strategies
    >>> targets = {"a": {"X": Decimal(5)}, "b": {"X": Decimal(-2)}}
    >>> [one.order.quantity for one in net_strategies(targets, {}).orders]
    [Decimal('3')]
    """
    lot, least = read_lot(lot_size), read_decimal("min_quantity", min_quantity, least=_ZERO)
    goals, holds = _read("targets", targets), _read("current", current)
    with localcontext(prec=_DIGITS):
        wants = _wants(goals, holds, lot)
        held = _sums(holds)
        orders: list[NetOrder] = []
        crossings: list[Crossing] = []
        for symbol in sorted(wants):
            rest = _crossed(symbol, wants[symbol], lot, crossings)
            orders += _ordered(symbol, rest, held.get(symbol, _ZERO), lot_size=lot, minimum=least)
    return NettedBook(tuple(orders), tuple(crossings))


def _wants(targets: Book, current: Book, lot: Decimal) -> dict[Symbol, dict[str, Decimal]]:
    """Return the wanted change by symbol and strategy: whole lots toward zero, no zeros."""
    wants: dict[Symbol, dict[str, Decimal]] = {}
    for name in sorted({*targets, *current}):
        goals, holds = targets.get(name, {}), current.get(name, {})
        for symbol in sorted({*goals, *holds}):
            change = goals.get(symbol, _ZERO) - holds.get(symbol, _ZERO)
            lots = int(change / lot)
            if lots:
                wants.setdefault(symbol, {})[name] = lots * lot
    return wants


def _sums(book: Book) -> dict[Symbol, Decimal]:
    sums: dict[Symbol, Decimal] = {}
    for holds in book.values():
        for symbol, quantity in holds.items():
            sums[symbol] = sums.get(symbol, _ZERO) + quantity
    return sums


def _crossed(
    symbol: Symbol, wants: Mapping[str, Decimal], lot: Decimal, crossings: list[Crossing]
) -> dict[str, Decimal]:
    """Cross what meets; return what each strategy still wants, all in one direction."""
    bought = sum((want for want in wants.values() if want > 0), _ZERO)
    sold = -sum((want for want in wants.values() if want < 0), _ZERO)
    met = min(bought, sold)
    if not met:
        return dict(wants)
    shares: dict[str, Decimal] = {}
    for sign in (1, -1):
        side = {name: abs(want) for name, want in wants.items() if want * sign > 0}
        shares |= {name: sign * part for name, part in _apportion(met, side, lot).items() if part}
    crossings.append(Crossing(symbol, shares))
    rest = {name: want - shares.get(name, _ZERO) for name, want in wants.items()}
    return {name: want for name, want in rest.items() if want}


def _ordered(
    symbol: Symbol,
    wants: Mapping[str, Decimal],
    held: Decimal,
    *,
    lot_size: Decimal,
    minimum: Decimal,
) -> list[NetOrder]:
    target = held + sum(wants.values(), _ZERO)
    left = {name: abs(want) for name, want in wants.items()}
    orders = []
    for order in net_to_orders(
        {symbol: target}, {symbol: held}, lot_size=lot_size, min_quantity=minimum
    ):
        parts = _apportion(order.quantity, left, lot_size)
        shares = {name: order.side.sign * part for name, part in parts.items() if part}
        left = {name: want - parts[name] for name, want in left.items()}
        orders.append(NetOrder(order, shares, lot_size))
    return orders


def _apportion(total: Decimal, wants: Mapping[str, Decimal], lot: Decimal) -> dict[str, Decimal]:
    """Split ``total`` in proportion to ``wants``, in whole lots, none above its want.

    Running totals are rounded half up, so each part is its exact share rounded down or up. What
    ``total`` holds beyond whole lots goes to the first who still wants it.
    """
    with localcontext(prec=_DIGITS):
        whole = sum(wants.values(), _ZERO)
        lots = int(total // lot)
        odd = total - lots * lot
        reached, given, parts = _ZERO, 0, {}
        for name in sorted(wants):
            reached += wants[name]
            due = int((2 * lots * reached + whole) // (2 * whole)) if whole else 0
            parts[name] = (due - given) * lot
            given = due
        if odd:
            taker = next(name for name in sorted(wants) if parts[name] + odd <= wants[name])
            parts[taker] += odd
        return parts


def _read(what: str, book: Any) -> dict[str, dict[Symbol, Decimal]]:
    return {
        str(name): {
            read_symbol(symbol): read_decimal(f"{name} has {quantity!r} of {symbol}: it", quantity)
            for symbol, quantity in read_mapping(f"{what} of {name}", holds).items()
        }
        for name, holds in read_mapping(what, book).items()
    }
