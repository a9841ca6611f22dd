"""What can not be written, or makes no sense, is said before a sweep runs, not after it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from mts1b_GPUbacktester import (
    BadPanel,
    BadRule,
    BadSetting,
    centred_weights,
    run_portfolio,
    run_single,
    run_sweep,
    sweep_factor,
    sweep_paths,
    walk_forward,
)
from mts1b_GPUbacktester import rules as r
from mts1b_GPUbacktester.batch import run_batch
from mts1b_GPUbacktester.cli import app
from typer.testing import CliRunner

CLOSE = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0.0, 0.02, 300)))
RULE = r.long_when(r.close > r.sma(r.close, r.param("n")))


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    path = tmp_path / "bars.parquet"
    pl.DataFrame({"timestamp": range(300), "open": CLOSE, "close": CLOSE}).write_parquet(path)
    return path


def invoke(command: str, bars: Path, *options: str) -> Any:
    base = ["--panel", str(bars), "--long-when", "close > sma(close, n)", "--param", "n=5"]
    return CliRunner().invoke(app, [command, *base, *options])


@pytest.mark.parametrize(
    ("command", "option"), [("run", "--report"), ("sweep", "--report"), ("sweep", "--out")]
)
def test_a_file_that_can_not_be_written_is_refused_before_the_run(
    command: str, option: str, bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in (("single", "run_single"), ("sweep", "run_sweep")):
        monkeypatch.setattr(f"mts1b_GPUbacktester.{module}.{name}", None)
    for path, said in ((tmp_path / "none" / "x", "there is no folder"), (tmp_path, "is a folder")):
        done = invoke(command, bars, option, str(path))
        assert done.exit_code == 5
        assert said in done.output


def test_a_report_into_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    found = run_sweep({"close": CLOSE}, RULE, grid={"n": [5]}, fill="next_close", progress=False)
    with pytest.raises(BadSetting, match="there is no folder"):
        found.report(tmp_path / "none" / "sweep.html")


@pytest.mark.parametrize("command", ["run", "sweep"])
def test_bars_of_weeks_and_borrowed_shares_are_told_on_the_command_line(
    command: str, bars: Path
) -> None:
    def sharpe(*options: str) -> float:
        done = invoke(command, bars, "--direction", "both", "--json", *options)
        told = json.loads(done.stdout)
        return float((told if command == "run" else told["best"][0])["sharpe"])

    weekly = sharpe("--periods-per-year", "52")
    assert weekly == pytest.approx(sharpe() * (52 / 252) ** 0.5)
    assert sharpe("--borrow-bps", "300") < sharpe()


def test_a_sweep_measures_what_it_is_ordered_by(bars: Path) -> None:
    done = invoke("sweep", bars, "--by", "calmar", "--json")
    assert done.exit_code == 0, done.output
    assert "calmar" in json.loads(done.output)["best"][0]
    wrong = invoke("sweep", bars, "--by", "luck")
    assert wrong.exit_code == 5
    assert "metrics luck are refused" in wrong.output


GOOD = {"name": "good", "long_when": "close > sma(close, n)", "grid": {"n": [5]}}
NEXT = {**GOOD, "name": "next"}
WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({**NEXT, "long_when": "close > sma(close n)"}, BadRule, "sweep next: .*not understood"),
    ({**NEXT, "panel": "none.csv"}, BadPanel, "sweep next: no file"),
    ({**NEXT, "panel": 5}, BadPanel, "sweep next: no file"),
    ({**NEXT, "grid": {"n": "x"}}, BadSetting, "sweep next: 'x' is not V"),
    ({**NEXT, "grid": {"m": [5]}}, BadRule, "sweep next: the rule needs n; given: m"),
    ({**NEXT, "grid": {"n": [0]}}, BadRule, "sweep next: a window"),
    ({**NEXT, "where": "n<slow"}, BadSetting, "sweep next: .*'slow' is no parameter"),
    ({**NEXT, "fees_bps": "five"}, BadSetting, "sweep next: fees_bps 'five' must be a number"),
    ({**NEXT, "fill": "never"}, BadSetting, "sweep next: fill"),
    ({**NEXT, "metrics": ["luck"]}, BadSetting, "sweep next: metrics luck"),
    ({**NEXT, "by": "calmar"}, BadSetting, "sweep next: by='calmar' is not measured"),
    ({**NEXT, "memory_budget": "much"}, BadSetting, "sweep next: memory_budget"),
]


@pytest.mark.parametrize(("item", "kind", "message"), WRONG)
def test_a_batch_is_checked_whole_before_its_first_sweep(
    item: dict[str, Any], kind: type[Exception], message: str, bars: Path, tmp_path: Path
) -> None:
    config, output = tmp_path / "batch.json", tmp_path / "out"
    config.write_text(json.dumps({"panel": bars.name, "sweeps": [GOOD, item]}))
    with pytest.raises(kind, match=message):
        run_batch(config, output)
    assert not output.exists()


def test_a_batch_keeps_what_it_has_when_a_later_sweep_fails(bars: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("date,close\n2020-01-01,-1\n2020-01-02,2\n")
    config, output = tmp_path / "batch.json", tmp_path / "out"
    late = {**NEXT, "panel": "bad.csv"}
    config.write_text(json.dumps({"panel": bars.name, "sweeps": [GOOD, late]}))
    with pytest.raises(BadPanel, match="prices must be positive"):
        run_batch(config, output)
    assert list(json.loads((output / "summary.json").read_text())) == ["good"]
    with pytest.raises(BadSetting, match="can not be a folder for results"):
        run_batch(config, config)


def test_settings_that_are_no_numbers_are_refused() -> None:
    for name in ("fees_bps", "slippage_bps", "borrow_bps", "periods_per_year"):
        for value in ("5", None, True):
            with pytest.raises(BadSetting, match=f"{name} {value!r} must be a number"):
                run_sweep({"close": CLOSE}, RULE, grid={"n": [5]}, **{name: value})
    with pytest.raises(BadSetting, match="must be a number"):
        run_portfolio({"close": CLOSE}, np.ones((300, 1)), fees_bps="5")  # type: ignore[arg-type]


def test_a_setting_that_would_be_left_unread_is_refused() -> None:
    panel = {"close": np.column_stack([CLOSE, CLOSE[::-1]])}
    options: dict[str, Any] = {"panel": panel, "fill": "next_close"}
    for name, value in (("sizer", np.sign), ("rebalance", 5), ("rebalance", [True] * 300)):
        with pytest.raises(BadSetting, match=f"{name}= is for a factor"):
            run_single(rule=RULE, params={"n": 5}, **{name: value}, **options)
    for name, value in (("direction", "short"), ("size", 0.5), ("size", r.close / r.close)):
        with pytest.raises(BadSetting, match=f"{name}= is for a rule"):
            run_single(factor=lambda bars: bars.close, **{name: value}, **options)
    run_single(rule=RULE, params={"n": 5}, sizer=None, rebalance=1, **options)


def test_a_factor_or_sizer_that_gives_no_numbers_is_told() -> None:
    panel = {"close": np.column_stack([CLOSE, CLOSE[::-1]])}
    options: dict[str, Any] = {"panel": panel, "fill": "next_close"}
    scores = {"factor": lambda bars: bars.close}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"factor": 5}, "factor 5 can not be called"),
        ({"factor": lambda bars: "x"}, "the factor gave no numbers"),
        ({"factor": lambda bars: None}, "the factor gave no numbers"),
        ({**scores, "sizer": "equal"}, "sizer 'equal' can not be called"),
        ({**scores, "sizer": lambda given: None}, "the sizer gave no numbers"),
        ({**scores, "sizer": lambda given: given[0]}, r"the sizer gave shape \(2,\)"),
    ]
    for given, told in wrong:
        with pytest.raises(BadRule, match=told):
            run_single(**given, **options)
    with pytest.raises(BadSetting, match=r"size .* is not 'all_cash'"):
        run_single(rule=RULE, params={"n": 5}, size=np.ones(2), **options)
    with pytest.raises(BadSetting, match="fees_bps '5' must be a number"):
        run_single(rule=RULE, params={"n": 5}, fees_bps="5", **options)  # type: ignore[arg-type]


def test_an_infinite_score_is_unknown_and_the_others_of_its_row_trade() -> None:
    scores = np.array([[1.0, 2.0, np.inf], [np.inf, np.nan, 1.0]])
    found = centred_weights(scores)
    np.testing.assert_array_equal(found[0], [-0.5, 0.5, 0.0])
    assert np.isnan(found[1]).all()


def test_a_sweep_of_a_factor_pays_for_what_it_borrows() -> None:
    panel = {"close": np.column_stack([CLOSE, CLOSE[::-1]])}
    options: dict[str, Any] = {"fill": "next_close", "fees_bps": 0.0}
    found = sweep_factor(
        panel, lambda bars, k: k * bars.close, grid={"k": [1, -1]}, borrow_bps=500, progress=False,
        **options,
    )  # fmt: skip
    one = run_single(panel=panel, factor=lambda bars: -bars.close, borrow_bps=500, **options)
    free = run_single(panel=panel, factor=lambda bars: -bars.close, **options)
    assert found.table["total_return"][1] == one.total_return < free.total_return


def test_one_metric_may_be_given_by_its_name() -> None:
    found = run_sweep({"close": CLOSE}, RULE, grid={"n": [5]}, fill="next_close", metrics="sharpe")
    assert found.table.columns == ["symbol", "n", "sharpe"]


def test_walks_and_paths_refuse_in_the_words_of_this_package() -> None:
    grid = {"n": [5]}
    for wrong in ({"step": 0}, {"purge": -1}, {"train": 50.5}):
        options: dict[str, Any] = {"train": 50, "test": 50, **wrong}
        with pytest.raises(BadSetting, match="whole number"):
            walk_forward({"close": CLOSE}, RULE, grid=grid, fill="next_close", **options)
    with pytest.raises(BadSetting, match="would count twice"):
        walk_forward(
            {"close": CLOSE}, RULE, grid=grid, fill="next_close", train=50, test=50, step=49
        )
    with pytest.raises(BadSetting, match="seed -1"):
        sweep_paths({"close": CLOSE}, RULE, grid=grid, seed=-1, fill="next_close")
