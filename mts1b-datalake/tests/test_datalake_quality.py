"""The report finds planted faults and nothing else; the sample tape is the same every time."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from mts1b_datalake import Lake, Severity, check_bars
from mts1b_datalake.cli import app
from mts1b_foundation import Session
from typer.testing import CliRunner


def clean(days: int = 60) -> pl.DataFrame:
    """A quiet series with known, small returns: one bar each calendar day."""
    close = 100 * np.exp(np.cumsum(np.tile([0.01, -0.008, 0.004, -0.005], days // 4)))
    start = datetime(2020, 1, 1, 21, tzinfo=UTC)
    return pl.DataFrame(
        {
            "symbol": "AAPL",
            "interval": "1d",
            "timestamp": [start + timedelta(days=n) for n in range(len(close))],
            "open": close,
            "high": close * 1.01,
            "low": close * 0.99,
            "close": close,
            "volume": 5.0,
        }
    )


def found(bars: pl.DataFrame, **options: Any) -> dict[str, tuple[Severity, int]]:
    return {item.rule: (item.severity, item.count) for item in check_bars(bars, **options).issues}


def planted(row: int, **values: float) -> pl.DataFrame:
    bars = clean().with_row_index("row")
    columns = [
        pl.when(pl.col("row") == row).then(value).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    ]
    return bars.with_columns(columns).drop("row")


def test_clean_bars_have_no_issue() -> None:
    report = check_bars(clean())
    assert report.issues == ()
    assert report.ok


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"high": 90.0, "low": 110.0}, "crossed (high < low)"),
        ({"open": 500.0}, "open-outside-low-high"),
        ({"low": -1.0}, "non-positive-price"),
        ({"high": float("inf")}, "not-finite"),
        ({"volume": -1.0}, "negative-volume"),
    ],
)
def test_each_broken_rule_is_an_error(values: dict[str, float], rule: str) -> None:
    report = check_bars(planted(7, **values))
    assert not report.ok
    assert found(planted(7, **values))[rule] == (Severity.ERROR, 1)


def test_zero_volume_and_a_bad_tick_are_only_flagged() -> None:
    tick = planted(9, close=200.0, high=210.0, volume=0.0)
    issues = found(tick)
    assert issues == {
        "zero-volume": (Severity.WARNING, 1),
        "outlier-return": (Severity.WARNING, 2),
    }
    assert check_bars(tick).ok


def test_duplicates_and_times_that_go_back_are_errors() -> None:
    bars = clean()
    assert found(pl.concat([bars, bars[5:6]]))["duplicate-bar"] == (Severity.ERROR, 1)
    assert found(pl.concat([bars[6:], bars[:6]]))["time-goes-back"] == (Severity.ERROR, 1)


def test_a_long_step_is_a_gap_without_a_calendar() -> None:
    bars = clean()
    assert "gap" not in found(pl.concat([bars[:20], bars[24:]]))
    assert found(pl.concat([bars[:20], bars[25:]]))["gap"] == (Severity.WARNING, 1)


class EveryDay:
    """A small real calendar: open each day from 14:30 to 21:00 UTC."""

    name = "DAYS"

    def sessions(self, start: date, end: date) -> list[Session]:
        return [
            Session(
                calendar=self.name,
                session_date=start + timedelta(days=n),
                opens_at=datetime.combine(start, datetime.min.time(), UTC)
                + timedelta(days=n, hours=14.5),
                closes_at=datetime.combine(start, datetime.min.time(), UTC)
                + timedelta(days=n, hours=21),
            )
            for n in range((end - start).days + 1)
        ]

    def session_at(self, moment: datetime) -> Session | None:
        return next(s for s in self.sessions(moment.date(), moment.date()) if s.contains(moment))


def test_a_calendar_names_each_missing_session() -> None:
    bars = pl.concat([clean()[:20], clean()[22:]])
    report = check_bars(bars, calendar=EveryDay())
    assert [(i.rule, i.count, i.examples) for i in report.issues] == [
        ("gap", 2, ("2020-01-21", "2020-01-22"))
    ]
    assert check_bars(clean(), calendar=EveryDay()).issues == ()


def test_the_sample_is_real_and_the_same_every_time(tmp_path: Path) -> None:
    first = Lake(tmp_path / "a").import_sample()
    second = Lake(tmp_path / "b").import_sample()
    assert first.manifest == second.manifest
    for entry in first.manifest.files:
        left, right = (tmp_path / name / "bars" / "sample" / entry.path for name in "ab")
        assert left.read_bytes() == right.read_bytes()
    assert first.manifest.symbols == ("IXIC", "SPX")
    assert first.manifest.rows == 2 * 5031
    assert first.quality.ok


def test_the_sample_ends_each_bar_at_the_new_york_close(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.import_sample()
    bars = lake.bars(["SPX"], "1d", "2008-07-15", "2008-12-15")
    hours = {stamp.month: stamp.hour for stamp in bars["timestamp"]}
    assert (hours[7], hours[12]) == (20, 21)
    lehman = lake.bars(["SPX"], "1d", "2008-09-15", "2008-09-15")
    assert lehman["close"].to_list() == [pytest.approx(1192.699951)]
    assert lake.build_panel(["SPX", "IXIC"], "1d").shape == (5031, 2)


HEADER = "timestamp,open,high,low,close,volume\n"


@pytest.fixture
def run(tmp_path: Path) -> Any:
    runner = CliRunner()

    def call(*arguments: str) -> Any:
        return runner.invoke(app, list(arguments), env={"MTS_HOME": str(tmp_path / "home")})

    return call


def test_the_command_line_imports_lists_and_checks(run: Any, tmp_path: Path) -> None:
    assert "no datasets" in run("ls").output
    path = tmp_path / "prices.csv"
    path.write_text(HEADER + "2020-01-02 16:00,1,1,1,1,1\n")
    done = run("import", str(path), "--timezone", "America/New_York", "--symbol", "AAPL", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["symbols"] == ["AAPL"]
    assert json.loads(run("ls", "--json").output)["items"][0]["dataset"] == "prices"
    checked = run("check", "prices")
    assert checked.exit_code == 0
    assert "no rule is broken" in checked.output


def test_the_command_line_ends_with_6_for_bad_data(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(HEADER + "2020-01-02 16:00,1,1,2,1,1\n")
    done = run("import", str(path), "--timezone", "America/New_York", "--symbol", "AAPL")
    assert done.exit_code == 6
    assert "crossed (high < low): 1 row" in done.stderr
    assert not list((tmp_path / "home").glob("**/*.parquet"))
    wrong = run("import", str(path), "--timezone", "Mars/Base", "--symbol", "AAPL", "--json")
    assert wrong.exit_code == 6
    assert json.loads(wrong.output)["error"] == "DataError"
    assert run("check", "none").exit_code == 6


def test_the_command_line_wants_a_file_or_the_sample(run: Any, tmp_path: Path) -> None:
    assert run("import").exit_code == 2
    done = run("import", "--sample")
    assert done.exit_code == 0
    assert "sample version 1: 10062 bars of IXIC, SPX" in done.output


def test_the_command_line_checks_the_sample_against_its_exchange(run: Any) -> None:
    run("import", "--sample")
    done = run("check", "sample", "--json")
    assert done.exit_code == 0, done.output
    issues = json.loads(done.output)["issues"]
    assert {item["rule"] for item in issues} == {"outlier-return", "zero-volume"}


def test_an_unknown_calendar_is_a_mistake_of_the_command(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(HEADER + "2020-01-02,1,1,1,1,1\n")
    base = ("import", str(path), "--timezone", "America/New_York", "--symbol", "AAPL")
    wrong = run(*base, "--calendar", "XNYZ")
    assert wrong.exit_code == 3
    assert "XNYS" in wrong.stderr
    assert run(*base, "--calendar", "XNYS").exit_code == 0
    stored = json.loads(run("ls", "--json").output)["items"][0]
    assert (stored["calendar"], stored["last"]) == ("XNYS", "2020-01-02T21:00:00+00:00")
