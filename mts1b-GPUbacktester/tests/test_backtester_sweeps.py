"""What a large sweep keeps, writes, takes up again and refuses."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from mts1b_GPUbacktester import BadPanel, BadRule, BadSetting, panel_from, rules, run_sweep
from mts1b_GPUbacktester.blocks import blocks
from mts1b_GPUbacktester.engines import SweepBlock
from mts1b_GPUbacktester.engines.numba_engine import NumbaEngine
from mts1b_GPUbacktester.panels import Prices
from mts1b_GPUbacktester.semantics import Settings

r = rules
CROSS = r.long_when(r.sma(r.close, r.param("fast")) > r.sma(r.close, r.param("slow")))
GRID = {"fast": [2, 3, 5, 8], "slow": [13, 21, 34]}


@pytest.fixture
def panel() -> dict[str, Any]:
    rng = np.random.default_rng(11)
    close = 100 * np.exp(np.cumsum(rng.normal(0.0002, 0.01, (300, 5)), 0))
    return {"close": close, "symbols": list("ABCDE")}


def sweep(panel: Any, **options: Any) -> Any:
    return run_sweep(panel, CROSS, grid=GRID, fill="next_close", engine="numba", **options)


def test_the_best_rows_are_those_of_the_whole_table(panel: Any) -> None:
    whole = sweep(panel)
    for by in ("sharpe", "max_drawdown", "n_trades"):
        for budget in ("1GiB", "200KiB"):
            some = sweep(panel, top=7, by=by, memory_budget=budget)
            assert some.table.equals(whole.best(7, by=by))
            for name in ("sharpe", "total_return"):
                np.testing.assert_allclose(some.by_set[name], whole.by_set[name], rtol=1e-9)


def test_the_means_of_each_set_are_those_of_its_rows(panel: Any) -> None:
    whole = sweep(panel)
    means = whole.table.group_by("fast", "slow", maintain_order=True).agg(pl.col("sharpe").mean())
    np.testing.assert_allclose(whole.by_set["sharpe"], means["sharpe"], rtol=1e-12)
    best = whole.best_params()
    top = means.sort("sharpe", descending=True).row(0, named=True)
    assert best == {"fast": top["fast"], "slow": top["slow"]}
    heat = whole.heatmap("fast", "slow")
    assert heat.columns == ["slow", "2", "3", "5", "8"]
    assert heat["slow"].to_list() == [13, 21, 34]
    wanted = means.filter((pl.col("fast") == 5) & (pl.col("slow") == 21))["sharpe"][0]
    assert heat["5"][1] == pytest.approx(wanted)
    with pytest.raises(BadSetting, match="is no parameter"):
        whole.heatmap("fast", "pace")


def test_parts_on_disk_are_the_table_and_are_taken_up_again(panel: Any, tmp_path: Path) -> None:
    whole = sweep(panel)
    told: list[float] = []
    options = {"out": tmp_path / "run", "memory_budget": "200KiB"}
    first = sweep(panel, **options, progress=told.append)
    assert told[-1] == 1.0
    assert len(told) > 3
    order = ["symbol", "fast", "slow"]
    assert first.scan().collect().sort(order).equals(whole.table.sort(order))
    parts = sorted((tmp_path / "run").glob("part-*.parquet"))
    kept = parts[0].stat().st_mtime_ns
    parts[1].unlink()
    again = sweep(panel, **options)
    assert again.table.equals(first.table)
    assert parts[0].stat().st_mtime_ns == kept
    assert parts[1].exists()
    with pytest.raises(BadSetting, match="holds another sweep"):
        sweep({**panel, "close": panel["close"] * 2}, **options)


def test_a_part_of_disk_is_used_and_not_computed_again(panel: Any, tmp_path: Path) -> None:
    first = sweep(panel, out=tmp_path / "run")
    (part,) = (tmp_path / "run").glob("part-*.parquet")
    pl.read_parquet(part).with_columns(sharpe=pl.lit(7.0)).write_parquet(part)
    assert set(sweep(panel, out=tmp_path / "run").table["sharpe"]) == {7.0}
    assert first.table.height == 60


def test_what_does_not_fit_is_refused_with_the_remedy(panel: Any) -> None:
    with pytest.raises(BadSetting, match="give top=1000"):
        sweep(panel, memory_budget=1000)
    with pytest.raises(BadSetting, match="1 or more"):
        sweep(panel, top=0)
    with pytest.raises(BadSetting, match="is not measured"):
        sweep(panel, top=3, by="calmar")


def test_stretches_of_time_and_blocks_of_sets_change_nothing() -> None:
    rng = np.random.default_rng(2)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 150_000)))
    tables = [sweep({"close": close}, memory_budget=budget).table for budget in ("1GiB", "6MiB")]
    assert tables[0]["n_trades"].equals(tables[1]["n_trades"])
    np.testing.assert_allclose(tables[0]["sharpe"], tables[1]["sharpe"], rtol=1e-9)
    assert NumbaEngine().name == "numba"


def test_values_that_are_computed_whole_count_whole_in_the_budget() -> None:
    close = 100 + np.abs(np.cumsum(np.random.default_rng(3).normal(0, 1, 100_000)))
    prices = Prices.of(panel_from({"close": close}))
    sets = [{"n": n} for n in range(2, 42)]
    counts = {}
    for average in (r.sma, r.ema):
        rule = r.long_when(average(r.close, r.param("n")) > r.close)
        whole = SweepBlock(prices, rule, sets, Settings(fill="next_close"), ("sharpe",), 2**24)
        cuts = blocks(whole, compiled=True)
        assert sorted(row for rows, _, _ in cuts for row in range(rows.start, rows.stop)) == list(
            range(40)
        )
        counts[average.__name__] = len(cuts)
    assert counts["sma"] < counts["ema"]


@pytest.mark.parametrize("rule", [CROSS, CROSS.stop(0.1), CROSS.time_exit(5)])
def test_an_asset_without_any_bar_trades_nothing_in_a_block_of_its_own(
    panel: Any, rule: r.Rule
) -> None:
    close = panel["close"].copy()
    close[:, 2] = np.nan
    data = {**dict.fromkeys(("open", "high", "low", "close"), close), "symbols": list("ABCDE")}
    one, many = (
        run_sweep(data, rule, grid=GRID, engine="numba", memory_budget=budget, progress=False)
        for budget in ("1GiB", "20KiB")
    )
    assert one.table.equals(many.table)
    assert many.table.filter(pl.col("symbol") == "C")["n_trades"].sum() == 0


def test_a_field_that_the_panel_has_not_is_named_before_anything_runs(panel: Any) -> None:
    for rule, name in ((r.long_when(r.volume > 1), "volume"), (CROSS.stop(0.1), "open")):
        grid = GRID if name == "open" else {}
        with pytest.raises(BadPanel, match=f"the panel has no {name}"):
            run_sweep(panel, rule, grid=grid, fill="next_close", progress=False)


def test_a_table_counts_what_it_takes_while_it_is_made() -> None:
    close = 100 + np.random.default_rng(4).random((20, 500))
    rule, grid = r.long_when(r.close > r.param("n")), {"n": list(range(300))}
    options: dict[str, Any] = {"fill": "next_close", "engine": "numba", "progress": False}
    with pytest.raises(BadSetting, match="a table of 150,000 rows"):
        run_sweep({"close": close}, rule, grid=grid, memory_budget="14MiB", **options)
    assert peak_of({"close": close}, rule, grid=grid, memory_budget="16MiB", **options) < 2**24


def test_thousands_of_series_are_worked_on_in_shorter_stretches() -> None:
    close = 100 + np.random.default_rng(4).random((2_000, 2))
    rule, grid = r.long_when(r.close > r.param("n")), {"n": np.arange(0.0, 200.0, 0.02).tolist()}
    options: dict[str, Any] = {"fill": "next_close", "engine": "numba", "progress": False}
    assert peak_of({"close": close}, rule, grid=grid, memory_budget="64MiB", **options) < 2**26


def peak_of(panel: Any, rule: r.Rule, **options: Any) -> int:
    """Return the bytes that a sweep has at once."""
    tracemalloc.start()
    try:
        run_sweep(panel, rule, **options)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "value", [r.sma(r.close - r.lag(r.close, r.param("n")), 5), r.ema(r.close, r.param("n"))]
)
def test_what_a_sweep_keeps_stays_within_the_budget(value: r.Value) -> None:
    """Many sources of simple averages count as what they are: running sums over all of time."""
    close = 100 + np.abs(np.cumsum(np.random.default_rng(3).normal(0, 1, (2_000, 20)), axis=0))
    rule, grid = r.long_when(value > 0.0), {"n": list(range(1, 301))}
    options: dict[str, Any] = {"fill": "next_close", "engine": "numba", "progress": False}
    run_sweep({"close": close[:99]}, rule, grid={"n": [1]}, **options)
    assert peak_of({"close": close}, rule, grid=grid, memory_budget="16MiB", **options) < 2**24


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_of_two_things_wrong_every_engine_names_the_same(engine: Any) -> None:
    rule = r.long_when(r.volume > 0).short_when(r.close > 1)
    with pytest.raises(BadRule, match="has a short side"):
        run_sweep({"close": np.ones((4, 1))}, rule, grid=[{}], engine=engine)
