"""Walk forward: choose parameters on the past, use them on what follows, move on.

The windows are quantkit's; here are the sweeps on them. The package exports it as ``walk_forward``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from mts1b_quantkit.cv import WalkForward
from mts1b_quantkit.errors import BadInput

from mts1b_GPUbacktester.collect import SMALLER_IS_BETTER
from mts1b_GPUbacktester.engines import EngineName, SweepBlock
from mts1b_GPUbacktester.engines.choose import choose_for_sweep
from mts1b_GPUbacktester.engines.port import Engine, check_metrics, measure
from mts1b_GPUbacktester.errors import BadSetting
from mts1b_GPUbacktester.grid import Grid, Params, parameter_sets, parse_bytes
from mts1b_GPUbacktester.panels import PanelLike, Prices, panel_from
from mts1b_GPUbacktester.rules import Rule
from mts1b_GPUbacktester.semantics import FloatArray, Settings
from mts1b_GPUbacktester.single import run_window
from mts1b_GPUbacktester.sweep import cuts_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

__all__ = ["WalkForwardResult", "run_walk_forward"]


@dataclass(frozen=True, slots=True)
class WalkForwardResult:
    """What the chosen parameters did on bars that had no part in the choice.

    ``folds`` has one row a fold: train_start, train_end, test_start, test_end, the parameters, and
    the metric on both windows. ``returns``, ``equity`` and ``dates`` join the test windows.
    ``efficiency`` is the mean of the metric out of sample over that in sample.
    """

    folds: pl.DataFrame
    dates: Sequence[Any]
    returns: FloatArray
    equity: FloatArray
    by: str
    n_trials: int
    settings: Settings
    efficiency: float

    def metrics(self) -> dict[str, float]:
        """Return the metrics of the joined test windows, by quantkit's definitions."""
        names = ("total_return", "sharpe", "max_drawdown", "annual_volatility", "calmar", "sortino")
        found = measure(self.returns[:, None], np.zeros(1, dtype=np.int64), self.settings, names)
        return {name: float(values[0]) for name, values in found.items()}


def run_walk_forward(
    panel: PanelLike,
    rule: Rule,
    *,
    grid: Grid,
    train: int,
    test: int,
    where: Callable[[Params], bool] | None = None,
    step: int | None = None,
    expanding: bool = False,
    purge: int = 0,
    by: str = "sharpe",
    engine: EngineName = "auto",
    memory_budget: str | int = "1GiB",
    **settings: Any,
) -> WalkForwardResult:
    """Choose the set with the best mean over symbols on each training window; trade it on the test.

    A training window stands alone: averages warm up inside it. A test window is warm from the bars
    before it, starts flat with fresh capital, and its first decision is that of the bar before.
    Where the metric of no set is known in training, as where none of them traded, nothing is chosen
    (the parameters are null) and nothing is traded.

    :param train: bars of a training window, ``test`` of the window after it; ``step`` (``test`` or
        more), ``expanding`` and ``purge`` are those of :class:`mts1b_quantkit.cv.WalkForward`.
    :param by: the metric of the choice.
    :param settings: fill, fees_bps, slippage_bps, borrow_bps, direction, size, periods_per_year.
    :raises BadPanel, BadRule, BadSetting, EngineMissing: saying what, and what to change.
    """
    (by,) = check_metrics([by])
    used = Settings(**settings)
    prices = Prices.of(panel_from(panel))
    budget = parse_bytes(memory_budget) // 2
    sets = parameter_sets(rule, grid, where, size=used.fraction, budget=budget)
    bars = prices.close.shape[1]
    for name, given in (("train", train), ("test", test), ("purge", purge)):
        if isinstance(given, bool) or not isinstance(given, (int, np.integer)):
            raise BadSetting(f"{name} {given!r} must be a whole number of bars")
    if train < 2 or test < 1 or train + purge + test > bars:
        raise BadSetting(
            f"train {train}, purge {purge} and test {test} must be at least 2, 0 and 1 bars, and "
            f"fit into the {bars} of the panel"
        )
    whole = SweepBlock(prices, rule, sets, used, (by,), budget)
    worker, choice = choose_for_sweep(engine, whole)
    try:
        splits = WalkForward(train, test, step=step, expanding=expanding, purge=purge)
    except BadInput as error:
        raise BadSetting(str(error)) from None
    if splits.step < test:
        raise BadSetting(
            f"step {step} is less than test {test}: bars of the windows that overlap would count "
            "twice; give a step of test or more"
        )
    walk = _Walk(prices, rule, sets, used, by, worker, choice.name, budget)
    folds = [walk.fold(past, coming) for past, coming in splits.split(np.empty((bars, 1)))]
    return _joined(folds, by, len(sets), used)


@dataclass(frozen=True, slots=True)
class _Fold:
    row: dict[str, Any]
    dates: list[Any]
    returns: FloatArray


@dataclass(frozen=True, slots=True)
class _Walk:
    """What all folds share."""

    prices: Prices
    rule: Rule
    sets: list[Params]
    settings: Settings
    by: str
    engine: Engine
    name: EngineName
    budget: int

    def fold(self, past: Any, coming: Any) -> _Fold:
        """Choose on the bars ``past`` and trade on the bars ``coming``."""
        window = self.prices.during(slice(int(past[0]), int(past[-1]) + 1))
        block = SweepBlock(window, self.rule, self.sets, self.settings, (self.by,), self.budget)
        measured = np.empty((len(self.sets), len(window.symbols)))
        for rows, assets, part in cuts_for(block, self.engine):
            measured[rows, assets] = self.engine.sweep(part).values[self.by]
        place, score = _best(measured, self.by)
        bars = slice(int(coming[0]), int(coming[-1]) + 1)
        chosen: Mapping[str, Any] = dict.fromkeys(self.sets[0])
        returns, reached = np.zeros(len(coming)), float("nan")
        if not np.isnan(score):
            chosen = self.sets[place]
            result = run_window(self.prices, self.rule, chosen, bars, self.settings, self.name)
            returns, reached = result.returns, result.metrics()[self.by]
        dates = self.prices.dates
        row = {
            "train_start": dates[int(past[0])],
            "train_end": dates[int(past[-1])],
            "test_start": dates[bars.start],
            "test_end": dates[bars.stop - 1],
            **chosen,
            f"train_{self.by}": score,
            f"test_{self.by}": reached,
        }
        return _Fold(row, list(dates[bars]), returns)


def _best(values: FloatArray, by: str) -> tuple[int, float]:
    """Return the first set with the best mean over its symbols, and that mean."""
    known = np.isfinite(values)
    mean = np.where(known, values, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    signed = -mean if by in SMALLER_IS_BETTER else mean
    place = int(np.argmax(np.where(known.any(axis=1), signed, -np.inf)))
    return place, float(mean[place]) if known[place].any() else float("nan")


def _joined(folds: list[_Fold], by: str, trials: int, settings: Settings) -> WalkForwardResult:
    import polars as pl

    table = pl.DataFrame([fold.row for fold in folds], infer_schema_length=None)
    returns = np.concatenate([fold.returns for fold in folds])
    means: Mapping[str, float] = {
        name: float(np.mean(table[f"{name}_{by}"].to_numpy())) for name in ("train", "test")
    }
    return WalkForwardResult(
        folds=table,
        dates=[moment for fold in folds for moment in fold.dates],
        returns=returns,
        equity=np.asarray(np.cumprod(1.0 + returns), dtype=np.float64),
        by=by,
        n_trials=trials,
        settings=settings,
        efficiency=means["test"] / means["train"] if means["train"] else float("nan"),
    )
