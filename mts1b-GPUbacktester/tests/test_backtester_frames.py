"""Tables that could be read as another panel than they are: each is refused, or read right."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from mts1b_GPUbacktester import BadPanel, BadSetting, panel_from, run_portfolio, run_single
from mts1b_GPUbacktester import rules as r

DAYS = pd.date_range("2020-01-01", periods=3)
WIDE = pd.DataFrame({"A": [1.0, 2.0, 3.0], "B": [4.0, 5.0, 6.0]}, index=DAYS)
LONG = pd.DataFrame(
    {"timestamp": [*DAYS, *DAYS], "symbol": list("AAABBB"), "close": [1.0, 2, 3, 4, 5, 6]}
)
YAHOO = pd.DataFrame({name: [1.0, 2.0, 3.0] for name in ("Open", "Close", "Volume")}, index=DAYS)
REFUSED: dict[str, tuple[Any, str]] = {
    "fields in capitals are no assets": (YAHOO, "Open, Close, Volume look like the fields"),
    "two levels of columns": (pd.concat({"Close": WIDE, "Volume": WIDE}, axis=1), "several levels"),
    "a column twice": (WIDE.set_axis(["A", "A"], axis=1), "two columns of one name"),
    "times in a column Date": (LONG.rename(columns={"timestamp": "Date"}), "'Date' holds times"),
    "a wide one with Date": (WIDE.rename_axis("Date").reset_index(), "'Date' holds times"),
    "rows of several symbols, no time": (LONG[["symbol", "close"]], "has no times"),
    "times among the assets": (WIDE.assign(C=DAYS), "'C' holds Datetime"),
    "truths": (WIDE.assign(C=True), "'C' holds Boolean"),
    "words among the prices": (pd.DataFrame({"A": [1, "x", 3]}, index=DAYS), "mixes kinds"),
    "a missing time": (pl.DataFrame({"date": [1, None], "A": [1.0, 2.0]}), "without a date: 1"),
    "a missing symbol": (
        pl.DataFrame({"date": [1, 2], "symbol": ["A", None], "close": [1.0, 2.0]}),
        "without a symbol: 1",
    ),
    "days that sort by month": (
        pl.DataFrame({"date": ["01/02/2020", "01/02/2021", "02/13/2020"], "A": [1.0, 2, 3]}),
        "'01/02/2020' that is not written as 2020-01-31",
    ),
    "periods": (WIDE.set_axis(pd.period_range("2020-01", periods=3, freq="M")), "be ordered"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_panel_is_refused(name: str) -> None:
    data, message = REFUSED[name]
    with pytest.raises(BadPanel, match=message):
        run_single(panel=data, rule=r.long_when(r.close > 1), fill="next_close")


def test_a_negative_volume_caps_nothing_and_is_refused() -> None:
    panel = {"close": [1.0, 2.0, 3.0], "volume": [1.0, 1.0, -5.0]}
    for engine in ("numpy", "numba"):
        with pytest.raises(BadPanel, match=r"volume of A0 at 2 is -5\.0"):
            run_portfolio(
                panel, np.ones((3, 1)), volume_share=0.1, fill="next_close", engine=engine
            )


@pytest.mark.parametrize(
    "data",
    [
        LONG,
        LONG.sample(frac=1.0, random_state=1),
        LONG.set_index(["timestamp", "symbol"]),
        LONG.set_index("timestamp"),
        LONG.assign(symbol=LONG["symbol"].astype("category")),
        WIDE.iloc[::-1],
        WIDE.astype(object),
        WIDE.assign(A=pd.Series([1, 2.0, 3], index=DAYS, dtype=object)),
        pl.from_pandas(WIDE.rename_axis("date").reset_index()).lazy(),
    ],
)
def test_one_panel_in_many_shapes(data: Any) -> None:
    panel = panel_from(data)
    order = [list(panel.symbols).index(name) for name in "AB"]
    np.testing.assert_array_equal(np.asarray(panel.close)[:, order], WIDE.to_numpy())


def test_text_of_iso_8601_is_time() -> None:
    table = pl.DataFrame({"date": ["2020-01-02", "2020-01-01"], "A": [2.0, 1.0]})
    panel = panel_from(table)
    assert panel.dates == (date(2020, 1, 1), date(2020, 1, 2))
    assert np.asarray(panel.close)[:, 0].tolist() == [1.0, 2.0]
    numbered = pl.DataFrame({"date": [1, 2], "symbol": [7, 7], "close": [1.0, 2.0]})
    assert panel_from(numbered).symbols == ("7",)
    assert panel_from(WIDE["A"]).symbols == ("A",)


@pytest.mark.parametrize("text", ["2020", "2020-01", "junk", "01/02/2020"])
def test_a_window_from_what_is_no_time_is_refused(text: str) -> None:
    rule = r.long_when(r.close > 1)
    for bound in ({"start": text}, {"end": text}):
        with pytest.raises(BadSetting, match="is no time; write 2020-01-31"):
            run_single(panel=WIDE, rule=rule, fill="next_close", **bound)


@pytest.mark.parametrize(
    ("stamps", "message"),
    [
        # As days of January each of these months would be another panel.
        (["01/01/2020", "02/01/2020", "03/01/2020"], "'01/01/2020' that is not written as"),
        (["13/01/2020", "14/01/2020"], "'13/01/2020' that is not written as"),
        (["2020-01-01T21:00:00Z", "2020-01-02T21:00:00"], "some with a time zone, some without"),
        (["2020-01-01", "2020-01-02T21:00:00"], "some days, some times"),
        ([], "no row"),
    ],
)
def test_times_of_a_file_that_could_be_others_are_refused(
    stamps: list[str], message: str, tmp_path: Path
) -> None:
    file = tmp_path / "bars.csv"
    file.write_text("\n".join(["timestamp,symbol,close", *(f"{time},A,1.5" for time in stamps)]))
    with pytest.raises(BadPanel, match=message):
        panel_from(file)


def test_times_of_a_file_with_offsets_are_one_line_of_time(tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    rows = ["timestamp,symbol,close", "2020-03-09T16:00:00-04:00,A,2", "2020-03-06 16:00-05:00,A,1"]
    file.write_text("\n".join(rows))
    panel = panel_from(file)
    assert [moment.astimezone(UTC) for moment in panel.dates] == [
        datetime(2020, 3, 6, 21, tzinfo=UTC), datetime(2020, 3, 9, 20, tzinfo=UTC)
    ]  # fmt: skip
    assert np.asarray(panel.close)[:, 0].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"close": [["a"]]}, "close holds no numbers"),
        ({"close": [[1.0], [1.0, 2.0]]}, "close holds no numbers"),
        ({"close": 5.0}, "close has no bars"),
        ({"close": [1.0, 2.0], "dates": [date(2020, 1, 1), 20200102]},
         "do not fit together"),
        (pl.DataFrame({"date": [1], "symbol": ["A"], "open": [1.0]}), "no column 'close'"),
    ],
)  # fmt: skip
def test_arrays_that_are_none_are_told(data: Any, message: str) -> None:
    with pytest.raises(BadPanel, match=message):
        panel_from(data)


ROWS = (
    "timestamp,symbol,open,high,low,close\n2024-01-01,A,10,11,9,10.5\n2024-01-02,A,10,11,9,103.25"
)


@pytest.mark.parametrize("cut", [8, 12, 15])
def test_a_file_that_ends_in_the_middle_of_a_row_is_refused(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "half.csv"
    path.write_text(ROWS[:-cut])
    with pytest.raises(BadPanel, match="ends in the middle of a row"):
        panel_from(path)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_file_may_end_with_or_without_an_empty_line(end: str, tmp_path: Path) -> None:
    path = tmp_path / "whole.csv"
    path.write_text(ROWS.replace("\n", "\r\n" if "\r" in end else "\n") + end)
    assert np.asarray(panel_from(path).close)[-1, 0] == 103.25


@pytest.mark.parametrize("stopped", [True, False])
def test_a_high_below_its_low_is_refused(stopped: bool) -> None:
    """Columns that were swapped by mistake meet no stop."""
    close = np.linspace(10.0, 12.0, 6)
    panel = {"open": close, "high": close * 0.9, "low": close * 1.1, "close": close}
    rule = r.long_when(r.close > r.high)
    with pytest.raises(BadPanel, match=r"high of A0 at 0 is 9\.0, below its low of 11\.0"):
        run_single(panel=panel, rule=rule.stop(0.05) if stopped else rule)


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York", "UTC"])
def test_a_day_is_one_of_the_zone_that_the_frame_has(zone: str) -> None:
    """Midnight in India is the day before in UTC."""
    days = pd.date_range("2024-03-01", periods=20, tz=zone)
    close = np.linspace(10.0, 12.0, 20)
    there = pl.Series(days.tz_localize(None).to_list()).dt.replace_time_zone(zone)
    for data in (pd.DataFrame({"A": close}, days), pl.DataFrame({"date": there, "A": close})):
        run = run_single(
            panel=data, rule=r.long_when(r.close > 1), start="2024-03-05", end="2024-03-08",
            fill="next_close",
        )  # fmt: skip
        assert [str(moment.date()) for moment in run.dates] == [
            f"2024-03-0{n}" for n in range(5, 9)
        ]
        assert list(run.dates) == list(days[4:8])
