"""One arithmetic for Decimal (exact), float and numpy amounts."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np

from mts1b_quantkit.errors import BadInput

__all__ = [
    "BPS",
    "adverse_price",
    "decimal",
    "larger",
    "like",
    "require_not_negative",
    "root",
    "smaller",
    "where",
]

BPS = Decimal(10_000)


def require_not_negative(**values: Any) -> None:
    """Refuse a parameter below zero, or one that is no finite number."""
    for name, value in values.items():
        if not 0 <= value < float("inf"):
            raise BadInput(f"{name} is {value}; give zero or more")


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
