"""A rule that is fed bar by bar decides, to the last bit, what it decides over the whole panel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation import UniversePanel
from mts1b_GPUbacktester import BadRule, BadSetting
from mts1b_GPUbacktester import rules as r
from mts1b_GPUbacktester.engines import Market
from mts1b_GPUbacktester.engines.numpy_engine import NumpyEngine
from mts1b_GPUbacktester.evaluate import Evaluator
from mts1b_GPUbacktester.following import RuleFollower
from mts1b_GPUbacktester.panels import Prices
from mts1b_GPUbacktester.semantics import Settings
from mts1b_GPUbacktester.streaming import RuleStream

BARS, ASSETS = 60, 2
VALUES = {
    "sma": r.sma(r.close, 5),
    "sma of volume": r.close * r.sma(r.volume, 3) / r.sma(r.volume, 7),
    "ema": r.ema(r.close, 4),
    "wilder": r.wilder(r.close, 6),
    "deviation": 100.0 + r.deviation(r.close, 5),
    "highest": r.highest(r.high, 6),
    "lowest": r.lowest(r.low, 6),
    "lag": r.lag(r.close, 3),
    "rsi": 2.0 * r.rsi(r.close, 5),
    "zscore": 100.0 + r.zscore(r.close, 8),
    "atr": r.close - r.atr(5),
    "bands": 0.5 * (r.upper_band(r.close, 6, 1.5) + r.lower_band(r.close, 5, 1.0)),
    "nested": r.ema(r.sma(r.larger(r.open, r.lag(r.close, 1)), 3), 4),
    "smaller": r.smaller(r.open, r.close),
}
RULES = {
    "an average": r.long_when(r.close > r.sma(r.close, 5)),
    "a whole language": r.long_when(
        (r.close >= r.sma(r.close, 3)) & ~(r.rsi(r.close, 4) > 70) | (r.close <= r.lag(r.close, 2))
    ),
    "crossings": r.enter_long(r.crosses_above(r.close, r.sma(r.close, 4))).exit_long(
        r.crosses_below(r.close, r.sma(r.close, 6))
    ),
    "a crossing as a level": r.long_when(r.crosses_above(r.close, r.sma(r.close, 4))),
    "both sides": r.long_when(r.close > r.sma(r.close, 3)).short_when(r.close < r.sma(r.close, 8)),
}


def panel(seed: int, gaps: float = 0.0) -> UniversePanel:
    """Return OHLCV of random walks; with gaps, whole bars are missing, the first ones too."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, size=(BARS, ASSETS)), axis=0))
    opened = close * np.exp(rng.normal(0.0, 0.01, size=close.shape))
    high = np.maximum(opened, close) * (1.0 + 0.01 * rng.random(close.shape))
    low = np.minimum(opened, close) * (1.0 - 0.01 * rng.random(close.shape))
    fields = {"open": opened, "high": high, "low": low, "close": close}
    fields["volume"] = rng.integers(1, 1000, size=close.shape).astype(float)
    missing = rng.random(close.shape) < gaps
    if gaps:
        missing[:3, 0] = True
    for values in fields.values():
        values[missing] = np.nan
    return UniversePanel(**fields, dates=range(BARS), symbols=["A", "B"])


def bars_of(universe: UniversePanel) -> Any:
    names = ("open", "high", "low", "close", "volume")
    for bar in range(BARS):
        yield {name: np.asarray(getattr(universe, name))[bar] for name in names}


@pytest.mark.parametrize("name", RULES)
@given(seed=st.integers(0, 10_000), gaps=st.sampled_from([0.0, 0.1]))
@settings(max_examples=12, deadline=None)
def test_each_bar_gives_the_bits_of_the_whole_panel(name: str, seed: int, gaps: float) -> None:
    universe, rule = panel(seed, gaps), RULES[name]
    size = r.smaller(0.01 / r.deviation(r.close / r.lag(r.close, 1), 5), 1.0)
    setting = Settings(direction="both", size=size)
    whole = Evaluator(Prices.of(universe), budget=2**20).signals(rule, setting, {})
    stream = RuleStream(rule, setting, {}, assets=ASSETS)
    wishes = [stream.step(bar) for bar in bars_of(universe)]
    assert np.array_equal(np.array([w.want for w in wishes]).T, whole.want)
    assert np.array_equal(np.array([w.start for w in wishes]).T, whole.start)
    fractions = np.array([w.fractions for w in wishes]).T
    assert np.array_equal(fractions, whole.fractions, equal_nan=True)


@pytest.mark.parametrize("name", VALUES)
def test_each_indicator_is_equal_to_the_last_bit(name: str) -> None:
    for seed, gaps in ((1, 0.0), (2, 0.15)):
        universe = panel(seed, gaps)
        setting = Settings(size=VALUES[name] / 1e6)
        rule = r.long_when(r.close > 0)
        whole = Evaluator(Prices.of(universe), budget=2**20).signals(rule, setting, {})
        stream = RuleStream(rule, setting, {}, assets=ASSETS)
        found = np.array([stream.step(bar).fractions for bar in bars_of(universe)]).T
        assert np.isfinite(found).sum() > BARS / 4
        assert np.array_equal(found, whole.fractions, equal_nan=True)


EXITS = st.fixed_dictionaries(
    {},
    optional={
        "stop": st.sampled_from([0.01, 0.03]),
        "trailing_stop": st.sampled_from([0.015, 0.04]),
        "time_exit": st.integers(1, 9),
    },
)


@given(
    seed=st.integers(0, 10_000),
    gaps=st.sampled_from([0.0, 0.1]),
    name=st.sampled_from(["an average", "crossings", "both sides", "a whole language"]),
    exits=EXITS,
    fill=st.sampled_from(["next_open", "next_close"]),
    direction=st.sampled_from(["both", "short"]),
)
@settings(max_examples=100, deadline=None)
def test_a_follower_stands_where_the_account_stands(
    seed: int, gaps: float, name: str, exits: dict[str, Any], fill: Any, direction: Any
) -> None:
    universe, rule = panel(seed, gaps), RULES[name]
    for kind, value in exits.items():
        rule = getattr(rule, kind)(value)
    if name == "both sides":
        direction = "both"
    setting = Settings(direction=direction, fill=fill, size=0.5)
    prices = Prices.of(universe)
    signals = Evaluator(prices, budget=2**20).signals(rule, setting, {})
    market = Market.of(prices, setting, stops=rule.has_stops)
    paths = NumpyEngine().paths(signals, market, setting)
    follower = RuleFollower(rule, setting, {}, assets=ASSETS)
    found = [follower.step(bar) for bar in bars_of(universe)]
    held = np.array([one.held for one in found]).T
    assert np.array_equal(held, np.sign(paths.units))
    meant = _entries(found, at_open=fill == "next_open")
    assert meant == {(a, int(row[0])) for a, trades in enumerate(paths.trades) for row in trades}
    if not rule.has_stops and not gaps:
        # Without stops and gaps what is meant for the next bar is what is held there.
        targets = np.array([one.target for one in found]).T
        assert np.array_equal(targets[:, :-1], held[:, 1:])


def _entries(found: list[Any], *, at_open: bool) -> set[tuple[int, int]]:
    """Return (asset, bar) of each fill that entered a position, as the follower meant it."""
    meant = set()
    for bar in range(1, BARS):
        before, now = found[bar - 1], found[bar]
        for asset in range(ASSETS):
            entering = before.target[asset] != before.held[asset] and before.target[asset] != 0
            entered = now.held[asset] == before.target[asset]
            if entering and (entered or (at_open and now.stopped[asset])):
                assert before.fraction[asset] == 0.5
                meant.add((asset, bar))
    return meant


def test_a_fill_at_the_close_of_the_signal_can_not_be_followed() -> None:
    with pytest.warns(UserWarning, match="already seen"):
        setting = Settings(fill="signal_close")
    with pytest.raises(BadSetting, match="next_open"):
        RuleFollower(r.long_when(r.close > 0), setting, {}, assets=1)


def test_a_parameter_needs_a_value() -> None:
    with pytest.raises(BadRule, match="'fast' has no value"):
        RuleStream(r.long_when(r.close > r.param("fast")), Settings(), {}, assets=1)


def test_a_window_that_is_none_is_told_before_the_first_bar() -> None:
    with pytest.raises(BadRule, match="whole number of bars"):
        RuleStream(r.long_when(r.close > r.sma(r.close, 0.5)), Settings(), {}, assets=1)
