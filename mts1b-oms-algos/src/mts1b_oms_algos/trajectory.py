"""The optimal liquidation of Almgren and Chriss 2000, in its discrete form.

Prices are absolute (currency per share) and follow an arithmetic walk; impact is linear.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from mts1b_oms_algos.errors import BadParameter
from mts1b_oms_algos.shortfall import as_float

__all__ = ["Trajectory", "almgren_chriss_trajectory"]

_MOST_INTERVALS = 10_000_000
_LARGEST = 1e40
"""No number of a market is larger, or a divisor smaller than one over it: nothing overflows."""


@dataclass(frozen=True, slots=True)
class Trajectory:
    """What to hold and trade, and what that costs.

    ``holdings`` has n + 1 values, from all shares to none; ``trades`` n, their differences.
    ``expected_cost`` is in currency, ``variance`` in currency squared. ``half_life`` is 1 / kappa,
    in the unit of the horizon: infinite without risk aversion.
    """

    holdings: tuple[float, ...]
    trades: tuple[float, ...]
    expected_cost: float
    variance: float
    half_life: float


def almgren_chriss_trajectory(
    shares: float,
    horizon: float,
    n_intervals: int,
    *,
    volatility: float,
    permanent_impact: float,
    temporary_impact: float,
    fixed_cost: float = 0.0,
    risk_aversion: float,
) -> Trajectory:
    """Return the trajectory that minimises expected cost + ``risk_aversion`` times variance.

    x_j = X sinh(kappa (T - t_j)) / sinh(kappa T) with 2 (cosh(kappa tau) - 1) / tau^2 =
    risk_aversion volatility^2 / (temporary - permanent tau / 2); the cost is permanent X^2 / 2 +
    fixed sum|n| + (temporary - permanent tau / 2) sum n^2 / tau, the variance volatility^2 tau
    sum x_j^2 (equations 4, 5, 17 to 20).

    :param shares: what is to be sold (positive) or bought (negative).
    :param horizon: T, in any unit of time, e.g. days.
    :param volatility: currency per share and square root of that unit.
    :param permanent_impact: gamma, currency per share squared.
    :param temporary_impact: eta, currency per share per (share per unit of time).
    :param fixed_cost: epsilon, currency per share, e.g. half the spread.
    :param risk_aversion: lambda, per currency; 0 trades evenly.
    :raises BadParameter: for a value out of range, or a temporary impact that does not exceed
        permanent tau / 2: such a market would pay for being traded in.

    >>> from mts1b_oms_algos import almgren_chriss_trajectory
    >>> plan = almgren_chriss_trajectory(
    ...     1_000_000,
    ...     5.0,
    ...     5,
    ...     volatility=0.95,
    ...     permanent_impact=2.5e-7,
    ...     temporary_impact=2.5e-6,
    ...     risk_aversion=2e-6,
    ... )
    >>> [round(x) for x in plan.holdings]
    [1000000, 428599, 182933, 76296, 27643, 0]
    """
    shares, horizon = as_float("shares", shares), as_float("horizon", horizon)
    _require(0.0 < abs(shares) <= _LARGEST, "shares", shares, "a number but not zero")
    _require(1 / _LARGEST <= horizon <= _LARGEST, "horizon", horizon, "a positive time")
    n_intervals = _whole("n_intervals", n_intervals)
    volatility, permanent_impact, fixed_cost, risk_aversion = _none_negative(
        volatility=volatility,
        permanent_impact=permanent_impact,
        fixed_cost=fixed_cost,
        risk_aversion=risk_aversion,
    )
    step = horizon / n_intervals
    temporary_impact = as_float("temporary_impact", temporary_impact)
    adjusted = _adjusted_impact(temporary_impact, permanent_impact * step / 2.0)
    kappa = math.acosh(1.0 + risk_aversion * volatility**2 / adjusted * step**2 / 2.0) / step
    holdings = _holdings(shares, kappa, horizon, n_intervals)
    trades = tuple(before - after for before, after in pairwise(holdings))
    cost = (
        permanent_impact * shares**2 / 2.0
        + fixed_cost * math.fsum(abs(trade) for trade in trades)
        + adjusted / step * math.fsum(trade**2 for trade in trades)
    )
    return Trajectory(
        holdings=holdings,
        trades=trades,
        expected_cost=cost,
        variance=volatility**2 * step * math.fsum(held**2 for held in holdings[1:]),
        half_life=1.0 / kappa if kappa > 0.0 else math.inf,
    )


def _adjusted_impact(temporary: float, half_permanent: float) -> float:
    """Return the temporary impact less half the permanent one of an interval."""
    adjusted = temporary - half_permanent
    _require(
        1 / _LARGEST <= adjusted <= _LARGEST,
        "temporary_impact",
        temporary,
        f"more than permanent_impact * interval / 2 = {half_permanent:g}",
    )
    return adjusted


def _holdings(shares: float, kappa: float, horizon: float, n_intervals: int) -> tuple[float, ...]:
    """Return what is held at each of the n + 1 moments."""
    step = horizon / n_intervals
    kept = (_share_left(kappa, horizon, step * place) for place in range(n_intervals))
    return (*(shares * share for share in kept), 0.0)


def _whole(name: str, value: int) -> int:
    number = as_float(name, value)
    if not (1.0 <= number <= _MOST_INTERVALS and number == math.floor(number)):
        raise BadParameter(f"{name} is {value}; give a whole number from 1 to {_MOST_INTERVALS}")
    return int(number)


def _share_left(kappa: float, horizon: float, time: float) -> float:
    """Return sinh(kappa (T - t)) / sinh(kappa T), without overflow; linear at kappa = 0."""
    if time == 0.0:
        return 1.0
    if kappa * horizon < 1e-9:
        return 1.0 - time / horizon
    top, bottom = math.expm1(-2.0 * kappa * (horizon - time)), math.expm1(-2.0 * kappa * horizon)
    return math.exp(-kappa * time) * top / bottom


def _require(holds: bool, name: str, value: float, wanted: str) -> None:
    if not holds:
        raise BadParameter(f"{name} is {value}; give {wanted}, at most {_LARGEST:g}")


def _none_negative(**values: float) -> list[float]:
    """Return the numbers, in this order, each checked to be zero or more."""
    numbers = {name: as_float(name, value) for name, value in values.items()}
    for name, number in numbers.items():
        _require(0.0 <= number <= _LARGEST, name, number, "zero or more")
    return list(numbers.values())
