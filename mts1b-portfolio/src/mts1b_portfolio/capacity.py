"""How much money fits into a market without moving it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from mts1b_quantkit.arrays import as_table
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.universe_filters import average_daily_volume

from mts1b_portfolio.errors import BadTarget, MissingPrice
from mts1b_portfolio.inputs import (
    SMALLEST,
    read_count,
    read_mapping,
    read_number,
    read_positive,
)

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
    nav = read_positive("nav_usd", nav_usd, error=BadTarget)
    days = read_positive("max_days", max_days, error=BadTarget)
    dollars = _price(symbol, price)
    units = _daily_units(symbol, volume, fraction_of_adv, adv_lookback_days) * days
    notional = units * dollars
    return PositionCapacity(symbol, units, notional, notional / nav, days)


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

    :param weights: by symbol, fractions of NAV; a weight of zero (or below 1e-30) limits nothing.
    :param turnover: share of each position that is traded at a rebalance, 1 for all of it.
    :param max_days: days over which a rebalance may be spread.
    :raises BadTarget: when no weight is different from zero, or a number is out of range.
    :raises MissingPrice: naming a symbol without a price.

    >>> from mts1b_portfolio import fund_capacity
    >>> found = fund_capacity({"A": 1.0}, volumes={"A": [1e5] * 21}, prices={"A": 10.0})
    >>> round(found.nav_usd)
    10000
    """
    traded = read_positive("turnover", turnover, error=BadTarget)
    days = read_positive("max_days", max_days, error=BadTarget)
    read_mapping("volumes", volumes)
    read_mapping("prices", prices)
    limits: dict[str, float] = {}
    for symbol, weight in read_mapping("weights", weights).items():
        share = abs(read_number(f"the weight of {symbol}", weight, error=BadTarget))
        if share < SMALLEST:
            continue
        if symbol not in volumes:
            raise BadTarget(f"{symbol} has a weight and no volumes; give them, or leave it out")
        dollars = _price(symbol, prices.get(symbol))
        units = _daily_units(symbol, volumes[symbol], fraction_of_adv, adv_lookback_days)
        limits[symbol] = units * dollars * days / (share * traded)
    if not limits:
        raise BadTarget("every weight is zero; such a fund has no limit")
    tightest = min(limits, key=lambda symbol: limits[symbol])
    return FundCapacity(limits[tightest], tightest, limits)


def _price(symbol: str, price: Any) -> float:
    try:
        return read_positive("price", price)
    except BadInput:
        raise MissingPrice(symbol, price) from None


def _daily_units(symbol: str, volume: Any, fraction: Any, lookback: Any) -> float:
    share = read_number(
        "fraction_of_adv",
        fraction,
        least=SMALLEST,
        most=1.0,
        wanted="a share of the volume",
        error=BadTarget,
    )
    days = read_count("adv_lookback_days", lookback)
    table = as_table(volume, what=f"volume of {symbol}")
    if not table.is_vector:
        raise BadTarget(f"the volumes of {symbol} are a matrix; give one series")
    if len(table.values) < days:
        raise BadTarget(f"{symbol} has {len(table.values)} volumes; {days} are needed")
    wrong = table.values < 0.0
    if wrong.any():
        row = table.row_label(int(wrong.argmax()))
        raise BadTarget(f"the volume of {symbol} at row {row!r} is negative; drop the row")
    average = average_daily_volume(np.ascontiguousarray(table.values), window=days)
    return float(np.asarray(average).reshape(-1)[-1]) * share
