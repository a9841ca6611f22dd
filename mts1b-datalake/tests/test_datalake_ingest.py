"""Every way in which a file can be bad: named, with its line, and nothing written."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from mts1b_datalake import ColumnMapping, DataError, ImportSpec, Lake
from mts1b_foundation import Session

HEADER = "timestamp,open,high,low,close,volume\n"
GOOD = HEADER + "2020-01-02 16:00,10,12,9,11,100\n2020-01-03 16:00,11,13,10,12,200\n"


def spec(**changes: Any) -> ImportSpec:
    values = {
        "dataset": "prices",
        "interval": "1d",
        "timezone": "America/New_York",
        "symbol": "AAPL",
    }
    return ImportSpec(**{**values, **changes})


def load(tmp_path: Path, text: str, **changes: Any) -> pl.DataFrame:
    tmp_path.mkdir(exist_ok=True)
    path = tmp_path / "prices.csv"
    path.write_text(text)
    lake = Lake(tmp_path / "lake")
    lake.import_csv(path, spec(**changes))
    symbols = lake.manifest("prices").symbols
    return lake.bars(symbols, changes.get("interval", "1d"))


def refused(tmp_path: Path, text: str, **changes: Any) -> str:
    with pytest.raises(DataError) as caught:
        load(tmp_path, text, **changes)
    assert caught.value.exit_code == 6
    assert not list(tmp_path.glob("lake/**/*.*")), "something was written"
    return str(caught.value)


def test_a_good_file_becomes_bars_that_end_in_utc(tmp_path: Path) -> None:
    bars = load(tmp_path, GOOD)
    assert bars["timestamp"].to_list() == [
        datetime(2020, 1, 2, 21, tzinfo=UTC),
        datetime(2020, 1, 3, 21, tzinfo=UTC),
    ]
    assert bars.columns == [
        "symbol", "interval", "timestamp", "open", "high", "low", "close", "volume",
    ]  # fmt: skip
    assert bars.row(1)[3:] == (11.0, 13.0, 10.0, 12.0, 200.0)


def test_rows_come_out_sorted_by_symbol_and_time(tmp_path: Path) -> None:
    text = (
        "symbol," + HEADER + "MSFT,2020-01-03 16:00,1,1,1,1,1\nAAPL,2020-01-03 16:00,1,1,1,1,1\n"
        "MSFT,2020-01-02 16:00,1,1,1,1,1\n"
    )
    bars = load(tmp_path, text, symbol=None)
    assert bars["symbol"].to_list() == ["AAPL", "MSFT", "MSFT"]
    assert bars.filter(pl.col("symbol") == "MSFT")["timestamp"].is_sorted()


def test_crossed_prices_are_refused_with_the_line(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD + "2020-01-06 16:00,11,9,10,10,1\n")
    assert "crossed (high < low): 1 row" in message
    assert "line 4: AAPL at 2020-01-06 16:00: open=11.0 high=9.0 low=10.0" in message


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("15,12,9,11,1", "open-outside-low-high"),
        ("10,12,9,8,1", "close-outside-low-high"),
        ("10,12,0,11,1", "non-positive-price"),
        ("10,12,-1,11,1", "non-positive-price"),
        ("10,12,9,11,-5", "negative-volume"),
        ("10,inf,9,11,5", "not-finite"),
        ("10,NaN,9,11,5", "not-finite"),
        ("10,12,9,eleven,5", "unparsable close"),
        ("10,12,9,,5", "unparsable close"),
        ('10,12,9,11,"1,000"', "unparsable volume"),
    ],
)
def test_impossible_values_are_refused_by_rule(tmp_path: Path, row: str, rule: str) -> None:
    message = refused(tmp_path, GOOD + "2020-01-06 16:00," + row + "\n")
    assert f"{rule}: 1 row" in message
    assert "line 4: " in message


def test_duplicate_bars_are_refused_with_the_line_of_the_second(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD + "2020-01-02 16:00,10,12,9,11,100\n")
    assert "duplicate-bar: 1 row" in message
    assert "line 4: AAPL at 2020-01-02 16:00 was given before" in message


def test_only_the_first_rows_are_listed_and_the_rest_counted(tmp_path: Path) -> None:
    rows = "".join(f"2020-02-{day:02d} 16:00,1,1,2,1,1\n" for day in range(1, 10))
    message = refused(tmp_path, HEADER + rows)
    assert "crossed (high < low): 9 rows" in message
    assert "... and 4 more" in message


def test_lines_are_those_of_the_file_after_a_blank_and_a_quoted_break(tmp_path: Path) -> None:
    text = 'timestamp,open,high,low,close,volume,note\n2020-01-02 16:00,1,1,1,1,1,"a\nb"\n\n'
    message = refused(tmp_path, text + "2020-01-03 16:00,1,1,2,1,1,c\n")
    assert "line 5: " in message


def test_missing_columns_name_expected_found_and_closest(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD.replace("open,high", "Open,hihg"))
    assert "expected timestamp, open, high, low, close, volume" in message
    assert "found timestamp, Open, hihg, low, close, volume" in message
    assert "did you mean 'Open'?" in message
    assert "did you mean 'hihg'?" in message
    assert "--map open=COLUMN" in message


def test_a_mapping_names_other_columns(tmp_path: Path) -> None:
    mapping = ColumnMapping.parse(
        ["timestamp=When", "open=O", "high=H", "low=L", "close=C", "volume="]
    )
    bars = load(tmp_path, "When,O,H,L,C\n2020-01-02 16:00,1,3,1,2\n", mapping=mapping)
    assert bars["close"].to_list() == [2.0]
    assert bars["volume"].to_list() == [0.0]


def test_a_mapping_of_an_unknown_field_is_refused() -> None:
    with pytest.raises(DataError, match="did you mean 'close'"):
        ColumnMapping.parse(["clos=C"])


@pytest.mark.parametrize("text", ["", HEADER, HEADER + "\n\n"])
def test_an_empty_file_is_refused(tmp_path: Path, text: str) -> None:
    message = refused(tmp_path, text)
    assert "is empty" in message or "holds no rows" in message


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    with pytest.raises(DataError, match="no file"):
        lake.import_csv(tmp_path / "none.csv", spec())
    (tmp_path / "bytes.csv").write_bytes(b"timestamp,open\n\xff\xfe,1\n")
    with pytest.raises(DataError, match="not a readable CSV"):
        lake.import_csv(tmp_path / "bytes.csv", spec())
    with pytest.raises(DataError, match="not a readable parquet file"):
        lake.import_parquet(tmp_path / "bytes.csv", spec())


def test_a_bad_row_of_a_file_that_is_not_all_utf8_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(
        b"timestamp,open,high,low,close,volume,not\xe9\n2020-01-02 16:00,1,1,2,1,1,x\n"
    )
    with pytest.raises(DataError, match="line 2: "):
        Lake(tmp_path / "lake").import_csv(tmp_path / "latin.csv", spec())


@pytest.mark.parametrize("value", [[1.0], True, date(2020, 1, 2)])
def test_a_typed_column_that_holds_no_numbers_is_refused(tmp_path: Path, value: Any) -> None:
    row = {"timestamp": datetime(2020, 1, 2, 16), "open": value}  # noqa: DTZ001
    row |= dict.fromkeys(("high", "low", "close", "volume"), 1.0)
    pl.DataFrame([row]).write_parquet(tmp_path / "p.parquet")
    with pytest.raises(DataError, match="column 'open' holds"):
        Lake(tmp_path / "lake").import_parquet(tmp_path / "p.parquet", spec())


def test_a_row_with_too_many_fields_is_refused(tmp_path: Path) -> None:
    assert "not a readable CSV" in refused(tmp_path, GOOD + "2020-01-06 16:00,1,1,1,1,1,1,1\n")


def test_naive_times_without_a_zone_are_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD, timezone=None)
    assert "2 times carry no zone" in message
    assert "--timezone" in message


def test_an_unknown_zone_is_refused_with_the_closest_name() -> None:
    with pytest.raises(DataError, match="did you mean 'America/New_York'"):
        spec(timezone="America/New_Yorc")


@pytest.mark.parametrize("zone", ["", "../etc/passwd", "Mars/Phobos", "EST5EDTX"])
def test_nonsense_zones_are_refused(zone: str) -> None:
    with pytest.raises(DataError, match="is unknown"):
        spec(timezone=zone)


def test_an_offset_that_contradicts_the_declared_zone_is_refused(tmp_path: Path) -> None:
    text = HEADER + "2020-01-02T16:00:00-05:00,1,1,1,1,1\n2020-01-03T16:00:00+01:00,1,1,1,1,1\n"
    message = refused(tmp_path, text)
    assert "offset-contradicts-declared-zone: 1 row" in message
    assert "line 3: " in message


def test_offsets_need_no_declared_zone(tmp_path: Path) -> None:
    text = HEADER + "2020-01-02T16:00:00-0500,1,1,1,1,1\n2020-01-03 21:00Z,1,1,1,1,1\n"
    bars = load(tmp_path, text, timezone=None)
    assert [stamp.hour for stamp in bars["timestamp"]] == [21, 21]


def test_local_times_that_daylight_saving_makes_unclear_are_refused(tmp_path: Path) -> None:
    rows = "2020-03-08 02:30,1,1,1,1,1\n2020-11-01 01:30,1,1,1,1,1\n2020-11-01 02:30,1,1,1,1,1\n"
    message = refused(tmp_path, HEADER + rows, interval="1h")
    assert "non-existent-local-time: 1 row" in message
    assert "line 2: AAPL time '2020-03-08 02:30'" in message
    assert "ambiguous-local-time: 1 row" in message
    assert "line 3: AAPL time '2020-11-01 01:30'" in message


@pytest.mark.parametrize(
    "text", ["2020-13-01 16:00", "yesterday", "03/04/2020", "", "2020-01-02 25:00"]
)
def test_unparsable_times_are_refused(tmp_path: Path, text: str) -> None:
    message = refused(tmp_path, GOOD + f"{text},1,1,1,1,1\n")
    assert "unparsable-time: 1 row" in message
    assert "line 4: " in message


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("epoch_s", "1577998800"),
        ("epoch_ms", "1577998800000"),
        ("epoch_us", "1577998800000000"),
        ("%d.%m.%Y %H:%M", "02.01.2020 16:00"),
        ("%d.%m.%Y %H:%M %z", "02.01.2020 16:00 -0500"),
        ("iso", "2020-01-02T16:00:00.000"),
    ],
)
def test_declared_time_formats_give_the_same_moment(tmp_path: Path, form: str, text: str) -> None:
    bars = load(tmp_path, f"{HEADER}{text},1,1,1,1,1\n", timestamp_format=form)
    assert bars["timestamp"].to_list() == [datetime(2020, 1, 2, 21, tzinfo=UTC)]


def test_start_stamps_move_to_the_end_of_the_bar(tmp_path: Path) -> None:
    minute = load(tmp_path, HEADER + "2020-01-02 09:30,1,1,1,1,1\n", interval="1m", stamp="start")
    assert minute["timestamp"].to_list() == [datetime(2020, 1, 2, 14, 31, tzinfo=UTC)]


def test_a_daily_start_moves_by_the_wall_clock_over_a_change_of_the_clocks(tmp_path: Path) -> None:
    bars = load(tmp_path, HEADER + "2020-03-08 00:00,1,1,1,1,1\n", stamp="start")
    assert bars["timestamp"].to_list() == [datetime(2020, 3, 9, 4, tzinfo=UTC)]


def test_a_date_ends_with_its_day_or_at_the_declared_close(tmp_path: Path) -> None:
    text = HEADER + "2020-01-02,1,1,1,1,1\n"
    assert load(tmp_path / "a", text)["timestamp"].to_list() == [
        datetime(2020, 1, 3, 5, tzinfo=UTC)
    ]
    closed = load(tmp_path / "b", text, session_close=time(16))
    assert closed["timestamp"].to_list() == [datetime(2020, 1, 2, 21, tzinfo=UTC)]


def test_dates_are_no_times_for_bars_of_an_hour(tmp_path: Path) -> None:
    assert "need a time of day" in refused(
        tmp_path, HEADER + "2020-01-02,1,1,1,1,1\n", interval="1h"
    )


class Weekdays:
    """A small real calendar: Monday to Friday, 14:30 to 21:00 UTC."""

    name = "WEEK"

    def sessions(self, start: date, end: date) -> list[Session]:
        days = [start + timedelta(days=n) for n in range((end - start).days + 1)]
        return [
            Session(
                calendar=self.name,
                session_date=day,
                opens_at=datetime.combine(day, time(14, 30), UTC),
                closes_at=datetime.combine(day, time(21), UTC),
            )
            for day in days
            if day.weekday() < 5
        ]

    def session_at(self, moment: datetime) -> Session | None:
        day = self.sessions(moment.date(), moment.date())
        return day[0] if day and day[0].contains(moment) else None


def test_a_calendar_gives_the_close_and_refuses_a_sunday(tmp_path: Path) -> None:
    text = HEADER + "2020-01-02,1,1,1,1,1\n"
    bars = load(tmp_path / "a", text, calendar=Weekdays())
    assert bars["timestamp"].to_list() == [datetime(2020, 1, 2, 21, tzinfo=UTC)]
    message = refused(tmp_path / "b", text + "2020-01-05,1,1,1,1,1\n", calendar=Weekdays())
    assert "not-a-trading-day: 1 row" in message


def test_a_calendar_catches_a_wrong_zone_of_minute_bars(tmp_path: Path) -> None:
    text = HEADER + "2020-01-02 09:31,1,1,1,1,1\n2020-01-02 16:00,1,1,1,1,1\n"
    options: dict[str, Any] = {"interval": "1m", "calendar": Weekdays()}
    assert load(tmp_path / "a", text, **options).height == 2
    message = refused(tmp_path / "b", text, timezone="UTC", **options)
    assert "outside-the-calendar-session: 1 row" in message
    assert "line 2: AAPL time '2020-01-02 09:31'" in message


def test_symbols_outside_the_grammar_are_refused(tmp_path: Path) -> None:
    message = refused(
        tmp_path, "symbol," + HEADER + "aapl,2020-01-02 16:00,1,1,1,1,1\n", symbol=None
    )
    assert "unusable-symbol: 1 row" in message
    with pytest.raises(DataError, match="is not a symbol"):
        spec(symbol="a b")


@pytest.mark.parametrize(
    "change",
    [
        {"interval": "2d"},
        {"stamp": "middle"},
        {"adjustment": "x"},
        {"on_error": "x"},
        {"dataset": "../x"},
    ],
)
def test_declarations_outside_their_sets_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(DataError):
        spec(**change)


def test_skip_leaves_bad_rows_out_and_reports_them(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(GOOD + "2020-01-06 16:00,11,9,10,10,1\n")
    result = Lake(tmp_path / "lake").import_csv(path, spec(on_error="skip"))
    assert result.manifest.rows == 2
    assert next((problem.rule, problem.count) for problem in result.skipped) == (
        "crossed (high < low)",
        1,
    )


def test_skip_with_no_good_row_is_refused(tmp_path: Path) -> None:
    text = HEADER + "2020-01-06 16:00,11,9,10,10,1\n"
    assert "no row is usable" in refused(tmp_path, text, on_error="skip")


def test_parquet_and_frames_keep_typed_times(tmp_path: Path) -> None:
    stamps = [datetime(2020, 1, 2, 16), datetime(2020, 1, 3, 16)]  # noqa: DTZ001 - naive on purpose
    frame = pl.DataFrame(
        {
            "timestamp": stamps,
            **{name: [1, 2] for name in ("open", "high", "low", "close", "volume")},
        }
    )
    frame.write_parquet(tmp_path / "p.parquet")
    lake = Lake(tmp_path / "lake")
    lake.import_parquet(tmp_path / "p.parquet", spec())
    aware = frame.with_columns(pl.col("timestamp").dt.replace_time_zone("America/New_York"))
    lake.import_frame(aware, spec(dataset="aware", timezone=None))
    left, right = (lake.bars(["AAPL"], "1d", dataset=name) for name in ("prices", "aware"))
    assert left.equals(right)
    assert left["timestamp"][0] == datetime(2020, 1, 2, 21, tzinfo=UTC)
    with pytest.raises(DataError, match="carry no zone"):
        lake.import_frame(frame, spec(timezone=None))


def test_a_file_is_read_by_its_own_name_and_by_no_pattern(tmp_path: Path) -> None:
    """The prices of prices1.csv came for prices[1].csv, as browsers name a second download."""
    other = HEADER + "2020-01-02 16:00,7,7,7,7,7\n"
    for name, text in (("1", other), ("[1]", GOOD)):
        (tmp_path / f"prices{name}.csv").write_text(text)
        pl.read_csv(text.encode()).write_parquet(tmp_path / f"prices{name}.parquet")
    lake = Lake(tmp_path / "lake")
    for load_as, kind in ((lake.import_csv, "csv"), (lake.import_parquet, "parquet")):
        result = load_as(tmp_path / f"prices[1].{kind}", spec(dataset=kind))
        assert lake.bars(["AAPL"], "1d", dataset=kind)["close"].to_list() == [11.0, 12.0]
        assert result.manifest.created_from == f"prices[1].{kind}"
        with pytest.raises(DataError, match="no file"):
            load_as(tmp_path / f"prices*.{kind}", spec())
    with pytest.raises(DataError, match="not a readable CSV"):
        lake.import_csv(tmp_path / "prices1.csv" / "inside.csv", spec())
