"""The written semantics by hand, then both engines against each other and against the future."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_GPUbacktester import BadSetting, EngineMissing, rules, run_single, run_sweep
from mts1b_GPUbacktester.averages import Averages
from mts1b_GPUbacktester.engines import Engine, Market, SweepBlock, choose_engine
from mts1b_GPUbacktester.engines.choose import choose_for_sweep
from mts1b_GPUbacktester.engines.numba_averages import NumbaAverages
from mts1b_GPUbacktester.engines.numba_engine import NumbaEngine
from mts1b_GPUbacktester.engines.numpy_engine import NumpyEngine
from mts1b_GPUbacktester.evaluate import Evaluator
from mts1b_GPUbacktester.panels import Prices, panel_from
from mts1b_GPUbacktester.semantics import Settings, Signals
from mts1b_quantkit import metrics as quantkit

ENGINES: list[Engine] = [NumpyEngine(), NumbaEngine()]
r = rules
FILLS = ("next_open", "next_close")


def one_asset(opens: list[float], closes: list[float]) -> dict[str, Any]:
    return {"open": np.array(opens), "close": np.array(closes)}


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


def simulate(engine: Engine, wishes: list[bool], panel: Any, **options: Any) -> Any:
    setting = Settings(**options)
    market = Market.of(Prices.of(panel_from(panel)), setting)
    return engine.paths(long_signals(np.array([wishes])), market, setting)


def long_signals(wishes: np.ndarray) -> Signals:
    before = np.zeros_like(wishes)
    before[:, 1:] = wishes[:, :-1]
    return Signals(wishes.astype(np.int8), wishes & ~before, np.ones(wishes.shape))


def test_next_open_buys_and_sells_at_the_following_open(engine: Engine) -> None:
    panel = one_asset([10, 11, 12, 13, 14], [10.5, 11.5, 12.5, 13.5, 14.5])
    paths = simulate(
        engine, [True, True, False, False, False], panel, fees_bps=100, slippage_bps=50
    )
    units = 1 / (11 * 1.005 * 1.01)
    end = units * 13 * 0.995 * 0.99
    assert paths.held[0].tolist() == [False, True, True, False, False]
    np.testing.assert_allclose(
        paths.equity[0], [1, units * 11.5, units * 12.5, end, end], rtol=1e-14
    )
    np.testing.assert_allclose(np.cumprod(1 + paths.returns[0]), paths.equity[0], rtol=1e-14)


def test_next_close_fills_a_bar_later_and_pays_at_once(engine: Engine) -> None:
    panel = one_asset([1, 1, 1, 1], [10, 20, 40, 80])
    paths = simulate(engine, [True, True, False, False], panel, fill="next_close", fees_bps=100)
    units = 1 / (20 * 1.01)
    np.testing.assert_allclose(
        paths.equity[0], [1, units * 20, units * 40, units * 80 * 0.99], rtol=1e-14
    )


def test_signal_close_fills_on_the_same_bar_and_warns(engine: Engine) -> None:
    panel = one_asset([1, 1, 1], [10, 20, 40])
    with pytest.warns(UserWarning, match="already seen"):
        paths = simulate(engine, [True, True, False], panel, fill="signal_close", fees_bps=0)
    np.testing.assert_allclose(paths.equity[0], [1, 2, 4], rtol=1e-14)


def test_a_signal_on_the_last_bar_is_not_filled(engine: Engine) -> None:
    paths = simulate(engine, [False, False, True], one_asset([1, 2, 3], [1, 2, 3]))
    assert paths.equity[0].tolist() == [1, 1, 1]


def test_a_missing_open_postpones_to_the_wish_of_the_next_bar(engine: Engine) -> None:
    nan = float("nan")
    panel = one_asset([1, nan, 3, nan, 5, 6], [1, nan, 3, nan, 5, 6])
    kept = simulate(engine, [True, True, True, True, False, False], panel)
    assert kept.held[0].tolist() == [False, False, True, True, True, False]
    lapsed = simulate(engine, [True, False, False, False, False, False], panel)
    assert not lapsed.held.any()
    # The bar without a close is marked at the last one.
    assert kept.equity[0, 3] == kept.equity[0, 2]


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, Any], np.ndarray, dict[str, Any]]:
    length, assets, sets = (
        draw(st.integers(1, 40)),
        draw(st.integers(1, 3)),
        draw(st.integers(1, 3)),
    )
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(
        np.cumsum(rng.normal(0, draw(st.sampled_from([0.0, 0.02, 0.3])), (length, assets)), 0)
    )
    open_ = close * np.exp(rng.normal(0, 0.01, close.shape))
    gaps = rng.random(close.shape) < draw(st.sampled_from([0.0, 0.2]))
    gaps[0] = False
    panel = {"close": np.where(gaps, np.nan, close), "open": np.where(gaps, np.nan, open_)}
    wishes = rng.random((sets, assets, length)) < draw(st.sampled_from([0.1, 0.5, 0.9]))
    options = {
        "fill": draw(st.sampled_from(FILLS)),
        "fees_bps": draw(st.sampled_from([0.0, 5.0, 250.0])),
        "slippage_bps": draw(st.sampled_from([0.0, 3.0])),
    }
    return panel, wishes, options


@given(cases())
@settings(max_examples=50, deadline=None)
def test_the_engines_agree(case: tuple[dict[str, Any], np.ndarray, dict[str, Any]]) -> None:
    panel, wishes, options = case
    setting = Settings(**options)
    market = Market.of(Prices.of(panel_from(panel)), setting)
    reference, fast = NumpyEngine(), NumbaEngine()
    for one in wishes:
        signals = long_signals(one)
        left = reference.paths(signals, market, setting)
        right = fast.paths(signals, market, setting)
        np.testing.assert_array_equal(left.held, right.held)
        np.testing.assert_allclose(right.units, left.units, rtol=1e-12)
        np.testing.assert_allclose(right.equity, left.equity, rtol=1e-12)


CONDITIONS: dict[str, Callable[[], Any]] = {
    "above": lambda: r.long_when(r.volume > r.param("q")),
    "not below": lambda: r.long_when(r.param("q") <= r.volume),
    "not": lambda: r.long_when(~(r.volume < r.param("q"))),
    "both and either": lambda: r.long_when(
        ((r.volume > r.param("q")) & (r.sma(r.volume, 3) > 0.4)) | ~(r.ema(r.volume, 4) >= 0.5)
    ),
    "events": lambda: r.enter_long(
        r.crosses_above(r.volume, r.param("q")) | (r.volume > 0.95)
    ).exit_long(r.crosses_below(r.sma(r.volume, 2), r.param("q"))),
}


def _sweep_case(seed: int, length: int, gaps: float, volatility: float) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0, volatility, (length, 3)), 0))
    missing = rng.random(close.shape) < gaps
    missing[: length // 3, 2] = gaps > 0
    volume = np.where(rng.random(close.shape) < gaps, np.nan, rng.random(close.shape))
    missing[0, 0], volume[0, 0] = False, 0.7
    return {
        "close": np.where(missing, np.nan, close),
        "open": np.where(missing, np.nan, close * np.exp(rng.normal(0, 0.01, close.shape))),
        "volume": volume,
    }


@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.sampled_from([1, 2, 63, 64, 65, 130, 300]),
    gaps=st.sampled_from([0.0, 0.2]),
    volatility=st.sampled_from([0.0, 0.02, 0.3]),
    name=st.sampled_from(sorted(CONDITIONS)),
    fill=st.sampled_from(FILLS),
    fees=st.sampled_from([0.0, 5.0, 250.0]),
)
@settings(max_examples=50, deadline=None)
def test_a_sweep_gives_the_same_numbers_in_both_engines(
    seed: int, length: int, gaps: float, volatility: float, name: str, fill: Any, fees: float
) -> None:
    prices = Prices.of(panel_from(_sweep_case(seed, length, gaps, volatility)))
    setting = Settings(fill=fill, fees_bps=fees, slippage_bps=1.0)
    sets = [{"q": q} for q in (0.1, 0.5, 0.9)]
    names = ("n_trades", "total_return", "max_drawdown", "sharpe", "cagr", "calmar")
    block = SweepBlock(prices, CONDITIONS[name](), sets, setting, names, 2**20)
    left, right = NumpyEngine().sweep(block).values, NumbaEngine().sweep(block).values
    np.testing.assert_array_equal(left["n_trades"], right["n_trades"])
    for metric in ("total_return", "cagr"):
        np.testing.assert_allclose(1 + right[metric], 1 + left[metric], rtol=1e-11)
    np.testing.assert_allclose(right["max_drawdown"], left["max_drawdown"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(right["sharpe"], left["sharpe"], rtol=1e-8, atol=1e-10)


def test_long_runs_pass_over_blocks_of_time_without_a_difference() -> None:
    rng = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(rng.normal(0.0001, 0.004, (20_000, 2)), 0))
    prices = Prices.of(panel_from({"close": close, "open": close}))
    rule = r.long_when(r.sma(r.close, r.param("n")) > r.ema(r.close, 200))
    sets = [{"n": n} for n in (1, 7, 30, 150, 900)]
    names = ("n_trades", "total_return", "max_drawdown", "sharpe")
    block = SweepBlock(prices, rule, sets, Settings(), names, 2**24)
    fast = NumbaEngine(stretch_words=64)
    left, right = NumpyEngine().sweep(block).values, fast.sweep(block).values
    np.testing.assert_array_equal(left["n_trades"], right["n_trades"])
    for metric in names[1:]:
        np.testing.assert_allclose(right[metric], left[metric], rtol=1e-9)


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 30),
    st.sampled_from([1, 20]),
    st.sampled_from([0.0, 0.5]),
    st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_compiled_averages_have_the_bits_of_numpy(
    seed: int, window: int, rows: int, fall: float, gaps: bool
) -> None:
    rng = np.random.default_rng(seed)
    values = 1000 * np.exp(np.cumsum(rng.normal(-fall, 0.1, (rows, 90)), axis=1))
    if gaps:
        values[rng.random(values.shape) < 0.1] = np.nan
        values[0, :5] = np.nan
    results, parts = [], np.empty(values.shape)
    for averages in (Averages(), NumbaAverages()):
        for start in range(0, 90, 13):
            averages.simple(averages.sums(values), window, parts[:, start : start + 13], start)
        simple, smooth = np.empty(values.shape), np.empty(values.shape)
        averages.simple(averages.sums(values), window, simple)
        averages.exponential(values, window, smooth)
        results.append((simple, smooth))
        np.testing.assert_array_equal(parts, simple)
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])
    one = np.empty((1, 90))
    Averages().exponential(values[:1], window, one)
    np.testing.assert_array_equal(one[0], results[0][1][0])


def test_the_kernel_measures_what_quantkit_defines() -> None:
    rng = np.random.default_rng(5)
    close = 100 * np.exp(np.cumsum(rng.normal(0.0003, 0.01, 3000)))
    setting = Settings(fill="next_close", periods_per_year=365)
    prices = Prices.of(panel_from({"close": close}))
    always = r.long_when(r.close > 0)
    engine = NumbaEngine()
    wishes = np.ones((1, 3000), dtype=bool)
    returns = engine.paths(long_signals(wishes), Market.of(prices, setting), setting).returns[0]
    names = ("sharpe", "total_return", "max_drawdown", "annual_volatility", "cagr", "calmar")
    block = SweepBlock(prices, always, [{}], setting, names, 2**20)
    found = engine.sweep(block).values
    for name in ("sharpe", "annual_volatility", "cagr", "calmar"):
        wanted = getattr(quantkit, name)(returns, periods_per_year=365)
        assert found[name][0, 0] == pytest.approx(wanted, rel=1e-11)
    assert found["max_drawdown"][0, 0] == pytest.approx(quantkit.max_drawdown(returns), rel=1e-12)
    assert found["total_return"][0, 0] == pytest.approx(quantkit.total_return(returns), rel=1e-11)
    others = engine.sweep(replace(block, metrics=("sortino", "n_trades"))).values
    assert others["sortino"][0, 0] == quantkit.sortino(returns, periods_per_year=365)


def test_constant_growth_and_no_trade_have_the_same_undefined_sharpe() -> None:
    growing = {"close": 100 * 1.01 ** np.arange(50)}
    always = r.long_when(r.close > 0)
    never = r.long_when(r.close < 0)
    for rule in (always, never):
        values = [
            run_sweep(growing, rule, grid=[{}], fill="next_close", fees_bps=0, engine=name).table
            for name in ("numpy", "numba")
        ]
        assert values[0]["n_trades"].to_list() == values[1]["n_trades"].to_list()
        np.testing.assert_allclose(values[0]["sharpe"], values[1]["sharpe"], rtol=1e-9)
    assert np.isnan(values[0]["sharpe"][0])


RULES: dict[str, Callable[[], Any]] = {
    "averages": lambda: r.long_when(r.sma(r.close, 3) > r.ema(r.close, 5)),
    "events": lambda: r.enter_long(r.crosses_above(r.close, r.sma(r.high, 4))).exit_long(
        r.crosses_below(r.close, r.ema(r.low, 3)) | (r.close < r.open * 0.9)
    ),
}


@given(
    seed=st.integers(0, 2**32 - 1),
    cut=st.integers(1, 199),
    name=st.sampled_from(sorted(RULES)),
    fill=st.sampled_from(FILLS),
)
@settings(max_examples=50, deadline=None)
def test_the_future_does_not_change_the_past(seed: int, cut: int, name: str, fill: Any) -> None:
    """Changed, or not there at all: equity up to the cut is the same to the last bit."""
    rng = np.random.default_rng(seed)
    past = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (200, 2)), 0))
    other = past.copy()
    other[cut:] = 50 * np.exp(rng.normal(0, 1.0, (200 - cut, 2)))
    other[cut:][rng.random((200 - cut, 2)) < 0.2] = np.nan

    def panel(close: np.ndarray) -> dict[str, Any]:
        return {"open": close * 0.999, "high": close * 1.01, "low": close * 0.99, "close": close}

    def equity(close: np.ndarray, engine: str) -> np.ndarray:
        rule = RULES[name]()
        return run_single(panel=panel(close), rule=rule, fill=fill, engine=engine).equity[:cut]

    for engine in ("numpy", "numba"):
        whole = equity(past, engine)
        np.testing.assert_array_equal(whole, equity(other, engine))
        np.testing.assert_array_equal(whole, equity(past[:cut], engine))


def _averages(values: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    averages = Averages()
    simple, smooth = np.empty(values.shape), np.empty(values.shape)
    averages.simple(averages.sums(values), window, simple)
    averages.exponential(values, window, smooth)
    return simple, smooth


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.booleans())
@settings(max_examples=40, deadline=None)
def test_averages_equal_their_definitions(seed: int, window: int, gaps: bool) -> None:
    rng = np.random.default_rng(seed)
    values = 1000 + rng.normal(0, 1, (2, 300))
    if gaps:
        values[:, :7] = np.nan
        values[0, 50:53] = np.nan
    simple, exponential = np.full(values.shape, np.nan), np.full(values.shape, np.nan)
    for asset in range(2):
        state, known, last = np.nan, 0, np.nan
        for t in range(300):
            if t >= window - 1:
                simple[asset, t] = values[asset, t - window + 1 : t + 1].mean()
            x = values[asset, t]
            last = last if np.isnan(x) else x
            if np.isnan(last):
                continue
            state = last if np.isnan(state) else state + 2 / (window + 1) * (last - state)
            known += 1
            if known >= window and not np.isnan(x):
                exponential[asset, t] = state
    found = _averages(values, window)
    np.testing.assert_allclose(found[0], simple, rtol=1e-12)
    np.testing.assert_allclose(found[1], exponential, rtol=1e-12)


def test_averages_of_a_constant_are_the_constant_exactly() -> None:
    values = np.full((1, 1000), 0.1)
    for found in _averages(values, 7):
        assert set(found[0, 6:]) == {0.1}


@pytest.mark.parametrize("averages", [Averages(), NumbaAverages()])
@pytest.mark.parametrize("last", [1e-3, 20.0, 1e12])
def test_an_average_keeps_its_digits_whatever_the_price_was_before(
    averages: Any, last: float
) -> None:
    # A fund of daily leverage, adjusted for its reverse splits, falls by nine digits and more.
    rng = np.random.default_rng(2)
    path = np.geomspace(1e12, last, 2_000) * np.exp(rng.normal(0, 0.02, 2_000))
    values = np.concatenate((path, path[-1] * np.exp(rng.normal(0, 0.02, 500))))[None]
    found = np.empty(values.shape)
    averages.simple(averages.sums(values), 20, found)
    exact = [float(sum(map(Fraction, values[0, t - 19 : t + 1])) / 20) for t in range(19, 2_500)]
    np.testing.assert_allclose(found[0, 19:], exact, rtol=2e-14)


@pytest.mark.parametrize("averages", [Averages(), NumbaAverages()])
def test_the_average_of_a_price_that_stands_still_is_that_price(averages: Any) -> None:
    moved = 100 * np.exp(np.cumsum(np.random.default_rng(4).normal(0, 0.05, 300)))
    values = np.concatenate((moved, np.full(100, moved[-1])))[None]
    for window in (2, 7, 50):
        found = np.empty(values.shape)
        averages.simple(averages.sums(values), window, found)
        assert set(found[0, 299 + window :]) == {moved[-1]}


def test_kept_averages_stay_within_the_budget_and_right() -> None:
    close = 100 + np.cumsum(np.random.default_rng(1).normal(0, 1, 500))
    prices = Prices.of(panel_from({"close": np.abs(close) + 1}))
    small, large = Evaluator(prices, budget=1), Evaluator(prices, budget=2**20)
    rule = r.long_when(r.sma(r.close, r.param("n")) > r.close)
    for n in (5, 10, 5, 20, 10):
        np.testing.assert_array_equal(
            small.signals(rule, Settings(), {"n": n}).want,
            large.signals(rule, Settings(), {"n": n}).want,
        )


def test_the_choice_of_an_engine_says_why() -> None:
    assert choose_engine("numpy", 10)[1].reason == "asked for"
    small = choose_engine("auto", 10)
    assert small[0].name == "numpy"
    assert "less than" in small[1].reason
    assert choose_engine("auto", 10**9)[0].name == "numba"
    with pytest.raises(BadSetting, match="not one of auto, numpy, numba, cuda"):
        choose_engine("metal", 1)  # type: ignore[arg-type]


def test_the_choice_knows_what_takes_numpy_long() -> None:
    # As measured: a bar of a plain rule takes it a microsecond, of a walk five, a set two thousand.
    close = np.ones((2_000, 1))

    def chosen(rule: Any, sets: int, panel: Any = close) -> str:
        prices = Prices.of(panel_from({"close": panel}))
        grid = [{"x": float(x)} for x in range(sets)]
        return choose_for_sweep("auto", SweepBlock(prices, rule, grid, Settings(), (), 0))[1].name

    plain = r.long_when(r.close > r.param("x"))
    assert chosen(plain, 1_000) == "numpy"
    assert chosen(plain.time_exit(3), 1_000) == "numba"
    assert chosen(plain, 2_000) == "numba"
    assert chosen(plain, 3_000, close[:10]) == "numba"


def test_a_missing_numba_names_its_extra() -> None:
    def nothing(name: str) -> None:
        return None

    assert choose_engine("auto", 10**9, find=nothing)[1].reason == "numba is not installed"
    with pytest.raises(EngineMissing, match=r"mts1b-GPUbacktester\[numba\]"):
        choose_engine("numba", 1, find=nothing)


@pytest.mark.parametrize("engine", ["numpy", "numba"])
@pytest.mark.parametrize("fill", ["next_open", "next_close"])
@pytest.mark.parametrize("rule", [r.long_when(r.close > 0), r.long_when(r.close > 0).time_exit(3)])
def test_an_equity_that_is_constant_but_for_its_last_bit_has_no_ratio(
    rule: Any, fill: Any, engine: Any
) -> None:
    price = np.full((200, 6), [5.0, 49.0, 98.0, 103.0, 107.0, 1 / 3])
    panel = {"close": price, "open": price}
    options: dict[str, Any] = {"fill": fill, "fees_bps": 0.0, "engine": engine}
    names = ("total_return", "max_drawdown", "annual_volatility", "cagr", "sharpe", "calmar")
    for metrics in (names, (*names, "sortino")):
        table = run_sweep(panel, rule, grid={}, metrics=metrics, progress=False, **options).table
        for name in metrics:
            zero = name not in ("sharpe", "calmar", "sortino")
            wanted = [0.0] * 6 if zero else [np.nan] * 6
            np.testing.assert_array_equal(table[name].to_numpy(), wanted, err_msg=name)
    assert np.isnan(run_single(panel=panel, rule=rule, **options).sharpe)
