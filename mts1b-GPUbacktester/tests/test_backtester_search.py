"""Statistics of a search, walking forward, and reports."""

from __future__ import annotations

import tracemalloc
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from mts1b_GPUbacktester import (
    BadSetting,
    charts,
    rules,
    run_single,
    run_sweep,
    search_statistics,
    walk_forward,
)
from mts1b_GPUbacktester.search import overfitting_of
from mts1b_quantkit import metrics as quantkit

r = rules
CROSS = r.long_when(r.sma(r.close, r.param("fast")) > r.sma(r.close, r.param("slow")))
GRID = {"fast": [2, 4, 6, 8], "slow": [12, 24, 36]}


def trending(drift: float, seed: int = 3) -> dict[str, Any]:
    """Return prices whose drift changes sign every 60 bars: what an average can follow."""
    rng = np.random.default_rng(seed)
    waves = np.repeat(np.where(np.arange(20) % 2, -1.0, 1.0), 60)[:, None]
    close = 100 * np.exp(np.cumsum(waves * drift + rng.normal(0, 0.01, (1200, 2)), 0))
    return {"close": close}


def test_statistics_tell_a_search_in_noise_from_one_that_found_something() -> None:
    options = {"grid": GRID, "fill": "next_close", "fees_bps": 2}
    found = search_statistics(run_sweep(trending(0.004), CROSS, **options))
    noise = search_statistics(run_sweep(trending(0.0), CROSS, **options))
    assert found.n_trials == found.measured_trials == 12
    assert found.deflated_sharpe > 0.99 > 0.9 > noise.deflated_sharpe
    assert found.overfitting_probability < noise.overfitting_probability
    assert found.needed_years < found.years
    assert found.neighbour_stability > 0.5
    fees, ratios = zip(*found.cost_sensitivity, strict=True)
    assert fees == (0.0, 2.0, 4.0, 8.0)
    assert sorted(ratios, reverse=True) == list(ratios)


def overfitting_by_hand(returns: Any, blocks: int) -> float:
    """Return what the paper says (Bailey, Borwein, Lopez de Prado and Zhu 2015), split by split."""
    parts = np.array_split(returns[len(returns) % blocks :], blocks)
    below = []
    for chosen in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[k] for k in chosen])
        outside = np.concatenate([parts[k] for k in range(blocks) if k not in chosen])
        best = np.argmax(inside.mean(axis=0) / inside.std(axis=0, ddof=1))
        ratios = outside.mean(axis=0) / outside.std(axis=0, ddof=1)
        rank = (ratios < ratios[best]).sum() + ((ratios == ratios[best]).sum() + 1) / 2
        below.append(rank <= (len(ratios) + 1) / 2)
    return float(np.mean(below))


def test_a_set_that_is_late_to_trade_is_one_of_the_search() -> None:
    grid = {"fast": [2, 4], "slow": [20, 40, 160]}  # an average of 160 bars in blocks of 120
    result = run_sweep(trending(0.0005), CROSS, grid=grid, fill="next_close", fees_bps=2)
    all_sets = [
        run_single(panel=trending(0.0005), rule=CROSS, params=one, fill="next_close", fees_bps=2)
        for one in result.source.sets
    ]
    wanted = overfitting_by_hand(np.column_stack([one.returns for one in all_sets]), 10)
    assert search_statistics(result).overfitting_probability == pytest.approx(wanted, abs=1e-12)


def test_a_set_without_a_move_in_a_half_is_left_out() -> None:
    returns = np.random.default_rng(2).normal(0.0, 0.01, (200, 4))
    returns[:100, 3] = 0.0
    whole = overfitting_by_hand(returns[:, :3], 10)
    assert overfitting_of(returns, 10) == pytest.approx(whole, abs=1e-12)
    returns[100, 3] = returns[95, 3] = 0.01  # moves in six of ten blocks: in every half
    assert overfitting_of(returns, 10) == overfitting_by_hand(returns, 10)
    assert np.isnan(overfitting_of(np.zeros((200, 4)), 10))


def test_statistics_are_those_of_the_best_set_and_of_quantkit() -> None:
    panel = trending(0.002)
    result = run_sweep(panel, CROSS, grid=GRID, fill="next_close")
    best = result.best_params()
    alone = [
        run_single(panel=panel, rule=CROSS, params=params, fill="next_close").returns
        for params in result.source.sets
    ]
    mine = alone[result.source.sets.index(best)]
    statistics = search_statistics(result)
    assert statistics.sharpe == pytest.approx(quantkit.sharpe(mine), rel=1e-9)
    ratios = quantkit.sharpe(np.column_stack(alone), periods_per_year=1)
    wanted = quantkit.deflated_sharpe(mine, n_trials=12, variance=np.var(ratios, ddof=1))
    assert result.deflated() == pytest.approx(wanted, rel=1e-9)
    for wrong in (1, 2.5, "4"):
        with pytest.raises(BadSetting, match=f"max_trials {wrong!r} must be a whole number"):
            search_statistics(result, max_trials=wrong)
    some = search_statistics(result, max_trials=4)
    assert (some.n_trials, some.measured_trials) == (12, 4)
    with pytest.raises(BadSetting, match="n_splits 3"):
        search_statistics(result, n_splits=3)


def test_a_search_too_small_to_say_says_nothing() -> None:
    one = run_sweep(trending(0.0), CROSS, grid=[{"fast": 2, "slow": 9}], fill="next_close")
    statistics = search_statistics(one)
    assert np.isnan(statistics.deflated_sharpe)
    assert np.isnan(statistics.overfitting_probability)


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_walking_forward_uses_what_the_past_chose(engine: Any) -> None:
    panel = trending(0.003)
    options = {"fill": "next_close", "fees_bps": 3.0}
    walk = walk_forward(panel, CROSS, grid=GRID, train=400, test=200, engine=engine, **options)
    assert walk.folds.height == 4
    assert len(walk.returns) == 800 == len(walk.dates)
    np.testing.assert_allclose(walk.equity[-1] - 1, walk.metrics()["total_return"], rtol=1e-12)
    for place, row in enumerate(walk.folds.iter_rows(named=True)):
        first = place * 200
        window = {"close": panel["close"][first : first + 400]}
        sweep = run_sweep(window, CROSS, grid=GRID, **options)
        assert {name: row[name] for name in GRID} == sweep.best_params()
        alone = run_single(
            panel=panel, rule=CROSS, params=sweep.best_params(), start=first + 400,
            end=first + 599, **options,
        )  # fmt: skip
        joined = walk.returns[place * 200 : place * 200 + 200]
        np.testing.assert_allclose(joined, alone.returns, rtol=1e-9, atol=1e-12)


def test_the_future_does_not_change_a_walk() -> None:
    panel = trending(0.003)
    other = {"close": panel["close"].copy()}
    other["close"][800:] *= 3.0
    walks = [
        walk_forward(data, CROSS, grid=GRID, train=400, test=200, fill="next_close")
        for data in (panel, other)
    ]
    np.testing.assert_array_equal(walks[0].returns[:400], walks[1].returns[:400])
    with pytest.raises(BadSetting, match="fit into the 1200"):
        walk_forward(panel, CROSS, grid=GRID, train=1100, test=200)


def test_a_window_before_the_first_bar_of_all_chooses_nothing_and_goes_on() -> None:
    close = 100 + np.cumsum(np.random.default_rng(5).normal(0, 1, 900))
    close[:450] = np.nan
    walk = walk_forward({"close": close}, CROSS, grid=GRID, train=300, test=100, fill="next_close")
    assert np.isnan(walk.folds["train_sharpe"][0])
    assert walk.equity[-1] != 1.0


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_a_walk_trades_nothing_where_its_training_says_nothing(engine: Any) -> None:
    """No set trades in the first window: the first of the grid is no choice."""
    close = np.concatenate((np.full(300, 100.0), 100.0 + np.arange(300.0)))
    rule = r.long_when(r.close > r.lag(r.close, r.param("n")))
    walk = walk_forward(
        {"close": close}, rule, grid={"n": [3, 9]}, train=250, test=150, fill="next_close",
        engine=engine,
    )  # fmt: skip
    assert walk.folds["n"].to_list() == [None, 3]
    assert np.isnan(walk.folds["train_sharpe"][0])
    assert not walk.returns[:150].any()
    assert walk.returns[150:].all()


def test_a_report_of_a_sweep_says_all_that_is_known(tmp_path: Path) -> None:
    panel = trending(0.002)
    sweep = run_sweep(panel, CROSS, grid=GRID, fill="next_close")
    sweep.report(tmp_path / "sweep.html")
    page = (tmp_path / "sweep.html").read_text()
    found = search_statistics(sweep)
    for part in (
        "Sweep of 12 parameter sets", "probability of overfitting", "fast across", "<b>12</b>",
        f"<b>{found.deflated_sharpe:.4g}</b>", f"<b>{found.needed_years:.4g}</b>",
        f"<b>{found.neighbour_stability:.4g}</b>", "Equity", "Drawdown", "by fees a side",
        "Sets by their mean Sharpe ratio",
    ):  # fmt: skip
        assert part in page
    assert page.endswith("</html>\n")
    ElementTree.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])


def test_a_report_of_one_run_has_its_curves_and_trades(tmp_path: Path) -> None:
    one = run_single(panel=trending(0.002), rule=CROSS, params={"fast": 2, "slow": 12},
                     fill="next_close")  # fmt: skip
    one.report(tmp_path / "one.html")
    page = (tmp_path / "one.html").read_text()
    assert page.count("<polyline") == 2
    assert f"<b>{one.sharpe:.4g}</b>" in page
    assert page.count("<td>long</td>") == min(200, one.trades.height)


def test_a_parameter_pair_each_has_a_map_and_odd_grids_break_nothing(tmp_path: Path) -> None:
    rule = CROSS.stop(r.param("stop"))
    panel = trending(0.002)
    panel = dict.fromkeys(("open", "high", "low", "close"), panel["close"])
    three = run_sweep(panel, rule, grid={"fast": [2, 4], "slow": [12, 24], "stop": [0.1, 0.3]})
    three.report(tmp_path / "three.html")
    page = (tmp_path / "three.html").read_text()
    assert page.count('class="heat"') == 3
    never = run_sweep(panel, r.long_when(r.close < 0), grid=[{}])
    never.report(tmp_path / "never.html")
    page = (tmp_path / "never.html").read_text()
    assert "No data." in page
    assert "nan" not in page.lower()


def test_a_line_keeps_the_extremes_of_a_long_series() -> None:
    values = np.zeros(100_000)
    values[33_333], values[66_667] = -5.0, 7.0
    drawn = charts.line(values, "x < y", labels=range(100_000), filled=True)
    assert ">7</text>" in drawn
    assert ">-5</text>" in drawn
    assert "x &lt; y" in drawn
    assert len(drawn) < 60_000


def test_statistics_of_a_sweep_with_fees_that_can_not_be_quadrupled() -> None:
    result = run_sweep(
        trending(0.001), CROSS, grid=GRID, fill="next_close", fees_bps=3_000, progress=False
    )
    found = search_statistics(result)
    assert [fees for fees, _ in found.cost_sensitivity] == [0.0, 3_000.0, 6_000.0]


def test_a_walk_stays_within_its_memory() -> None:
    close = 100 * np.exp(np.cumsum(np.random.default_rng(6).normal(0, 0.01, (1_000, 20)), 0))
    rule = r.long_when(r.close > r.ema(r.close, r.param("n"))).time_exit(20)
    options: dict[str, Any] = {
        "grid": {"n": list(range(2, 402))}, "train": 800, "test": 200, "fill": "next_close",
        "engine": "numba",
    }  # fmt: skip
    whole = walk_forward({"close": close}, rule, **options)
    tracemalloc.start()
    try:
        walk = walk_forward({"close": close}, rule, memory_budget="8MiB", **options)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert walk.folds.equals(whole.folds)
    assert peak < 12 * 2**20  # 400 averages of 20 assets take 51 MB at once


@pytest.mark.parametrize("splits", [0, 7, 26, 2.0, "10"])
def test_splits_that_can_not_be_are_told(splits: Any) -> None:
    result = run_sweep(trending(0.001), CROSS, grid=GRID, fill="next_close", progress=False)
    with pytest.raises(BadSetting, match=r"n_splits .* even and 2 to 24"):
        search_statistics(result, n_splits=splits)
