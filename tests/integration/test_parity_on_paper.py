"""A rule by text in five processes over NATS does what the engines do."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

from mts1b_datalake import Lake
from mts1b_research.parity.cli import app
from typer.testing import CliRunner


def test_a_rule_on_paper_gives_what_the_engines_give(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    lake.import_sample()
    bars = lake.bars(["IXIC"], "1d", date(2000, 3, 1), date(2000, 4, 10))
    bars.write_parquet(tmp_path / "bars.parquet")
    rule = ["--enter", "close > sma(close, n)", "--exit", "close < lag(close, 1)"]
    options = ["--param", "n=3", "--direction", "both", "--slippage-bps", "1", "--paper", "--json"]
    done = CliRunner().invoke(app, ["--panel", str(tmp_path / "bars.parquet"), *rule, *options])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    compared = {one["right"]: one["compared"] for one in found["comparisons"]}
    assert {"numba", "event-driven", "paper"} <= set(compared)
    assert compared["paper"]["fill_price"] > 20
    assert compared["paper"]["nav"] == bars.height
