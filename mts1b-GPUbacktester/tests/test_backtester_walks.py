"""Both sides, stops, time exits and sizes: the compiled walk against the plain one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_GPUbacktester import BadRule, BadSetting, rules, run_single, run_sweep
from mts1b_GPUbacktester.account import walk_account
from mts1b_GPUbacktester.engines import Market, SweepBlock
from mts1b_GPUbacktester.engines.numba_engine import NumbaEngine
from mts1b_GPUbacktester.engines.numpy_engine import NumpyEngine, plain_path
from mts1b_GPUbacktester.evaluate import Evaluator
from mts1b_GPUbacktester.panels import Prices, panel_from
from mts1b_GPUbacktester.semantics import Settings, held_positions

r = rules

RISK = r.smaller(0.01 / r.deviation(r.close / r.lag(r.close, 1), 5), 1.0)

RULES: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "level": (lambda: r.long_when(r.volume > r.param("q")), ("short", "both", "long")),
    "two levels": (
        lambda: r.long_when(r.volume > r.param("q")).short_when(r.sma(r.volume, 2) < 0.4),
        ("both",),
    ),
    "events": (
        lambda: r.enter_long(r.volume > r.param("q")).exit_long(r.volume < 0.2),
        ("long", "short", "both"),
    ),
    "four events": (
        lambda: (
            r.enter_long(r.volume > r.param("q"))
            .exit_long(r.volume < 0.3)
            .enter_short(r.crosses_below(r.volume, 0.3))
            .exit_short(r.volume > 0.6)
        ),
        ("both",),
    ),
}
ENDS: dict[str, Callable[[Any], Any]] = {
    "none": lambda rule: rule,
    "stop": lambda rule: rule.stop(0.03),
    "trail": lambda rule: rule.trailing_stop(0.04),
    "both": lambda rule: rule.stop(0.05).trailing_stop(r.param("q") / 20),
    "time": lambda rule: rule.time_exit(3),
    "all": lambda rule: rule.stop(0.05).trailing_stop(0.05).time_exit(4),
}


def tape(seed: int, length: int, gaps: float, volatility: float) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0, volatility, (length, 2)), 0))
    open_ = close * np.exp(rng.normal(0, volatility / 2, close.shape))
    missing = rng.random(close.shape) < gaps
    missing[0, 0] = False
    bars = {
        "open": open_,
        "close": close,
        "high": np.maximum(open_, close) * (1 + volatility * rng.random(close.shape)),
        "low": np.minimum(open_, close) / (1 + volatility * rng.random(close.shape)),
    }
    panel = {name: np.where(missing, np.nan, values) for name, values in bars.items()}
    return {**panel, "volume": rng.random(close.shape)}


@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.sampled_from([1, 2, 40, 64, 150]),
    gaps=st.sampled_from([0.0, 0.15]),
    volatility=st.sampled_from([0.0, 0.02, 0.6]),
    rule=st.sampled_from([(n, d) for n, (_, ds) in sorted(RULES.items()) for d in ds]),
    end=st.sampled_from(sorted(ENDS)),
    fill=st.sampled_from(("next_open", "next_close")),
    size=st.sampled_from(
        [
            "all_cash",
            0.4,
            r.param("q"),
            r.smaller(0.01 / r.deviation(r.close / r.lag(r.close, 1), 5), 1.0),
        ]
    ),
    borrow=st.sampled_from([0.0, 300.0]),
)
@settings(max_examples=50, deadline=None)
def test_every_rule_walks_alike(
    seed: int, length: int, gaps: float, volatility: float, rule: tuple[str, Any], end: str,
    fill: Any, size: Any, borrow: float,
) -> None:  # fmt: skip
    prices = Prices.of(panel_from(tape(seed, length, gaps, volatility)))
    setting = Settings(fill=fill, direction=rule[1], size=size, borrow_bps=borrow, fees_bps=7.0)
    whole = ENDS[end](RULES[rule[0]][0]())
    sets = [{"q": q} for q in (0.2, 0.5, 0.8)]
    names = ("n_trades", "total_return", "max_drawdown", "sharpe")
    block = SweepBlock(prices, whole, sets, setting, names, 2**20)
    left, right = NumpyEngine().sweep(block).values, NumbaEngine().sweep(block).values
    np.testing.assert_array_equal(left["n_trades"], right["n_trades"])
    np.testing.assert_allclose(right["total_return"], left["total_return"], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(right["max_drawdown"], left["max_drawdown"], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(right["sharpe"], left["sharpe"], rtol=1e-6, atol=1e-9)
    market = Market.of(prices, setting, stops=whole.has_stops)
    signals = Evaluator(prices, budget=2**20).signals(whole, setting, sets[1])
    one, two = (engine.paths(signals, market, setting) for engine in (NumpyEngine(), NumbaEngine()))
    np.testing.assert_allclose(two.units, one.units, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(two.equity, one.equity, rtol=1e-9, atol=1e-13)
    for mine, theirs in zip(one.trades, two.trades, strict=True):
        np.testing.assert_allclose(theirs, mine, rtol=1e-9, atol=1e-13)


@given(st.integers(0, 2**32 - 1), st.sampled_from(("next_open", "next_close")))
@settings(max_examples=30, deadline=None)
def test_the_whole_array_path_is_the_walk(seed: int, fill: Any) -> None:
    prices = Prices.of(panel_from(tape(seed, 120, 0.1, 0.02)))
    setting = Settings(fill=fill, fees_bps=9.0)
    market = Market.of(prices, setting)
    rule = r.long_when(r.volume > 0.5)
    signals = Evaluator(prices, budget=2**20).signals(rule, setting, {})
    held = held_positions(signals.want > 0, market.fill_prices, setting.lag)
    for asset, bars in enumerate(market.bars()):
        slow = walk_account(bars, signals, asset, setting)
        fast = plain_path(held[asset], bars.fills, bars.marks, setting)
        np.testing.assert_allclose(fast.equity, slow.equity, rtol=1e-12)
        np.testing.assert_allclose(fast.units, slow.units, rtol=1e-12)
        np.testing.assert_allclose(fast.trades, slow.trades, rtol=1e-12)


def test_what_makes_no_sense_is_refused() -> None:
    panel = tape(1, 50, 0.0, 0.02)
    long = r.long_when(r.volume > 0.5)
    with pytest.raises(BadRule, match="use direction='both' or 'short'"):
        run_single(panel=panel, rule=long.short_when(r.volume < 0.2))
    with pytest.raises(BadRule, match="use direction='both'"):
        run_single(panel=panel, rule=long.short_when(r.volume < 0.2), direction="short")
    with pytest.raises(BadRule, match=r"fraction of the price in \(0, 1\)"):
        run_sweep(panel, long.stop(5.0), grid=[{}])
    with pytest.raises(BadRule, match="needs exit_short, not exit_long"):
        r.enter_short(r.volume > 1).exit_long(r.volume > 1)
    with pytest.raises(BadSetting, match="a fraction in"):
        run_single(panel=panel, rule=long, size=1.5)
