"""Walk forward: by hand, without a view of the future, and the verdicts of the documentation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation.market_data import UniversePanel
from mts1b_quantkit import BadInput, NaNInput, metrics
from mts1b_quantkit.cv import Sizing, SizingMethod, Verdict, verdict, walk_forward
from mts1b_quantkit.factors import get


def panel_of(close: np.ndarray, first: date = date(2020, 1, 1)) -> UniversePanel:
    days = [first + timedelta(days=k) for k in range(len(close))]
    return UniversePanel(
        close=close,
        high=close,
        low=close,
        volume=np.ones_like(close),
        dates=days,
        symbols=[f"S{k}" for k in range(close.shape[1])],
    )


def walk_of_prices(rows: int, assets: int, seed: int, drift: float = 0.0) -> UniversePanel:
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 0.01, (rows, assets)) + drift * np.linspace(-1, 1, assets)
    return panel_of(100 * np.exp(np.cumsum(steps, axis=0)))


def last_return(panel: UniversePanel, /, *, h: int = 5, sign: float = 1.0) -> np.ndarray:
    close = np.asarray(panel.close)
    result = np.full(close.shape, np.nan)
    result[h:] = sign * (close[h:] / close[:-h] - 1.0)
    return result


GRID = {"h": [2, 5, 10], "sign": [1.0, -1.0]}
WINDOWS: dict[str, Any] = {"train_window": 60, "test_window": 20, "rebal": 5}
FEW = {"method": "equal_weight_ls", "n_long": 2, "n_short": 2, "gross": 1.0}


@pytest.mark.parametrize(
    ("out_of_sample", "wanted"),
    [
        (1.4, Verdict.ROBUST),
        (1.0, Verdict.ACCEPTABLE),
        (0.6, Verdict.REDESIGN),
        (-0.2, Verdict.ABANDON),
    ],
)
def test_the_documented_verdicts(out_of_sample: float, wanted: Verdict) -> None:
    """The table of the walk-forward recipe, for an in-sample Sharpe ratio of 1.5."""
    assert verdict(1.5, out_of_sample) is wanted


def test_verdicts_at_the_edges() -> None:
    assert verdict(-1.0, 2.0) is Verdict.ABANDON
    assert verdict(float("nan"), 1.0) is Verdict.ABANDON
    assert verdict(1.0, float("nan")) is Verdict.ABANDON
    with pytest.raises(BadInput, match="finite"):
        verdict(float("inf"), 1.0)


@settings(max_examples=50, deadline=None)
@given(inside=st.floats(0.01, 5), one=st.floats(-5, 5), other=st.floats(-5, 5))
def test_more_is_never_judged_worse(inside: float, one: float, other: float) -> None:
    order = [Verdict.ABANDON, Verdict.REDESIGN, Verdict.ACCEPTABLE, Verdict.ROBUST]
    low, high = sorted((one, other))
    assert order.index(verdict(inside, low)) <= order.index(verdict(inside, high))


def test_one_fold_by_hand() -> None:
    """Two assets, long the last winner against the last loser, daily, 10 bps."""
    close = np.array(
        [[90, 100], [100, 100], [110, 100], [110, 121], [121, 121], [121, 133.1], [120, 140]]
    )
    found = walk_forward(
        last_return,
        {"h": [1]},
        panel_of(close),
        train_window=4,
        test_window=3,
        rebal="daily",
        sizing={"method": "equal_weight_ls", "n_long": 1, "n_short": 1},
        cost_bps=10,
    )
    # Row 3: asset 1 rose 21 %, long it. Row 4: asset 0 rose. Row 5: asset 1 rose.
    w, wealth = np.zeros(2), []
    targets = [np.array([-0.5, 0.5]), np.array([0.5, -0.5]), np.array([-0.5, 0.5])]
    for row, target in zip((4, 5, 6), targets, strict=True):
        cost = 0.001 * np.abs(target - w).sum()
        gains = target * (close[row] / close[row - 1] - 1)
        wealth.append(gains.sum() - cost)
        w = (target + gains) / (1 + gains.sum())
    np.testing.assert_allclose(found.returns, wealth, rtol=1e-12)
    assert found.n_folds == 1
    assert found["agg_sharpe"] == pytest.approx(metrics.sharpe(wealth))
    assert found.folds[0].train == (date(2020, 1, 1), date(2020, 1, 4))
    assert found.dates == tuple(date(2020, 1, 5 + k) for k in range(3))
    assert np.isnan(found.agg_ic)


def test_the_documented_call_and_fields() -> None:
    found = walk_forward(
        factor=get("f_momentum_12_1"),
        params_grid={"h_long": [20, 40], "h_skip": [1, 5]},
        universe=walk_of_prices(700, 12, 1, drift=0.003),
        start="2020-03-01",
        end="2021-10-31",
        train_window=252,
        test_window=63,
        step=63,
        rebal="monthly",
        sizing={"method": "equal_weight_ls", "n_long": 3, "n_short": 3, "gross": 1.0},
        cost_bps=10,
    )
    assert found["n_folds"] == 5
    low, high = found["ci95_sharpe"]
    assert low < found["agg_sharpe"] < high
    assert found["agg_ic"] > 0.2
    assert found["agg_t_stat"] > 2
    assert set(found["best_params"]) == {"h_long", "h_skip"}
    assert 0.2 <= found["stability_score"] <= 1.0
    assert found["verdict"] in tuple(Verdict)
    assert len(found.returns) == len(found.dates) == 5 * 63
    assert found.dates[0] == date(2020, 3, 1) + timedelta(days=252)
    with pytest.raises(KeyError):
        found["sharpe"]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), cost=st.sampled_from([0.0, 5.0]), purge=st.integers(0, 5))
def test_nothing_after_a_row_changes_what_was_earned_in_it(
    seed: int, cost: float, purge: int
) -> None:
    whole = walk_of_prices(200, 6, seed)
    cut = panel_of(whole.close[:150])
    keys: dict[str, Any] = {**WINDOWS, "sizing": FEW, "cost_bps": cost, "purge": purge}
    one, other = (walk_forward(last_return, GRID, data, **keys) for data in (cut, whole))
    assert one.n_folds < other.n_folds
    np.testing.assert_array_equal(one.returns, other.returns[: len(one.returns)])


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.sampled_from([1e-6, 1e6]))
def test_the_unit_of_prices_is_no_matter(seed: int, scale: float) -> None:
    data = walk_of_prices(150, 6, seed)
    scaled = panel_of(data.close * scale)
    keys: dict[str, Any] = {**WINDOWS, "sizing": FEW}
    one, other = (walk_forward(last_return, GRID, p, **keys) for p in (data, scaled))
    np.testing.assert_allclose(one.returns, other.returns, atol=1e-12)


def test_costs_lower_the_result_and_noise_is_not_robust() -> None:
    data = walk_of_prices(900, 8, 4)
    keys: dict[str, Any] = {**WINDOWS, "sizing": FEW}
    free = walk_forward(last_return, GRID, data, **keys)
    dear = walk_forward(last_return, {"h": [5]}, data, cost_bps=50, **keys)
    assert dear.agg_sharpe < walk_forward(last_return, {"h": [5]}, data, **keys).agg_sharpe
    assert free.in_sample_sharpe > free.agg_sharpe
    assert dear.verdict is Verdict.ABANDON


def test_a_factor_that_looks_ahead_is_refused() -> None:
    def tomorrow(panel: UniversePanel, /, *, h: int = 1) -> np.ndarray:
        close = np.asarray(panel.close)
        return np.roll(close, -h, axis=0) / close - 1.0

    def of_the_sample(panel: UniversePanel, /) -> np.ndarray:
        close = np.asarray(panel.close)
        return close - close.mean(axis=0)

    data = walk_of_prices(150, 6, 0)
    with pytest.raises(BadInput, match="looks ahead"):
        walk_forward(tomorrow, {"h": [1]}, data, **WINDOWS)
    with pytest.raises(BadInput, match="looks ahead"):
        walk_forward(of_the_sample, {}, data, **WINDOWS)


@pytest.mark.parametrize("kind", ["pandas", "aware"])
def test_other_kinds_of_panel(kind: str) -> None:
    data = walk_of_prices(150, 6, 2)
    keys: dict[str, Any] = {**WINDOWS, "rebal": "weekly", "sizing": FEW}
    wanted = walk_forward(last_return, GRID, data, **keys)
    if kind == "pandas":
        frame = pd.DataFrame(data.close, index=pd.DatetimeIndex(data.dates), columns=data.symbols)
        other = UniversePanel(
            close=frame,
            high=frame,
            low=frame,
            volume=frame,
            dates=list(frame.index),
            symbols=data.symbols,
        )
    else:
        times = [datetime(d.year, d.month, d.day, 16, tzinfo=UTC) for d in data.dates]
        other = replace(data, dates=times)
    np.testing.assert_array_equal(
        walk_forward(last_return, GRID, other, **keys).returns, wanted.returns
    )


def test_an_asset_without_a_price() -> None:
    data = walk_of_prices(150, 6, 2)
    young = data.close.copy()
    young[:100, 0] = np.nan
    found = walk_forward(last_return, GRID, panel_of(young), **WINDOWS, sizing=FEW)
    assert np.isfinite(found.returns).all()
    halted = data.close.copy()
    halted[97:120] = np.where(np.arange(6) == 3, np.nan, halted[97:120])
    with pytest.raises(NaNInput, match="S3"):
        walk_forward(
            last_return,
            GRID,
            panel_of(halted),
            **WINDOWS,
            sizing={**FEW, "n_long": 3, "n_short": 3},
        )


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"universe": "us-large-cap"}, "UniversePanel"),
        ({"train_window": 200}, "too few"),
        ({"step": 10}, "overlap"),
        ({"params_grid": {"h": []}}, "no combination"),
        ({"params_grid": {"h": [100]}}, "nothing trades"),
        ({"rebal": "hourly"}, "hourly"),
        ({"cost_bps": -1}, "cost_bps is -1"),
        ({"start": "2021-01-01"}, "no row"),
        ({"start": "spring"}, "no date"),
        ({"sizing": {"n": 3}}, "'n'"),
        ({"sizing": {"method": "magic"}}, "magic"),
        ({"sizing": {"n_long": 0}}, "n_long is 0"),
        ({"sizing": {"gross": 0}}, "gross is 0"),
        ({"factor": lambda panel, /, h, sign: np.zeros((3, 3))}, "gives shape"),
    ],
)
def test_what_is_refused(keys: dict[str, Any], says: str) -> None:
    given_ = {
        "factor": last_return,
        "params_grid": GRID,
        "universe": walk_of_prices(150, 6, 0),
        **WINDOWS,
        **keys,
    }
    with pytest.raises(BadInput, match=says):
        walk_forward(**given_)


@settings(max_examples=50, deadline=None)
@given(
    scores=st.lists(st.one_of(st.floats(-3, 3), st.just(float("nan"))), min_size=2, max_size=12),
    method=st.sampled_from(list(SizingMethod)),
    n_long=st.integers(1, 5),
    n_short=st.integers(1, 5),
    gross=st.sampled_from([0.5, 1.0, 2.0]),
)
def test_weights_meet_the_gross(
    scores: list[float], method: SizingMethod, n_long: int, n_short: int, gross: float
) -> None:
    sizing = Sizing(method=method, n_long=n_long, n_short=n_short, gross=gross)
    values = np.array(scores)
    weights = sizing.weights(values)
    assert (weights[np.isnan(values)] == 0).all()
    known = values[~np.isnan(values)]
    if len(known) < 2 or np.ptp(known) == 0.0:
        assert not weights.any()
        return
    assert np.abs(weights).sum() == pytest.approx(gross)
    if method is SizingMethod.EQUAL_WEIGHT_LONG:
        assert (weights >= 0).all()
    else:
        assert weights.sum() == pytest.approx(0.0, abs=1e-12)
        assert (weights @ np.nan_to_num(values)) >= -1e-12
