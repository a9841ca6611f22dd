"""Portfolios of target weights: the rules by hand, the engines against each other."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_GPUbacktester import (
    BacktestResult,
    BadPanel,
    BadSetting,
    run_portfolio,
    run_single,
    sweep_factor,
)
from mts1b_quantkit.cost_models import PerShareFee, SpreadSlippage, SquareRootSlippage

NAN = float("nan")


@pytest.fixture(params=["numpy", "numba"])
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


def run(closes: Any, weights: Any, engine: Any = "numpy", **options: Any) -> BacktestResult:
    chosen = {"fill": "next_close", "fees_bps": 0.0, "engine": engine, **options}
    volume = chosen.pop("volume", None)
    panel = {"close": np.array(closes, dtype=float)}
    if volume is not None:
        panel["volume"] = np.array(volume, dtype=float)
    return run_portfolio(panel, np.array(weights, dtype=float), **chosen)


def test_backtest_rule_19_weights_meet_the_equity_before_the_costs(engine: Any) -> None:
    closes = [[10, 20], [10, 20], [20, 20], [20, 20]]
    found = run(closes, [[0.5, -0.25]] * 4, engine, rebalance=10, initial_cash=100)
    # 5 units of the first, -1.25 of the second; the first doubles.
    np.testing.assert_allclose(found.equity, [100, 100, 150, 150])
    assert found.trades["units"].to_list() == [5.0, -1.25]
    missing = run(closes, [[0.5, NAN]] * 4, engine, initial_cash=100)
    assert set(missing.trades["symbol"]) == {"A0"}


@pytest.mark.parametrize("last", [4.0, 1.2])
def test_backtest_rule_26_what_becomes_of_a_debt_is_no_return(last: float, engine: Any) -> None:
    closes = [[1.0], [1.0], [1.0], [3.0], [9.0], [last]]
    found = run(closes, [[-1.0]] * 6, engine, rebalance=10)
    np.testing.assert_allclose(found.equity, [1, 1, 1, -1, -7, 2 - last], rtol=1e-12)
    assert found.returns.tolist() == [0, 0, 0, -1, 0, 0]
    metrics = found.metrics()
    assert (metrics["total_return"], metrics["max_drawdown"], metrics["cagr"]) == (-1, -1, -1)
    assert metrics["sharpe"] < 0
    assert np.isnan(found.weights[3:5]).all()


def test_backtest_rule_20_rebalances_follow_their_schedule(engine: Any) -> None:
    closes = np.cumprod(np.full((8, 2), [1.1, 0.9]), axis=0)
    weights = np.full((8, 2), NAN)
    weights[1] = weights[4] = 0.5

    def times(**options: Any) -> list[int]:
        return sorted(set(run(closes, weights, engine, **options).trades["time"]))

    assert times() == [2, 5]
    full = np.full((8, 2), 0.5)
    full[0] = NAN
    bars = run(closes, full, engine, rebalance=3).trades["time"]
    assert sorted(set(bars)) == [2, 5]
    named = np.zeros(8, dtype=bool)
    named[[1, 6]] = True
    assert times(rebalance=named) == [2, 7]
    drifting = run(closes, weights, engine)
    assert drifting.weights[4, 0] > 0.55
    assert drifting.weights[5, 0] == pytest.approx(0.5)
    with pytest.raises(BadSetting, match="1 or more"):
        times(rebalance=0)
    with pytest.raises(BadSetting, match="8 truths"):
        times(rebalance=[True])


def test_backtest_rule_21_what_has_no_price_keeps_its_units(engine: Any) -> None:
    closes = [[10, NAN], [10, NAN], [NAN, 20], [10, 20], [10, 20]]
    weights = [[1.0, 0.5], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]
    found = run(closes, weights, engine, initial_cash=100)
    fills = found.trades.rows()
    assert fills[0] == (1, "A0", 10.0, 10.0)
    # Bar 2: no price for the first, whose 100 still count; half of 100 goes into the second.
    assert fills[1] == (2, "A1", 2.5, 20.0)
    np.testing.assert_allclose(found.equity, 100)


def test_backtest_rule_22_cash_pays_for_everything(engine: Any) -> None:
    found = run(
        [[10.0], [10], [20], [20]], [[1.0], [1], [0], [0]], engine, fees_bps=100, slippage_bps=50,
        initial_cash=1000,
    )  # fmt: skip
    buy, sell = 1.005 * 1.01, 0.995 * 0.99
    cash = 1000 - 1000 * buy
    assert found.equity[1] == pytest.approx(1000 + cash, rel=1e-12)
    # Bar 2 fills the decision of bar 1: back to a weight of one of the equity there.
    equity = cash + 2000
    less = (2000 - equity) if equity < 2000 else 0.0
    cash += less * sell
    assert found.equity[2] == pytest.approx(cash + 2000 - less, rel=1e-12)
    end = cash + (2000 - less) * sell
    assert found.equity[3] == pytest.approx(end, rel=1e-12)
    assert found.costs == pytest.approx((1000 * (buy - 1) + 2000 * (1 - sell)) / 1000, rel=1e-9)


def test_backtest_rule_23_models_of_quantkit_price_the_fills() -> None:
    fee = PerShareFee(per_share=Decimal("0.01"), minimum=Decimal(1))
    spread = SpreadSlippage(spread_bps=Decimal(20))
    options = {"initial_cash": 1000, "rebalance": 5}
    found = run([[10.0]] * 3, [[1.0]] * 3, "auto", fees=fee, impact=spread, **options)
    slip = float(spread.fraction(100.0, 10.0))
    assert slip > 0
    assert found.costs * 1000 == pytest.approx(1000 * slip + 1.0, rel=1e-12)
    assert found.engine.reason == "models in fees= and impact= run with numpy"
    root = SquareRootSlippage(average_daily_volume=Decimal(400), daily_volatility=Decimal("0.02"))
    by_symbol = run([[10.0, 10]] * 3, [[0.5, 0.5]] * 3, impact={"A0": root}, initial_cash=1000,
                    rebalance=5)  # fmt: skip
    assert by_symbol.costs * 1000 == pytest.approx(500 * 0.02 * (50 / 400) ** 0.5, rel=1e-12)
    with pytest.raises(BadSetting, match="use engine='numpy' or 'auto'"):
        run([[10.0]] * 3, [[1.0]] * 3, "numba", fees=fee)


def test_backtest_rule_24_units_come_in_whole_lots(engine: Any) -> None:
    closes = [[10.0, 30], [10, 30], [10, 30]]
    found = run(closes, [[0.55, -0.5]] * 3, engine, lots=[10, 0], initial_cash=1000, rebalance=9)
    np.testing.assert_allclose(found.trades["units"], [50, -500 / 30])
    short = run(closes, [[-0.55, 0.0]] * 3, engine, lots=10, initial_cash=1000, rebalance=9)
    assert short.trades["units"].to_list() == [-50]
    exact = run([[0.1]] * 3, [[0.3]] * 3, engine, lots=1, initial_cash=1, rebalance=9)
    assert exact.trades["units"].to_list() == [3]
    with pytest.raises(BadSetting, match="or 2 of them"):
        run(closes, [[0.5, 0.5]] * 3, engine, lots=[1, 2, 3])


def test_backtest_rule_25_a_share_of_the_volume_is_the_most(engine: Any) -> None:
    found = run(
        [[10.0]] * 5, [[1.0]] * 5, engine, volume=[[300.0], [300], [NAN], [330], [1000]],
        volume_share=0.1, lots=10, initial_cash=1000,
    )  # fmt: skip
    assert found.trades.select("time", "units").rows() == [(1, 30.0), (3, 30.0), (4, 40.0)]
    with pytest.raises(BadPanel, match="no volume"):
        run([[10.0]] * 3, [[1.0]] * 3, engine, volume_share=0.1)
    with pytest.raises(BadSetting, match="a fraction in"):
        run([[10.0]] * 3, [[1.0]] * 3, engine, volume_share=2.0)


@given(
    seed=st.integers(0, 2**32 - 1),
    gaps=st.sampled_from([0.0, 0.2]),
    fill=st.sampled_from(["next_open", "next_close"]),
    rebalance=st.sampled_from([None, 1, 7]),
    lots=st.sampled_from([None, 0.5]),
    share=st.sampled_from([None, 0.2]),
    borrow=st.sampled_from([0.0, 400.0]),
)
@settings(max_examples=50, deadline=None)
def test_the_engines_walk_a_portfolio_alike(
    seed: int, gaps: float, fill: Any, rebalance: Any, lots: Any, share: Any, borrow: float
) -> None:
    rng = np.random.default_rng(seed)
    shape = (90, 6)
    close = 20 * np.exp(np.cumsum(rng.normal(0, 0.03, shape), 0))
    panel = {
        "close": np.where(rng.random(shape) < gaps, NAN, close),
        "open": np.where(rng.random(shape) < gaps, NAN, close * 1.01),
        "volume": rng.integers(0, 50, shape).astype(float),
    }
    weights = rng.normal(0.1, 0.2, shape)
    weights[rng.random(shape) < 0.1] = NAN
    weights[rng.random(90) < 0.2] = NAN
    one, two = (
        run_portfolio(
            panel, weights, fill=fill, rebalance=rebalance, lots=lots, volume_share=share,
            borrow_bps=borrow, fees_bps=8, slippage_bps=3, initial_cash=500, engine=engine,
        )
        for engine in ("numpy", "numba")
    )  # fmt: skip
    np.testing.assert_allclose(two.equity, one.equity, rtol=1e-10, atol=1e-7)
    assert two.costs == pytest.approx(one.costs, rel=1e-9)
    assert (two.n_trades, one.n_trades) == (one.trades.height, one.trades.height)
    np.testing.assert_allclose(two.weights, one.weights, rtol=1e-9)


def test_the_future_does_not_change_a_portfolio(engine: Any) -> None:
    rng = np.random.default_rng(1)
    close = 20 * np.exp(np.cumsum(rng.normal(0, 0.03, (60, 4)), 0))
    weights = rng.normal(0, 0.3, (60, 4))
    whole = run(close, weights, engine, fees_bps=5)
    part = run(close[:40], weights[:40], engine, fees_bps=5)
    np.testing.assert_array_equal(whole.equity[:40], part.equity)


def test_the_engine_of_a_portfolio_says_why() -> None:
    small = run([[10.0]] * 3, [[1.0]] * 3, "auto")
    assert small.engine.name == "numpy"
    assert "less than the" in small.engine.reason
    large = run(np.full((1000, 1000), 10.0), np.full((1000, 1000), 1e-3), "auto")
    assert large.engine.name == "numba"


def test_numbers_without_sense_are_refused(engine: Any) -> None:
    with pytest.raises(BadPanel, match=r"is -1\.0"):
        run([[10.0], [-1.0]], [[1.0]] * 2, engine)
    with pytest.raises(BadPanel, match="is inf"):
        run([[10.0], [np.inf]], [[1.0]] * 2, engine)
    with pytest.raises(BadSetting, match="infinity"):
        run([[10.0], [1.0]], [[np.inf]] * 2, engine)
    with pytest.raises(BadPanel, match="no close"):
        run([[NAN], [NAN]], [[1.0]] * 2, engine)


@pytest.mark.parametrize("value", [0.0, -1.0, np.inf])
@pytest.mark.parametrize("bar", [0, 2, 5])
def test_a_price_is_refused_also_where_nothing_is_filled(
    value: float, bar: int, engine: Any
) -> None:
    opened = np.full((6, 2), 10.0)
    opened[bar, 1] = value
    with pytest.raises(BadPanel, match="open of A1"):
        run_portfolio(
            {"close": np.full((6, 2), 10.0), "open": opened}, np.full((6, 2), 0.5), rebalance=4,
            engine=engine,
        )  # fmt: skip


@pytest.mark.parametrize("bar", [0, 2, 5])
def test_an_infinite_weight_is_refused_also_where_it_is_not_traded(bar: int, engine: Any) -> None:
    closes, weights = np.full((6, 2), 10.0), np.full((6, 2), 0.5)
    closes[1, 0] = NAN
    weights[bar, 0] = np.inf
    with pytest.raises(BadSetting, match="infinity"):
        run(closes, weights, engine, rebalance=4)


@pytest.mark.parametrize("seed", [3, 20])
def test_what_rounding_leaves_of_a_portfolio_is_neither_trade_nor_return(
    seed: int, engine: Any
) -> None:
    rng = np.random.default_rng(seed)
    weights = np.tile(rng.normal(0, 0.8, 9), (60, 1))
    found = run(np.tile(rng.uniform(0.1, 90, 9), (60, 1)), weights, engine)
    assert found.n_trades == found.trades.height == 9
    assert not found.returns.any()
    assert np.isnan(found.sharpe)


def test_a_factor_is_swept_as_it_is_run(engine: Any) -> None:
    rng = np.random.default_rng(6)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, (500, 8)), 0))
    panel = {"close": close}

    def momentum(data: Any, h: int) -> Any:
        scores = np.full(data.shape, NAN)
        scores[h:] = np.log(data.close[h:] / data.close[:-h])
        return scores

    options = {"rebalance": 5, "fill": "next_close", "fees_bps": 3.0, "engine": engine}
    sweep = sweep_factor(panel, momentum, grid={"h": [5, 20, 60]}, **options)
    assert sweep.n_trials == 3
    assert sweep.returns.shape == (500, 3)
    for place, h in enumerate((5, 20, 60)):
        alone = run_single(panel=panel, factor=momentum, params={"h": h}, **options)
        np.testing.assert_array_equal(sweep.returns[:, place], alone.returns)
        assert sweep.table["sharpe"][place] == alone.sharpe
    best = sweep.best(1).row(0, named=True)
    assert best["sharpe"] == max(sweep.table["sharpe"])
    assert sweep.best_params() == {"h": best["h"]}
    assert 0.0 <= sweep.deflated() <= 1.0
    assert 0.0 <= sweep.overfitting_probability() <= 1.0
    with pytest.raises(BadSetting, match="was not measured"):
        sweep.best(1, by="calmar")
    for wrong in (-1, 2.5, "3"):
        with pytest.raises(BadSetting, match=f"k {wrong!r} must be a whole number"):
            sweep.best(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"initial_cash": "5"}, {"initial_cash": None}, {"initial_cash": float("nan")},
        {"volume_share": "5"}, {"volume_share": [1]}, {"lots": "x"}, {"lots": [1, None]},
        {"fees": 5}, {"impact": "x"}, {"impact": {"A0": 5}},
    ],
    ids=str,
)  # fmt: skip
def test_settings_of_another_kind_are_told(wrong: dict[str, Any]) -> None:
    closes = [[10.0], [11.0], [12.0]]
    with pytest.raises(BadSetting, match=next(iter(wrong))):
        run(closes, [[1.0]] * 3, **wrong)


@pytest.mark.parametrize("weights", ["x", [["a"]], None, [[1.0], [1.0, 2.0]]], ids=str)
def test_weights_that_are_no_numbers_are_told(weights: Any) -> None:
    with pytest.raises(BadSetting, match="target_weights"):
        run_portfolio({"close": [1.0, 2.0]}, weights, fill="next_close")
