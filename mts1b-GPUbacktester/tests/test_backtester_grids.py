"""Grids and rules that make no sense are refused before anything runs, with what to do."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from mts1b_GPUbacktester import (
    BadRule,
    BadSetting,
    check_parity,
    run_single,
    run_sweep,
    sweep_factor,
    sweep_paths,
    walk_forward,
)
from mts1b_GPUbacktester import rules as r
from mts1b_GPUbacktester.engines import numpy_engine
from mts1b_GPUbacktester.specification import filter_of, numbers_of

CLOSE = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0.0, 0.02, (300, 2)), 0))
ABOVE = r.long_when(r.close > r.sma(r.close, r.param("n")))


def sweep(rule: Any, grid: Any, **options: Any) -> Any:
    return run_sweep(
        {"close": CLOSE}, rule, grid=grid, fill="next_close", progress=False, **options
    )


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"n": 5}, r"grid\['n'\] is 5; give a list of values"),
        ({"n": "5:50:5"}, "give a list of values"),
        (None, "is no parameter set"),
        (5, "is no parameter set"),
        ([5], "5 is no parameter set"),
        ({"n": []}, "no parameter set; widen it"),
    ],
)
def test_what_is_no_grid_is_refused(grid: Any, message: str) -> None:
    with pytest.raises(BadRule, match=message):
        sweep(ABOVE, grid)


@pytest.mark.parametrize("engine", ["numpy", "numba"])
@pytest.mark.parametrize("bad", [0, -1, 2.5, float("nan"), float("inf"), 1e30])
def test_the_last_set_is_looked_at_before_the_first_runs(
    bad: float, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("a set was simulated")

    monkeypatch.setattr(numpy_engine.NumpyEngine, "paths", never)
    with pytest.raises(BadRule, match="a window"):
        sweep(ABOVE, {"n": [5, bad]}, engine=engine)
    stopped = r.long_when(r.close > 1).stop(r.param("s"))
    if bad != bad or not 0 < bad < 1:
        with pytest.raises(BadRule, match="a stop must be a fraction"):
            sweep(stopped, {"s": [0.05, bad]}, engine=engine)
    sized = r.smaller(r.deviation(r.close, r.param("n")), 1.0)
    with pytest.raises(BadRule, match="a window"):
        sweep(r.long_when(r.close > 1), {"n": [5, bad]}, size=sized, engine=engine)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (r.enter_long(r.close > 1), r"finish it with \.exit_long"),
        (r.enter_short(r.close > 1), r"finish it with \.exit_short"),
        (r.close > 1, "is not a rule"),
        (None, "is not a rule"),
    ],
)
def test_what_is_no_whole_rule_is_refused(rule: Any, message: str) -> None:
    with pytest.raises(BadRule, match=message):
        sweep(rule, {})
    with pytest.raises(BadRule, match=message):
        walk_forward({"close": CLOSE}, rule, grid={}, train=50, test=50)
    if rule is not None:
        with pytest.raises(BadRule, match=message):
            run_single(panel={"close": CLOSE}, rule=rule)


@pytest.mark.parametrize(
    "name", ["symbol", "sharpe", "n_trades", "path", "train_start", "test_sharpe"]
)
def test_a_parameter_does_not_hide_a_column_of_results(name: str) -> None:
    rule = r.long_when(r.close > r.sma(r.close, r.param(name)))
    with pytest.raises(BadRule, match=f"can not be called '{name}'"):
        sweep(rule, {name: [5]})


def test_a_grid_that_does_not_fit_the_memory_is_refused_before_it_is_built() -> None:
    rule = r.long_when(r.sma(r.close, r.param("a")) > r.sma(r.close, r.param("b")))
    huge = {"a": range(1, 100_000), "b": range(1, 100_000)}
    with pytest.raises(BadSetting, match="more than 5,242 parameter sets"):
        sweep(rule, huge, top=5, memory_budget="1MiB")
    with pytest.raises(BadSetting, match="more than 5,242 parameter sets"):
        sweep(ABOVE, {"n": itertools.count(1)}, top=5, memory_budget="1MiB")
    with pytest.raises(BadSetting, match="more than 5,368,709 parameter sets"):
        sweep_factor({"close": CLOSE}, lambda panel, n: panel.close, grid={"n": range(1, 10**15)})
    assert len(numbers_of("1:1000000000000:1")) == 10**12
    endless = ({"a": n, "b": n + 1} for n in itertools.count(1))
    with pytest.raises(BadSetting, match="more than 5,242 parameter sets"):
        sweep(rule, endless, top=5, memory_budget="1MiB")


@pytest.mark.parametrize(
    "grid",
    [
        {"n": np.geomspace(5, 8, 12).astype(int)},
        {"n": [5, 6, 7, 5.0, np.int64(6), 8]},
        [{"n": 5}, {"n": 6}, {"n": 5}, {"n": 7}, {"n": 8}, {"n": np.float64(7)}],
    ],
)
def test_a_set_that_comes_twice_is_one_trial(grid: Any) -> None:
    found, once = sweep(ABOVE, grid), sweep(ABOVE, {"n": [5, 6, 7, 8]})
    assert found.n_trials == 4
    assert found.table["n"].to_list() == once.table["n"].to_list()
    assert found.deflated() == once.deflated()


def test_a_filter_is_a_function() -> None:
    for refused in ("n<5", 5):
        with pytest.raises(BadSetting, match=r"where .* is no function of a parameter set"):
            sweep(ABOVE, {"n": [5]}, where=refused)


def test_a_number_of_rows_is_a_whole_one() -> None:
    with pytest.raises(BadSetting, match=r"top 2\.5 must be a whole number, 1 or more"):
        sweep(ABOVE, {"n": [5, 10]}, top=2.5)
    result = sweep(ABOVE, {"n": [5, 10]})
    for wrong in (-1, 2.5, "3", True):
        with pytest.raises(BadSetting, match=f"k {wrong!r} must be a whole number, 0 or more"):
            result.best(wrong)
    with pytest.raises(BadSetting, match="needs two parameters"):
        result.heatmap("n", "n")


def test_engines_are_compared_on_sets_that_come_once() -> None:
    sets = ({"n": n} for n in (5, 10))
    found = check_parity({"close": CLOSE}, ABOVE, grid=sets, fill="next_close", progress=False)
    assert found.holds
    assert found.n_trials == 2


def test_paths_are_swept_with_values_that_come_once() -> None:
    """The second path found the grid used up, after the history had been swept."""
    for grid in ({"n": (n for n in (5, 10))}, ({"n": n} for n in (5, 10))):
        found = sweep_paths(
            {"close": CLOSE}, ABOVE, grid=grid, paths=2, seed=1, fill="next_close", progress=False
        )
        assert found.by_set["n"].to_list() == [5, 10] * 3


def test_a_filter_of_names_that_are_no_parameters_is_refused() -> None:
    with pytest.raises(BadSetting, match="'slow' is no parameter; there is n"):
        sweep(ABOVE, {"n": [5]}, where=filter_of("n<slow"))


def test_tables_hold_numbers_that_begin_to_have_fractions_late() -> None:
    levels = [*range(1, 103), 1.5]
    found = sweep_factor(
        {"close": CLOSE, "open": CLOSE}, lambda panel, k: panel.close**k, grid={"k": levels},
        progress=False,
    )  # fmt: skip
    assert found.table["k"][-1] == 1.5


@pytest.mark.parametrize("engine", ["numpy", "numba"])
@pytest.mark.parametrize(
    "bad",
    [float("nan"), 10**400, [1], None, "5", True, np.array([1.0, 2.0])],
    ids=["nan", "large", "list", "none", "text", "truth", "array"],
)
@pytest.mark.parametrize("rule", [ABOVE, r.long_when(r.close > r.param("n"))])
def test_a_value_that_is_no_number_is_told_before_anything_runs(
    rule: Any, bad: Any, engine: Any
) -> None:
    with pytest.raises(BadRule, match=r"a number|whole number of bars"):
        sweep(rule, [{"n": 2}, {"n": bad}], engine=engine)


@pytest.mark.parametrize("name", ["train", "test", "purge"])
@pytest.mark.parametrize("bad", ["5", None, 1.5, True])
def test_a_walk_takes_whole_numbers_of_bars(name: str, bad: Any) -> None:
    with pytest.raises(BadSetting, match=f"{name} .* must be a whole number of bars"):
        walk_forward(
            {"close": CLOSE}, ABOVE, grid={"n": [2]}, fill="next_close",
            **{"train": 100, "test": 50, name: bad},
        )  # fmt: skip
