"""Division by a whole number, correctly rounded, by way of its inverse.

With y = 1 / n rounded and q = x y rounded, the rest r = x - n q is exact in one fused operation: it
is a multiple of the last place of q, and n is whole. Then q + r y, rounded once, is off from x / n
by less than x / n can be near the middle between two numbers, which is 1 / 2n of a last place. So
it rounds as the division does, for n below 2^40 and quotients that are no subnormal numbers, in a
third of the time.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic

__all__ = ["divided"]


def _divided(typing: Any, value: Any, divisor: Any, inverse: Any) -> Any:
    """Return ``value`` / ``divisor``, a whole number as float64, given 1 / ``divisor`` rounded."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, divisor, inverse = args
        guess = builder.fmul(value, inverse)
        rest = builder.fma(builder.fneg(divisor), guess, value)
        return builder.fma(rest, inverse, guess)

    return types.float64(types.float64, types.float64, types.float64), emit


divided: Any = intrinsic(_divided)
