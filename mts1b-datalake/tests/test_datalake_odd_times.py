"""Times that no clock shows, and columns that are there twice, are refused and not guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
from mts1b_datalake import DataError, ImportSpec, Lake

HEADER = "symbol,timestamp,open,high,low,close,volume\n"


def import_of(tmp_path: Path, stamp: str, form: str = "iso", **more: str) -> object:
    path = tmp_path / "bars.csv"
    path.write_text(f"{HEADER}AAA,{stamp},1,2,1,1.5,10\n")
    spec = ImportSpec(dataset="d", interval="1h", timestamp_format=form, **more)  # type: ignore[arg-type]
    return Lake(tmp_path / "lake").import_csv(path, spec)


@pytest.mark.parametrize("offset", ["+99:99", "+05:60", "-15:00", "+1900"])
def test_an_offset_that_no_zone_has_is_no_time(tmp_path: Path, offset: str) -> None:
    with pytest.raises(DataError, match="unparsable-time"):
        import_of(tmp_path, f"2024-01-02T21:00:00{offset}")


@pytest.mark.parametrize(
    ("offset", "utc"),
    [
        ("+14:00", "2024-01-02T07:00"),
        ("-12:00", "2024-01-03T09:00"),
        ("+05:45", "2024-01-02T15:15"),
        ("-0930", "2024-01-03T06:30"),
        ("Z", "2024-01-02T21:00"),
    ],
)
def test_an_offset_that_a_zone_has_is_taken(tmp_path: Path, offset: str, utc: str) -> None:
    import_of(tmp_path, f"2024-01-02T21:00:00{offset}")
    [end] = Lake(tmp_path / "lake").bars(["AAA"], "1h")["timestamp"].to_list()
    assert end.isoformat().startswith(utc)


@pytest.mark.parametrize(
    ("stamp", "form"),
    [
        ("1704229200000", "epoch_s"),  # milliseconds that are declared as seconds
        ("1704229200000000", "epoch_ms"),
        ("9999-12-31T23:30:00-05:00", "iso"),
        ("0001-01-01T00:00:00+05:00", "iso"),
    ],
)
def test_a_time_beyond_the_years_that_there_are_is_told(
    tmp_path: Path, stamp: str, form: str
) -> None:
    with pytest.raises(DataError, match="time-beyond-the-years-2-to-9998: 1 row"):
        import_of(tmp_path, stamp, form)


def test_a_column_that_is_there_twice_is_not_chosen_from(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    twice = HEADER.replace("close", "close,close")
    path.write_text(f"{twice}AAA,2024-01-02T21:00:00Z,1,2,1,1.5,0.3,10\n")
    spec = ImportSpec(dataset="d", interval="1h")
    with pytest.raises(DataError, match="'close' is there twice"):
        Lake(tmp_path / "lake").import_csv(path, spec)
