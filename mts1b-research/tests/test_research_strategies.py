"""What the strategies want follows from the past, and from nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from mts1b_foundation.signals import MarketRegime, Signal
from mts1b_research import StrategyConfigError
from mts1b_research.history import BarHistory
from mts1b_research.strategies import RiskParityRebalance, TrendFollowing
from research_desk import AAA, BBB, day, view_of, walk


def trend(*symbols: Any, **params: Any) -> TrendFollowing:
    return TrendFollowing.configure("s1", symbols, {"lookback": 20, "window": 10} | params)


def weights(strategy: Any, closes: Any) -> list[float]:
    view = view_of(closes, strategy.symbols)
    return weights_of(strategy.generate_intents(view))


def weights_of(signals: list[Signal]) -> list[float]:
    return [one.target_weight or 0.0 for one in signals]


def zigzag(start: float, up: float, down: float, bars: int) -> Any:
    """Return prices that go up and down by turns: a known trend with a known volatility."""
    steps = np.array([up if i % 2 else down for i in range(bars - 1)])
    return start * np.exp(np.concatenate([[0.0], np.cumsum(steps)]))


def test_what_rises_is_held_at_target_over_realised_volatility() -> None:
    closes = zigzag(100.0, 0.03, -0.01, 31)
    realised = np.diff(np.log(closes))[-10:].std(ddof=1) * np.sqrt(252)
    (held,) = weights(trend(AAA, target_ann_vol=0.12), closes)
    assert 0.12 / realised < 1.0
    assert held == pytest.approx(0.12 / realised, rel=1e-12)


def test_calm_markets_are_held_at_most_at_max_gross() -> None:
    closes = zigzag(100.0, 0.0011, -0.0009, 31)
    assert weights(trend(AAA, max_gross=0.8), closes) == pytest.approx([0.8])
    both = weights(trend(AAA, BBB, max_gross=0.8), np.column_stack([closes, closes]))
    assert both == pytest.approx([0.4, 0.4])


def test_what_falls_is_left() -> None:
    rising, falling = zigzag(100.0, 0.03, -0.01, 31), zigzag(100.0, 0.01, -0.03, 31)
    assert weights(trend(AAA), falling) == [0.0]
    view = view_of(np.column_stack([rising, falling]), [AAA, BBB])
    up, down = trend(AAA, BBB).generate_intents(view)
    assert up.target_weight is not None
    assert up.target_weight > 0.0
    assert (up.direction, up.regime) == (1, MarketRegime.RISK_ON)
    assert (down.target_weight, down.direction, down.regime) == (0.0, 0, MarketRegime.RISK_OFF)


def test_the_trend_is_the_sign_over_exactly_the_lookback() -> None:
    closes = np.full(31, 100.0)
    closes[-21] = 99.0  # the close 20 bars before the last
    assert weights(trend(AAA, window=19), closes)[0] > 0.0
    closes[-21], closes[-22] = 101.0, 50.0
    assert weights(trend(AAA, window=19), closes) == [0.0]


@examples(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), cut=st.integers(130, 180))
def test_the_future_and_the_distant_past_change_nothing(seed: int, cut: int) -> None:
    closes = walk(seed, 200, [0.0005, 0.0], [0.01, 0.02])
    for strategy in (
        trend(AAA, BBB),
        RiskParityRebalance.configure("s1", [AAA, BBB], {"window": 100}),
    ):
        known, more = BarHistory(), BarHistory()
        for number, row in enumerate(closes):
            for symbol, close in zip((AAA, BBB), row, strict=True):
                more._keep(symbol, day(number), (close,) * 5)
                if cut - strategy.history <= number < cut:
                    known._keep(symbol, day(number), (close,) * 5)
        now, later = (
            strategy.generate_intents(history.view([AAA, BBB], day(cut - 1), strategy.history))
            for history in (known, more)
        )
        assert now == later
        assert now[0].created_at == day(cut - 1)
        long = view_of(closes[:cut], [AAA, BBB])
        assert weights_of(strategy.generate_intents(long)) == pytest.approx(weights_of(now))


@examples(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_risk_parity_gives_each_symbol_the_same_risk(seed: int) -> None:
    closes = walk(seed, 140, [0.0, 0.0], [0.005, 0.02])
    strategy = RiskParityRebalance.configure("s1", [AAA, BBB], {"window": 60, "gross": 0.9})
    found = np.array(weights(strategy, closes))
    returns = (closes[1:] / closes[:-1] - 1.0)[-60:]
    contributions = found * (np.cov(returns, rowvar=False) @ found)
    assert contributions[0] == pytest.approx(contributions[1], rel=1e-6)
    assert found.sum() == pytest.approx(0.9)
    assert found[0] > found[1] > 0.0


def test_strategies_act_at_their_pace_once_there_is_enough_history() -> None:
    strategy = trend(AAA, rebalance_every=5)
    assert strategy.history == 21
    assert [n for n in range(40) if strategy.is_due(n)] == [25, 30, 35]
    parity = RiskParityRebalance.configure("s1", [AAA, BBB], {"window": 10, "rebalance_every": 11})
    assert [n for n in range(40) if parity.is_due(n)] == [11, 22, 33]


def test_signal_ids_follow_from_strategy_bar_and_symbol() -> None:
    closes = walk(1, 60, [0.0, 0.0], [0.01, 0.01])
    first = trend(AAA, BBB).generate_intents(view_of(closes, [AAA, BBB]))
    again = trend(AAA, BBB).generate_intents(view_of(closes, [AAA, BBB]))
    later = trend(AAA, BBB).generate_intents(view_of(walk(1, 61, [0, 0], [1, 1]), [AAA, BBB]))
    assert first == again
    assert len({one.signal_id for one in (*first, *later)}) == 4


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"lokback": 5}, "s1: unknown parameter 'lokback'.*did you mean 'lookback'"),
        ({"lookback": 1}, "s1: lookback must be an integer from 2 to 2000, got 1"),
        ({"lookback": 5.0}, "lookback must be an integer"),
        ({"lookback": True}, "lookback must be an integer"),
        ({"target_ann_vol": "high"}, "target_ann_vol must be a number from 0.001 to 2.0"),
        ({"target_ann_vol": float("nan")}, "target_ann_vol must be a number"),
        ({"max_gross": 6}, "max_gross must be a number from 0.01 to 5.0, got 6"),
    ],
)
def test_wrong_parameters_are_named(params: dict[str, Any], told: str) -> None:
    with pytest.raises(StrategyConfigError, match=told):
        TrendFollowing.configure("s1", [AAA], params)


def test_risk_parity_needs_two_symbols() -> None:
    with pytest.raises(StrategyConfigError, match="two symbols or more, got 1"):
        RiskParityRebalance.configure("s1", [AAA], {})
