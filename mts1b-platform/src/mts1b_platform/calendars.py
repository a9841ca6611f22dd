"""Exchange calendars: sessions with their opening and closing times in UTC."""

from __future__ import annotations

import difflib
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import lru_cache

from mts1b_foundation.time import Session

from mts1b_platform.errors import FixConfiguration

__all__ = [
    "CalendarSpanError",
    "ExchangeCalendar",
    "UnknownCalendar",
    "calendar_names",
    "exchange_calendar",
]


class UnknownCalendar(FixConfiguration):
    """No exchange has this code."""


class CalendarSpanError(FixConfiguration):
    """The calendar was built for other years."""


class ExchangeCalendar:
    """The sessions of one exchange between two dates. Satisfies ``MarketCalendar``."""

    def __init__(self, name: str, sessions: Sequence[Session], start: date, end: date) -> None:
        self._name = name
        self._sessions = tuple(sessions)
        self._dates = [session.session_date for session in self._sessions]
        self._opens = [session.opens_at for session in self._sessions]
        self.start = start
        self.end = end

    @property
    def name(self) -> str:
        """Return the calendar's code, e.g. ``XNYS``."""
        return self._name

    def _require(self, day: date) -> None:
        if not self.start <= day <= self.end:
            raise CalendarSpanError(
                f"calendar {self._name} was built for {self.start} to {self.end}, asked for {day}; "
                "build it for a longer span"
            )

    def sessions(self, start: date, end: date) -> Sequence[Session]:
        """Return the sessions from ``start`` to ``end``, both included.

        :raises CalendarSpanError: when the calendar was built for other years.
        """
        self._require(start)
        self._require(end)
        return self._sessions[bisect_left(self._dates, start) : bisect_right(self._dates, end)]

    def session_on(self, day: date) -> Session | None:
        """Return the session of a date, or None on a day without trading."""
        found = self.sessions(day, day)
        return found[0] if found else None

    def session_at(self, moment: datetime) -> Session | None:
        """Return the session that contains ``moment`` (aware), or None outside of trading."""
        self._require(moment.astimezone(UTC).date())
        index = bisect_right(self._opens, moment) - 1
        if index < 0 or not self._sessions[index].contains(moment):
            return None
        return self._sessions[index]

    def session_after(self, moment: datetime) -> Session | None:
        """Return the first session that opens after ``moment``, or None past the span."""
        self._require(moment.astimezone(UTC).date())
        index = bisect_right(self._opens, moment)
        return self._sessions[index] if index < len(self._sessions) else None


def calendar_names() -> list[str]:
    """Return the code of every calendar there is, other spellings of the same one included."""
    import exchange_calendars  # a second of import time, so only where a calendar is used

    return list(exchange_calendars.get_calendar_names())


@lru_cache(maxsize=32)
def exchange_calendar(name: str, start: date, end: date) -> ExchangeCalendar:
    """Return the calendar ``name`` (ISO 10383 code such as ``XNYS``, or ``24/7``).

    The span is explicit, because the library's own default reaches back twenty years only.

    :raises UnknownCalendar: with the nearest codes.
    :raises CalendarSpanError: when ``start`` is not before ``end``, or the exchange did not trade.
    """
    import exchange_calendars

    known = calendar_names()
    if name not in known:
        near = difflib.get_close_matches(name.upper(), known, n=3)
        raise UnknownCalendar(
            f"no calendar {name!r}; "
            + (f"did you mean {', '.join(near)}?" if near else "use an ISO 10383 code like XNYS")
        )
    try:
        source = exchange_calendars.get_calendar(name, start=start, end=end)
    except ValueError as error:
        raise CalendarSpanError(f"calendar {name} from {start} to {end}: {error}") from error
    sessions = [
        Session(
            calendar=name,
            session_date=day.date(),
            opens_at=opens.to_pydatetime(),
            closes_at=closes.to_pydatetime(),
        )
        for day, opens, closes in zip(
            source.schedule.index, source.schedule["open"], source.schedule["close"], strict=True
        )
    ]
    return ExchangeCalendar(name, sessions, start, end)
