"""Which session of its exchange an instrument is in, and when a contract ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from mts1b_foundation import MarketCalendar, Session, Symbol, SymbolKind
from mts1b_platform.calendars import (
    CalendarSpanError,
    ExchangeCalendar,
    UnknownCalendar,
    exchange_calendar,
)

__all__ = ["SessionDesk", "SessionFacts", "last_day_of"]

_BEHIND, _AHEAD = timedelta(days=40), timedelta(days=400)


class SessionFacts(NamedTuple):
    """The session that a moment lies in; ``known`` is False where no calendar answers."""

    calendar: str
    known: bool
    session: Session | None
    last_day: date | None = None


@lru_cache(maxsize=65_536)
def last_day_of(symbol: Symbol) -> date | None:
    """Return the last day that the name of a contract tells; None where nothing ends.

    A future ends at the latest with its month's first day: delivery windows open then.
    """
    if symbol.kind is SymbolKind.OPTION:
        return datetime.strptime(symbol.split(":")[1], "%Y%m%d").replace(tzinfo=UTC).date()
    if symbol.kind is SymbolKind.FUTURE:
        month = symbol.split("@")[1]
        return date(int(month[:4]), int(month[4:6]), 1)
    return None


class SessionDesk:
    """Answer from calendars that are built at their first use, for a span around that day."""

    def __init__(self, *, on: bool) -> None:
        self._on = on
        self._calendars: dict[str, MarketCalendar | None] = {}
        self._spans: dict[str, tuple[date, date]] = {}
        self._lately: dict[str, Session] = {}

    def facts(self, symbol: Symbol, calendar: str, now: datetime) -> SessionFacts:
        """Return the facts of a symbol at ``now`` (aware)."""
        last_day = last_day_of(symbol)
        lately = self._lately.get(calendar)
        if lately is not None and lately.contains(now):
            return SessionFacts(calendar, True, lately, last_day)
        if not self._on:
            return SessionFacts(calendar, False, None, last_day)
        found = self._calendar(calendar, now.astimezone(UTC).date())
        if found is None:
            return SessionFacts(calendar, False, None, last_day)
        session = found.session_at(now)
        if session is not None:
            self._lately[calendar] = session
        return SessionFacts(calendar, True, session, last_day)

    def prepare(self, calendars: tuple[str, ...], now: datetime) -> None:
        """Build calendars ahead, for that takes a second."""
        if self._on:
            for name in calendars:
                self._calendar(name, now.date())

    def _calendar(self, name: str, day: date) -> MarketCalendar | None:
        begin, end = self._spans.get(name, (date.max, date.min))
        if not begin <= day <= end:
            self._calendars[name] = self._build(name, day)
            self._spans[name] = (day - _BEHIND, day + _AHEAD)
        return self._calendars[name]

    def _build(self, name: str, day: date) -> ExchangeCalendar | None:
        try:
            return exchange_calendar(name, day - _BEHIND, day + _AHEAD)
        except (UnknownCalendar, CalendarSpanError):
            return None
