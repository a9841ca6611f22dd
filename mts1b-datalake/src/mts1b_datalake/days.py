"""Which times of a file name a whole day, and when a day or week ended."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from mts1b_foundation import MarketCalendar, Session, interval_length

from mts1b_datalake.errors import DataError
from mts1b_datalake.mapping import ImportSpec

if TYPE_CHECKING:
    import polars as pl

__all__ = ["closes_of", "day_end", "name_days", "sessions_around", "whole_day"]

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_YEARS = (1800, 2200)
"""No calendar is asked for others: a time there is a slip, and told as one of no session."""


def name_days(parsed: pl.DataFrame, spec: ImportSpec, *, own_zone: str | None) -> pl.DataFrame:
    """Return the parsed times, ``dated`` also where midnight stands for the trading day.

    A table that was written with typed times has midnight where it means a date. Beside a declared
    session close or calendar it is one, unless a session of the calendar does close then; without
    both, nobody can tell whether the bar began or ended there, and it must be declared.

    :param own_zone: of the column, where it is typed with one.
    :raises DataError: when every time is midnight and nothing says what that marks.
    """
    import polars as pl

    zone = spec.timezone or own_zone
    frame = parsed.with_columns(wall=_wall(zone))
    agrees = pl.col("offset").is_null() | (pl.col("wall") == pl.col("local"))
    midnight = (pl.col("wall") == pl.col("wall").dt.truncate("1d")) & ~pl.col("dated")
    if frame["raw"].dtype == pl.String:
        midnight = midnight & agrees  # else the offset contradicts the zone, which is told
    frame = frame.with_columns(midnight=midnight.fill_null(False))
    if spec.session_close is None and spec.calendar is None:
        _require_stamp(frame, spec)
        return parsed
    if spec.calendar is not None and spec.session_close is None:
        frame = frame.with_columns(midnight=pl.col("midnight") & ~_closing(frame, zone, spec))
    named = pl.col("midnight")
    shift = (pl.col("wall") - pl.col("local")).dt.total_minutes() + pl.col("offset")
    offset = pl.lit(None, pl.Int64) if spec.timezone is not None else shift
    return frame.select(
        "text",
        "raw",
        local=pl.when(named).then("wall").otherwise("local"),
        offset=pl.when(named).then(offset).otherwise("offset"),
        dated=pl.col("dated") | named,
    )


def _wall(zone: str | None) -> pl.Expr:
    """Return what a clock on the wall shows: in ``zone``, or where the file is."""
    import polars as pl

    offset = pl.col("offset")
    local = pl.when(pl.col("local").dt.year().is_between(2, 9998)).then("local")
    if zone is None:
        return local
    utc = (local - pl.duration(minutes=offset)).dt.replace_time_zone("UTC")
    there = utc.dt.convert_time_zone(zone).dt.replace_time_zone(None)
    return pl.when(offset.is_null()).then(local).otherwise(there)


def _require_stamp(frame: pl.DataFrame, spec: ImportSpec) -> None:
    import polars as pl

    known = frame.filter(pl.col("local").is_not_null())
    if spec.stamp is None and known.height and known["midnight"].all():
        raise DataError(
            f"every time is midnight (the first: {known['text'][0]!r}), and nothing says what that "
            "marks; where it names the trading day, pass --session-close HH:MM or --calendar CODE; "
            "where the bar begins then, --stamp start; where it ended then, --stamp end"
        )


def _closing(frame: pl.DataFrame, zone: str | None, spec: ImportSpec) -> pl.Series:
    """Return at which midnights a session of the calendar closes."""
    import polars as pl

    assert spec.calendar is not None
    moment = pl.col("wall").dt.replace_time_zone(
        zone or "UTC", ambiguous="earliest", non_existent="null"
    )
    moments = frame.select(moment.dt.convert_time_zone("UTC")).to_series()
    closes = [session.closes_at for session in sessions_around(moments, spec.calendar)]
    return moments.is_in(pl.Series(closes, dtype=pl.Datetime("us", "UTC")).implode())


def sessions_around(moments: pl.Series, calendar: MarketCalendar) -> Sequence[Session]:
    """Return the sessions from a day before the first moment to a day after the last."""
    near = moments.filter(moments.dt.year().is_between(*_YEARS))
    first, last = near.min(), near.max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        return ()
    return calendar.sessions((first - _DAY).date(), (last + _DAY).date())


def closes_of(days: Iterable[date], spec: ImportSpec) -> dict[date, datetime]:
    """Return when the calendar closed the day, or the week, that each date names.

    A week ends with its last session: of the seven days from its start, or up to its end. A date
    of no session has no close.
    """
    assert spec.calendar is not None
    dates = sorted({day for day in days if _YEARS[0] <= day.year <= _YEARS[1]})
    if not dates:
        return {}
    sessions = spec.calendar.sessions(dates[0] - _WEEK, dates[-1] + _WEEK)
    known = [session.session_date for session in sessions]
    span = interval_length(spec.interval) - _DAY
    found = {}
    for day in dates:
        first, last = (day, day + span) if spec.stamp == "start" else (day - span, day)
        place = bisect_right(known, last) - 1
        if place >= 0 and known[place] >= first:
            found[day] = sessions[place].closes_at
    return found


def whole_day(spec: ImportSpec) -> pl.Expr:
    """Return which bars end with their local day, whatever the clocks do then."""
    import polars as pl

    if spec.stamp == "start" and interval_length(spec.interval) >= timedelta(days=1):
        midnight = pl.col("local") == pl.col("local").dt.truncate("1d")
    else:
        midnight = pl.lit(False)
    return pl.when("dated").then(pl.lit(spec.session_close is None)).otherwise(midnight)


def day_end(zone: str) -> pl.Expr:
    """Return midnight in a zone: the first of two, or the moment at which the clocks skip it."""
    import polars as pl

    end, after = pl.col("end_local"), pl.col("end_local") + timedelta(hours=1)
    found = end.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    skipped = after.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return pl.coalesce(found, skipped)
