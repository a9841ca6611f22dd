"""One arithmetic for Decimal (exact), float and numpy amounts."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
from mts1b_foundation.orders import Liquidity

from mts1b_quantkit.arrays import LARGEST, as_numbers
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.scalars import is_single, read_choice, read_number

__all__ = [
    "BPS",
    "adverse_price",
    "decimal",
    "larger",
    "like",
    "read_liquidity",
    "read_trade",
    "require_not_negative",
    "root",
    "smaller",
    "where",
]

BPS = Decimal(10_000)


def require_not_negative(**values: Any) -> None:
    """Refuse a parameter below zero, or one that is no finite number."""
    for name, value in values.items():
        read_number(name, value, least=0.0, wanted="zero or more")


def read_trade(quantity: Any, price: Any) -> tuple[Any, Any]:
    """Read both as Decimal (or whole), or both as float or array.

    :raises BadInput: naming the amount, for one that is not finite, or in another arithmetic.
    """
    size, paid = _read_amount("quantity", quantity), _read_amount("price", price)
    if isinstance(size, Decimal) is not isinstance(paid, Decimal) and not (
        isinstance(size, int) or isinstance(paid, int)
    ):
        raise BadInput(
            f"quantity is a {type(size).__name__}, price a {type(paid).__name__}; give both as "
            "Decimal, or neither"
        )
    return size, paid


def _read_amount(name: str, value: Any) -> Any:
    kind = type(value)
    if kind is float and -LARGEST <= value <= LARGEST:
        return value
    if kind is Decimal and value.is_finite() and -LARGEST <= float(value) <= LARGEST:
        return value
    if not is_single(value):
        return as_numbers(value, what=name)
    number = read_number(name, value)
    return value if isinstance(value, Decimal | int) else number


def read_liquidity(liquidity: Any) -> Liquidity:
    """Return maker or taker, also where it is written as text."""
    if isinstance(liquidity, Liquidity):
        return liquidity
    return Liquidity(read_choice("liquidity", liquidity, tuple(Liquidity)))


def decimal(value: Any) -> Decimal:
    """Return the number as it is written."""
    return value if isinstance(value, Decimal) else Decimal(str(value))


def like(value: Any, *others: Any) -> Any:
    """Return a parameter in the arithmetic of ``others``: Decimal beside Decimal, else float."""
    exact = any(isinstance(other, Decimal) for other in others)
    return decimal(value) if exact else float(value)


def adverse_price(quantity: Any, price: Any, fraction: Any) -> Any:
    """Move the price up for a purchase, down for a sale."""
    move = price * fraction
    return where(quantity > 0, price + move, where(quantity < 0, price - move, price))


def root(value: Any) -> Any:
    """Return the square root."""
    if isinstance(value, np.ndarray):
        return np.sqrt(value)
    return value.sqrt() if isinstance(value, Decimal) else math.sqrt(value)


def where(condition: Any, yes: Any, no: Any) -> Any:
    """Choose for one number, or for each of an array."""
    return (
        np.where(condition, yes, no)
        if isinstance(condition, np.ndarray)
        else yes
        if condition
        else no
    )


def larger(one: Any, other: Any) -> Any:
    """Return the larger, for one number or each of an array."""
    return np.maximum(one, other) if isinstance(one, np.ndarray) else max(one, other)


def smaller(one: Any, other: Any) -> Any:
    """Return the smaller, for one number or each of an array."""
    return np.minimum(one, other) if isinstance(one, np.ndarray) else min(one, other)
