"""Sweeps, single runs, portfolios, panels and the command line, as a user meets them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import mts1b_GPUbacktester
import numpy as np
import pandas as pd
import polars as pl
import pytest
from mts1b_foundation import UniversePanel
from mts1b_GPUbacktester import (
    BadPanel,
    BadRule,
    BadSetting,
    centred_weights,
    panel_from,
    rules,
    run_portfolio,
    run_single,
    run_sweep,
)
from mts1b_GPUbacktester.cli import app
from mts1b_GPUbacktester.expressions import as_value
from mts1b_GPUbacktester.grid import parse_bytes
from mts1b_GPUbacktester.text import parse_condition
from mts1b_platform.clock import VirtualClock
from mts1b_quantkit import metrics as quantkit
from mts1b_quantkit.factors import get
from typer.testing import CliRunner

r = rules
START = datetime(2020, 1, 1, 21, tzinfo=UTC)
CROSS = r.long_when(r.sma(r.close, r.param("fast")) > r.sma(r.close, r.param("slow")))


@pytest.fixture
def panel() -> UniversePanel:
    rng = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(rng.normal(0.0002, 0.01, (400, 3)), 0))
    return UniversePanel(
        close=close,
        high=close * 1.01,
        low=close * 0.99,
        volume=np.ones_like(close),
        open=close * np.exp(rng.normal(0, 0.002, close.shape)),
        dates=tuple(START + timedelta(days=n) for n in range(400)),
        symbols=("AAA", "BBB", "CCC"),
    )


def long_table(panel: UniversePanel) -> pl.DataFrame:
    length, assets = panel.shape
    columns = {
        name: getattr(panel, name).T.ravel() for name in ("open", "high", "low", "close", "volume")
    }
    return pl.DataFrame(
        {
            "symbol": np.repeat(panel.symbols, length).tolist(),
            "timestamp": list(panel.dates) * assets,
            **columns,
        }
    )


def test_a_sweep_has_one_row_per_symbol_and_set(panel: UniversePanel) -> None:
    result = run_sweep(
        panel,
        CROSS,
        grid={"fast": [5, 10, 60], "slow": [20, 50]},
        where=lambda p: p["fast"] < p["slow"],
    )
    assert result.n_trials == 4
    assert result.table.columns == [
        "symbol", "fast", "slow", "total_return", "sharpe", "max_drawdown", "n_trades",
    ]  # fmt: skip
    assert result.table.height == 12
    assert result.engine.name == "numpy"
    row = result.table.row(4, named=True)
    single = run_single(
        panel=panel_from({"close": panel.close[:, 1], "open": panel.open[:, 1]}),
        rule=CROSS,
        params={"fast": row["fast"], "slow": row["slow"]},
    )
    assert row["symbol"] == "BBB"
    assert row["total_return"] == single.total_return
    assert row["sharpe"] == single.sharpe
    assert row["n_trades"] == single.trades.height


def test_the_engines_give_the_same_table_in_any_batch(panel: UniversePanel) -> None:
    grid = {"fast": [5, 10], "slow": [20, 50]}
    tables = [
        run_sweep(panel, CROSS, grid=grid, engine=engine, memory_budget=budget).table
        for engine in ("numpy", "numba")
        for budget in ("10KiB", "1GiB")
    ]
    for table in tables[1:]:
        assert table.select(pl.exclude(pl.Float64)).equals(tables[0].select(pl.exclude(pl.Float64)))
        for name in ("total_return", "sharpe", "max_drawdown"):
            np.testing.assert_allclose(table[name], tables[0][name], rtol=1e-9)


def test_best_orders_with_undefined_last(panel: UniversePanel, tmp_path: Path) -> None:
    grid = [{"fast": 5, "slow": 20}, {"fast": 5, "slow": 399}, {"fast": 10, "slow": 20}]
    result = run_sweep(panel, CROSS, grid=grid)
    best = result.best(9)
    known = best["sharpe"].drop_nans().to_list()
    assert known == sorted(known, reverse=True)
    assert result.best(1, by="max_drawdown")["max_drawdown"][0] == max(result.table["max_drawdown"])
    with pytest.raises(BadSetting, match="was not measured"):
        result.best(1, by="calmar")
    result.to_parquet(tmp_path / "sweep.parquet")
    assert pl.read_parquet(tmp_path / "sweep.parquet").equals(result.table)


def test_further_metrics_are_those_of_quantkit(panel: UniversePanel) -> None:
    names = ("sortino", "calmar", "cagr", "annual_volatility")
    params = {"fast": 5, "slow": 20}
    for engine in ("numpy", "numba"):
        row = run_sweep(panel, CROSS, grid=[params], metrics=names, engine=engine).table.row(
            0, named=True
        )
        alone = run_single(
            panel={"close": panel.close[:, 0], "open": panel.open[:, 0]}, rule=CROSS, params=params
        )
        for name in names:
            assert row[name] == pytest.approx(getattr(quantkit, name)(alone.returns), rel=1e-10)


def test_timings_come_from_the_clock_that_is_given(panel: UniversePanel) -> None:
    result = run_sweep(panel, CROSS, grid=[{"fast": 5, "slow": 20}], clock=VirtualClock(START))
    assert result.timings == {"compile": 0.0, "run": 0.0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grid": {"fast": [5]}}, "needs fast, slow; given: fast"),
        ({"grid": {"fast": [], "slow": [1]}}, "no parameter set"),
        ({"grid": {"fast": [0], "slow": [1]}}, "whole number of bars"),
        ({"grid": {"fast": [2.5], "slow": [9]}}, "whole number of bars"),
        ({"fill": "yesterday"}, "fill 'yesterday' is not one of"),
        ({"direction": "up"}, "direction 'up' is not one of long"),
        ({"fees_bps": -1}, "outside"),
        ({"metrics": ("profit",)}, "choose from"),
        ({"memory_budget": "much"}, "write e.g."),
    ],
)
def test_a_wrong_sweep_says_what_to_change(
    panel: UniversePanel, change: dict[str, Any], message: str
) -> None:
    options = {"grid": {"fast": [5], "slow": [20]}, **change}
    with pytest.raises((BadRule, BadSetting), match=message):
        run_sweep(panel, CROSS, **options)


def test_bytes_are_read() -> None:
    assert [parse_bytes(text) for text in ("1GiB", "512 MiB", "10kb", 7)] == [
        2**30,
        2**29,
        10240,
        7,
    ]


def test_a_single_run_adds_up(panel: UniversePanel) -> None:
    result = run_single(panel=panel, rule=CROSS, params={"fast": 5, "slow": 20}, fees_bps=10)
    np.testing.assert_allclose(np.cumprod(1 + result.returns), result.equity, rtol=1e-12)
    assert result.total_return == pytest.approx(result.equity[-1] - 1)
    assert result.sharpe == quantkit.sharpe(result.returns)
    assert result.max_drawdown == quantkit.max_drawdown(result.returns)
    growth = [
        float(
            np.prod(1 + result.trades.filter(pl.col("symbol") == symbol)["trade_return"].to_numpy())
        )
        for symbol in panel.symbols
    ]
    assert np.mean(growth) == pytest.approx(result.equity[-1], rel=1e-12)
    free = run_single(panel=panel, rule=CROSS, params={"fast": 5, "slow": 20}, cost_bps=0)
    assert free.costs == 0
    assert 0 < result.costs < 0.1
    assert result.metrics()["n_trades"] == result.trades.height
    assert result.weights.shape == panel.shape


def test_an_open_trade_is_listed_and_marked() -> None:
    panel = {"close": np.array([1.0, 2.0, 4.0]), "dates": [1, 2, 3]}
    result = run_single(panel=panel, rule=r.long_when(r.close > 0), fill="next_close", fees_bps=0)
    assert result.trades.height == 1
    row = result.trades.row(0, named=True)
    assert (row["entry_time"], row["exit_time"], row["is_open"]) == (2, None, True)
    assert (row["trade_return"], result.total_return) == (1.0, 1.0)


def test_a_window_is_warm_and_acts_on_its_first_bar(panel: UniversePanel) -> None:
    always = r.long_when(r.sma(r.close, 50) > 0)
    result = run_single(panel=panel, rule=always, start="2020-06-01", end="2020-06-30", fees_bps=0)
    assert len(result.returns) == 30
    first = next(n for n, day in enumerate(panel.dates) if f"{day:%Y-%m-%d}" == "2020-06-01")
    expected = np.mean(panel.close[first + 29] / panel.open[first]) - 1
    assert result.total_return == pytest.approx(expected, rel=1e-12)
    before = panel.open.copy()
    run_single(panel=panel, rule=always, start="2020-06-01", fees_bps=0)
    np.testing.assert_array_equal(before, panel.open)
    with pytest.raises(BadPanel, match="no bar lies between"):
        run_single(panel=panel, rule=always, start="2030-01-01")


def test_a_factor_runs_as_the_documentation_calls_it(panel: UniversePanel) -> None:
    result = run_single(
        factor=get("f_realized_vol"), params={"h": 21}, panel=panel, start="2020-03-01", cost_bps=5
    )
    np.testing.assert_allclose(np.cumprod(1 + result.returns), result.equity, rtol=1e-12)
    gross = np.abs(result.weights).sum(axis=1)
    assert 0.9 < gross[-1] < 1.1
    assert abs(result.weights[-1].sum()) < 0.05
    assert result.costs > 0
    monthly = run_single(
        factor=get("f_realized_vol"),
        params={"h": 21},
        panel=panel,
        start="2020-03-01",
        rebalance=21,
    )
    assert monthly.trades.height < result.trades.height / 10


def test_a_rule_and_a_factor_exclude_each_other(panel: UniversePanel) -> None:
    with pytest.raises(BadRule, match="exactly one"):
        run_single(panel=panel)
    with pytest.raises(BadSetting, match="give one"):
        run_single(panel=panel, rule=CROSS, params={"fast": 5, "slow": 9}, fees_bps=1, cost_bps=1)
    with pytest.raises(BadRule, match="the factor gave shape"):
        run_single(panel=panel, factor=lambda panel: np.zeros(3))


def test_centred_weights_sum_to_zero_and_gross_to_one() -> None:
    weights = centred_weights(
        np.array([[1.0, 2.0, np.nan, 6.0], [1.0, 1, 1, 1], [np.nan, 1, np.nan, np.nan]])
    )
    np.testing.assert_allclose(weights[0], [-1 / 3, -1 / 6, 0.0, 0.5])
    assert np.isnan(weights[1:]).all()


def test_a_portfolio_drifts_between_rebalances_and_pays_exactly() -> None:
    close = np.array([[10.0, 10], [10, 10], [20, 10], [20, 10], [20, 10]])
    half = np.full(close.shape, 0.5)
    drifting = run_portfolio(
        {"close": close}, half, rebalance=100, fill="next_close", fees_bps=100, initial_cash=1000
    )
    # 1000 at the fill, 1 % of 1000 traded: cash -10; then the first asset doubles.
    np.testing.assert_allclose(drifting.equity, [1000, 990, 1490, 1490, 1490])
    np.testing.assert_allclose(drifting.weights[-1], [1000 / 1490, 500 / 1490])
    assert drifting.costs == pytest.approx(0.01)
    balanced = run_portfolio(
        {"close": close}, half, fill="next_close", fees_bps=0, initial_cash=1000
    )
    np.testing.assert_allclose(balanced.weights[2], [0.5, 0.5])
    assert balanced.trades.columns == ["time", "symbol", "units", "price"]


def test_a_portfolio_keeps_what_has_no_price() -> None:
    close = np.array([[10.0, 10], [10, 10], [np.nan, 20], [10, 20]])
    weights = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    result = run_portfolio({"close": close}, weights, fill="next_close", fees_bps=0)
    assert result.trades.filter(pl.col("symbol") == "A0")["units"].to_list() == pytest.approx(
        [0.1, -0.1]
    )
    with pytest.raises(BadSetting, match="shape"):
        run_portfolio({"close": close}, weights[:2], fill="next_close")


def test_panels_of_every_kind_are_the_same(panel: UniversePanel, tmp_path: Path) -> None:
    table = long_table(panel)
    table.write_parquet(tmp_path / "bars.parquet")
    table.write_csv(tmp_path / "bars.csv")
    naive = table.with_columns(pl.col("timestamp").dt.replace_time_zone(None))
    frame = pd.DataFrame({name: table[name].to_list() for name in table.columns})
    sources = [
        table,
        naive,
        tmp_path / "bars.parquet",
        str(tmp_path / "bars.csv"),
        frame,
        frame.set_index("timestamp"),
    ]
    arrays = {name: getattr(panel, name) for name in ("open", "high", "low", "close", "volume")}
    sources.append({**arrays, "symbols": panel.symbols, "dates": panel.dates})
    for source in sources:
        made = panel_from(source)
        assert tuple(made.symbols) == panel.symbols
        for name, values in arrays.items():
            np.testing.assert_allclose(getattr(made, name), values, rtol=1e-12)
        assert str(made.dates[0])[:16] == "2020-01-01 21:00"
    assert panel_from(panel) is panel


def test_wide_frames_hold_closes_alone(panel: UniversePanel) -> None:
    dates = pd.DatetimeIndex(panel.dates)
    wide = panel_from(pd.DataFrame(panel.close, index=dates, columns=list(panel.symbols)))
    np.testing.assert_array_equal(wide.close, panel.close)
    assert wide.open is None
    assert np.isnan(wide.high).all()
    polars = pl.DataFrame(
        {"date": list(panel.dates), **dict(zip(panel.symbols, panel.close.T, strict=True))}
    )
    np.testing.assert_array_equal(panel_from(polars).close, panel.close)
    params = {"fast": 5, "slow": 20}
    with pytest.raises(BadPanel, match="no open; give open prices, or use fill='next_close'"):
        run_single(panel=wide, rule=CROSS, params=params)
    with pytest.raises(BadPanel, match="no high"):
        run_single(panel=wide, rule=r.long_when(r.high > 1), fill="next_close")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (3, "int is not a panel"),
        ({"open": [1.0]}, "needs 'close'"),
        ({"close": [1.0], "price": [1.0]}, "found close, price"),
        ({"close": [1.0, 2.0], "open": [1.0]}, "do not fit together"),
        ({"close": [1.0, -2.0]}, "is -2.0"),
        ({"close": [1.0, float("inf")]}, "is inf"),
        ({"close": np.empty((0, 1))}, "empty"),
        (pl.DataFrame({"close": [1.0]}), "no column 'timestamp' or 'date'"),
        (pl.DataFrame({"date": [1, 1], "close": [1.0, 2.0]}), "two bars of one symbol"),
        (pl.DataFrame({"date": [1], "close": ["x"]}), "not a number"),
        ("nowhere.parquet", "no file"),
    ],
)
def test_a_bad_panel_says_what_is_wrong(data: Any, message: str) -> None:
    with pytest.raises(BadPanel, match=message):
        run_single(panel=data, rule=r.long_when(r.close > 1), fill="next_close")


def test_rules_refuse_python_words_and_strangers() -> None:
    with pytest.raises(BadRule, match="combine conditions with"):
        _ = (r.close > 1) and (r.close < 2)
    with pytest.raises(BadRule, match="neither a number nor a value"):
        r.sma(r.close, "20")  # type: ignore[arg-type]
    with pytest.raises(BadRule, match="is not a condition"):
        r.long_when(r.close)  # type: ignore[arg-type]


def test_events_hold_between_entry_and_exit_and_the_exit_wins() -> None:
    close = np.array([1.0, 3, 3, 1, 3, 5, 3])
    rule = r.enter_long(r.crosses_above(r.close, 2)).exit_long((r.close < 2) | (r.close > 4))
    result = run_single(panel={"close": close}, rule=rule, fill="next_close", fees_bps=0)
    assert result.trades["entry_price"].to_list() == [3.0, 5.0]
    both = r.enter_long(r.close > 2).exit_long(r.close > 2)
    assert run_single(panel={"close": close}, rule=both, fill="next_close").trades.height == 0


@pytest.mark.parametrize(
    ("text", "same"),
    [
        (
            "sma(close, fast) > sma(close, slow)",
            r.sma(r.close, r.param("fast")) > r.sma(r.close, r.param("slow")),
        ),
        ("crosses_above(close, 1.5 * open)", r.crosses_above(r.close, 1.5 * r.open)),
        ("close > 1 and not low < high - 2", (r.close > 1) & ~(r.low < r.high - 2)),
        ("close > 1 or volume >= 5 / 2", (r.close > 1) | (r.volume >= as_value(5) / 2)),
    ],
)
def test_text_is_read_as_the_same_rule(text: str, same: Any) -> None:
    assert parse_condition(text) == same


@pytest.mark.parametrize(
    "text",
    [
        "close",
        "close >",
        "__import__('os')",
        "close.x > 1",
        "1 < close < 2",
        "sma(close) > 1",
        "close > 'a'",
        "not close",
    ],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(BadRule):
        parse_condition(text)


def test_the_command_line_runs_and_sweeps(panel: UniversePanel, tmp_path: Path) -> None:
    path, out = tmp_path / "bars.parquet", tmp_path / "out.parquet"
    long_table(panel).write_parquet(path)
    runner = CliRunner()
    base = ["--panel", str(path), "--long-when", "sma(close, fast) > sma(close, slow)"]
    one = runner.invoke(app, ["run", *base, "--param", "fast=5", "--param", "slow=20", "--json"])
    assert one.exit_code == 0, one.output
    expected = run_single(panel=panel, rule=CROSS, params={"fast": 5, "slow": 20})
    assert json.loads(one.output)["sharpe"] == expected.sharpe
    many = runner.invoke(
        app,
        ["sweep", *base, "--param", "fast=5:25:10", "--param", "slow=10,20", "--where", "fast<slow",
         "--out", str(out)],
    )  # fmt: skip
    assert many.exit_code == 0, many.output
    assert "3 parameter sets, 9 accounts; engine numpy" in many.output
    assert pl.read_parquet(out).height == 9


def test_the_command_line_ends_with_the_code_of_the_error(tmp_path: Path) -> None:
    runner = CliRunner()
    gone = ["--panel", str(tmp_path / "none.csv"), "--long-when", "close > 1"]
    assert runner.invoke(app, ["run", *gone]).exit_code == 6
    path = tmp_path / "bars.csv"
    path.write_text("date,close\n2020-01-01,1\n2020-01-02,2\n")
    bad = runner.invoke(app, ["run", "--panel", str(path), "--long-when", "close", "--json"])
    assert bad.exit_code == 5
    assert json.loads(bad.output)["error"] == "BadRule"
    assert runner.invoke(app, ["run", "--panel", str(path)]).exit_code == 2


def test_every_public_name_is_there_and_no_other() -> None:
    for name in mts1b_GPUbacktester.__all__:
        assert getattr(mts1b_GPUbacktester, name) is not None
    assert dir(mts1b_GPUbacktester) == sorted(mts1b_GPUbacktester.__all__)
    with pytest.raises(AttributeError, match="run_everything"):
        _ = mts1b_GPUbacktester.run_everything
