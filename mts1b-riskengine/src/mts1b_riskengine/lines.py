"""The lines of a fund's book: positions with their open orders, and their exact sums."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal

from mts1b_foundation import Symbol

from mts1b_riskengine.instruments import InstrumentFacts

__all__ = [
    "BASE_CURRENCY",
    "EXACT",
    "FLAT",
    "NOTHING",
    "UNKNOWN",
    "FundLines",
    "GroupKey",
    "Line",
    "LineKey",
    "Total",
    "groups_of",
]

EXACT = Context(prec=60)
"""Wide enough that sums of exposures never round, so taking a line out again leaves no trace."""

_plus, _less, _times = EXACT.add, EXACT.subtract, EXACT.multiply

ZERO = Decimal(0)
BASE_CURRENCY = "USD"
"""Exposures and NAV are in this currency; only other ones are counted apart."""
LineKey = tuple[str, Symbol]
"""(strategy id, symbol): one line of a fund's book."""
GroupKey = tuple[str, str]
"""(kind, name): what lines are summed by; the whole fund is ``("fund", "")``."""


@dataclass(slots=True, init=False)
class Line:
    """One strategy's position in one symbol, with its open orders on both sides.

    ``open_buy`` and ``open_sell`` are what approved orders may still add and take (units, both
    positive); ``value`` is the base currency of one unit. ``high`` and ``low`` are the position's
    values if all buys, or all sells, fill; ``gross`` the larger of the two in size.
    """

    quantity: Decimal
    open_buy: Decimal
    open_sell: Decimal
    value: Decimal
    high: Decimal
    low: Decimal
    gross: Decimal

    def __init__(
        self,
        quantity: Decimal = ZERO,
        open_buy: Decimal = ZERO,
        open_sell: Decimal = ZERO,
        value: Decimal = ZERO,
    ) -> None:
        self.quantity = quantity
        self.open_buy = open_buy
        self.open_sell = open_sell
        self.value = value
        self.high = high = _times(quantity + open_buy, value)
        self.low = low = _times(quantity - open_sell, value)
        highest, lowest = abs(high), abs(low)
        self.gross = highest if highest >= lowest else lowest

    def with_order(self, sign: int, units: Decimal, value: Decimal) -> Line:
        """Return the line as if ``units`` more were open on one side, at another unit value."""
        if sign > 0:
            return Line(self.quantity, self.open_buy + units, self.open_sell, value)
        return Line(self.quantity, self.open_buy, self.open_sell + units, value)

    def would_reduce(self, signed_quantity: Decimal) -> bool:
        """Return whether an order can only bring this position nearer to zero.

        All orders open on the same side are counted first, so two sells of a whole position are
        not both reducing.
        """
        if signed_quantity < 0:
            return self.quantity - self.open_sell + signed_quantity >= 0
        return self.quantity + self.open_buy + signed_quantity <= 0


FLAT = Line()
"""The line of who holds nothing; no line is ever changed, each change makes another."""


@dataclass(slots=True)
class Total:
    """The sums of a group of lines."""

    gross: Decimal = ZERO
    high: Decimal = ZERO
    low: Decimal = ZERO


NOTHING = Total()
"""The sums of a group that no line counts in; nobody may change it."""

UNKNOWN = ""
"""The sector, or the country, of what nobody has told one of."""


def groups_of(key: LineKey, facts: InstrumentFacts | None) -> tuple[GroupKey, ...]:
    """Return the groups that a line counts in."""
    groups = [("fund", ""), ("strategy", key[0]), ("symbol", str(key[1]))]
    groups.append(("sector", (facts and facts.sector) or UNKNOWN))
    groups.append(("country", (facts and facts.country) or UNKNOWN))
    if facts is not None:
        groups.append(("asset_class", facts.asset_class.value))
        if facts.currency is not None and facts.currency != BASE_CURRENCY:
            groups.append(("currency", facts.currency))
    return tuple(groups)


class FundLines:
    """The lines of one fund and, kept up with every change, the sums of their groups."""

    def __init__(self) -> None:
        self.lines: dict[LineKey, Line] = {}
        self._counted_in: dict[LineKey, tuple[Total, ...]] = {}
        self.totals: dict[GroupKey, Total] = {}
        """The sums of every group that a line counts in."""
        self._named: dict[str, list[Total]] = {"sector": [], "country": []}
        self.open_buys = ZERO
        """What all open purchases of the fund cost at last prices."""

    def get(self, key: LineKey) -> Line | None:
        """Return a line, or None."""
        return self.lines.get(key)

    def total(self, group: GroupKey) -> Total:
        """Return the sums of a group; zero when no line counts in it."""
        return self.totals.get(group, NOTHING)

    def largest(self, kind: str) -> Decimal:
        """Return the gross exposure of the largest sector, or country, that has a name."""
        return max((total.gross for total in self._named[kind]), default=ZERO)

    def __iter__(self) -> Iterator[LineKey]:
        """Return the keys of all lines."""
        return iter(tuple(self.lines))

    def put(self, key: LineKey, line: Line, facts: InstrumentFacts | None) -> None:
        """Set a line and move the sums by the difference."""
        old = self.lines.get(key, FLAT)
        totals = self._counted_in.get(key)
        if totals is None:
            totals = self._counted_in[key] = self._totals_of(groups_of(key, facts))
        gross, high = _less(line.gross, old.gross), _less(line.high, old.high)
        low = _less(line.low, old.low)
        for total in totals:
            total.gross = _plus(total.gross, gross)
            total.high = _plus(total.high, high)
            total.low = _plus(total.low, low)
        if line.open_buy or old.open_buy:
            others = _less(self.open_buys, _times(old.open_buy, old.value))
            self.open_buys = _plus(others, _times(line.open_buy, line.value))
        self.lines[key] = line

    def _totals_of(self, groups: tuple[GroupKey, ...]) -> tuple[Total, ...]:
        return tuple(self.totals.get(group) or self._begin(group) for group in groups)

    def _begin(self, group: GroupKey) -> Total:
        total = self.totals[group] = Total()
        kind, name = group
        if kind in self._named and name != UNKNOWN:
            self._named[kind].append(total)
        return total
