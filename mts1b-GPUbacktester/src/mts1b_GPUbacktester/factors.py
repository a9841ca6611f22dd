"""Sweep a factor over its parameters: each set is a portfolio rebalanced to its scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from mts1b_platform.clock import Clock, SystemClock

from mts1b_GPUbacktester.collect import SMALLER_IS_BETTER
from mts1b_GPUbacktester.engines import EngineChoice, EngineName
from mts1b_GPUbacktester.engines.port import check_metrics
from mts1b_GPUbacktester.errors import BadSetting
from mts1b_GPUbacktester.grid import Grid, Params, sets_of
from mts1b_GPUbacktester.panels import PanelLike, panel_from
from mts1b_GPUbacktester.portfolio import Rebalance
from mts1b_GPUbacktester.progress import Progress, reporter
from mts1b_GPUbacktester.search import deflated_of, overfitting_of
from mts1b_GPUbacktester.semantics import Fill, FloatArray, Settings
from mts1b_GPUbacktester.single import Factor, Sizer, run_single
from mts1b_GPUbacktester.sweep import DEFAULT_METRICS
from mts1b_GPUbacktester.wholes import require_whole

if TYPE_CHECKING:
    import polars as pl

__all__ = ["FactorSweep", "sweep_factor"]


@dataclass(frozen=True, slots=True)
class FactorSweep:
    """All parameter sets of a factor.

    ``table`` has one row a set, the parameters and the metrics; ``returns`` (T, P) those of each
    portfolio, in the order of the table. ``timings`` are seconds.
    """

    table: pl.DataFrame
    returns: FloatArray
    sets: list[Params]
    n_trials: int
    engine: EngineChoice
    timings: dict[str, float]
    settings: Settings
    metrics: tuple[str, ...]

    def best(self, k: int = 10, *, by: str = "sharpe") -> pl.DataFrame:
        """Return the ``k`` best rows; undefined values come last, ties in the order of the grid.

        :raises BadSetting: for a metric that was not measured, or no number of rows.
        """
        require_whole("k", k, 0)
        order: list[int] = self._order(by)[:k].tolist()
        return self.table[order]

    def best_params(self, *, by: str = "sharpe") -> Params:
        """Return the parameters of the best row."""
        return self.sets[int(self._order(by)[0])]

    def deflated(self) -> float:
        """Return the probability that the best set's Sharpe ratio is above zero, given the search.

        NaN for a single set (Bailey and Lopez de Prado 2014).
        """
        return deflated_of(self.returns[:, int(self._order("sharpe")[0])], self.returns)

    def overfitting_probability(self, *, n_splits: int = 10) -> float:
        """Return how often the best of one half ranks below the median in the other, or NaN."""
        return overfitting_of(self.returns, n_splits)

    def _order(self, by: str) -> Any:
        if by not in self.metrics:
            raise BadSetting(f"by={by!r} was not measured; choose from {', '.join(self.metrics)}")
        values = self.table[by].to_numpy().astype(np.float64)
        signed = values if by in SMALLER_IS_BETTER else -values
        return np.argsort(np.where(np.isnan(signed), np.inf, signed), kind="stable")


def sweep_factor(
    panel: PanelLike,
    factor: Factor,
    *,
    grid: Grid,
    where: Callable[[Params], bool] | None = None,
    sizer: Sizer | None = None,
    rebalance: Rebalance = 1,
    fill: Fill = "next_open",
    fees_bps: float = 5.0,
    slippage_bps: float = 0.0,
    borrow_bps: float = 0.0,
    periods_per_year: float = 252,
    start: Any = None,
    end: Any = None,
    engine: EngineName = "auto",
    metrics: Sequence[str] = DEFAULT_METRICS,
    progress: Progress = True,
    clock: Clock | None = None,
) -> FactorSweep:
    """Simulate a factor with every parameter set, each as :func:`run_single` does it.

    :param factor: ``factor(panel, **params)`` gives (T, A) scores; ``sizer(scores)`` turns them
        into target weights.
    :raises BadPanel, BadRule, BadSetting, EngineMissing: saying what, and what to change.
    """
    import polars as pl

    wanted, report = check_metrics(metrics), reporter(progress)
    clock = clock if clock is not None else SystemClock()
    universe, sets = panel_from(panel), sets_of(grid, where)
    began, rows, columns = clock.monotonic(), [], []
    for done, params in enumerate(sets, start=1):
        result = run_single(
            panel=universe, factor=factor, params=params, sizer=sizer, rebalance=rebalance,
            fill=fill, fees_bps=fees_bps, slippage_bps=slippage_bps, borrow_bps=borrow_bps,
            start=start, end=end, periods_per_year=periods_per_year, engine=engine,
        )  # fmt: skip
        found = result.metrics()
        rows.append({**params, **{name: found[name] for name in wanted}})
        columns.append(result.returns)
        report(done / len(sets))
    return FactorSweep(
        table=pl.DataFrame(rows, infer_schema_length=None),
        returns=np.column_stack(columns),
        sets=sets,
        n_trials=len(sets),
        engine=result.engine,
        timings={"run": clock.monotonic() - began},
        settings=result.settings,
        metrics=wanted,
    )
