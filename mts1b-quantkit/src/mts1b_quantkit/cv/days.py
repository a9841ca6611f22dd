"""Rows by their dates: which ones lie between two days, and on which one trades."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Literal, TypeAlias

import numpy as np

from mts1b_quantkit.cv.rows import Positions
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.scalars import read_count

__all__ = ["Rebalance", "days_of", "rebalance_rows", "rows_between"]

Rebalance: TypeAlias = Literal["daily", "weekly", "monthly"] | int


def days_of(dates: Sequence[Any]) -> list[date]:
    """Return the day of each row: of dates, aware or naive times, or numpy's times.

    :raises BadInput: for anything else.
    """
    return [_day(value) for value in dates]


def rows_between(days: list[date], start: Any, end: Any) -> slice:
    """Return the rows from the day ``start`` to the day ``end``, both inside; None for no limit.

    :raises BadInput: when there is none.
    """
    first, last = (None if limit is None else _day(limit) for limit in (start, end))
    inside = [
        row
        for row, day in enumerate(days)
        if (first is None or day >= first) and (last is None or day <= last)
    ]
    if not inside:
        raise BadInput(
            f"no row lies between {start} and {end}; the panel has {days[0]}..{days[-1]}"
        )
    return slice(inside[0], inside[-1] + 1)


def rebalance_rows(days: list[date], rebal: Rebalance) -> Positions:
    """Return the rows on which one trades: each, the first of a week or month, or every n-th.

    Weeks are those of ISO 8601. The first row is always one.

    :raises BadInput: for another word, or a number below 1.
    """
    if not isinstance(rebal, str):
        return np.arange(0, len(days), read_count("rebal", rebal, least=1))
    keys: list[Any]
    if rebal == "daily":
        keys = list(range(len(days)))
    elif rebal == "weekly":
        keys = [day.isocalendar()[:2] for day in days]
    elif rebal == "monthly":
        keys = [(day.year, day.month) for day in days]
    else:
        raise BadInput(f"rebal is {rebal!r}; use 'daily', 'weekly', 'monthly' or a number of rows")
    return np.array([row for row in range(len(days)) if row == 0 or keys[row] != keys[row - 1]])


def _day(value: Any) -> date:
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[s]").item()
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise BadInput(f"{value!r} is no date; write it as 2024-01-31") from error
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    raise BadInput(f"{value!r} is neither a date nor a time")
