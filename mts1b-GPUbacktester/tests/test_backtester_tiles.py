"""The parts of the compiled sweep against plain walks: falls, tapes, averages tile by tile."""

from __future__ import annotations

import tracemalloc

import numba
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_GPUbacktester import rules as r
from mts1b_GPUbacktester import run_sweep
from mts1b_GPUbacktester.averages import Averages
from mts1b_GPUbacktester.engines import SweepBlock
from mts1b_GPUbacktester.engines.division import divided
from mts1b_GPUbacktester.engines.extremes import (
    bounds,
    deepest_fall,
    fill_table,
    lowest,
    table_shape,
)
from mts1b_GPUbacktester.engines.numba_engine import NumbaEngine
from mts1b_GPUbacktester.engines.numpy_engine import NumpyEngine
from mts1b_GPUbacktester.engines.tiles import fill_series
from mts1b_GPUbacktester.evaluate import NUMBER, WHOLE, Evaluator
from mts1b_GPUbacktester.expressions import Number
from mts1b_GPUbacktester.panels import Prices, panel_from
from mts1b_GPUbacktester.semantics import Settings

NAMES = ("n_trades", "total_return", "max_drawdown", "sharpe")


@numba.njit
def divided_by(values: np.ndarray, divisor: float) -> np.ndarray:
    quotients = np.empty_like(values)
    for place in range(len(values)):
        quotients[place] = divided(values[place], divisor, 1.0 / divisor)
    return quotients


@given(st.integers(1, 2**20), st.integers(-300, 900), st.integers(0, 2**32 - 1))
@settings(max_examples=300, deadline=None)
def test_division_by_way_of_the_inverse_has_every_bit(
    divisor: int, exponent: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    values = np.ldexp(rng.uniform(-2, 2, 500), exponent)
    whole = rng.integers(0, 2**53, 200).astype(np.float64)
    beside = np.nextafter(whole * divisor, rng.choice([-np.inf, np.inf], 200))
    for numbers in (values, whole, beside, np.array([0.0, np.nan])):
        np.testing.assert_array_equal(divided_by(numbers, float(divisor)), numbers / divisor)


def walked(marks: np.ndarray, units: float, peak: float, worst: float) -> tuple[float, float]:
    for mark in marks:
        peak = max(peak, units * mark)
        worst = min(worst, units * mark / peak)
    return peak, worst


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 700),
    st.floats(0.5, 2.0),
    st.floats(0.2, 1.0),
    st.data(),
)
@settings(max_examples=200, deadline=None)
def test_falls_and_extremes_of_any_stretch_are_those_of_a_walk(
    seed: int, length: int, units: float, worst: float, data: st.DataObject
) -> None:
    marks = np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, (1, length)), axis=1))
    start = data.draw(st.integers(0, length - 1))
    stop = data.draw(st.integers(start + 1, length))
    tables = np.empty((1, *table_shape(length)))
    fill_table(marks, tables)
    held = marks[0, start:stop]
    high, low = bounds(tables[0], start, stop)
    around = marks[0, start // 16 * 16 : -(-stop // 16) * 16]
    assert around.min() <= low <= held.min()
    assert held.max() <= high <= around.max()
    assert lowest(marks[0], tables[0], start, stop) == held.min()
    found = deepest_fall(marks[0], tables[0], start, stop, units, 1.0, worst)
    np.testing.assert_allclose(found, walked(held, units, 1.0, worst), rtol=1e-14)


@given(st.integers(0, 2**32 - 1), st.booleans(), st.integers(1, 80))
@settings(max_examples=40, deadline=None)
def test_averages_of_tiles_have_the_bits_of_numpy(seed: int, gaps: bool, window: int) -> None:
    rng = np.random.default_rng(seed)
    values = 1000 * np.exp(np.cumsum(rng.normal(-0.3, 0.1, (3, 150)), axis=1))
    if gaps:
        values[rng.random(values.shape) < 0.05] = np.nan
        values[0, :5] = np.nan
    whole = np.empty(values.shape)
    running = Averages().sums(values)
    Averages().simple(running, window, whole)
    counts = np.empty((1, 3, 0), np.int64) if running.gaps is None else running.gaps[None]
    plan = np.array([[0, window], [0, WHOLE], [1, NUMBER]])
    numbers = np.array([7.0, 9.0])
    for asset in range(3):
        for start in range(0, 150, 64):
            stop, tile = min(150, start + 64), np.zeros((3, 64))
            fill_series(
                plan, values[None], running.sums[None], running.rests[None], counts, values[None],
                numbers, asset, start, stop, tile,
            )  # fmt: skip
            np.testing.assert_array_equal(tile[0, : stop - start], whole[asset, start:stop])
            np.testing.assert_array_equal(tile[1, : stop - start], values[asset, start:stop])
            assert (tile[2, : stop - start] == 9.0).all()


def test_the_width_of_a_tile_changes_nothing_to_the_last_bit() -> None:
    rng = np.random.default_rng(5)
    close = 100 * np.exp(np.cumsum(rng.normal(0.0002, 0.01, (3_000, 3)), 0))
    close[rng.random(close.shape) < 0.03] = np.nan
    prices = Prices.of(panel_from({"close": close}))
    crossing = r.crosses_above(r.sma(r.close, r.param("n")), r.ema(r.close, 40))
    rule = r.enter_long(crossing).exit_long(r.close < r.sma(r.sma(r.close, 5), r.param("n")))
    sets = [{"n": n} for n in (1, 3, 10, 60, 400)]
    block = SweepBlock(prices, rule, sets, Settings(fill="next_close"), NAMES, 2**24)
    narrow = NumbaEngine(stretch_words=1).sweep(block).values
    wide = NumbaEngine(stretch_words=100).sweep(block).values
    for name in NAMES:
        np.testing.assert_array_equal(narrow[name], wide[name])
    assert (narrow["n_trades"] > 0).any()


def test_the_plan_of_a_rule_names_each_source_once() -> None:
    prices = Prices.of(panel_from({"close": np.arange(1.0, 9.0)}))
    nodes = [r.sma(r.close, 3), r.close, r.sma(r.sma(r.close, 2), 2), r.sma(r.close, 5), Number(2)]
    plan = Evaluator(prices, budget=2**20).planned(nodes)
    assert plan.rows.tolist() == [[0, 3], [0, WHOLE], [1, 2], [0, 5], [0, NUMBER]]
    assert (len(plan.sources), len(plan.others), plan.numbers) == (2, 1, [2.0])


def test_many_levels_of_a_price_take_no_memory_of_their_own() -> None:
    close = np.full((500_000, 1), 100.0)
    levels = [{"level": float(level)} for level in range(1, 201)]
    rule = r.long_when(r.close > r.param("level"))
    tracemalloc.start()
    try:
        found = run_sweep(
            {"close": close}, rule, grid=levels, fill="next_close", engine="numba", progress=False
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.table["n_trades"].to_list() == [1] * 99 + [0] * 101
    assert peak < 40 * close.nbytes


def test_a_fall_from_a_high_that_an_exit_made_is_seen() -> None:
    rng = np.random.default_rng(8)
    close = 100 * np.exp(np.cumsum(rng.normal(0.001, 0.02, (30, 2_000)), 0))
    opens = close * np.exp(rng.normal(0, 0.02, close.shape))
    prices = Prices.of(panel_from({"close": close, "open": opens}))
    rule = r.long_when(r.close > r.sma(r.close, r.param("n")))
    block = SweepBlock(prices, rule, [{"n": 2}], Settings(fees_bps=0), NAMES, 2**24)
    left, right = NumpyEngine().sweep(block).values, NumbaEngine().sweep(block).values
    np.testing.assert_array_equal(left["n_trades"], right["n_trades"])
    np.testing.assert_allclose(right["max_drawdown"], left["max_drawdown"], rtol=1e-12)
    np.testing.assert_allclose(1 + right["total_return"], 1 + left["total_return"], rtol=1e-12)
