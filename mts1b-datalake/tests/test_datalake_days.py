"""Daily and weekly bars end when their day or week did: no earlier, whatever the file writes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from mts1b_datalake import DataError, ImportSpec, Lake
from mts1b_datalake.calendars import NamedCalendar

HEADER = "timestamp,open,high,low,close,volume\n"
NEW_YORK = NamedCalendar("XNYS")
MONDAY = datetime(2024, 1, 8)  # noqa: DTZ001 - as a file has it
MONDAYS_CLOSE = datetime(2024, 1, 8, 21, tzinfo=UTC)
FRIDAYS_CLOSE = datetime(2024, 1, 12, 21, tzinfo=UTC)


def spec(**changes: Any) -> ImportSpec:
    known = {"dataset": "d", "interval": "1d", "timezone": "America/New_York", "symbol": "AAPL"}
    return ImportSpec(**{**known, **changes})


def ends(tmp_path: Path, *times: str, **changes: Any) -> list[datetime]:
    """Import one bar a time; return when they ended, as the lake has it."""
    path = tmp_path / "prices.csv"
    path.write_text(HEADER + "".join(f"{one},1,1,1,1,1\n" for one in times))
    Lake(tmp_path / "lake").import_csv(path, spec(**changes))
    bars = Lake(tmp_path / "lake").bars(["AAPL"], changes.get("interval", "1d"), dataset="d")
    return [moment.astimezone(UTC) for moment in bars["timestamp"]]


def refusal(tmp_path: Path, *times: str, **changes: Any) -> str:
    with pytest.raises(DataError) as caught:
        ends(tmp_path, *times, **changes)
    return str(caught.value)


MIDNIGHTS = ["2024-01-08 00:00:00", "2024-01-08T00:00:00-05:00"]


@pytest.mark.parametrize("text", MIDNIGHTS)
@pytest.mark.parametrize("stamp", [None, "end", "start"])
@pytest.mark.parametrize("close", [{"session_close": time(16)}, {"calendar": NEW_YORK}])
def test_a_midnight_is_its_day_where_sessions_close(
    tmp_path: Path, text: str, stamp: str | None, close: dict[str, Any]
) -> None:
    """As an end it would be known before the session had begun."""
    assert ends(tmp_path, text, stamp=stamp, **close) == [MONDAYS_CLOSE]


@pytest.mark.parametrize(
    ("own", "zone"),
    [
        (None, "America/New_York"),
        ("America/New_York", None),
        ("America/New_York", "America/New_York"),
    ],
)
@pytest.mark.parametrize("unit", ["ns", "us"])
def test_a_typed_midnight_is_its_day_too(
    tmp_path: Path, own: str | None, zone: str | None, unit: Any
) -> None:
    """As pandas writes daily data, with and without a zone."""
    times = pl.Series("timestamp", [MONDAY]).dt.cast_time_unit(unit)
    if own is not None:
        times = times.dt.replace_time_zone(own)
    prices = {name: [1.0] for name in ("open", "high", "low", "close", "volume")}
    frame = pl.DataFrame({"timestamp": times, **prices})
    lake = Lake(tmp_path)
    lake.import_frame(frame, spec(timezone=zone, calendar=NEW_YORK))
    assert lake.bars(["AAPL"], "1d")["timestamp"].to_list() == [MONDAYS_CLOSE]
    with pytest.raises(DataError, match="every time is midnight"):
        lake.import_frame(frame, spec(timezone=zone, dataset="other"))


@pytest.mark.parametrize("interval", ["1d", "1w"])
@pytest.mark.parametrize("text", MIDNIGHTS)
def test_what_midnights_mark_must_be_declared(tmp_path: Path, text: str, interval: str) -> None:
    assert "--session-close HH:MM or --calendar CODE" in refusal(tmp_path, text, interval=interval)
    declared = ends(tmp_path, text, interval=interval, stamp="end")
    assert declared == [datetime(2024, 1, 8, 5, tzinfo=UTC)]


def test_a_market_that_never_closes_ends_its_days_at_midnight(tmp_path: Path) -> None:
    always = {"calendar": NamedCalendar("24/7"), "timezone": "UTC"}
    text = "2024-01-08T00:00:00Z"
    assert ends(tmp_path, text, stamp="end", **always) == [datetime(2024, 1, 8, tzinfo=UTC)]
    started = ends(tmp_path / "lake", text, stamp="start", **always)
    assert started == [datetime(2024, 1, 9, tzinfo=UTC)]


def test_a_time_of_day_beside_a_session_close_is_refused(tmp_path: Path) -> None:
    """As daily bars that are stamped with the open of their session."""
    said = refusal(tmp_path, "2024-01-08 00:00", "2024-01-09 09:30", session_close=time(16))
    assert "time-of-day-beside-session-close: 1 row" in said
    assert "line 3: AAPL time '2024-01-09 09:30'" in said


def test_a_day_that_ends_while_its_session_is_open_is_refused(tmp_path: Path) -> None:
    times = ("2024-01-08 09:30", "2024-01-09 15:59", "2024-01-10 16:00", "2024-01-11 18:00")
    said = refusal(tmp_path, *times, calendar=NEW_YORK)
    assert "ends-while-the-session-is-open: 2 rows" in said
    assert ends(tmp_path, *times[2:], calendar=NEW_YORK)[0].day == 10


@pytest.mark.parametrize(
    ("day", "stamp"), [("2024-01-08", "start"), ("2024-01-12", "end"), ("2024-01-14", "end")]
)
def test_a_week_ends_with_its_last_session(tmp_path: Path, day: str, stamp: str) -> None:
    """It was known at the close of its first one: four days early."""
    found = ends(tmp_path, day, interval="1w", stamp=stamp, calendar=NEW_YORK)
    assert found == [FRIDAYS_CLOSE]


def test_a_week_may_begin_or_end_with_a_holiday(tmp_path: Path) -> None:
    starts = ends(tmp_path, "2024-01-15", interval="1w", stamp="start", calendar=NEW_YORK)
    assert starts == [datetime(2024, 1, 19, 21, tzinfo=UTC)]
    good_friday = ends(tmp_path, "2024-03-29", interval="1w", stamp="end", calendar=NEW_YORK)
    assert good_friday == [datetime(2024, 3, 28, 20, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("zone", "day", "end"),
    [
        ("Africa/Cairo", "2024-04-25", datetime(2024, 4, 25, 22, tzinfo=UTC)),
        ("America/Santiago", "2024-09-07", datetime(2024, 9, 8, 4, tzinfo=UTC)),
        ("America/Havana", "2024-11-02", datetime(2024, 11, 3, 4, tzinfo=UTC)),
    ],
)
def test_a_day_ends_although_the_clocks_skip_its_midnight(
    tmp_path: Path, zone: str, day: str, end: datetime
) -> None:
    """A date was refused as a time that does not exist."""
    assert ends(tmp_path, day, timezone=zone) == [end]
    assert ends(tmp_path, f"{day} 00:00", timezone=zone, stamp="start") == [end]


@pytest.mark.parametrize("slip", ["0001-01-01", "1024-01-09", "9998-12-31", "9999-12-31"])
def test_a_slip_in_a_year_is_told_with_its_line(tmp_path: Path, slip: str) -> None:
    said = refusal(tmp_path, "2024-01-08", slip, calendar=NEW_YORK)
    assert f"line 3: AAPL time '{slip}'" in said


@pytest.mark.parametrize(
    ("form", "text"), [("epoch_ms", "1704724200"), ("epoch_us", "1704724200000")]
)
def test_an_epoch_of_a_smaller_unit_than_the_file_has_is_refused(
    tmp_path: Path, form: str, text: str
) -> None:
    """All of it would be of January 1970."""
    assert "--format" in refusal(tmp_path, text, timestamp_format=form)


def test_dates_are_days_as_ever(tmp_path: Path) -> None:
    assert ends(tmp_path, str(date(2024, 1, 8)), calendar=NEW_YORK) == [MONDAYS_CLOSE]
