"""What an order cost against the price at which it was decided (Perold 1988)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, SupportsFloat

from mts1b_foundation.orders import Side

from mts1b_oms_algos.errors import BadParameter

__all__ = ["Shortfall", "as_float", "implementation_shortfall"]

_LARGEST = 1e60
"""No price or quantity is larger, or smaller than one over it: no part of the sum overflows."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """The parts of the shortfall, as fractions of ordered * decision price; positive is a cost.

    ``delay``: from decision to arrival, on what was filled. ``execution``: from arrival to the
    executions. ``opportunity``: from decision to the end, on what was not filled.
    """

    delay: float
    execution: float
    opportunity: float
    fees: float  # float-ok: a fraction of the decided value, an analysis, nothing is booked

    @property
    def total(self) -> float:
        """Return the whole shortfall: the return of the paper order less that of the real one."""
        return math.fsum((self.delay, self.execution, self.opportunity, self.fees))


def implementation_shortfall(
    side: Side | str,
    *,
    ordered: SupportsFloat,
    filled: SupportsFloat,
    decision_price: SupportsFloat,
    arrival_price: SupportsFloat,
    execution_price: SupportsFloat,
    final_price: SupportsFloat,
    fees: SupportsFloat = 0.0,
) -> Shortfall:
    """Split the shortfall of one order.

    Numbers are Decimal, as orders and fills have them, or float.

    :param side: buy, sell, short or cover.
    :param ordered: quantity that was decided; ``filled`` what was executed of it.
    :param arrival_price: when the order reached the market.
    :param execution_price: the average price of the fills; any positive number where there is
        none.
    :param final_price: when the order ended.
    :param fees: in currency; negative for a rebate.
    :raises BadParameter: for a price that is not positive (1e-60 to 1e60), or filled outside of 0
        to ordered.

    >>> from mts1b_oms_algos import implementation_shortfall
    >>> cost = implementation_shortfall(
    ...     "buy",
    ...     ordered=1000,
    ...     filled=800,
    ...     decision_price=50.0,
    ...     arrival_price=50.1,
    ...     execution_price=50.2,
    ...     final_price=50.5,
    ...     fees=10.0,
    ... )
    >>> round(cost.total, 6)
    0.0054
    """
    decision = _positive("decision_price", decision_price)
    arrival = _positive("arrival_price", arrival_price)
    execution = _positive("execution_price", execution_price)
    final = _positive("final_price", final_price)
    size, done = _positive("ordered", ordered), as_float("filled", filled)
    cost = as_float("fees", fees)
    if not 0.0 <= done <= size:
        raise BadParameter(f"filled is {filled}; it lies between 0 and ordered, {ordered}")
    if not abs(cost) <= _LARGEST:
        raise BadParameter(f"fees is {fees}; give a number of at most {_LARGEST:g}")
    sign, share = _side(side).sign, done / size
    return Shortfall(
        delay=sign * share * ((arrival - decision) / decision),
        execution=sign * share * ((execution - arrival) / decision),
        opportunity=sign * (1.0 - share) * ((final - decision) / decision),
        fees=cost / size / decision,
    )


def as_float(name: str, value: Any) -> float:
    """Return one number (int, float, Decimal, numpy) as a float; NaN and infinity are numbers here.

    :raises BadParameter: for text, None, an array, or what is too large for a float.
    """
    if isinstance(value, SupportsFloat) and not getattr(value, "shape", ()):
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            pass  # a signalling NaN, or an integer of too many digits
    raise BadParameter(f"{name} is a {type(value).__name__} and no price or size; give a number")


def _side(side: Side | str) -> Side:
    try:
        return Side(side)
    except ValueError:
        known = ", ".join(item.value for item in Side)
        raise BadParameter(f"side is {side!r}; use one of {known}") from None


def _positive(name: str, value: SupportsFloat) -> float:
    number = as_float(name, value)
    if not 1.0 / _LARGEST <= number <= _LARGEST:
        raise BadParameter(f"{name} is {value}; give a positive number, at most {_LARGEST:g}")
    return number
