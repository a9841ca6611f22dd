"""Single numbers and choices that are arguments: read, or refused by name with what to give.

A number may be an int, a float, a Decimal, a numpy scalar or an array of no dimension; a boolean,
text and None are none.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from mts1b_quantkit.arrays import LARGEST
from mts1b_quantkit.errors import BadInput

__all__ = [
    "MOST",
    "is_single",
    "read_choice",
    "read_count",
    "read_flag",
    "read_number",
    "read_positive",
    "shown",
]

_NUMBERS = (float, int, Decimal, np.floating, np.integer)
_MANY = (np.ndarray, list, tuple, Mapping)

MOST = 10**9
"""No count of rows, trials or assets is larger."""


def read_number(
    name: str,
    value: Any,
    *,
    least: float = -LARGEST,
    most: float = LARGEST,
    above: float = -math.inf,
    below: float = math.inf,
    wanted: str = "a finite number",
) -> float:
    """Return ``value`` as a float: ``least`` <= it <= ``most`` and ``above`` < it < ``below``.

    :raises BadInput: naming the argument and what is wanted.
    """
    number = _float(value)
    if not (least <= number <= most and above < number < below):
        raise BadInput(f"{name} is {shown(value)}; give {wanted}")
    return number


def read_positive(name: str, value: Any, *, wanted: str = "a positive number") -> float:
    """Return ``value`` as a float from 1 / LARGEST to LARGEST."""
    return read_number(name, value, least=1.0 / LARGEST, wanted=wanted)


def read_count(
    name: str, value: Any, *, least: int = 1, most: int = MOST, wanted: str | None = None
) -> int:
    """Return ``value`` as a whole number from ``least`` to ``most``.

    :raises BadInput: for anything else.
    """
    number = _float(value)
    if not least <= number <= most or number != math.floor(number):
        limit = "or more" if most == MOST else f"to {most}"
        raise BadInput(
            f"{name} is {shown(value)}; give {wanted or f'a whole number, {least} {limit}'}"
        )
    return int(number)


def read_flag(name: str, value: Any) -> bool:
    """Return a boolean; text like "no" would count as true.

    :raises BadInput: for anything else.
    """
    if not isinstance(value, bool | np.bool_):
        raise BadInput(f"{name} is {shown(value)}; give True or False")
    return bool(value)


def read_choice(name: str, value: Any, choices: Collection[str]) -> str:
    """Return ``value`` when it is one of the choices.

    :raises BadInput: naming the choices, when it is none.
    """
    if not isinstance(value, str) or value not in choices:
        *most, last = (repr(str(choice)) for choice in choices)
        known = f"{', '.join(most)} or {last}" if most else last
        raise BadInput(f"{name} is {shown(value)}; use {known}")
    return value


def is_single(value: Any) -> bool:
    """Tell whether an argument that may be a number or many is none of the many."""
    if isinstance(value, _NUMBERS):
        return True
    if isinstance(value, _MANY):
        return isinstance(value, np.ndarray) and value.ndim == 0
    return np.ndim(value) == 0


def shown(value: Any) -> str:
    """Return a value as an error tells it: text in quotes, and never pages of it."""
    text = repr(value) if isinstance(value, str | bytes) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _float(value: Any) -> float:
    """Return a single number as a float; NaN where it is none, or too large for one."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if not isinstance(value, _NUMBERS) or value is True or value is False:
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
