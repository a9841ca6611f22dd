"""The account of a live desk: by hand, exact against compiled, and what it refuses."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_GPUbacktester import BadPanel, BadSetting, panel_from
from mts1b_GPUbacktester import rules as r
from mts1b_GPUbacktester.desk import DeskTerms, desk_panel, rule_wishes, run_desk
from mts1b_GPUbacktester.semantics import Settings

NAN = float("nan")


def panel(closes: Any, opens: Any = None, volume: Any = None) -> Any:
    close = np.asarray(closes, dtype=float)
    opened = close if opens is None else np.asarray(opens, dtype=float)
    fields = {"open": opened, "high": np.maximum(opened, close), "low": np.minimum(opened, close)}
    given = {} if volume is None else {"volume": np.asarray(volume, dtype=float)}
    return desk_panel(panel_from({**fields, "close": close, **given}))


def wishes(*values: float) -> Any:
    return np.array(values)[:, None]


def random_panel(seed: int, bars: int = 40, assets: int = 3) -> Any:
    rng = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(rng.normal(0, 0.03, size=(bars, assets)), axis=0))
    opened = close * np.exp(rng.normal(0, 0.01, size=close.shape))
    return panel(np.round(close, 2), np.round(opened, 2))


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_a_desk_sizes_at_the_close_and_pays_at_the_next_open(engine: Any) -> None:
    terms = DeskTerms(initial_cash=1000.0, fees_bps=10.0, slippage_bps=100.0)
    run = run_desk(
        panel([30.0, 31.0, 33.0, 32.0], opens=[30.0, 31.5, 32.5, 32.0]),
        wishes(1.0, NAN, 0.0, NAN),
        terms,
        engine=engine,
    )
    # 1000 / 30 is 33 lots; at 31.5 they cost more than there is: cash goes below zero.
    assert [(o.bar, int(o.units)) for o in run.orders] == [(0, 33), (2, -33)]
    bought, sold = run.fills
    assert (bought.bar, bought.price, bought.fee) == (1, Decimal("31.815"), Decimal("1.05"))
    assert (sold.bar, sold.price, sold.fee) == (3, Decimal("31.68"), Decimal("1.05"))
    cash = Decimal(1000) - 33 * bought.price - bought.fee
    end = cash + 33 * sold.price - sold.fee
    navs = [1000.0, float(cash + 33 * 31), float(cash + 33 * 33), float(end)]
    np.testing.assert_allclose(run.nav, navs, rtol=1e-14)


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_through_zero_it_closes_before_it_opens_and_small_changes_stay(engine: Any) -> None:
    terms = DeskTerms(initial_cash=10_000.0, fees_bps=0.0)
    prices = panel([100.0] * 5)
    run = run_desk(prices, wishes(0.5, 0.505, -0.5, 0.0, NAN), terms, engine=engine)
    assert [(o.bar, int(o.units)) for o in run.orders] == [(0, 50), (2, -50), (2, -50), (3, 50)]
    assert [f.bar for f in run.fills] == [1, 3, 3, 4]
    assert (run.nav == 10_000.0).all()


@given(
    seed=st.integers(0, 10_000),
    fees=st.sampled_from([0.0, 1.0, 7.5]),
    slippage=st.sampled_from([0.0, 2.0]),
    lot=st.sampled_from([1.0, 10.0, 0.01]),
)
@settings(max_examples=60, deadline=None)
def test_the_compiled_desk_is_the_exact_one(
    seed: int, fees: float, slippage: float, lot: float
) -> None:
    rng = np.random.default_rng(seed + 1)
    prices = random_panel(seed)
    wanted = np.where(
        rng.random(prices.shape) < 0.6, NAN, np.round(rng.normal(0, 0.5, prices.shape), 3)
    )
    terms = DeskTerms(
        initial_cash=250_000.0, fees_bps=fees, slippage_bps=slippage, lot=lot, no_trade_band=0.01
    )
    exact, fast = (run_desk(prices, wanted, terms, engine=name) for name in ("numpy", "numba"))
    assert exact.orders == fast.orders
    assert exact.fills == fast.fills
    assert len(exact.fills) > 20
    np.testing.assert_allclose(fast.nav, exact.nav, rtol=1e-12)


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_the_wishes_of_a_rule_are_its_trades(engine: Any) -> None:
    prices = random_panel(3)
    rule = r.long_when(r.close > r.sma(r.close, r.param("n"))).time_exit(4)
    found = rule_wishes(prices, rule, {"n": 5}, Settings(direction="both", size=0.3), engine=engine)
    known = found[~np.isnan(found)]
    assert set(known.tolist()) == {-0.3, 0.0, 0.3}
    assert len(known) > 30


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_a_stop_is_known_at_the_close_of_its_bar(engine: Any) -> None:
    prices = panel([100.0, 100.0, 100.0, 80.0, 81.0, 80.0, 82.0])
    rule = r.long_when((r.close > 81.5) | (r.close < 80.5))
    found = rule_wishes(prices, rule.stop(0.1), {}, Settings(), engine=engine)
    # Bought in bar 1, stopped in bar 3, wished anew (after bar 4) at bar 5.
    assert found[:, 0].tolist() == pytest.approx([1, NAN, NAN, 0, NAN, 1, NAN], nan_ok=True)
    timed = rule_wishes(prices, rule.stop(0.5).time_exit(2), {}, Settings(), engine=engine)
    assert timed[:, 0].tolist() == pytest.approx([1, NAN, 0, NAN, NAN, 1, NAN], nan_ok=True)


def test_what_a_desk_can_not_do_is_refused() -> None:
    prices = panel([10.0, 11.0, 12.0], volume=[5.0, 5.0, 5.0])
    for engine in ("numpy", "numba"):
        with pytest.raises(BadSetting, match=r"100000 A0 meets a volume of 5 in bar 1"):
            run_desk(prices, wishes(1.0, NAN, NAN), DeskTerms(), engine=engine)  # type: ignore[arg-type]
    with pytest.raises(BadPanel, match=r"open of A0 at 1 is missing"):
        panel([10.0, NAN, 12.0])
    rule = r.long_when(r.close > 1.0)
    with pytest.raises(BadSetting, match="next open"):
        rule_wishes(prices, rule, {}, Settings(fill="next_close"))
    with pytest.raises(BadSetting, match="shape"):
        run_desk(prices, np.zeros((2, 1)), DeskTerms())
    for wrong in ({"lot": 0.0}, {"fees_bps": -1.0}, {"no_trade_band": 1.0}, {"volume_share": 0.0}):
        with pytest.raises(BadSetting):
            DeskTerms(**wrong)


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_a_ruined_account_has_no_decision_to_compare(engine: Any) -> None:
    prices = panel([10.0, 10.0, 25.0, 12.0])
    with pytest.raises(BadSetting, match="A0 is ruined in bar 2"):
        rule_wishes(
            prices, r.short_when(r.close > 1.0), {}, Settings(direction="short"), engine=engine
        )


def test_a_price_below_the_step_of_a_desk_is_named_as_it_is() -> None:
    with pytest.raises(BadPanel, match="open of A0 at 1 is 2e-08; a desk knows prices to six"):
        panel([1.0, 2e-8])
