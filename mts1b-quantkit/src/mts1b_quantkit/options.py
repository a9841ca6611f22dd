"""European options under Black, Scholes and Merton (1973), with a continuous dividend yield.

Every argument is a number or an array; arrays are broadcast. Rates, yields and volatilities are
annual, times in years.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mts1b_quantkit.arrays import LARGEST, FloatArray, as_numbers
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.scalars import is_single, read_choice, read_number
from mts1b_quantkit.special import ndtr

__all__ = ["Greeks", "bs_greeks", "bs_price", "implied_volatility"]

Kind = Literal["call", "put"]
_NEWTON_STEPS = 60
_MOST_GROWTH = 100.0
"""Rate times time; beyond it, discount factors leave the range in which a price has digits."""
_HIGHEST = 100.0
"""The largest volatility that is looked for: 10,000 % a year."""


@dataclass(frozen=True, slots=True, eq=False)
class Greeks:
    """The price with its first and second derivatives.

    ``delta`` per unit of the underlying, ``gamma`` per unit squared, ``vega`` per 1.00 of
    volatility, ``theta`` per year (negative as time passes), ``rho`` per 1.00 of the rate.
    """

    price: Any
    delta: Any
    gamma: Any
    vega: Any
    theta: Any
    rho: Any


def bs_price(
    spot: Any,
    strike: Any,
    t: Any,
    r: Any,
    vol: Any,
    option: Kind = "call",
    *,
    dividend_yield: Any = 0.0,
) -> Any:
    """Return the price; at no time or no volatility, the discounted value of the forward.

    :param t: years to expiry. :param r: rate, ``vol`` volatility, both annual.
    :raises BadInput: for a price that is not positive, a negative time or volatility, or an option
        other than call and put.

    >>> from mts1b_quantkit.options import bs_price
    >>> round(bs_price(42.0, 40.0, 0.5, 0.1, 0.2), 2)
    4.76
    """
    s, k, years, v, rate, q = _read(
        spot=spot, strike=strike, t=t, vol=vol, r=r, dividend_yield=dividend_yield
    )
    return _plain(_price(s, k, years, v, rate, q, _sign(option)))


def bs_greeks(
    spot: Any,
    strike: Any,
    t: Any,
    r: Any,
    vol: Any,
    option: Kind = "call",
    *,
    dividend_yield: Any = 0.0,
) -> Greeks:
    """Return price and derivatives; see :func:`bs_price`. Time and volatility must be positive.

    >>> from mts1b_quantkit.options import bs_greeks
    >>> round(bs_greeks(49.0, 50.0, 0.3846, 0.05, 0.2).delta, 3)
    0.522
    """
    s, k, t, v, r, q = _read(
        spot=spot, strike=strike, t=t, vol=vol, r=r, dividend_yield=dividend_yield
    )
    _require_room(t=t, vol=v)
    w = _sign(option)
    root = v * np.sqrt(t)
    up, down = _distances(s, k, t, v, r, q)
    grown, paid = s * np.exp(-q * t), k * np.exp(-r * t)
    density = np.exp(-0.5 * up**2) / math.sqrt(2.0 * math.pi)
    theta = (
        -grown * density * v / (2.0 * np.sqrt(t))
        - w * r * paid * ndtr(w * down)
        + w * q * grown * ndtr(w * up)
    )
    return Greeks(
        price=_plain(_price(s, k, t, v, r, q, w)),
        delta=_plain(w * np.exp(-q * t) * ndtr(w * up)),
        gamma=_plain(np.exp(-q * t) * density / (s * root)),
        vega=_plain(grown * density * np.sqrt(t)),
        theta=_plain(theta),
        rho=_plain(w * t * paid * ndtr(w * down)),
    )


def implied_volatility(
    price: Any,
    spot: Any,
    strike: Any,
    t: Any,
    r: Any,
    option: Kind = "call",
    *,
    dividend_yield: Any = 0.0,
) -> Any:
    """Return the volatility that gives ``price``, by Newton steps kept inside a bracket.

    NaN where no volatility gives the price: below the discounted value of the forward, or above
    that of the asset (a call) or the strike (a put).

    >>> from mts1b_quantkit.options import implied_volatility
    >>> round(implied_volatility(4.76, 42.0, 40.0, 0.5, 0.1), 3)
    0.2
    """
    s, k, t, p, r, q = _read(
        spot=spot, strike=strike, t=t, price=price, r=r, dividend_yield=dividend_yield
    )
    _require_room(t=t)
    w = _sign(option)
    s, k, t, p, r, q = (x.astype(float) for x in np.broadcast_arrays(s, k, t, p, r, q))
    grown, paid = s * np.exp(-q * t), k * np.exp(-r * t)
    lowest = np.maximum(w * (grown - paid), 0.0)
    highest = grown if w > 0 else paid
    possible = (p >= lowest) & (p < highest)
    low, high = np.zeros_like(p), np.full_like(p, _HIGHEST)
    guess = np.sqrt(2.0 * np.abs(np.log(grown / paid)) / t) + 1e-3
    for _ in range(_NEWTON_STEPS):
        gap = _price(s, k, t, guess, r, q, w) - p
        low, high = np.where(gap < 0.0, guess, low), np.where(gap < 0.0, high, guess)
        up, _ = _distances(s, k, t, guess, r, q)
        slope = grown * np.exp(-0.5 * up**2) / math.sqrt(2.0 * math.pi) * np.sqrt(t)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            following = guess - gap / slope
        inside = np.isfinite(following) & (following > low) & (following < high)
        following = np.where(inside, following, (low + high) / 2.0)
        settled = np.abs(following - guess) <= 1e-15 * np.maximum(guess, 1e-300)
        guess = following
        if settled.all():
            break
    return _plain(np.where(possible, np.where(p == lowest, 0.0, guess), np.nan))


def _read(**numbers: Any) -> list[FloatArray]:
    """Read the arguments by name, in order: two prices, two not negative, two rates."""
    read = {
        name: np.asarray(read_number(name, value))
        if is_single(value)
        else as_numbers(value, what=name)
        for name, value in numbers.items()
    }
    try:
        np.broadcast_shapes(*(value.shape for value in read.values()))
    except ValueError as error:
        shapes = {name: value.shape for name, value in read.items() if value.ndim}
        raise BadInput(f"the arguments have shapes {shapes}; give shapes that agree") from error
    names = list(read)
    for name in names[:2]:
        if (read[name] < 1.0 / LARGEST).any():
            raise BadInput(f"{name} holds {read[name].min():g}; give positive prices")
    for name in names[2:4]:
        if (read[name] < 0.0).any():
            raise BadInput(f"{name} holds {read[name].min():g}; give zero or more")
    for name in names[4:]:
        with np.errstate(over="ignore"):
            growth = np.abs(read[name] * read["t"])
        if (growth > _MOST_GROWTH).any():
            raise BadInput(
                f"{name} times t reaches {growth.max():g}, more than {_MOST_GROWTH:g}; give an "
                "annual rate as a fraction, and t in years"
            )
    return list(read.values())


def _require_room(**numbers: FloatArray) -> None:
    for name, value in numbers.items():
        if (value < 1.0 / LARGEST).any():
            raise BadInput(f"{name} holds {value.min():g}; give positive numbers here")


def _sign(option: str) -> float:
    return 1.0 if read_choice("option", option, ("call", "put")) == "call" else -1.0


def _distances(
    s: FloatArray, k: FloatArray, t: FloatArray, v: FloatArray, r: FloatArray, q: FloatArray
) -> tuple[FloatArray, FloatArray]:
    root = v * np.sqrt(t)
    forward = np.log(s / k) + (r - q) * t
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = np.where(root > 0.0, forward / root, np.sign(forward) * np.inf)
    return np.asarray(middle + root / 2.0), np.asarray(middle - root / 2.0)


def _price(
    s: FloatArray,
    k: FloatArray,
    t: FloatArray,
    v: FloatArray,
    r: FloatArray,
    q: FloatArray,
    w: float,
) -> FloatArray:
    grown, paid = s * np.exp(-q * t), k * np.exp(-r * t)
    up, down = _distances(s, k, t, v, r, q)
    value = w * (grown * ndtr(w * up) - paid * ndtr(w * down))
    flat = np.maximum(w * (grown - paid), 0.0)
    return np.asarray(np.where(v * np.sqrt(t) > 0.0, np.maximum(value, flat), flat))


def _plain(values: NDArray[np.float64]) -> Any:
    return float(values) if np.ndim(values) == 0 else np.asarray(values)
