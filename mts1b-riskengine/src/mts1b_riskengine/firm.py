"""Exposures beyond one fund: the firm, a symbol over all funds, a currency, a strategy."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from mts1b_foundation import Order

from mts1b_riskengine.exposure import ExposureProbe
from mts1b_riskengine.lines import EXACT, NOTHING, Total
from mts1b_riskengine.positions import PositionBook

__all__ = [
    "FirmExposure",
    "GroupExposure",
    "StrategyExposure",
    "currency_exposure",
    "firm_exposure",
    "open_purchases",
    "strategy_exposure",
    "symbol_exposure",
]

ZERO, ONE = Decimal(0), Decimal(1)
_UNITS = Decimal("1E-12")


class FirmExposure(NamedTuple):
    """Gross and net (the larger worst case) of all funds with the order, in base currency."""

    gross: Decimal
    net: Decimal


class GroupExposure(NamedTuple):
    """Value of a group in its worst case with the order, without sign; what one unit is worth."""

    value: Decimal
    unit_value: Decimal

    @property
    def units(self) -> Decimal:
        """Return the value in units."""
        return EXACT.divide(self.value, self.unit_value).quantize(_UNITS, context=EXACT)


class StrategyExposure(NamedTuple):
    """A strategy's gross exposure, and that of its line in the order's symbol, with the order."""

    gross: Decimal
    position: Decimal


def firm_exposure(book: PositionBook, probe: ExposureProbe) -> FirmExposure:
    """Return the exposure of the firm if everything open fills, and the order with it."""
    total = _summed(book, ("fund", ""))
    gross, high, low = probe.shift()
    return FirmExposure(EXACT.add(total.gross, gross), _worst(total, high, low))


def symbol_exposure(book: PositionBook, order: Order, probe: ExposureProbe) -> GroupExposure:
    """Return what all strategies of all funds would hold of the symbol, without netting.

    Netted, an order that reduces one strategy could carry the firm over the cap; so it can not.
    """
    total = _summed(book, ("symbol", order.symbol))
    return GroupExposure(EXACT.add(total.gross, probe.shift()[0]), probe.unit_value)


def currency_exposure(
    book: PositionBook, order: Order, probe: ExposureProbe, currency: str | None, base: str
) -> GroupExposure | None:
    """Return the fund's gross exposure in a foreign currency; None when it is not known."""
    if currency is None:
        return None
    if currency == base:
        return GroupExposure(ZERO, ONE)
    total = book.of_fund(order.fund_id).total(("currency", currency))
    return GroupExposure(EXACT.add(total.gross, probe.shift()[0]), ONE)


def strategy_exposure(book: PositionBook, order: Order, probe: ExposureProbe) -> StrategyExposure:
    """Return what the strategy would have at risk."""
    total = book.of_fund(order.fund_id).total(("strategy", order.strategy_id))
    return StrategyExposure(EXACT.add(total.gross, probe.shift()[0]), probe.after.gross)


def open_purchases(book: PositionBook, order: Order, reserved: Decimal, value: Decimal) -> Decimal:
    """Return what the fund's open purchases cost at last prices, this very order left out."""
    total = book.of_fund(order.fund_id).open_buys
    return total - reserved * value if order.side.sign > 0 else total


def _summed(book: PositionBook, group: tuple[str, str]) -> Total:
    funds = book.all_funds()
    if len(funds) == 1:
        (only,) = funds
        return only.totals.get(group, NOTHING)
    total = Total()
    for lines in funds:
        one = lines.total(group)
        total.gross = EXACT.add(total.gross, one.gross)
        total.high = EXACT.add(total.high, one.high)
        total.low = EXACT.add(total.low, one.low)
    return total


def _worst(total: Total, high: Decimal, low: Decimal) -> Decimal:
    return max(EXACT.add(total.high, high).copy_abs(), EXACT.add(total.low, low).copy_abs())
