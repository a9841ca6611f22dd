"""The numbered rules of docs/backtest_semantics.md, each by hand on both engines."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mts1b_GPUbacktester import BacktestResult, rules, run_single
from mts1b_quantkit import metrics as quantkit

r = rules
NAN = float("nan")
PAGE = Path(__file__).parents[2] / "docs" / "backtest_semantics.md"


@pytest.fixture(params=["numpy", "numba"])
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


def bars(closes: list[float], **fields: list[float]) -> dict[str, Any]:
    """Return a panel whose volume is the signal: 1 is long, 0 is flat, -1 is short."""
    close = np.array(closes, dtype=float)
    given = {name: np.array(values, dtype=float) for name, values in fields.items()}
    ranges = {
        "open": given.get("open", close),
        "high": given.get("high", np.fmax(close, given.get("open", close))),
        "low": given.get("low", np.fmin(close, given.get("open", close))),
    }
    return {"close": close, **ranges, "volume": given["signal"]}


LONG = r.long_when(r.volume > 0)
BOTH = LONG.short_when(r.volume < 0)


def run(panel: Any, engine: Any, rule: Any = LONG, **options: Any) -> BacktestResult:
    settings = {"fees_bps": 0.0, "fill": "next_close", **options}
    return run_single(panel=panel, rule=rule, engine=engine, **settings)


def test_backtest_rule_01_a_decision_reads_its_bar_and_no_later_one(engine: Any) -> None:
    rule = r.long_when(r.close > 15)
    panel = bars([10, 20, 30, 40], signal=[0, 0, 0, 0])
    assert run(panel, engine, rule).trades["entry_price"].to_list() == [30]


def test_backtest_rule_02_fills_are_at_the_next_open_or_close(engine: Any) -> None:
    panel = bars([10, 20, 40], open=[9, 19, 39], signal=[1, 1, 0])
    by_open = run(panel, engine, fill="next_open")
    assert by_open.trades["entry_price"].to_list() == [19]
    np.testing.assert_allclose(by_open.equity, [1, 20 / 19, 40 / 19])
    assert run(panel, engine).trades["entry_price"].to_list() == [20]
    with pytest.warns(UserWarning, match="already seen"):
        same = run(panel, engine, fill="signal_close")
    assert same.trades["entry_price"].to_list() == [10]
    np.testing.assert_allclose(same.equity, [1, 2, 4])


def test_backtest_rule_03_the_last_decision_is_not_filled(engine: Any) -> None:
    assert run(bars([1, 2, 3], signal=[0, 0, 1]), engine).trades.height == 0


def test_backtest_rule_04_a_fill_waits_for_a_price_and_a_gone_wish_lapses(engine: Any) -> None:
    waits = run(bars([1, NAN, 3, 3, 3], signal=[1, 1, 1, 0, 0]), engine)
    assert waits.trades["entry_price"].to_list() == [3]
    assert run(bars([1, NAN, 3, 3, 3], signal=[1, 0, 0, 0, 0]), engine).trades.height == 0


def test_backtest_rule_05_a_position_without_a_bar_keeps_its_mark(engine: Any) -> None:
    found = run(bars([10, 10, 20, NAN, NAN], signal=[1, 1, 1, 0, 0]), engine)
    np.testing.assert_allclose(found.equity, [1, 1, 2, 2, 2])
    assert found.trades["is_open"].to_list() == [True]


def test_backtest_rule_06_nothing_is_filled_before_the_first_close(engine: Any) -> None:
    panel = bars([NAN, NAN, 5, 10], open=[4, 4, 5, 9], signal=[1, 1, 1, 1])
    found = run(panel, engine, fill="next_open")
    assert found.trades["entry_price"].to_list() == [5]
    missing = r.long_when(r.close > 0)
    assert run(panel, engine, missing, fill="next_open").trades["entry_price"].to_list() == [9]


def test_backtest_rule_07_each_side_pays_fee_and_slippage(engine: Any) -> None:
    panel = bars([10, 10, 20, 20], signal=[1, 1, 0, 0])
    found = run(panel, engine, fees_bps=100, slippage_bps=50)
    end = 20 * 0.995 * 0.99 / (10 * 1.005 * 1.01)
    assert found.equity[-1] == pytest.approx(end, rel=1e-14)
    units = 1 / (10 * 1.005 * 1.01)
    paid = units * (10 * (1.005 * 1.01 - 1) + 20 * (1 - 0.995 * 0.99))
    assert found.costs == pytest.approx(paid, rel=1e-12)


def test_backtest_rule_08_a_short_position_pays_for_its_borrowing(engine: Any) -> None:
    panel = bars([10, 10, 10, 10], signal=[-1, -1, -1, 0])
    found = run(panel, engine, BOTH, direction="both", borrow_bps=100, periods_per_year=10)
    np.testing.assert_allclose(found.equity, [1, 1, 0.999, 0.998], rtol=1e-12)


def test_backtest_rule_09_each_asset_is_an_account_of_its_own(engine: Any) -> None:
    panel = {
        "close": np.array([[10.0, 10], [10, 10], [20, 5]]),
        "volume": np.array([[1.0, 1], [1, 1], [1, 1]]),
    }
    np.testing.assert_allclose(run(panel, engine).equity, [1, 1, (2 + 0.5) / 2])


def test_backtest_rule_10_a_position_takes_its_fraction_of_the_equity(engine: Any) -> None:
    half = run(bars([10, 10, 20, 20], signal=[1, 1, 0, 0]), engine, size=0.5)
    np.testing.assert_allclose(half.equity, [1, 1, 1.5, 1.5])
    closes = [100.0, 110, 99, 108.9, 108.9, 217.8]
    target = r.smaller(0.05 / r.deviation(r.close / r.lag(r.close, 1), 3), 1.0)
    found = run(bars(closes, signal=[1] * 6), engine, size=target)
    share = 0.05 / np.std([0.1, -0.1, 0.1], ddof=1)
    assert found.trades["entry_price"].to_list() == [108.9]
    assert found.equity[-1] == pytest.approx(1 + share, rel=1e-12)


def test_backtest_rule_11_directions_and_mirrors(engine: Any) -> None:
    panel = bars([10, 10, 20, 10, 10], signal=[1, 1, 0, 0, 0])
    short = run(panel, engine, direction="short")
    assert short.trades["side"].to_list() == ["short"]
    both = run(panel, engine, r.long_when(r.sma(r.volume, 2) > 0.5), direction="both")
    # The average is unknown at the first bar: no position, not a short one.
    assert both.trades["side"].to_list() == ["long", "short"]
    assert both.trades["entry_price"].to_list() == [20, 10]
    overlap = LONG.short_when(r.volume > 0)
    assert run(panel, engine, overlap, direction="both").trades.height == 0


def test_backtest_rule_12_an_exit_wins_over_an_entry(engine: Any) -> None:
    rule = r.enter_long(r.volume > 0).exit_long(r.volume > 1)
    found = run(bars([1, 2, 3, 4, 5, 6], signal=[1, 0, 2, 0, 1, 0]), engine, rule)
    assert found.trades["entry_price"].to_list() == [2, 6]
    assert found.trades["exit_price"].to_list() == [4, None]


def test_backtest_rule_13_a_reversal_is_two_trades_at_one_fill(engine: Any) -> None:
    panel = bars([10, 10, 20, 10, 10], signal=[1, -1, -1, 0, 0])
    found = run(panel, engine, BOTH, direction="both", fees_bps=100)
    assert found.trades["entry_price"].to_list() == [10, 20]
    assert found.trades["exit_price"].to_list() == [20, 10]
    cash = 20 * 0.99 / (10 * 1.01)
    units = cash / (20 * 1.01)
    cash += units * (20 * 0.99 - 10 * 1.01)
    assert found.equity[-1] == pytest.approx(cash, rel=1e-12)


@pytest.mark.parametrize(
    ("opened", "low", "fill"),
    [(10.0, 9.5, None), (10.0, 8.0, 9.0), (10.0, 9.0, 9.0), (8.5, 8.0, 8.5)],
)
def test_backtest_rule_14_a_stop_fills_at_its_price_or_the_open_beyond_it(
    engine: Any, opened: float, low: float, fill: float | None
) -> None:
    panel = bars(
        [10, 10, 9.8, 9.8], open=[10, 10, opened, 9.8], low=[10, 10, low, 9.8], signal=[1] * 4
    )
    found = run(panel, engine, LONG.stop(0.1))
    assert found.trades["exit_price"].to_list() == [fill]
    mirrored = bars(
        [10, 10, 10.2, 10.2],
        open=[10, 10, 20 - opened, 10.2],
        high=[10, 10, 20 - low, 10.2],
        signal=[-1] * 4,
    )
    short = run(mirrored, engine, BOTH.stop(0.1), direction="both")
    expected = None if fill is None else pytest.approx(20 - fill)
    assert short.trades["exit_price"].to_list() == [expected]


def test_backtest_rule_14_a_stop_never_fills_outside_of_a_bar_without_open(engine: Any) -> None:
    panel = bars(
        [10, 10, 8, 8],
        open=[10, 10, NAN, 8],
        high=[10, 10, 8.5, 8],
        low=[10, 10, 7.5, 8],
        signal=[1] * 4,
    )
    assert run(panel, engine, LONG.stop(0.1)).trades["exit_price"].to_list() == [8.5]
    assert run(panel, engine, LONG.stop(0.2)).trades["exit_price"].to_list() == [8]
    mirrored = bars(
        [10, 10, 12, 12],
        open=[10, 10, NAN, 12],
        high=[10, 10, 12.5, 12],
        low=[10, 10, 11.5, 12],
        signal=[-1] * 4,
    )
    short = run(mirrored, engine, BOTH.stop(0.1), direction="both")
    assert short.trades["exit_price"].to_list() == [11.5]


def test_backtest_rule_14_a_fill_at_the_open_can_be_stopped_in_its_bar(engine: Any) -> None:
    panel = bars([10, 10, 10], open=[10, 10, 10], low=[10, 8, 10], signal=[1, 1, 1])
    stopped = run(panel, engine, LONG.stop(0.1), fill="next_open")
    assert stopped.trades["exit_price"].to_list() == [9]
    # A fill at the close has not seen the low of its own bar.
    assert run(panel, engine, LONG.stop(0.1)).trades["is_open"].to_list() == [True]


def test_backtest_rule_15_a_trailing_stop_follows_the_bars_before(engine: Any) -> None:
    panel = bars(
        [10, 10, 19, 19, 19],
        open=[10, 10, 10, 19, 19],
        high=[10, 10, 20, 19, 19],
        low=[10, 10, 10, 17, 19],
        signal=[1] * 5,
    )
    # In the bar of the high of 20 the stop is still 9; in the next it is 18.
    found = run(panel, engine, LONG.trailing_stop(0.1))
    assert found.trades["exit_price"].to_list() == [18]
    assert found.trades["bars"].to_list() == [2]


def test_backtest_rule_16_a_time_exit_counts_bars_from_the_entry(engine: Any) -> None:
    found = run(bars([1, 2, 3, 4, 5, 6], signal=[1] * 6), engine, LONG.time_exit(2))
    assert found.trades["entry_price"].to_list() == [2]
    assert found.trades["exit_price"].to_list() == [4]


def test_backtest_rule_17_an_early_exit_waits_for_a_new_beginning(engine: Any) -> None:
    signal = [1, 1, 1, 1, 0, 1, 1, 1]
    found = run(bars([1, 2, 3, 4, 5, 6, 7, 8], signal=signal), engine, LONG.time_exit(1))
    assert found.trades["entry_price"].to_list() == [2, 7]
    events = r.enter_long(r.volume > 0).exit_long(r.volume < 0).time_exit(1)
    again = run(bars([1, 2, 3, 4, 5], signal=[1, 0, 1, 0, 0]), engine, events)
    assert again.trades["entry_price"].to_list() == [2, 4]


def test_backtest_rule_17_a_side_that_begins_beside_the_other_counts_once_that_one_ends(
    engine: Any,
) -> None:
    # Long below 2.5 and short above 1.5: at 2 both are true, and the short side begins there.
    levels = r.long_when(r.volume < 2.5).short_when(r.volume > 1.5).time_exit(1)
    panel = bars([1, 2, 3, 4, 5, 6], signal=[1, 1, 1, 2, 3, 3])
    found = run(panel, engine, levels, direction="both")
    assert found.trades.select("side", "entry_price").rows() == [("long", 2), ("short", 6)]
    # 1 enters long, 2 enters short, 3 leaves short; 5 is nothing.
    entered = r.enter_long(r.volume < 1.5).exit_long(r.volume < 0)
    short = entered.enter_short((r.volume > 1.5) & (r.volume < 2.5))
    events = short.exit_short((r.volume > 2.5) & (r.volume < 3.5)).time_exit(1)
    panel = bars([1, 2, 3, 4, 5, 6, 7], signal=[1, 5, 2, 1, 3, 5, 5])
    found = run(panel, engine, events, direction="both")
    assert found.trades.select("side", "entry_price").rows() == [("long", 2), ("long", 6)]


def test_backtest_rule_18_ruin_ends_an_account(engine: Any) -> None:
    panel = bars([10, 10, 25, 5, 5], signal=[-1, -1, -1, -1, -1])
    found = run(panel, engine, BOTH, direction="both")
    np.testing.assert_array_equal(found.equity, [1, 1, 0, 0, 0])
    np.testing.assert_array_equal(found.returns, [0, 0, -1, 0, 0])
    assert found.total_return == -1.0
    assert found.trades["is_open"].to_list() == [False]


def test_backtest_rule_26_equity_is_after_the_fills_and_returns_are_as_many(engine: Any) -> None:
    found = run(bars([10, 10, 20, 10], signal=[1, 1, 0, 0]), engine, fees_bps=100)
    units = 1 / (10 * 1.01)
    end = units * 10 * 0.99
    np.testing.assert_allclose(found.equity, [1, units * 10, units * 20, end], rtol=1e-14)
    np.testing.assert_allclose(np.cumprod(1 + found.returns), found.equity, rtol=1e-14)
    assert len(found.returns) == 4


def test_backtest_rule_27_an_open_trade_counts_and_is_marked(engine: Any) -> None:
    found = run(bars([1, 2, 4], signal=[1, 1, 1]), engine, fees_bps=100)
    row = found.trades.row(0, named=True)
    assert (row["is_open"], row["exit_time"], row["exit_price"]) == (True, None, None)
    assert row["trade_return"] == pytest.approx(4 / (2 * 1.01) - 1)


def test_backtest_rule_28_metrics_are_those_of_quantkit(engine: Any) -> None:
    rng = np.random.default_rng(4)
    closes = (100 * np.exp(np.cumsum(rng.normal(0, 0.02, 200)))).tolist()
    found = run(bars(closes, signal=rng.choice([0, 1], 200).tolist()), engine, fees_bps=5)
    for name, value in found.metrics().items():
        if name != "n_trades":
            assert value == getattr(quantkit, name)(found.returns)
    flat = run(bars([1, 1, 1], signal=[0, 0, 0]), engine)
    assert np.isnan(flat.sharpe)


def test_backtest_rule_29_the_future_changes_nothing_before_it(engine: Any) -> None:
    rng = np.random.default_rng(9)
    closes = (100 * np.exp(np.cumsum(rng.normal(0, 0.02, 120)))).tolist()
    rule = (
        r.long_when(r.rsi(r.close, 5) > 50)
        .short_when(r.zscore(r.close, 7) < r.lag(r.zscore(r.close, 7), 1))
        .trailing_stop(0.02)
    )
    whole = run(bars(closes, signal=[0] * 120), engine, rule, direction="both", size=0.7)
    part = run(bars(closes[:80], signal=[0] * 80), engine, rule, direction="both", size=0.7)
    np.testing.assert_array_equal(whole.equity[:80], part.equity)


def test_every_rule_of_the_page_has_its_test() -> None:
    numbers = {int(found) for found in re.findall(r"^(\d+)\. ", PAGE.read_text(), re.MULTILINE)}
    here = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    tested = {int(found) for found in re.findall(r"def test_backtest_rule_(\d\d)_", here)}
    assert numbers == tested
    assert numbers == set(range(1, max(numbers) + 1))
