"""How much money fits into a market without moving it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from mts1b_quantkit.arrays import as_table
from mts1b_quantkit.universe_filters import average_daily_volume

from mts1b_portfolio.errors import BadTarget, MissingPrice

__all__ = ["FundCapacity", "PositionCapacity", "fund_capacity", "position_capacity"]


@dataclass(frozen=True, slots=True)
class PositionCapacity:
    """The largest position in one symbol: in units, in dollars, and as a share of NAV.

    ``days`` is how long it takes to build at the same share of each day's volume.
    """

    symbol: str
    units: float
    notional_usd: float
    share_of_nav: float
    days: float


@dataclass(frozen=True, slots=True)
class FundCapacity:
    """The largest NAV at which every position fits, and the symbol that limits it."""

    nav_usd: float
    limited_by: str
    by_symbol: Mapping[str, float]


def position_capacity(
    symbol: str,
    nav_usd: float,
    *,
    volume: Any,
    price: float,
    fraction_of_adv: float = 0.01,
    adv_lookback_days: int = 21,
    max_days: float = 1.0,
) -> PositionCapacity:
    """Return the position that ``fraction_of_adv`` of the average daily volume allows.

    :param volume: (T,) daily volumes in units, the last ``adv_lookback_days`` of which count.
    :param price: of one unit, in dollars.
    :param max_days: days over which the position may be built.
    :raises BadTarget: for a NAV, fraction or number of days that is not positive.
    :raises MissingPrice: without a positive price.

    >>> from mts1b_portfolio import position_capacity
    >>> position_capacity("A", 1e6, volume=[1e5] * 21, price=10.0).symbol
    'A'
    """
    _require_positive("nav_usd", nav_usd)
    _require_positive("max_days", max_days)
    units = _daily_units(symbol, volume, price, fraction_of_adv, adv_lookback_days) * max_days
    notional = units * price
    return PositionCapacity(symbol, units, notional, notional / nav_usd, max_days)


def fund_capacity(
    weights: Mapping[str, float],
    *,
    volumes: Mapping[str, Any],
    prices: Mapping[str, float],
    fraction_of_adv: float = 0.01,
    adv_lookback_days: int = 21,
    turnover: float = 1.0,
    max_days: float = 1.0,
) -> FundCapacity:
    """Return the NAV at which trading ``turnover`` of some position fills its share of volume.

    :param weights: by symbol, fractions of NAV; a zero weight limits nothing.
    :param turnover: share of each position that is traded at a rebalance, 1 for all of it.
    :param max_days: days over which a rebalance may be spread.
    :raises BadTarget: when no weight is different from zero, or a number is out of range.
    :raises MissingPrice: naming a symbol without a price.

    >>> from mts1b_portfolio import fund_capacity
    >>> found = fund_capacity({"A": 1.0}, volumes={"A": [1e5] * 21}, prices={"A": 10.0})
    >>> round(found.nav_usd)
    10000
    """
    _require_positive("turnover", turnover)
    _require_positive("max_days", max_days)
    limits: dict[str, float] = {}
    for symbol, weight in weights.items():
        if not math.isfinite(weight):
            raise BadTarget(f"the weight of {symbol} is {weight}")
        if weight == 0.0:
            continue
        if symbol not in volumes:
            raise BadTarget(f"{symbol} has a weight and no volumes")
        price = prices.get(symbol)
        units = _daily_units(symbol, volumes[symbol], price, fraction_of_adv, adv_lookback_days)
        limits[symbol] = units * float(price or 0.0) * max_days / (abs(weight) * turnover)
    if not limits:
        raise BadTarget("every weight is zero; such a fund has no limit")
    tightest = min(limits, key=lambda symbol: limits[symbol])
    return FundCapacity(limits[tightest], tightest, limits)


def _daily_units(
    symbol: str, volume: Any, price: float | None, fraction: float, lookback: int
) -> float:
    if not 0.0 < fraction <= 1.0:
        raise BadTarget(f"fraction_of_adv is {fraction}; give a share of the volume")
    if price is None or not 0.0 < price < math.inf:
        raise MissingPrice(symbol, price)
    table = as_table(volume, what=f"volume of {symbol}")
    if not table.is_vector:
        raise BadTarget(f"the volumes of {symbol} are a matrix; give one series")
    average = average_daily_volume(np.ascontiguousarray(table.values), window=lookback)
    last = float(np.asarray(average).reshape(-1)[-1])
    if math.isnan(last):
        raise BadTarget(f"{symbol} has {len(table.values)} volumes; {lookback} are needed")
    return last * fraction


def _require_positive(name: str, value: float) -> None:
    if not 0.0 < value < math.inf:
        raise BadTarget(f"{name} is {value}; give a positive number")
