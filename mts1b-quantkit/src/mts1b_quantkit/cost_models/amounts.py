"""One arithmetic for Decimal (exact), float and numpy amounts."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
from mts1b_foundation.orders import Liquidity

from mts1b_quantkit.arrays import as_numbers
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


def read_trade(**amounts: Any) -> list[Any]:
    """Read quantities and prices: all Decimal (or whole), or all float and arrays.

    :raises BadInput: naming the amount, for one that is not finite, or in another arithmetic.
    """
    read = {name: _read_amount(name, value) for name, value in amounts.items()}
    exact = [name for name, value in read.items() if isinstance(value, Decimal)]
    other = [name for name, value in read.items() if isinstance(value, float | np.ndarray)]
    if exact and other:
        raise BadInput(f"{exact[0]} is a Decimal and {other[0]} is none; give both as Decimal")
    return list(read.values())


def _read_amount(name: str, value: Any) -> Any:
    if not is_single(value):
        return as_numbers(value, what=name)
    number = read_number(name, value)
    exact = isinstance(value, Decimal | int)
    return value if exact else number


def read_liquidity(liquidity: Any) -> Liquidity:
    """Return maker or taker, also where it is written as text."""
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
