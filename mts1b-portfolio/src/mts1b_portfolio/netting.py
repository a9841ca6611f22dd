"""From target positions to the orders that reach them. Decimal in, Decimal out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any, Literal

from mts1b_foundation.orders import Side, resolve_side
from mts1b_foundation.symbology import Symbol

from mts1b_portfolio.errors import BadTarget, MissingPrice
from mts1b_portfolio.inputs import read_decimal, read_mapping, read_number

__all__ = ["OrderDelta", "net_to_orders", "read_lot", "read_symbol", "weights_to_quantities"]

SMALLEST_LOT = Decimal("1E-18")

_LEAST = Decimal("1E-30")
_DIGITS = 120
"""Working precision: no sum, product or whole number of lots is ever rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDelta:
    """One change of one position.

    ``quantity`` is positive, ``side`` carries the sign. ``reduce_only`` is true for what may only
    shrink the position: sell and cover.
    """

    symbol: Symbol
    side: Side
    quantity: Decimal
    reduce_only: bool

    @property
    def signed_quantity(self) -> Decimal:
        """Return the quantity with the sign of its effect on the position."""
        return self.quantity * self.side.sign


def net_to_orders(
    targets: Mapping[Symbol, Decimal],
    current: Mapping[Symbol, Decimal],
    *,
    lot_size: Decimal = Decimal(1),
    min_quantity: Decimal = Decimal(0),
    no_trade_band: Decimal = Decimal(0),
    absent: Literal["close", "keep"] = "close",
) -> tuple[OrderDelta, ...]:
    """Return the orders that bring ``current`` to ``targets``, by symbol, closing before opening.

    Sizes are whole lots, rounded toward zero. A change through zero becomes an order that closes
    (sell or cover, reduce-only) and one that opens (short or buy); while an odd lot keeps the
    position from closing fully, nothing is opened on the other side.

    :param targets: signed quantities of one fund and strategy.
    :param current: signed quantities held now; a symbol that is not listed is flat.
    :param lot_size: the smallest tradable quantity.
    :param min_quantity: an order below it is left out.
    :param no_trade_band: fraction of the target; a smaller change is left out. It never stops a
        close.
    :param absent: what to do with a symbol that is held but has no target.
    :raises BadTarget: for a quantity that is not finite, or a lot, minimum or band out of range.

    >>> from decimal import Decimal
    >>> from mts1b_portfolio import net_to_orders
    >>> [(one.symbol, one.quantity) for one in net_to_orders({"A": Decimal(5)}, {"A": Decimal(2)})]
    [('A', Decimal('3'))]
    """
    lot = read_lot(lot_size)
    least = read_decimal("min_quantity", min_quantity, least=Decimal(0), wanted="zero or more")
    band = read_decimal("no_trade_band", no_trade_band, least=Decimal(0), wanted="a fraction")
    if band >= 1:
        raise BadTarget(f"no_trade_band is {no_trade_band}; it must be a fraction in [0, 1)")
    if not isinstance(absent, str) or absent not in ("close", "keep"):
        raise BadTarget(f"absent is {absent!r}; it must be 'close' or 'keep'")
    goals, holds = read_mapping("targets", targets), read_mapping("current", current)
    names = [*goals, *(name for name in holds if absent == "close" and name not in goals)]
    orders: list[OrderDelta] = []
    with localcontext(prec=_DIGITS):
        for symbol in sorted(map(read_symbol, names)):
            target = read_decimal(f"the target of {symbol}", goals.get(symbol, Decimal(0)))
            held = read_decimal(f"the position of {symbol}", holds.get(symbol, Decimal(0)))
            if abs(target - held) >= band * abs(target):
                orders += _changes(symbol, held, target, lot, least)
    return tuple(orders)


def weights_to_quantities(
    weights: Mapping[str, float],
    nav: Decimal,
    prices: Mapping[str, Decimal],
    *,
    lot_size: Decimal = Decimal(1),
) -> dict[str, Decimal]:
    """Return the signed quantities that weights of a net asset value buy, in whole lots.

    A weight is taken as the decimal that it prints as (0.3 is three tenths). Quantities are exact
    and rounded toward zero, so the value bought never exceeds weight times ``nav``.

    :param weights: signed fractions of ``nav``.
    :param nav: in the currency of ``prices``.
    :raises MissingPrice: for a weight other than zero without a finite, positive price.
    :raises BadTarget: for a weight that is not finite, or a nav or lot that is not positive.

    >>> from decimal import Decimal
    >>> from mts1b_portfolio import weights_to_quantities
    >>> weights_to_quantities({"A": 0.5}, Decimal(1000), {"A": Decimal(30)})
    {'A': Decimal('16')}
    """
    worth = read_decimal("nav", nav, least=_LEAST, wanted="a finite, positive Decimal")
    lot = read_lot(lot_size)
    by_symbol = read_mapping("prices", prices)
    quantities: dict[str, Decimal] = {}
    with localcontext(prec=_DIGITS):
        for symbol, weight in read_mapping("weights", weights).items():
            read = read_number(f"the weight of {symbol}", weight, error=BadTarget)
            share = weight if isinstance(weight, Decimal) else Decimal(repr(read))
            lots = Decimal(0)
            if share:
                lots = (share * worth) // (_price(symbol, by_symbol) * lot)
            quantities[symbol] = lots * lot + 0
    return quantities


def read_lot(lot_size: Any) -> Decimal:
    """Return a lot of 1e-18 to 1e30.

    :raises BadTarget: for anything else.
    """
    return read_decimal(
        "lot_size", lot_size, least=SMALLEST_LOT, wanted=f"a positive lot, {SMALLEST_LOT} or more"
    )


def read_symbol(name: Any) -> Symbol:
    """Return ``name`` as a symbol.

    :raises BadTarget: when it is none.
    """
    if not isinstance(name, str):  # str(5) would be a symbol, and another key than 5
        raise BadTarget(f"{name!r} is no symbol; give a string")
    try:
        return Symbol(name)
    except ValueError as error:
        raise BadTarget(f"{name!r} is no symbol; {error}") from error


def _changes(
    symbol: Symbol, held: Decimal, target: Decimal, lot_size: Decimal, min_quantity: Decimal
) -> list[OrderDelta]:
    if held * target >= 0:
        order = _order(symbol, target - held, held, lot_size, min_quantity)
        return [order] if order else []
    close = _order(symbol, -held, held, lot_size, min_quantity)
    if close is None:
        return []
    if close.quantity != abs(held):
        return [close]
    opening = _order(symbol, target, Decimal(0), lot_size, min_quantity)
    return [close, opening] if opening else [close]


def _order(
    symbol: Symbol, change: Decimal, held: Decimal, lot_size: Decimal, min_quantity: Decimal
) -> OrderDelta | None:
    quantity = (abs(change) // lot_size) * lot_size
    if quantity == 0 or quantity < min_quantity:
        return None
    side = resolve_side("buy" if change > 0 else "sell", held)
    reduces = side in (Side.SELL, Side.COVER)
    return OrderDelta(symbol=symbol, side=side, quantity=quantity, reduce_only=reduces)


def _price(symbol: str, prices: Mapping[str, Decimal]) -> Decimal:
    price = prices.get(symbol)
    if price is None or (isinstance(price, Decimal) and not (price.is_finite() and price > 0)):
        raise MissingPrice(symbol, price)
    return read_decimal(f"the price of {symbol}", price, least=_LEAST, wanted="a positive price")
