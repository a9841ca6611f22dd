"""From the times that a file writes to the END of each bar in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from mts1b_foundation import MarketCalendar, interval_length

from mts1b_datalake.days import closes_of, day_end, name_days, sessions_around, whole_day
from mts1b_datalake.errors import DataError
from mts1b_datalake.mapping import ImportSpec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    Micros = npt.NDArray[np.int64]

__all__ = ["bar_ends"]

_ISO = (
    r"^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?))?\s?(Z|[+-]\d{2}:?\d{2})?$"
)
_FURTHEST_MINUTES = 14 * 60
_NO_OFFSET = 10_000
"""Stands for an offset that no zone of the world has."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
_TOO_EARLY = datetime(1970, 2, 1)  # noqa: DTZ001 - as polars has it
_EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}


def bar_ends(times: pl.Series, spec: ImportSpec) -> pl.DataFrame:
    """Return ``timestamp`` (UTC, null where unusable) and ``time_problem`` (null where good).

    :raises DataError: when times without an offset meet no declared zone.
    """
    import polars as pl

    parsed = _parse(times, spec.timestamp_format)
    if interval_length(spec.interval) >= timedelta(days=1):
        parsed = name_days(parsed, spec, own_zone=getattr(times.dtype, "time_zone", None))
    naive = parsed.filter(pl.col("local").is_not_null() & pl.col("offset").is_null())
    if naive.height and spec.timezone is None:
        raise DataError(
            f"{naive.height} times carry no zone (the first: {naive['text'][0]!r}) and none is "
            "declared; pass --timezone, e.g. --timezone America/New_York"
        )
    ends = _to_ends(parsed, spec).select("timestamp", "time_problem")
    odd, label = _odd_times(ends, parsed["dated"], spec)
    clean = pl.col("time_problem").is_null()
    return ends.with_columns(
        time_problem=pl.when(clean & odd).then(pl.lit(label)).otherwise("time_problem")
    )


def _odd_times(ends: pl.DataFrame, dated: pl.Series, spec: ImportSpec) -> tuple[pl.Series, str]:
    """Return which ends contradict the declared sessions, and the name of that."""
    stamps = ends["timestamp"]
    if interval_length(spec.interval) < timedelta(days=1):
        if spec.calendar is not None:
            return _outside_sessions(stamps, spec.calendar), "outside-the-calendar-session"
    elif spec.session_close is not None:
        return ~dated, "time-of-day-beside-session-close"
    elif spec.calendar is not None and spec.stamp != "start":
        return ~dated & _within_sessions(stamps, spec.calendar), "ends-while-the-session-is-open"
    return dated & False, ""


def _within_sessions(ends: pl.Series, calendar: MarketCalendar) -> pl.Series:
    """Return which ends have trading before and after them in one session."""
    import numpy as np
    import polars as pl

    micros, opens, closes = _spans(ends, calendar)
    if not len(opens):
        return pl.Series([False] * len(ends))
    at = np.searchsorted(opens, micros, "right") - 1
    inside = (at >= 0) & (micros < closes[np.maximum(at, 0)])
    return pl.Series(inside & ~np.isin(micros, closes))


def _outside_sessions(ends: pl.Series, calendar: MarketCalendar) -> pl.Series:
    """Return which bar ends lie in no session (open excluded, close included)."""
    import numpy as np
    import polars as pl

    micros, opens, closes = _spans(ends, calendar)
    at = np.searchsorted(opens, micros, "left") - 1
    inside = (at >= 0) & (micros <= closes[np.maximum(at, 0)]) if len(opens) else at > 0
    return pl.Series(~inside)


def _spans(ends: pl.Series, calendar: MarketCalendar) -> tuple[Micros, Micros, Micros]:
    """Return the ends, and the opens and closes of the sessions around them, in order."""
    import numpy as np

    sessions = sorted(sessions_around(ends, calendar), key=lambda one: one.opens_at)
    micros = ends.dt.epoch("us").fill_null(0).to_numpy()
    opens, closes = (
        np.array([(moment - _EPOCH) // _MICRO for moment in moments], dtype=np.int64)
        for moments in (
            [session.opens_at for session in sessions],
            [session.closes_at for session in sessions],
        )
    )
    return micros, opens, closes


def _parse(times: pl.Series, form: str) -> pl.DataFrame:
    """Return text, local (naive), offset (minutes, null when naive), dated (only a date)."""
    import polars as pl

    frame = pl.DataFrame({"text": times.cast(pl.String, strict=False), "raw": times})
    if isinstance(times.dtype, pl.Datetime):
        return _parse_datetimes(frame, zoned=times.dtype.time_zone is not None)
    if times.dtype == pl.Date:
        local = pl.col("raw").cast(pl.Datetime("us"))
        return frame.with_columns(local=local, offset=pl.lit(None, pl.Int64), dated=pl.lit(True))
    if form in _EPOCHS:
        return _parse_epochs(frame, _EPOCHS[form])
    return _parse_iso(frame) if form == "iso" else _parse_format(frame, form)


def _parse_datetimes(frame: pl.DataFrame, *, zoned: bool) -> pl.DataFrame:
    import polars as pl

    raw = pl.col("raw")
    moment = raw.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if zoned else raw
    offset = pl.lit(0 if zoned else None, pl.Int64)
    return frame.with_columns(
        local=moment.cast(pl.Datetime("us")), offset=offset, dated=pl.lit(False)
    )


def _parse_epochs(frame: pl.DataFrame, factor: int) -> pl.DataFrame:
    import polars as pl

    number = pl.col("text").cast(pl.Float64, strict=False)
    micros = (number * factor).round().cast(pl.Int64, strict=False)
    parsed = frame.with_columns(
        local=micros.cast(pl.Datetime("us")), offset=pl.lit(0, pl.Int64), dated=pl.lit(False)
    )
    known = parsed.filter(pl.col("local").is_not_null())
    early = known.select((pl.col("local") < _TOO_EARLY).all()).item()
    if factor < _EPOCHS["epoch_s"] and known.height and early:
        raise DataError(
            f"by the declared format every time lies in the first days of 1970 (the first: "
            f"{known['text'][0]!r}); they are of a larger unit: pass --format epoch_s or epoch_ms"
        )
    return parsed


def _parse_iso(frame: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    text = pl.col("text").str.strip_chars()
    day, clock, zone = (text.str.extract(_ISO, group) for group in (1, 2, 3))
    full = (
        pl.when(clock.str.len_chars() == 5)
        .then(clock + ":00")
        .otherwise(clock)
        .fill_null("00:00:00")
    )
    local = (day + " " + full).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    return frame.with_columns(local=local, offset=_minutes(zone), dated=clock.is_null())


def _parse_format(frame: pl.DataFrame, form: str) -> pl.DataFrame:
    import polars as pl

    text = pl.col("text").str.strip_chars()
    dated = pl.lit(not any(mark in form for mark in ("%H", "%I", "%T", "%R", "%c", "%s", "%+")))
    try:
        local = frame.select(text.str.to_datetime(form, time_unit="us", strict=False)).to_series()
    except pl.exceptions.PolarsError as error:
        raise DataError(f"timestamp format {form!r} can not be used: {error}") from None
    if getattr(local.dtype, "time_zone", None) is None:
        return frame.with_columns(local=local, offset=pl.lit(None, pl.Int64), dated=dated)
    offset = _minutes(text.str.extract(r"(Z|[+-]\d{2}:?\d{2})$", 1)).fill_null(0)
    shifted = local.dt.replace_time_zone(None)
    return frame.with_columns(local=shifted, offset=offset, dated=dated).with_columns(
        local=pl.col("local") + pl.duration(minutes="offset")
    )


def _minutes(zone: pl.Expr) -> pl.Expr:
    """Return the minutes east of UTC of ``Z``, ``+05:30`` or ``-0500``; see ``_NO_OFFSET``."""
    import polars as pl

    sign = pl.when(zone.str.starts_with("-")).then(-1).otherwise(1)
    digits = zone.str.replace_all(r"[+:-]", "").str.replace("Z", "0000", literal=True)
    hours = digits.str.slice(0, 2).cast(pl.Int64, strict=False)
    minutes = digits.str.slice(2, 2).cast(pl.Int64, strict=False)
    east = sign * (hours * 60 + minutes)
    exists = (minutes < 60) & (east.abs() <= _FURTHEST_MINUTES)
    return pl.when(zone.is_null() | exists).then(east).otherwise(_NO_OFFSET)


def _to_ends(parsed: pl.DataFrame, spec: ImportSpec) -> pl.DataFrame:
    import polars as pl

    dated = parsed.filter(pl.col("dated") & pl.col("local").is_not_null())
    if dated.height and interval_length(spec.interval) < timedelta(days=1):
        raise DataError(
            f"the time column holds dates (the first: {dated['text'][0]!r}), but bars of "
            f"{spec.interval} need a time of day"
        )
    frame = parsed.with_columns(end_local=_local_end(spec))
    if spec.calendar is not None and dated.height:
        frame = _at_calendar_close(frame, spec)
    else:
        frame = frame.with_columns(close=pl.lit(None, pl.Datetime("us", "UTC")))
    return _zoned(frame, spec)


def _local_end(spec: ImportSpec) -> pl.Expr:
    """Return the wall-clock end of the bar: shifted by the interval where starts are stamped."""
    import polars as pl

    local, length = pl.col("local"), interval_length(spec.interval)
    whole_weeks = timedelta(days=6 if spec.interval == "1w" and spec.stamp == "start" else 0)
    if spec.session_close is None:
        day_end = local + whole_weeks + timedelta(days=1)
    else:
        close = datetime.combine(date.min, spec.session_close) - datetime.combine(date.min, time())
        day_end = local + whole_weeks + close
    # Whole days move on the wall clock (a day may have 23 hours); shorter bars move in UTC, below.
    moved = local + length if spec.stamp == "start" and length >= timedelta(days=1) else local
    return pl.when(pl.col("dated")).then(day_end).otherwise(moved)


def _at_calendar_close(frame: pl.DataFrame, spec: ImportSpec) -> pl.DataFrame:
    import polars as pl

    days = frame.filter("dated")["local"].dt.date().drop_nulls()
    closes = closes_of(days, spec)
    table = pl.DataFrame(
        {"day": list(closes), "close": list(closes.values())},
        schema={"day": pl.Date, "close": pl.Datetime("us", "UTC")},
    )
    frame = frame.with_columns(day=pl.col("local").dt.date())
    return frame.join(table, on="day", how="left", maintain_order="left")


def _zoned(frame: pl.DataFrame, spec: ImportSpec) -> pl.DataFrame:
    """Put the wall-clock ends on the UTC line and name what is wrong with each time."""
    import polars as pl

    end, offset, utc = pl.col("end_local"), pl.col("offset"), "UTC"
    aware = (end - pl.duration(minutes=offset)).dt.replace_time_zone(utc)
    zone = spec.timezone or utc
    known = end.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    exists = end.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    shift = interval_length(spec.interval)
    late = shift if spec.stamp == "start" and shift < timedelta(days=1) else timedelta(0)
    by_calendar = pl.col("dated") & pl.lit(spec.calendar is not None)
    whole = whole_day(spec)
    naive = pl.when(whole).then(day_end(zone)).otherwise(known).dt.convert_time_zone(utc)
    ends = (
        pl.when(by_calendar)
        .then(pl.col("close"))
        .otherwise(pl.when(offset.is_null()).then(naive).otherwise(aware) + late)
    )
    declared_offset = aware.dt.convert_time_zone(zone).dt.replace_time_zone(None)
    written = pl.col("raw").is_not_null() if frame["raw"].dtype == pl.String else pl.lit(False)
    contradicts = (
        pl.lit(spec.timezone is not None and spec.timestamp_format not in _EPOCHS)
        & written
        & offset.is_not_null()
        & (declared_offset != end)
    )
    usable = end.dt.year().is_between(2, 9998)  # a zone moves it by a day at most
    problem = (
        pl.when(pl.col("local").is_null() | (offset == _NO_OFFSET))
        .then(pl.lit("unparsable-time"))
        .when(~usable)
        .then(pl.lit("time-beyond-the-years-2-to-9998"))
        .when(contradicts)
        .then(pl.lit("offset-contradicts-declared-zone"))
        .when(by_calendar & pl.col("close").is_null())
        .then(pl.lit("not-a-trading-day"))
        .when(~by_calendar & ~whole & offset.is_null() & exists.is_null())
        .then(pl.lit("non-existent-local-time"))
        .when(~by_calendar & ~whole & offset.is_null() & known.is_null())
        .then(pl.lit("ambiguous-local-time"))
    )
    return frame.with_columns(timestamp=pl.when(usable).then(ends), time_problem=problem)
