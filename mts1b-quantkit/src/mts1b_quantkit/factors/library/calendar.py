"""What the same time of the year or week brought before, by the dates or times of the panel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from mts1b_foundation.market_data import UniversePanel

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.factors.library.panel import factor, score, simple_returns

__all__ = ["f_same_month", "f_same_weekday"]


@factor("f_same_month")
def f_same_month(panel: UniversePanel, /, *, years: int = 10, raw: bool = False) -> Any:
    """Score the mean return in this calendar month of the last ``years`` years before this one.

    Heston and Sadka 2008. NaN before there is one.
    """
    return _same_season(panel, lambda day: (day.year, day.month), lambda key: key[1], years, raw)


@factor("f_same_weekday")
def f_same_weekday(panel: UniversePanel, /, *, weeks: int = 52, raw: bool = False) -> Any:
    """Score the mean return on this weekday of the last ``weeks`` weeks before this one.

    Keloharju, Linnainmaa and Nyberg 2016. NaN before there is one.
    """

    def week(day: Any) -> tuple[int, int, int]:
        return tuple(day.isocalendar())

    return _same_season(panel, week, lambda key: key[2], weeks, raw)


def _same_season(
    panel: UniversePanel,
    period: Callable[[Any], tuple[int, ...]],
    season: Callable[[tuple[int, ...]], int],
    most: int,
    raw: bool,
) -> Any:
    try:
        keys = [period(_plain(day)) for day in panel.dates]
    except AttributeError as error:
        raise BadInput("the panel's dates are neither dates nor times") from error

    def compute(close: FloatArray) -> FloatArray:
        returns = simple_returns(close)
        done: dict[int, list[FloatArray]] = {}
        result = np.full_like(close, np.nan)
        start = 0
        for row in range(1, len(keys) + 1):
            if row < len(keys) and keys[row] == keys[start]:
                continue
            of_season = done.setdefault(season(keys[start]), [])
            earlier = of_season[-most:]
            if earlier:
                result[start:row] = _mean_of_known(np.vstack(earlier))
            of_season.append(returns[start:row])
            start = row
        return result

    return score(panel, ("close",), compute, raw=raw)


def _mean_of_known(rows: FloatArray) -> FloatArray:
    known = ~np.isnan(rows)
    count = known.sum(axis=0)
    return np.asarray(np.where(known, rows, 0.0).sum(axis=0) / np.where(count > 0, count, np.nan))


def _plain(day: Any) -> Any:
    return day.astype("datetime64[s]").item() if isinstance(day, np.datetime64) else day
