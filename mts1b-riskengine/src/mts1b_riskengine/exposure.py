"""What an order does to the exposure of its fund, if everything open fills against it."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from mts1b_foundation import Order

from mts1b_riskengine.instruments import InstrumentFacts
from mts1b_riskengine.lines import EXACT, NOTHING, UNKNOWN, FundLines, Line, LineKey

__all__ = ["ExposureProbe", "Measures"]

ZERO = Decimal(0)
_plus, _less, _minus = EXACT.add, EXACT.subtract, EXACT.minus


class Measures(NamedTuple):
    """What the caps of an envelope are compared with; all in base currency.

    ``position`` is the larger of the strategy's own and the fund's netted worst case in the
    symbol, ``net`` the larger of the fund's and the strategy's, both on the side to which the
    order moves them: what is long beyond a cap leaves no room to go short beyond it. ``net_high``
    is the most positive net exposure of the fund. ``sector`` and ``country`` are sums of what is
    known to be of one; to ``..._at_worst`` all belongs that may be.
    """

    position: Decimal
    gross: Decimal
    net: Decimal
    net_high: Decimal
    asset_class: Decimal
    sector: Decimal
    country: Decimal
    sector_at_worst: Decimal
    country_at_worst: Decimal


class ExposureProbe:
    """Measure a fund before and after one order, on request.

    ``lines`` is the fund's book; ``value`` the base currency of one unit of the order's symbol;
    ``reserved`` what this very order holds already, when it is judged again, or the order that
    it amends; ``filled`` how much of its quantity is in the position already.
    """

    def __init__(
        self,
        lines: FundLines,
        order: Order,
        *,
        value: Decimal,
        facts: InstrumentFacts,
        reserved: Decimal = ZERO,
        filled: Decimal = ZERO,
    ) -> None:
        self._lines = lines
        self._key: LineKey = (order.strategy_id, order.symbol)
        self._facts = facts
        self._sign = order.side.sign
        self._units = max(order.quantity - filled, ZERO)
        self._held = lines.lines.get(self._key) or Line(value=value)
        self.line = self._held.with_order(self._sign, -reserved, value) if reserved else self._held
        self._value = value
        self._after: Line | None = None
        self._moves: tuple[Decimal, Decimal, Decimal] | None = None

    @property
    def unit_value(self) -> Decimal:
        """Return what one unit of the order's symbol is worth."""
        return self._value

    @property
    def after(self) -> Line:
        """Return the strategy's line with the order open."""
        if self._after is None:
            self._after = self.line.with_order(self._sign, self._units, self._value)
        return self._after

    def shift(self) -> tuple[Decimal, Decimal, Decimal]:
        """Return by how much the order moves sums of gross, high and low that hold its line."""
        if self._moves is None:
            self._moves = self._shift(self.after)
        return self._moves

    def _shift(self, line: Line) -> tuple[Decimal, Decimal, Decimal]:
        held = self._held
        return _less(line.gross, held.gross), _less(line.high, held.high), _less(line.low, held.low)

    @property
    def reducing(self) -> bool:
        """Return whether the order can only shrink the strategy's position."""
        return self.line.would_reduce(self._units * self._sign)

    @property
    def opens_short(self) -> bool:
        """Return whether the position may be below zero once all open sells fill."""
        line = self.line
        return self._sign < 0 and line.quantity - line.open_sell - self._units < 0

    def measure(self) -> tuple[Measures, Measures]:
        """Return the measures without and with the order."""
        return self.measure_before(), self.measure_after()

    def measure_before(self) -> Measures:
        """Return the measures without the order."""
        return self._measured(self.line, self._shift(self.line))

    def measure_after(self) -> Measures:
        """Return the measures with the order."""
        return self._measured(self.after, self.shift())

    def _measured(self, line: Line, moves: tuple[Decimal, Decimal, Decimal]) -> Measures:
        gross, high, low = moves
        totals, facts, (strategy_id, symbol) = self._lines.totals, self._facts, self._key
        fund = totals.get(("fund", ""), NOTHING)
        strategy = totals.get(("strategy", strategy_id), NOTHING)
        of_symbol = totals.get(("symbol", symbol), NOTHING)
        of_class = totals.get(("asset_class", facts.asset_class.value), NOTHING)
        if self._sign > 0:
            position = max(line.high, _plus(of_symbol.high, high))
            net = max(_plus(fund.high, high), _plus(strategy.high, high))
        else:
            position = _minus(min(line.low, _plus(of_symbol.low, low)))
            net = _minus(min(_plus(fund.low, low), _plus(strategy.low, low)))
        return Measures(
            position=position,
            gross=_plus(fund.gross, gross),
            net=net,
            net_high=_plus(fund.high, high),
            asset_class=_plus(of_class.gross, gross),
            sector=(sector := self._grouped("sector", facts.sector, gross)),
            country=(country := self._grouped("country", facts.country, gross)),
            sector_at_worst=_plus(sector, self._unknown("sector")),
            country_at_worst=_plus(country, self._unknown("country")),
        )

    def _grouped(self, kind: str, name: str | None, gross: Decimal) -> Decimal:
        """Return the sum of the order's group; of an unknown one, of that which may be the most."""
        lines = self._lines
        held = lines.total((kind, name)).gross if name else lines.largest(kind)
        return _plus(held, gross)

    def _unknown(self, kind: str) -> Decimal:
        return self._lines.total((kind, UNKNOWN)).gross
