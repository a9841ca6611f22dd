"""Single numbers and mappings that are arguments: read, or refused by name with what to give."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
from mts1b_quantkit.errors import BadInput

from mts1b_portfolio.errors import BadTarget

__all__ = [
    "LARGEST",
    "SMALLEST",
    "read_cap",
    "read_count",
    "read_decimal",
    "read_mapping",
    "read_number",
    "read_positive",
]

LARGEST = 1e30
"""No number of a portfolio is larger: sums and products of several have room."""

SMALLEST = 1e-30
"""No number that something is divided by is smaller."""

_DECIMALS = 30


def read_number(
    name: str,
    value: Any,
    *,
    least: float = -LARGEST,
    most: float = LARGEST,
    wanted: str = "a number",
    error: type[ValueError] = BadInput,
) -> float:
    """Return ``value`` (int, float, Decimal, numpy) as a float from ``least`` to ``most``.

    :raises ValueError: of the type ``error``, naming the argument and what is wanted.
    """
    number = _float(value)
    if not least <= number <= most:
        raise error(f"{name} is {value}; give {wanted}, at most {most:g}")
    return number


def read_positive(name: str, value: Any, *, error: type[ValueError] = BadInput) -> float:
    """Return ``value`` as a float from 1e-30 to 1e30."""
    return read_number(
        name, value, least=SMALLEST, wanted=f"a positive number, {SMALLEST:g} or more", error=error
    )


def read_cap(name: str, value: Any) -> float:
    """Return a bound of zero or more; infinite for None."""
    if value is None:
        return math.inf
    return read_number(name, value, least=0.0, most=math.inf, wanted="a weight, zero or more")


def read_count(name: str, value: Any, *, least: int = 1, most: int = 10**9) -> int:
    """Return ``value`` as a whole number from ``least`` to ``most``.

    :raises BadInput: for anything else.
    """
    number = _float(value)
    if not least <= number <= most or number != math.floor(number):
        raise BadInput(f"{name} is {value}; give a whole number from {least} to {most}")
    return int(number)


def read_decimal(
    name: str, value: Any, *, least: Decimal = -Decimal("1E+30"), wanted: str = "a finite number"
) -> Decimal:
    """Return an exact quantity, price or amount of at most 1e30 and 30 decimal places.

    Within these limits no sum, product or count of lots of this package is rounded.

    :param value: a Decimal or an int; a float is refused, because it is not exact.
    :raises BadTarget: for anything else.
    """
    if not isinstance(value, Decimal | int):
        raise BadTarget(f"{name} is a {type(value).__name__}; give a Decimal")
    number = Decimal(value)
    if not number.is_finite() or not least <= number <= Decimal("1E+30"):
        raise BadTarget(f"{name} is {value}; give {wanted}, at most 1E+30")
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_DECIMALS:
        raise BadTarget(f"{name} is {value}; round it to {_DECIMALS} decimal places")
    return number


def read_mapping(name: str, value: Any) -> Mapping[Any, Any]:
    """Return ``value`` when it is a mapping.

    :raises BadTarget: for anything else.
    """
    if not isinstance(value, Mapping):
        raise BadTarget(f"{name} is a {type(value).__name__}; give a mapping")
    return value


def _float(value: Any) -> float:
    """Return a single number as a float; NaN where it is none, or too large for one."""
    if isinstance(value, str | bytes) or np.ndim(value):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
