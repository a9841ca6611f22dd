"""What trading does to the price."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mts1b_quantkit.scalars import read_number, read_positive

__all__ = ["Impact", "almgren_impact"]


@dataclass(frozen=True, slots=True)
class Impact:
    """Market impact as fractions of price, for a trade of the given sign.

    :ivar permanent: I, the move that stays.
    :ivar temporary: K, the move that goes with the trading.
    :ivar cost: I / 2 + K, the expected cost of the trade.
    """

    permanent: float
    temporary: float
    cost: float


def almgren_impact(
    shares: float,
    *,
    average_daily_volume: float,
    shares_outstanding: float,
    daily_volatility: float,
    horizon_days: float,
    gamma: float = 0.314,
    eta: float = 0.142,
) -> Impact:
    """Return the impact of trading ``shares`` evenly over ``horizon_days`` of trading.

    Almgren, Thum, Hauptmann and Li 2005, "Direct estimation of equity market impact": with X
    shares, V daily volume, Theta outstanding, sigma daily volatility and T days,
    I = gamma sigma (X / V) (Theta / V)^(1/4) and K = eta sigma |X / (V T)|^(3/5), signed like X.

    :param shares: signed; a sale has negative impact.
    :raises BadInput: for a volume, share count or horizon that is not positive.

    >>> from mts1b_quantkit.cost_models import almgren_impact
    >>> impact = almgren_impact(
    ...     200_000,
    ...     average_daily_volume=2_000_000,
    ...     shares_outstanding=100_000_000,
    ...     daily_volatility=0.02,
    ...     horizon_days=0.5,
    ... )
    >>> round(impact.cost, 6)
    0.001916
    """
    daily = read_positive("average_daily_volume", average_daily_volume)
    outstanding = read_positive("shares_outstanding", shares_outstanding)
    days = read_positive("horizon_days", horizon_days)
    volatility = read_number("daily_volatility", daily_volatility, least=0.0, wanted="zero or more")
    size = read_number("shares", shares) / daily
    turnover = (outstanding / daily) ** 0.25
    permanent = read_number("gamma", gamma) * volatility * size * turnover
    speed = math.copysign(abs(size / days) ** 0.6, size)
    temporary = read_number("eta", eta) * volatility * speed
    return Impact(permanent, temporary, permanent / 2.0 + temporary)
