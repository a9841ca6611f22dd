"""Rules and factors of the backtester run in the runner as they run in a sweep."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from mts1b_foundation import Symbol, UniversePanel
from mts1b_GPUbacktester import centred_weights, find_lookahead, run_single
from mts1b_GPUbacktester import rules as r
from mts1b_GPUbacktester.desk import rule_wishes
from mts1b_GPUbacktester.semantics import Settings
from mts1b_research import MarketView, StrategyConfigError, StrategyRegistry
from mts1b_research.parity import decision_table
from mts1b_research.strategies import FactorStrategy, RuleStrategy
from research_desk import AAA, BBB, Oms, OpenDesk, bar, day, settings

SYMBOLS = (AAA, BBB)


def panel(seed: int, bars: int = 70, assets: int = 2) -> UniversePanel:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, size=(bars, assets)), axis=0))
    opened = close * np.exp(rng.normal(0.0, 0.01, size=close.shape))
    return UniversePanel(
        open=opened,
        high=np.maximum(opened, close) * 1.005,
        low=np.minimum(opened, close) * 0.995,
        close=close,
        volume=rng.integers(1, 1000, size=close.shape).astype(float),
        dates=[day(i) for i in range(bars)],
        symbols=[f"S{n}" if assets > 2 else str(SYMBOLS[n]) for n in range(assets)],
    )


def view(universe: UniversePanel, end: int, last: int = 10**9) -> MarketView:
    rows = slice(max(end - last, 0), end)
    fields = {
        name: getattr(universe, name)[rows] for name in ("open", "high", "low", "close", "volume")
    }
    part = UniversePanel(**fields, dates=universe.dates[rows], symbols=universe.symbols)
    return MarketView(as_of=universe.dates[end - 1], panel=part, bars_seen=end)


RULES = {
    "level": r.long_when(r.close > r.ema(r.close, 7)),
    "events": r.enter_long(r.rsi(r.close, 5) < 40).exit_long(r.rsi(r.close, 5) > 60),
    "both": r.long_when(r.close > r.sma(r.close, 9)).short_when(r.close < r.sma(r.close, 4)),
    "stop": r.long_when(r.close > r.ema(r.close, 7)).stop(0.02),
    "trailing": r.enter_long(r.rsi(r.close, 5) < 45).exit_long(r.rsi(r.close, 5) > 70)
    .trailing_stop(0.03),
    "tight": r.long_when(r.close > r.sma(r.close, 9)).short_when(r.close < r.sma(r.close, 4))
    .stop(0.004).trailing_stop(0.01),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
@given(seed=st.integers(0, 10_000), bars=st.sampled_from([0, 3, 8]))
@examples(max_examples=8, deadline=None)
def test_a_rule_decides_in_the_runner_what_it_decides_in_a_sweep(
    name: str, seed: int, bars: int
) -> None:
    rule = RULES[name].time_exit(bars) if bars else RULES[name]
    universe, setting = panel(seed), Settings(direction="both", size=0.4)
    strategy = RuleStrategy("s1", SYMBOLS, rule, {}, setting)
    found = decision_table(strategy, universe)
    swept = rule_wishes(universe, rule, {}, setting) / len(SYMBOLS)
    entries = ~np.isnan(swept) & (swept != 0.0)
    # The last bar's decision has no fill, so no trade; flat is said at every bar that is flat.
    assert np.array_equal(np.where(entries, swept, 0.0)[:-1], np.nan_to_num(found)[:-1])
    assert (found[:-1][swept[:-1] == 0.0] == 0.0).all()


def test_a_stop_is_left_at_the_close_that_hears_of_it() -> None:
    universe = panel(4, bars=12)
    closes = np.linspace(100.0, 111.0, 12)[:, None] * np.ones((1, 2))
    falls = closes.copy()
    falls[6] = [104.0, 80.0]
    universe = UniversePanel(
        open=closes, high=closes, low=np.minimum(closes, falls), close=closes,
        volume=universe.volume, dates=universe.dates, symbols=universe.symbols,
    )  # fmt: skip
    strategy = RuleStrategy("s1", SYMBOLS, r.long_when(r.close > 0).stop(0.1))
    table = decision_table(strategy, universe)
    assert table[0].tolist() == [0.5, 0.5]
    assert table[6, 1] == 0.0
    assert np.isnan(table[1:, 0]).all()
    assert (table[6:, 1] == 0.0).all()


def test_another_past_begins_anew_and_the_same_view_says_the_same() -> None:
    universe, other = panel(1), panel(2)
    strategy = RuleStrategy("s1", SYMBOLS, RULES["level"])
    fresh = RuleStrategy("s1", SYMBOLS, RULES["level"])
    strategy.generate_intents(view(universe, 40))
    again = strategy.generate_intents(view(other, 30))
    assert again == strategy.generate_intents(view(other, 30))
    assert again == fresh.generate_intents(view(other, 30))
    moved = UniversePanel(
        open=universe.open, high=universe.high, low=universe.low, close=universe.close,
        volume=universe.volume, dates=[day(i + 5) for i in range(70)], symbols=universe.symbols,
    )  # fmt: skip
    expected = RuleStrategy("s1", SYMBOLS, RULES["level"]).generate_intents(view(moved, 35))
    assert strategy.generate_intents(view(moved, 35)) == expected


TEXT = {"long_when": "close > sma(close, n)", "values": {"n": 3}, "direction": "both"}


async def test_a_rule_by_text_trades_in_the_runner_and_survives_a_restart(
    open_desk: OpenDesk,
) -> None:
    entry = settings(kind="rule", params=TEXT)
    oms = Oms()
    desk = await open_desk(oms, entry)
    closes = [100, 101, 102, 103, 99, 98, 101, 104, 103, 101]
    for number, close in enumerate(closes):
        if number == 5:
            desk = await open_desk(oms, entry)
        await desk.bars(bar(AAA, number, close))
        await desk.runner.on_bar(day(number))
    sides = [(order.created_at, order.side.value, int(order.quantity)) for order in oms.calls]
    assert sides == [
        (day(2), "buy", 980),
        (day(4), "sell", 980),
        (day(4), "short", 1010),
        (day(6), "cover", 1010),
        (day(6), "buy", 990),
        (day(9), "sell", 990),
        (day(9), "short", 990),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fast": 3}, "unknown parameter 'fast'"),
        ({"long_when": 5}, "long_when must be the text of a condition"),
        ({"short_when": ["x"]}, "short_when must be the text of a condition"),
        ({"values": {}}, "needs n; given: none"),
        ({"long_when": "close >"}, "is not understood"),
        ({"size": 2.0}, "size 2.0"),
        ({"exit": "close < 1"}, "give either"),
        ({"values": {"n": 0.5}}, "whole number of bars"),
        ({"values": 5}, "values must be names with values"),
        ({"values": {"n": 3, "stop": 0.05}}, "the rule needs n; given: n, stop"),
    ],
)
def test_a_wrong_rule_is_told_before_it_trades(changes: dict[str, Any], message: str) -> None:
    entry = settings(kind="rule", params=TEXT | changes)
    with pytest.raises(StrategyConfigError, match=message):
        decision_table(StrategyRegistry().build(entry), panel(1, assets=1, bars=5))


def momentum(universe: UniversePanel, *, h: int) -> Any:
    closes = np.asarray(universe.close)
    scores = np.full(closes.shape, np.nan)
    scores[h:] = closes[h:] / closes[:-h] - 1.0
    return scores


@pytest.mark.parametrize("history", [None, 6])
def test_a_factor_rebalances_on_the_schedule_of_run_single(history: int | None) -> None:
    universe = panel(3, assets=4, bars=40)
    names = [Symbol(name) for name in universe.symbols]
    strategy = FactorStrategy("s1", names, momentum, {"h": 5}, rebalance=4, history=history)
    table = strategy.weights(universe)
    live = decision_table(strategy, universe)
    np.testing.assert_allclose(live, table, rtol=1e-11, atol=1e-15)
    assert np.flatnonzero(~np.isnan(table[:, 0])).tolist() == list(range(5, 40, 4))
    swept = run_single(panel=universe, factor=momentum, params={"h": 5}, rebalance=4, fees_bps=0.0)
    bought = swept.trades["time"].unique().sort().to_list()
    assert bought == [day(i + 1) for i in range(5, 39, 4)]


def test_a_factor_by_name_and_what_is_wrong_with_it() -> None:
    params = {"factor": "f_momentum", "sizer": "equal_weight_long", "sizer_values": {"n": 1}}
    entry = settings(kind="factor", symbols=["AAA", "BBB"], params=params)
    try:
        strategy = StrategyRegistry().build(entry)
    except StrategyConfigError as error:
        pytest.fail(str(error))
    table = decision_table(strategy, panel(5, bars=300))
    last = table[-1]
    assert sorted(last.tolist()) == [0.0, 1.0]
    for changes, message in (
        ({"factor": "f_nothing"}, "f_nothing"),
        ({"sizer": "magic"}, "no sizer 'magic'"),
        ({"window": 3}, "unknown parameter 'window'"),
        ({"rebalance": 0}, "rebalance 0"),
        ({"rebalance": "5"}, "rebalance 5"),
        ({"rebalance": 2.5}, "rebalance 2.5"),
        ({"values": [5]}, "values must be names with values"),
        ({"sizer_values": 1}, "sizer_values must be names with values"),
    ):
        with pytest.raises(StrategyConfigError, match=message):
            StrategyRegistry().build(entry.model_copy(update={"params": params | changes}))


def test_a_factor_of_your_own_gives_a_score_for_each_bar_and_asset() -> None:
    universe = panel(3, assets=2, bars=20)
    names = [Symbol(name) for name in universe.symbols]
    flat = FactorStrategy("s1", names, lambda data: np.asarray(data.close)[0])
    with pytest.raises(StrategyConfigError, match=r"the factor gave shape \(2,\)"):
        flat.weights(universe)
    thin = FactorStrategy("s1", names, lambda data: data.close, sizer=lambda scores: scores[0])
    with pytest.raises(StrategyConfigError, match=r"the sizer gave shape \(2,\)"):
        thin.weights(universe)


def test_scores_in_a_frame_go_to_the_symbol_that_they_name() -> None:
    """A pivot sorts columns by name; a live fund traded the scores of one symbol in another."""
    universe = panel(3, assets=3, bars=20)
    names = [Symbol(name) for name in universe.symbols]

    def sorted_by_name(data: UniversePanel) -> pd.DataFrame:
        frame = pd.DataFrame(np.asarray(data.close), list(data.dates), list(data.symbols))
        return frame[list(data.symbols)[::-1]]

    plain = FactorStrategy("s1", names, lambda data: data.close)
    named = FactorStrategy("s1", names, sorted_by_name)
    np.testing.assert_array_equal(named.weights(universe), plain.weights(universe))
    np.testing.assert_array_equal(decision_table(named, universe), decision_table(plain, universe))
    other = FactorStrategy("s1", names, lambda data: sorted_by_name(data).add_suffix("x"))
    with pytest.raises(StrategyConfigError, match="what the factor gave has no column"):
        other.weights(universe)


BUILT_IN: dict[str, Any] = {
    "trend_following": {"lookback": 20, "window": 10, "rebalance_every": 3},
    "risk_parity": {"window": 15, "rebalance_every": 4},
    "rule": TEXT | {"trailing_stop": 0.03, "time_exit": 9},
    "factor": {"factor": "f_momentum", "rebalance": 5},
}


def test_the_table_of_built_in_strategies_is_whole() -> None:
    known = set(StrategyRegistry().kinds()) - _of_others()
    assert known == {*BUILT_IN, "webhook"}  # which acts on signals from outside, never on bars


def _of_others() -> set[str]:
    from importlib.metadata import entry_points

    points = entry_points(group="mts1b.strategies")
    return {p.name for p in points if not p.value.startswith("mts1b_research.")}


@pytest.mark.parametrize("kind", BUILT_IN)
def test_no_built_in_strategy_knows_the_future(kind: str) -> None:
    entry = settings(kind=kind, symbols=["AAA", "BBB"], params=BUILT_IN[kind])

    def decide(universe: UniversePanel) -> Any:
        return decision_table(StrategyRegistry().build(entry), universe)

    universe = panel(11, bars=300 if kind == "factor" else 80)
    assert (~np.isnan(decide(universe))).sum() > 5
    assert find_lookahead(universe, decide=decide, cuts=4) is None


def test_a_strategy_that_knows_the_future_is_found() -> None:
    def peeks(universe: UniversePanel, **params: Any) -> Any:
        closes = np.asarray(universe.close)
        return closes[-1:] / closes

    def decide(universe: UniversePanel) -> Any:
        return FactorStrategy("s1", SYMBOLS, peeks, sizer=centred_weights).weights(universe)

    found = find_lookahead(panel(12), decide=decide, cuts=3)
    assert found is not None
    assert found.how == "cut off"
