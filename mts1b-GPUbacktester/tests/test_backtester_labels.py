"""Frames of weights, scores and prices are read by their labels, never by position against them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from mts1b_GPUbacktester import BadPanel, BadSetting, panel_from, run_portfolio, run_single
from mts1b_GPUbacktester import rules as r
from mts1b_quantkit.cost_models import BpsFee, FixedBpsSlippage

BARS, NAMES = 6, ["SPY", "AAA"]
DAYS = pd.date_range("2024-03-01", periods=BARS)
CLOSE = pd.DataFrame(
    np.column_stack((100.0 * 1.01 ** np.arange(BARS), 50.0 * 0.98 ** np.arange(BARS))), DAYS, NAMES
)
WEIGHTS = pd.DataFrame({"SPY": 1.0, "AAA": 0.0}, DAYS)
LONG = CLOSE.reset_index(names="date").melt("date", var_name="symbol", value_name="close")
SAME: dict[str, Any] = {
    "as they stand": WEIGHTS,
    "columns in another order": WEIGHTS[NAMES[::-1]],
    "rows in another order": WEIGHTS[::-1],
    "a column of dates": WEIGHTS.reset_index(names="date"),
    "polars with dates": pl.from_pandas(WEIGHTS[NAMES[::-1]].reset_index(names="date")),
    "polars without": pl.from_pandas(WEIGHTS[NAMES[::-1]]),
    "numbered rows": WEIGHTS.reset_index(drop=True)[NAMES[::-1]],
    "days for times": WEIGHTS[::-1].set_axis(DAYS.date[::-1]),
    "no labels": pd.DataFrame(WEIGHTS.to_numpy()),
    "no labels, in a frame of dates": pd.DataFrame(WEIGHTS.to_numpy(), DAYS),
    "an array": WEIGHTS.to_numpy(),
}
OTHER: dict[str, tuple[Any, str]] = {
    "another symbol": (
        WEIGHTS.rename(columns={"SPY": "QQQ"}),
        r"target_weights has no column 'SPY'; its columns are QQQ, AAA",
    ),
    "a symbol more": (WEIGHTS.assign(QQQ=0.0), "has a column 'QQQ', which is no symbol"),
    "other days": (
        WEIGHTS.set_axis(DAYS + pd.Timedelta(days=1)),
        "has no row for 2024-03-01.*reindex it",
    ),
    "some days": (WEIGHTS[::2], "has no row for 2024-03-02.*reindex it"),
    "a day more": (
        pd.concat([WEIGHTS, WEIGHTS[:1].set_axis(DAYS[:1] - pd.Timedelta(days=1))]),
        "has a row for 2024-02-29.*no bar",
    ),
    "a day twice": (WEIGHTS.set_axis(DAYS[:1].append(DAYS[:-1])), "two rows for 2024-03-01"),
    "a zone": (WEIGHTS.tz_localize("UTC"), "has no row for 2024-03-01"),
}


@pytest.mark.parametrize("name", SAME)
def test_weights_go_to_the_asset_and_the_bar_that_they_name(name: str) -> None:
    expected = run_portfolio(CLOSE, WEIGHTS.to_numpy(), fill="next_close").equity
    found = run_portfolio(CLOSE, SAME[name], fill="next_close").equity
    np.testing.assert_array_equal(found, expected)
    assert found[-1] > 1.0


def test_a_panel_without_labels_takes_weights_by_position() -> None:
    panel = {"close": CLOSE.to_numpy()}
    expected = run_portfolio(panel, WEIGHTS.to_numpy(), fill="next_close").equity
    np.testing.assert_array_equal(run_portfolio(panel, WEIGHTS, fill="next_close").equity, expected)


@pytest.mark.parametrize("name", OTHER)
def test_weights_for_other_assets_or_bars_are_refused(name: str) -> None:
    weights, message = OTHER[name]
    with pytest.raises(BadSetting, match=message):
        run_portfolio(CLOSE, weights, fill="next_close")


def test_a_pivot_sorts_the_columns_of_a_long_panel_otherwise() -> None:
    pivoted = LONG.pivot(index="date", columns="symbol", values="close")
    weights = (pivoted.pct_change() > 0.0).astype(float)
    assert list(weights) != list(panel_from(LONG).symbols)
    held = run_portfolio(LONG, weights, fill="next_close").weights[-1]
    assert held[list(panel_from(LONG).symbols).index("SPY")] > 0.9


@pytest.mark.parametrize(
    "make",
    [
        lambda scores: scores[NAMES[::-1]],
        lambda scores: scores[::-1],
        lambda scores: pl.from_pandas(scores[NAMES[::-1]]),
    ],
)
def test_scores_of_a_factor_are_those_of_the_asset_that_they_name(
    make: Callable[[pd.DataFrame], Any],
) -> None:
    scores = pd.DataFrame(np.tile([1.0, -1.0], (BARS, 1)), DAYS, NAMES)
    expected = run_single(panel=CLOSE, factor=lambda _: scores.to_numpy(), fill="next_close")
    found = run_single(panel=CLOSE, factor=lambda _: make(scores), fill="next_close")
    np.testing.assert_array_equal(found.equity, expected.equity)


def test_a_mapping_of_frames_has_their_times_and_symbols() -> None:
    turned = CLOSE[NAMES[::-1]][::-1]
    panel = panel_from({"close": CLOSE[::-1], "open": turned, "volume": turned * 0})
    np.testing.assert_array_equal(panel.close, CLOSE.to_numpy())
    np.testing.assert_array_equal(panel.open, CLOSE.to_numpy())
    assert list(panel.symbols) == NAMES
    assert [moment.date() for moment in panel.dates] == list(DAYS.date)
    run = run_single(
        panel={"close": CLOSE}, rule=r.long_when(r.close > 0), start="2024-03-03", fill="next_close"
    )
    assert run.dates[0].date() == date(2024, 3, 3)


def test_a_mapping_of_series_has_their_times() -> None:
    falling = CLOSE["SPY"][::-1].rename("close")
    panel = panel_from({"close": falling, "high": CLOSE["SPY"] * 2})
    np.testing.assert_array_equal(np.asarray(panel.close)[:, 0], CLOSE["SPY"])
    np.testing.assert_array_equal(np.asarray(panel.high), 2.0 * np.asarray(panel.close))
    assert list(panel.symbols) == ["A0"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"open": CLOSE.set_axis(DAYS + pd.Timedelta(days=1))}, "open has no row for 2024-03-01"),
        ({"high": CLOSE.rename(columns={"SPY": "QQQ"})}, "high has no column 'SPY'"),
        ({"dates": list(DAYS + pd.Timedelta(days=1))}, "close has no row for 2024-03-07"),
        ({"open": CLOSE[::-1], "high": CLOSE.to_numpy()}, "rows of open .* high has no times"),
        ({"symbols": ["SPY", "BBB"]}, "close has no column 'BBB'"),
    ],
)
def test_frames_of_a_mapping_that_do_not_fit_are_refused(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadPanel, match=message):
        panel_from({"close": CLOSE, **change})


def test_an_impact_for_a_symbol_that_is_not_there_is_refused() -> None:
    models = {"SPY": FixedBpsSlippage(bps=Decimal(3)), "aaa": FixedBpsSlippage(bps=Decimal(3))}
    with pytest.raises(BadSetting, match="impact names 'aaa', which is no symbol of the panel"):
        run_portfolio(CLOSE, WEIGHTS, fill="next_close", impact=models)


@pytest.mark.parametrize("given", [{"fees": BpsFee}, {"impact": FixedBpsSlippage}])
def test_a_class_of_models_is_no_model(given: dict[str, Any]) -> None:
    with pytest.raises(BadSetting, match=r"is no (fee|slippage) model of quantkit"):
        run_portfolio(CLOSE, WEIGHTS, fill="next_close", **given)


def test_what_is_under_a_mask_is_missing() -> None:
    """A vendor's -999 under the mask is no price, and no weight."""
    hidden = np.zeros(CLOSE.shape, bool)
    hidden[2:4, 1] = True
    masked = np.ma.array(np.where(hidden, 9999.0, CLOSE.to_numpy()), mask=hidden)
    missing = np.where(hidden, np.nan, CLOSE.to_numpy())
    rule = r.long_when(r.close > 0)
    whole = panel_from({"close": masked})
    for data in ({"close": masked}, replace(whole, close=masked)):
        for run in (
            lambda panel: run_single(panel=panel, rule=rule, fill="next_close").equity,
            lambda panel: run_portfolio(panel, WEIGHTS + 0.5, fill="next_close").equity,
        ):
            np.testing.assert_array_equal(run(data), run({"close": missing}))
    weights = np.ma.array(np.where(hidden, 9999.0, WEIGHTS.to_numpy()), mask=hidden)
    found = run_portfolio(CLOSE, weights, fill="next_close").equity
    expected = run_portfolio(CLOSE, weights.filled(np.nan), fill="next_close").equity
    np.testing.assert_array_equal(found, expected)


def test_rebalances_are_on_the_bars_that_a_series_names() -> None:
    weights = WEIGHTS.assign(SPY=np.linspace(0.1, 0.9, BARS))
    trading = pd.Series(np.arange(BARS) == 1, DAYS)
    expected = run_portfolio(CLOSE, weights, rebalance=trading.to_numpy(), fill="next_close")
    for given in (trading, trading[::-1]):
        found = run_portfolio(CLOSE, weights[::-1], rebalance=given, fill="next_close")
        np.testing.assert_array_equal(found.equity, expected.equity)
        assert found.n_trades == 1
    for wrong in (trading[1:], trading.set_axis(DAYS + pd.Timedelta(days=1))):
        with pytest.raises(BadSetting, match="rebalance has no row for 2024-03-01"):
            run_portfolio(CLOSE, weights, rebalance=wrong, fill="next_close")
    with pytest.raises(BadSetting, match="rebalance must be a number of bars"):
        run_portfolio(CLOSE, weights, rebalance=trading.astype(float), fill="next_close")
