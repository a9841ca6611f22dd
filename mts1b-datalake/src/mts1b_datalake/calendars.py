"""An exchange calendar by name, built for whatever years are asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from mts1b_foundation import Session

__all__ = ["NamedCalendar"]

_MARGIN = timedelta(days=10)


class NamedCalendar:
    """The calendar of one exchange, e.g. ``XNYS``. Satisfies ``MarketCalendar``.

    :raises FixConfiguration: on use, when no exchange has the name, with the nearest ones.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        """Return the calendar's code."""
        return self._name

    def sessions(self, start: date, end: date) -> Sequence[Session]:
        """Return the sessions from ``start`` to ``end``, both included."""
        from mts1b_platform.calendars import exchange_calendar

        # Whole years, so that nearby questions share one calendar.
        first = date((start - _MARGIN).year, 1, 1)
        last = date((end + _MARGIN).year, 12, 31)
        return exchange_calendar(self._name, first, last).sessions(start, end)

    def session_at(self, moment: datetime) -> Session | None:
        """Return the session that contains ``moment`` (aware), or None outside of trading."""
        near = self.sessions((moment - _MARGIN).date(), (moment + _MARGIN).date())
        return next((session for session in near if session.contains(moment)), None)
