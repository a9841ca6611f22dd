"""What the engine must never exceed, counted apart from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from mts1b_foundation import Order

__all__ = ["Caps", "Exposure", "Known", "overshoots"]

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Caps:
    """The caps of one world, in base currency; ``symbol_units`` over all funds, not netted."""

    position: Decimal
    gross: Decimal
    firm: Decimal
    symbol_units: Decimal


@dataclass(slots=True)
class Known:
    """An approved order: what of it filled, and what may still fill."""

    order: Order
    filled: Decimal = ZERO
    closed: bool = False

    @property
    def open_units(self) -> Decimal:
        """Return what may still fill."""
        return ZERO if self.closed else self.order.quantity - self.filled


@dataclass(slots=True)
class Exposure:
    """One strategy's worst cases in one symbol, in units."""

    held: Decimal = ZERO
    buys: Decimal = ZERO
    sells: Decimal = ZERO

    @property
    def high(self) -> Decimal:
        """Return the position if all buys fill."""
        return self.held + self.buys

    @property
    def low(self) -> Decimal:
        """Return the position if all sells fill."""
        return self.held - self.sells

    @property
    def gross(self) -> Decimal:
        """Return the larger of the two in size."""
        return max(abs(self.high), abs(self.low))


def _lines(known: Iterable[Known]) -> dict[tuple[str, str, str], Exposure]:
    lines: dict[tuple[str, str, str], Exposure] = {}
    for one in known:
        order = one.order
        key = (order.fund_id, order.strategy_id, str(order.symbol))
        line = lines.setdefault(key, Exposure())
        line.held += one.filled * order.side.sign
        if order.side.sign > 0:
            line.buys += one.open_units
        else:
            line.sells += one.open_units
    return lines


def overshoots(known: Iterable[Known], caps: Caps, price: Decimal) -> list[str]:
    """Return every cap that the approved orders exceed, if everything fills against it."""
    lines = _lines(known)
    found: list[str] = []
    funds: dict[str, Decimal] = {}
    symbols: dict[str, Decimal] = {}
    for (fund, strategy, symbol), line in lines.items():
        value = line.gross * price
        funds[fund] = funds.get(fund, ZERO) + value
        symbols[symbol] = symbols.get(symbol, ZERO) + line.gross
        if value > caps.position:
            found.append(f"position {fund}/{strategy}/{symbol}: {value} > {caps.position}")
    found += [f"gross {f}: {v} > {caps.gross}" for f, v in funds.items() if v > caps.gross]
    total = sum(funds.values(), ZERO)
    if total > caps.firm:
        found.append(f"firm: {total} > {caps.firm}")
    found += [
        f"symbol {name}: {units} > {caps.symbol_units}"
        for name, units in symbols.items()
        if units > caps.symbol_units
    ]
    return found
