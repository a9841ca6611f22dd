"""Universes by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mts1b_GPUbacktester import BadPanel, rules, run_single
from mts1b_GPUbacktester.cli import app
from mts1b_GPUbacktester.universes import universe_panel
from mts1b_quantkit.factors import get
from typer.testing import CliRunner

r = rules


class Shelf:
    def __init__(self, **panels: Any) -> None:
        self._panels = panels

    def names(self) -> list[str]:
        return list(self._panels)

    def panel(self, name: str) -> Any:
        return self._panels[name]


def test_a_factor_runs_on_a_universe_from_a_day_on() -> None:
    """The documented call: warm from before the start, traded from there."""
    result = run_single(
        factor=get("f_realized_vol"), params={"h": 21}, universe="sample", start="2010-01-01"
    )
    assert result.symbols == ("IXIC", "SPX")
    assert result.dates[0].date().isoformat() == "2010-01-04"
    assert np.isfinite(result.sharpe)
    assert result.trades.height > 100


def test_a_rule_runs_on_a_universe() -> None:
    rule = r.long_when(r.close > r.sma(r.close, 200))
    result = run_single(rule=rule, universe="lake:sample", start="2000-01-01", end="2009-12-31")
    assert result.n_trades > 10
    assert result.weights[0].sum() > 0, "the average was warm at the first day"


def test_a_name_is_found_once_or_refused_with_what_there_is() -> None:
    shelves = {"a": Shelf(one=1, both=2), "b": Shelf(both=3)}
    assert universe_panel("one", shelves) == 1
    assert universe_panel("b:both", shelves) == 3
    with pytest.raises(BadPanel, match=r"offered by a, b; write e\.g\. a:both"):
        universe_panel("both", shelves)
    with pytest.raises(BadPanel, match="there is one, both, both"):
        universe_panel("none", shelves)
    with pytest.raises(BadPanel, match="install mts1b-datalake"):
        universe_panel("one", {})
    for given in ({}, {"panel": {"close": [1.0]}, "universe": "one"}):
        with pytest.raises(BadPanel, match="exactly one of"):
            run_single(rule=r.long_when(r.close > 0), **given)


def test_the_shell_runs_on_a_universe_and_writes_a_report(tmp_path: Path) -> None:
    rule = ["--long-when", "close > sma(close, n)", "--json"]
    one = [
        *rule,
        "--universe",
        "sample",
        "--param",
        "n=200",
        "--report",
        str(tmp_path / "one.html"),
    ]
    done = CliRunner().invoke(app, ["run", *one, "--start", "2010-01-01", "--end", "2010-12-31"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["bars"] == 252
    assert "<polyline" in (tmp_path / "one.html").read_text()
    many = [*rule, "--universe", "sample", "--param", "n=50:200:50"]
    done = CliRunner().invoke(app, ["sweep", *many, "--report", str(tmp_path / "many.html")])
    assert done.exit_code == 0, done.output
    assert "Sweep of 4 parameter sets" in (tmp_path / "many.html").read_text()
    for given in ([], ["--universe", "sample", "--panel", "bars.csv"]):
        assert CliRunner().invoke(app, ["run", *rule, *given]).exit_code == 2
    assert CliRunner().invoke(app, ["run", *rule, "--universe", "none"]).exit_code == 6
