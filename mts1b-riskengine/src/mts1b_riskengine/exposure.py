"""The algebra of exposure: positions, working orders and the worst that can still happen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from mts1b_foundation import Order, Symbol

from mts1b_riskengine.instruments import InstrumentFacts

__all__ = ["ExposureProbe", "Line", "LineKey", "Measures"]

ZERO = Decimal(0)
LineKey = tuple[str, Symbol]
"""(strategy id, symbol): one line of a fund's book."""


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
    facts: InstrumentFacts | None = None
    high: Decimal = field(default=ZERO, init=False)
    low: Decimal = field(default=ZERO, init=False)
    gross: Decimal = field(default=ZERO, init=False)

    def __post_init__(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Recompute the worst cases after a change."""
        self.high = (self.quantity + self.open_buy) * self.value
        self.low = (self.quantity - self.open_sell) * self.value
        self.gross = max(abs(self.high), abs(self.low))

    def with_order(self, signed_quantity: Decimal, value: Decimal) -> Line:
        """Return the line as if one more order were open."""
        return self._with(signed_quantity > 0, abs(signed_quantity), value)

    def without_order(self, sign: int, units: Decimal) -> Line:
        """Return the line as if ``units`` of the orders on one side were not open."""
        return self._with(sign > 0, -units, self.value)

    def _with(self, buys: bool, units: Decimal, value: Decimal) -> Line:
        return Line(
            quantity=self.quantity,
            open_buy=self.open_buy + units if buys else self.open_buy,
            open_sell=self.open_sell if buys else self.open_sell + units,
            value=value,
            facts=self.facts,
        )

    def would_reduce(self, signed_quantity: Decimal) -> bool:
        """Return whether an order can only bring this position nearer to zero.

        All orders open on the same side are counted first, so two sells of a whole position are
        not both reducing.
        """
        if signed_quantity < 0:
            return self.quantity - self.open_sell + signed_quantity >= 0
        return self.quantity + self.open_buy + signed_quantity <= 0


@dataclass(frozen=True, slots=True)
class Measures:
    """What the caps of an envelope are compared with; all in base currency.

    ``position`` is the larger of the strategy's own and the fund's netted worst case in the
    symbol; ``net`` the larger worst case of the fund and of the strategy; ``net_high`` the most
    positive net exposure of the fund.
    """

    position: Decimal
    gross: Decimal
    net: Decimal
    net_high: Decimal
    asset_class: Decimal
    sector: Decimal
    country: Decimal


@dataclass(slots=True)
class _Others:
    """Sums over every line of the fund but the order's own."""

    gross: Decimal = ZERO
    high: Decimal = ZERO
    low: Decimal = ZERO
    strategy_high: Decimal = ZERO
    strategy_low: Decimal = ZERO
    symbol_high: Decimal = ZERO
    symbol_low: Decimal = ZERO
    asset_class: Decimal = ZERO
    sector: Decimal = ZERO
    country: Decimal = ZERO


class ExposureProbe:
    """Measure a fund before and after one order, on request.

    ``lines`` is the fund's book; ``value`` the base currency of one unit of the order's symbol;
    ``reserved`` what this very order holds already, when it is judged again.
    """

    def __init__(
        self,
        lines: Mapping[LineKey, Line],
        order: Order,
        *,
        value: Decimal,
        facts: InstrumentFacts,
        reserved: Decimal = ZERO,
    ) -> None:
        self._lines = lines
        self._key: LineKey = (order.strategy_id, order.symbol)
        self._facts = facts
        self._value = value
        self._signed = order.signed_quantity
        held = lines.get(self._key) or Line(value=value, facts=facts)
        self.line = held.without_order(order.side.sign, reserved) if reserved else held

    @property
    def reducing(self) -> bool:
        """Return whether the order can only shrink the strategy's position."""
        return self.line.would_reduce(self._signed)

    @property
    def opens_short(self) -> bool:
        """Return whether the position may be below zero once all open sells fill."""
        line = self.line
        return self._signed < 0 and line.quantity - line.open_sell + self._signed < 0

    def measure(self) -> tuple[Measures, Measures]:
        """Return the measures without and with the order."""
        others = self._others()
        after = self.line.with_order(self._signed, self._value)
        return _combine(others, self.line), _combine(others, after)

    def _others(self) -> _Others:
        total, strategy, symbol = _Others(), *self._key
        for key, line in self._lines.items():
            if key == self._key:
                continue
            total.gross += line.gross
            total.high += line.high
            total.low += line.low
            if key[0] == strategy:
                total.strategy_high += line.high
                total.strategy_low += line.low
            if key[1] == symbol:
                total.symbol_high += line.high
                total.symbol_low += line.low
            self._add_groups(total, line)
        return total

    def _add_groups(self, total: _Others, line: Line) -> None:
        mine, other = self._facts, line.facts
        if other is None:
            return
        if other.asset_class is mine.asset_class:
            total.asset_class += line.gross
        if mine.sector is not None and other.sector == mine.sector:
            total.sector += line.gross
        if mine.country is not None and other.country == mine.country:
            total.country += line.gross


def _worst(high: Decimal, low: Decimal) -> Decimal:
    return max(abs(high), abs(low))


def _combine(others: _Others, line: Line) -> Measures:
    in_symbol = _worst(others.symbol_high + line.high, others.symbol_low + line.low)
    of_strategy = _worst(others.strategy_high + line.high, others.strategy_low + line.low)
    of_fund = _worst(others.high + line.high, others.low + line.low)
    return Measures(
        position=max(line.gross, in_symbol),
        gross=others.gross + line.gross,
        net=max(of_fund, of_strategy),
        net_high=others.high + line.high,
        asset_class=others.asset_class + line.gross,
        sector=others.sector + line.gross,
        country=others.country + line.gross,
    )
