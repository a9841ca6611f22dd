"""From target positions to the orders that reach them. Decimal in, Decimal out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Literal

from mts1b_foundation.orders import Side, resolve_side
from mts1b_foundation.symbology import Symbol

from mts1b_portfolio.errors import BadTarget, MissingPrice

__all__ = ["OrderDelta", "net_to_orders", "weights_to_quantities"]

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
    _require(lot_size > 0, "lot_size", lot_size, "positive")
    _require(min_quantity >= 0, "min_quantity", min_quantity, "zero or more")
    _require(0 <= no_trade_band < 1, "no_trade_band", no_trade_band, "a fraction in [0, 1)")
    _require(absent in ("close", "keep"), "absent", absent, "'close' or 'keep'")
    names = set(targets) | (set(current) if absent == "close" else set())
    orders: list[OrderDelta] = []
    with localcontext(prec=_DIGITS):
        for symbol in sorted(names):
            target = _finite(symbol, "target", targets.get(symbol, Decimal(0)))
            held = _finite(symbol, "position", current.get(symbol, Decimal(0)))
            if abs(target - held) >= no_trade_band * abs(target):
                orders += _changes(Symbol(symbol), held, target, lot_size, min_quantity)
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
    _require(nav.is_finite() and nav > 0, "nav", nav, "a finite, positive Decimal")
    _require(lot_size > 0, "lot_size", lot_size, "positive")
    quantities: dict[str, Decimal] = {}
    with localcontext(prec=_DIGITS):
        for symbol, weight in weights.items():
            share = _finite(symbol, "weight", Decimal(repr(float(weight))))
            lots = Decimal(0)
            if share:
                lots = (share * nav) // (_price(symbol, prices) * lot_size)
            quantities[symbol] = lots * lot_size + 0
    return quantities


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
    if price is not None and not isinstance(price, Decimal):
        raise BadTarget(f"the price of {symbol} is a {type(price).__name__}; give a Decimal")
    if price is None or not price.is_finite() or price <= 0:
        raise MissingPrice(symbol, price)
    return price


def _finite(symbol: str, what: str, value: Decimal) -> Decimal:
    if not isinstance(value, Decimal):
        raise BadTarget(f"the {what} of {symbol} is a {type(value).__name__}; give a Decimal")
    if not value.is_finite():
        raise BadTarget(f"the {what} of {symbol} is {value}; give a finite number")
    return value


def _require(holds: bool, name: str, value: object, range_: str) -> None:
    if not holds:
        raise BadTarget(f"{name} is {value!r}; it must be {range_}")
