"""The lines of a fund's book: positions with their open orders, and their exact sums."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Context, Decimal

from mts1b_foundation import Symbol

from mts1b_riskengine.instruments import InstrumentFacts

__all__ = [
    "BASE_CURRENCY",
    "EXACT",
    "FundLines",
    "GroupKey",
    "Line",
    "LineKey",
    "Total",
    "groups_of",
]

EXACT = Context(prec=60)
"""Wide enough that sums of exposures never round, so taking a line out again leaves no trace."""

ZERO = Decimal(0)
BASE_CURRENCY = "USD"
"""Exposures and NAV are in this currency; only other ones are counted apart."""
LineKey = tuple[str, Symbol]
"""(strategy id, symbol): one line of a fund's book."""
GroupKey = tuple[str, str]
"""(kind, name): what lines are summed by; the whole fund is ``("fund", "")``."""


@dataclass(slots=True)
class Line:
    """One strategy's position in one symbol, with its open orders on both sides.

    ``open_buy`` and ``open_sell`` are what approved orders may still add and take (units, both
    positive); ``value`` is the base currency of one unit. ``high`` and ``low`` are the position's
    values if all buys, or all sells, fill; ``gross`` the larger of the two in size.
    """

    quantity: Decimal = ZERO
    open_buy: Decimal = ZERO
    open_sell: Decimal = ZERO
    value: Decimal = ZERO
    high: Decimal = field(default=ZERO, init=False)
    low: Decimal = field(default=ZERO, init=False)
    gross: Decimal = field(default=ZERO, init=False)

    def __post_init__(self) -> None:
        self.high = EXACT.multiply(self.quantity + self.open_buy, self.value)
        self.low = EXACT.multiply(self.quantity - self.open_sell, self.value)
        self.gross = max(abs(self.high), abs(self.low))

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


@dataclass(slots=True)
class Total:
    """The sums of a group of lines."""

    gross: Decimal = ZERO
    high: Decimal = ZERO
    low: Decimal = ZERO

    def add(self, line: Line) -> None:
        """Count a line."""
        self.gross = EXACT.add(self.gross, line.gross)
        self.high = EXACT.add(self.high, line.high)
        self.low = EXACT.add(self.low, line.low)

    def remove(self, line: Line) -> None:
        """Stop counting a line."""
        self.gross = EXACT.subtract(self.gross, line.gross)
        self.high = EXACT.subtract(self.high, line.high)
        self.low = EXACT.subtract(self.low, line.low)


def groups_of(key: LineKey, facts: InstrumentFacts | None) -> tuple[GroupKey, ...]:
    """Return the groups that a line counts in."""
    groups = [("fund", ""), ("strategy", key[0]), ("symbol", str(key[1]))]
    if facts is not None:
        groups.append(("asset_class", facts.asset_class.value))
        if facts.sector is not None:
            groups.append(("sector", facts.sector))
        if facts.country is not None:
            groups.append(("country", facts.country))
        if facts.currency is not None and facts.currency != BASE_CURRENCY:
            groups.append(("currency", facts.currency))
    return tuple(groups)


class FundLines:
    """The lines of one fund and, kept up with every change, the sums of their groups."""

    def __init__(self) -> None:
        self._lines: dict[LineKey, Line] = {}
        self._groups: dict[LineKey, tuple[GroupKey, ...]] = {}
        self._totals: dict[GroupKey, Total] = {}
        self.open_buys = ZERO

    def get(self, key: LineKey) -> Line | None:
        """Return a line, or None."""
        return self._lines.get(key)

    def total(self, group: GroupKey) -> Total:
        """Return the sums of a group; zero when no line counts in it."""
        return self._totals.get(group) or Total()

    def __iter__(self) -> Iterator[LineKey]:
        """Return the keys of all lines."""
        return iter(tuple(self._lines))

    def put(self, key: LineKey, line: Line, facts: InstrumentFacts | None) -> None:
        """Set a line and move the sums by the difference."""
        old = self._lines.get(key)
        if key not in self._groups:
            self._groups[key] = groups_of(key, facts)
        for group in self._groups[key]:
            total = self._totals.setdefault(group, Total())
            if old is not None:
                total.remove(old)
            total.add(line)
        if line.open_buy or (old is not None and old.open_buy):
            self._count_buys(old, line)
        self._lines[key] = line

    def _count_buys(self, old: Line | None, line: Line) -> None:
        """Keep what all open purchases of the fund cost at last prices."""
        if old is not None:
            known = EXACT.multiply(old.open_buy, old.value)
            self.open_buys = EXACT.subtract(self.open_buys, known)
        self.open_buys = EXACT.add(self.open_buys, EXACT.multiply(line.open_buy, line.value))
