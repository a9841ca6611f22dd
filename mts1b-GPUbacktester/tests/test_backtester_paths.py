"""The stationary bootstrap of a panel, and sweeps over its paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_GPUbacktester import BadSetting, panel_from, rules, run_sweep, sweep_paths
from mts1b_GPUbacktester.bootstrap import bootstrap_indices, bootstrap_paths
from mts1b_GPUbacktester.panels import Prices

r = rules
CROSS = r.long_when(r.sma(r.close, r.param("fast")) > r.sma(r.close, r.param("slow")))
GRID = {"fast": [2, 4], "slow": [9, 15]}


def history(bars: int = 240, seed: int = 5, gaps: bool = False) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0.0005, 0.01, (bars, 3)), 0))
    if gaps:
        close[: bars // 10, 0] = np.nan
        close[bars // 2 : bars // 2 + 4, 1] = np.nan
    opened = close * np.exp(rng.normal(0, 0.003, close.shape))
    return {
        "open": opened,
        "high": np.maximum(opened, close) * 1.01,
        "low": np.minimum(opened, close) / 1.01,
        "close": close,
        "volume": rng.integers(1, 9, close.shape).astype(float),
    }


@given(seed=st.integers(0, 2**32 - 1), length=st.integers(1, 300), share=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_a_path_is_made_of_stretches_of_the_history(seed: int, length: int, share: float) -> None:
    block = 1 + share * (length - 1)
    places = bootstrap_indices(length, block, np.random.default_rng(seed))
    assert places.shape == (length,)
    assert places.min() >= 0
    assert places.max() < length
    if block == 1:
        return
    again = bootstrap_indices(length, block, np.random.default_rng(seed))
    np.testing.assert_array_equal(places, again)


def test_stretches_have_the_mean_length_and_every_bar_is_as_likely() -> None:
    generator = np.random.default_rng(1)
    length, block = 500, 8.0
    drawn = [bootstrap_indices(length, block, generator) for _ in range(400)]
    breaks = np.mean([np.mean(np.diff(one) % length != 1) for one in drawn])
    # A new stretch may go on by chance where the old one ended, once in `length`.
    assert breaks == pytest.approx((1 / block) * (1 - 1 / length), rel=0.02)
    counts = np.bincount(np.concatenate(drawn), minlength=length)
    assert counts.std() / counts.mean() < 3 * np.sqrt(block / 400)
    assert counts.min() > 0
    with pytest.raises(BadSetting, match="1 to the panel's 10"):
        bootstrap_indices(10, 11, generator)


@pytest.mark.parametrize("gaps", [False, True])
def test_the_bars_of_a_path_are_those_of_the_history(gaps: bool) -> None:
    prices = Prices.of(panel_from(history(gaps=gaps)))
    paths = dict(bootstrap_paths(prices, paths=3, seed=7, block=12))
    assert paths[0] is prices
    assert set(paths) == {0, 1, 2, 3}
    generator = np.random.default_rng([7, 2])
    places = bootstrap_indices(240, 12, generator)
    one = paths[2]
    np.testing.assert_array_equal(one.volume, prices.volume[:, places])
    np.testing.assert_array_equal(np.isnan(one.close), np.isnan(prices.close[:, places]))
    for asset in range(3):
        known = prices.close[asset][~np.isnan(prices.close[asset])]
        grown = known[1:] / known[:-1]
        path = one.close[asset][~np.isnan(one.close[asset])]
        for value in path[1:] / path[:-1]:
            # A return of the history, or the standstill of its first bar.
            assert np.isclose(np.append(grown, 1.0), value, rtol=1e-9).any()
    for name in ("open", "high", "low"):
        values, source = getattr(one, name), getattr(prices, name)
        np.testing.assert_allclose(
            values / one.close, source[:, places] / prices.close[:, places], rtol=1e-9
        )


def test_assets_stay_together_and_paths_are_their_seed() -> None:
    data = history()
    twins = {
        name: np.column_stack((values[:, 0], values[:, 0] * 3)) for name, values in data.items()
    }
    prices = Prices.of(panel_from({name: twins[name] for name in ("close", "open")}))
    few = dict(bootstrap_paths(prices, paths=2, seed=3, block=5))
    many = dict(bootstrap_paths(prices, paths=5, seed=3, block=5))
    other = dict(bootstrap_paths(prices, paths=2, seed=4, block=5))
    np.testing.assert_array_equal(few[2].close, many[2].close)
    assert (few[2].close != other[2].close).any()
    assert (few[1].close != few[2].close).any()
    np.testing.assert_allclose(few[1].close[1] / few[1].close[0], 3.0, rtol=1e-9)
    with pytest.raises(BadSetting, match="paths 0"):
        list(bootstrap_paths(prices, paths=0, seed=1, block=5))


def test_a_sweep_over_paths_has_the_history_first_and_quantiles() -> None:
    panel = history()
    told: list[float] = []
    found = sweep_paths(
        panel, CROSS, grid=GRID, paths=9, seed=7, block=15, fees_bps=2, progress=told.append
    )
    alone = run_sweep(panel, CROSS, grid=GRID, fees_bps=2)
    assert found.table.height == 10 * 12
    assert found.table.columns[:2] == ["path", "symbol"]
    assert found.table.filter(pl.col("path") == 0).drop("path").equals(alone.table)
    assert found.by_set["path"].to_list() == [path for path in range(10) for _ in range(4)]
    assert told[-1] == 1.0
    table = found.quantiles(by="sharpe", levels=(0.1, 0.5))
    assert table.columns == ["fast", "slow", "history", "q0.1", "q0.5", "rank"]
    assert table["history"].to_list() == alone.by_set["sharpe"].to_list()
    for row in table.iter_rows(named=True):
        mine = found.by_set.filter(
            (pl.col("fast") == row["fast"]) & (pl.col("slow") == row["slow"]) & (pl.col("path") > 0)
        )["sharpe"].to_numpy()
        assert len(mine) == 9
        assert row["q0.1"] == pytest.approx(np.quantile(mine, 0.1))
        assert row["rank"] == pytest.approx(np.mean(mine < row["history"]))
    with pytest.raises(BadSetting, match="was not measured"):
        found.quantiles(by="calmar")
    with pytest.raises(BadSetting, match="shares"):
        found.quantiles(levels=(5, 95))


def test_what_hangs_on_the_order_of_things_is_seen_in_its_rank() -> None:
    """Long swings that an average follows, cut to pieces: the history ranks above its paths."""
    rng = np.random.default_rng(2)
    waves = np.repeat(np.where(np.arange(20) % 2, -1.0, 1.0), 60)
    close = 100 * np.exp(np.cumsum(waves * 0.004 + rng.normal(0, 0.01, 1200)))
    swings = sweep_paths(
        {"close": close}, CROSS, grid=[{"fast": 4, "slow": 24}], paths=40, seed=1, block=4,
        fill="next_close",
    ).quantiles()  # fmt: skip
    assert swings["rank"][0] > 0.95
    noise = sweep_paths(
        {"close": 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 1200)))}, CROSS,
        grid=[{"fast": 4, "slow": 24}], paths=40, seed=1, block=4, fill="next_close",
    ).quantiles()  # fmt: skip
    assert 0.02 < noise["rank"][0] < 0.98


def test_a_rule_without_parameters_and_a_folder(tmp_path: Path) -> None:
    rule = r.long_when(r.close > r.sma(r.close, 5))
    options: dict[str, Any] = {"grid": [{}], "paths": 2, "seed": 1, "out": tmp_path}
    first = sweep_paths(history(), rule, **options)
    assert first.quantiles().height == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "path-00000", "path-00001", "path-00002",
    ]  # fmt: skip
    (part,) = (tmp_path / "path-00001").glob("*.parquet")
    pl.read_parquet(part).with_columns(sharpe=pl.lit(7.0)).write_parquet(part)
    again = sweep_paths(history(), rule, **options)
    assert set(again.table.filter(pl.col("path") == 1)["sharpe"]) == {7.0}
    assert again.table.filter(pl.col("path") != 1).equals(first.table.filter(pl.col("path") != 1))
    with pytest.raises(BadSetting, match="holds another sweep"):
        sweep_paths(history(), rule, **{**options, "seed": 2})


@pytest.mark.parametrize("wrong", [{"paths": 1.5}, {"seed": "1"}, {"block": "x"}, {"seed": True}])
def test_paths_of_another_kind_are_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadSetting, match=f"{next(iter(wrong))} .* must be a"):
        sweep_paths(history(), CROSS, grid=GRID, **{"paths": 2, "seed": 1, **wrong})


def test_tables_of_more_paths_than_memory_holds_are_refused_at_the_first() -> None:
    with pytest.raises(BadSetting, match="the tables of 1,000,000,000 paths take about"):
        sweep_paths(history(), CROSS, grid=GRID, paths=10**9, seed=1)
