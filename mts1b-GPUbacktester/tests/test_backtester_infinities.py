"""A division by zero is missing in the averages whose windows have it, and in no other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mts1b_foundation import UniversePanel
from mts1b_GPUbacktester import panel_from, run_sweep
from mts1b_GPUbacktester import rules as r
from mts1b_GPUbacktester.averages import Averages
from mts1b_GPUbacktester.engines.numba_averages import NumbaAverages
from mts1b_GPUbacktester.evaluate import Evaluator
from mts1b_GPUbacktester.panels import Prices
from mts1b_GPUbacktester.semantics import Settings
from mts1b_GPUbacktester.streaming import RuleStream

BARS, QUIET, WINDOW = 120, 40, 5
RATIO = r.close / r.volume
AVERAGES = {"sma": r.sma, "ema": r.ema, "wilder": r.wilder}


def panel() -> UniversePanel:
    """Return two assets; the first one has a day without volume, the second one opens with it."""
    rng = np.random.default_rng(5)
    close = 100 * np.exp(np.cumsum(rng.normal(0.0, 0.02, (BARS, 2)), 0))
    volume = rng.integers(1, 100, (BARS, 2)).astype(float)
    volume[QUIET, 0] = volume[0, 1] = 0.0
    return panel_from({"close": close, "open": close, "volume": volume})


@pytest.mark.parametrize("kind", [Averages, NumbaAverages])
@pytest.mark.parametrize("name", AVERAGES)
def test_an_average_recovers_from_a_division_by_zero(name: str, kind: Any) -> None:
    universe = panel()
    prices = Prices.of(universe)
    found = np.empty((1, 2, BARS))
    evaluator = Evaluator(prices, budget=2**20, averages=kind())
    evaluator.write([AVERAGES[name](RATIO, WINDOW)], slice(0, BARS), found)
    gone = {key: np.array(getattr(universe, key)) for key in ("close", "open", "volume")}
    for values in gone.values():
        values[QUIET, 0] = values[0, 1] = np.nan
    wanted = np.empty((1, 2, BARS))
    bare = Evaluator(Prices.of(panel_from(gone)), budget=2**20, averages=kind())
    bare.write([AVERAGES[name](RATIO, WINDOW)], slice(0, BARS), wanted)
    assert np.array_equal(found, wanted, equal_nan=True)
    assert np.isfinite(found[0, :, QUIET + WINDOW :]).all()


@pytest.mark.parametrize("name", AVERAGES)
def test_bar_by_bar_it_recovers_the_same(name: str) -> None:
    universe, setting = panel(), Settings()
    rule = r.long_when(AVERAGES[name](RATIO, WINDOW) > 0.0)
    whole = Evaluator(Prices.of(universe), budget=2**20).signals(rule, setting, {})
    stream = RuleStream(rule, setting, {}, assets=2)
    fields = {key: np.asarray(getattr(universe, key)) for key in ("close", "open", "volume")}
    wants = [stream.step({k: v[bar] for k, v in fields.items()}).want for bar in range(BARS)]
    assert np.array_equal(np.array(wants).T, whole.want)
    assert whole.want[:, -1].tolist() == [1, 1]


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_a_day_without_volume_ends_no_strategy(engine: Any) -> None:
    rule = r.long_when(r.sma(RATIO, WINDOW) > 0.0)
    table = run_sweep(panel(), rule, grid={}, engine=engine, progress=False).table
    # Out for the window with the quiet day, and in again: two trades of the first asset.
    assert table["n_trades"].to_list() == [2, 1]
