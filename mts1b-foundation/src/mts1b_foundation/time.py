"""Sessions, bar intervals and the times that orders live for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Protocol, Self, runtime_checkable

from pydantic import model_validator

from mts1b_foundation.model import FrozenModel, UtcDatetime
from mts1b_foundation.orders import TimeInForce

__all__ = [
    "INTERVALS",
    "MarketCalendar",
    "Session",
    "SessionPhase",
    "TimeInForce",
    "interval_length",
]

INTERVALS: dict[str, timedelta] = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "30m": timedelta(minutes=30),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
    "1w": timedelta(weeks=1),
}
"""The interval words; ``1d`` ends at the session close, ``1w`` at Friday's close."""


def interval_length(interval: str) -> timedelta:
    """Return the length of an interval word.

    :raises ValueError: for a word outside :data:`INTERVALS`.
    """
    try:
        return INTERVALS[interval]
    except KeyError:
        raise ValueError(f"interval {interval!r} is not one of {', '.join(INTERVALS)}") from None


class SessionPhase(StrEnum):
    """Name the part of a trading day."""

    PRE = "pre"
    RTH = "RTH"
    POST = "post"
    IBEOS = "IBEOS"
    ALL_DAY = "24h"


class Session(FrozenModel):
    """One trading day of a calendar: its date, open and close (UTC)."""

    calendar: str
    session_date: date
    opens_at: UtcDatetime
    closes_at: UtcDatetime

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> Self:
        if self.opens_at >= self.closes_at:
            raise ValueError(f"session {self.session_date} must open before it closes")
        return self

    def contains(self, moment: datetime) -> bool:
        """Return whether ``moment`` (aware) lies in the session, open included, close not."""
        return self.opens_at <= moment < self.closes_at


@runtime_checkable
class MarketCalendar(Protocol):
    """Tell the sessions of one exchange."""

    @property
    def name(self) -> str:
        """Return the calendar's code, e.g. ``XNYS``."""
        ...

    def sessions(self, start: date, end: date) -> Sequence[Session]:
        """Return the sessions from ``start`` to ``end``, both included."""
        ...

    def session_at(self, moment: datetime) -> Session | None:
        """Return the session that contains ``moment``, or None outside of trading."""
        ...
