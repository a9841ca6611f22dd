"""What a backtest gives back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mts1b_GPUbacktester.collect import SMALLER_IS_BETTER
from mts1b_GPUbacktester.engines import EngineChoice, SweepBlock
from mts1b_GPUbacktester.engines.port import METRICS, measure, returns_of
from mts1b_GPUbacktester.errors import BadSetting
from mts1b_GPUbacktester.outputs import write_whole
from mts1b_GPUbacktester.semantics import FloatArray, Settings
from mts1b_GPUbacktester.store import Store
from mts1b_GPUbacktester.wholes import require_whole

if TYPE_CHECKING:
    import polars as pl

__all__ = ["BacktestResult", "SweepResult"]


@dataclass(frozen=True, slots=True)
class SweepResult:
    """All parameter sets of a sweep.

    ``table`` has one row per symbol and parameter set: ``symbol``, the parameters, the metrics; or
    the best rows where ``top`` was given. ``by_set`` has one row a set, with the mean of each
    metric over its symbols. ``timings`` are seconds: ``compile`` and ``run``, and on a GPU
    ``transfer``, which is a part of ``run``. ``source`` is what was run.
    """

    table: pl.DataFrame
    by_set: pl.DataFrame
    n_trials: int
    engine: EngineChoice
    timings: dict[str, float]
    settings: Settings
    source: SweepBlock
    store: Store | None = None

    def best(self, k: int = 10, *, by: str = "sharpe") -> pl.DataFrame:
        """Return the ``k`` best rows; undefined values come last, ties in the order of the grid.

        :raises BadSetting: for a metric that the sweep did not measure.
        """
        require_whole("k", k, 0)
        return self._ordered(self.table, by).head(k)

    def best_params(self, *, by: str = "sharpe") -> dict[str, Any]:
        """Return the parameters with the best mean over all symbols.

        :raises BadSetting: for a metric that the sweep did not measure.
        """
        row = self._ordered(self.by_set, by).row(0, named=True)
        return {name: row[name] for name in self.source.sets[0]}

    def heatmap(self, x: str, y: str, *, metric: str = "sharpe") -> pl.DataFrame:
        """Return the mean of a metric by two parameters: a row per ``y``, a column per ``x``.

        :raises BadSetting: for a name that is no parameter or metric of the sweep.
        """
        for name in (x, y):
            if name not in self.source.sets[0]:
                known = ", ".join(self.source.sets[0]) or "none"
                raise BadSetting(f"{name!r} is no parameter of the sweep; it has {known}")
        if x == y:
            raise BadSetting(f"x and y are both {x!r}; a map needs two parameters")
        self._check(metric)
        return (
            self.by_set.select(x, y, metric)
            .fill_nan(None)
            .sort(x)
            .pivot(on=x, index=y, values=metric, aggregate_function="mean")
            .sort(y)
        )

    def deflated(self) -> float:
        """Return the probability that the best set's Sharpe ratio is above zero, given the search.

        See :func:`mts1b_GPUbacktester.search.search_statistics`, which says more.
        """
        from mts1b_GPUbacktester.search import search_statistics

        return search_statistics(self).deflated_sharpe

    def report(self, path: Path | str) -> None:
        """Write an HTML page: what the search says of its best, the best rows, heat map, costs."""
        from mts1b_GPUbacktester.report import write_sweep

        write_sweep(self, path)

    def scan(self) -> pl.LazyFrame:
        """Return the whole table lazily: from the folder of ``out=`` where one was given."""
        return self.table.lazy() if self.store is None else self.store.scan()

    def to_parquet(self, path: Path | str) -> None:
        """Write the table as parquet.

        :raises NotWritten: as on a full disk; a file that was there is as it was.
        """
        write_whole(Path(path), self.table.write_parquet)

    def _check(self, metric: str) -> None:
        if metric not in self.source.metrics:
            known = ", ".join(self.source.metrics)
            raise BadSetting(f"by={metric!r} was not measured; choose from {known}")

    def _ordered(self, table: pl.DataFrame, by: str) -> pl.DataFrame:
        import polars as pl

        self._check(by)
        return table.sort(
            pl.col(by).fill_nan(None),
            descending=by not in SMALLER_IS_BETTER,
            nulls_last=True,
            maintain_order=True,
        )


@dataclass(frozen=True)
class BacktestResult:
    """One simulation.

    ``returns`` and ``equity`` are (T,). ``costs`` is what fees and slippage took, in units of the
    starting equity. ``n_trades`` counts round trips of a rule and fills of a portfolio.
    """

    dates: Sequence[Any]
    symbols: tuple[str, ...]
    returns: FloatArray
    equity: FloatArray
    n_trades: int
    costs: float
    settings: Settings
    engine: EngineChoice
    sharpe: float
    total_return: float
    max_drawdown: float
    find_weights: Callable[[], FloatArray]
    find_trades: Callable[[], pl.DataFrame]

    @cached_property
    def weights(self) -> FloatArray:
        """Return (T, A) at the close of each bar."""
        return self.find_weights()

    @cached_property
    def trades(self) -> pl.DataFrame:
        """Return one row a trade."""
        return self.find_trades()

    def report(self, path: Path | str) -> None:
        """Write an HTML page: metrics, equity, drawdown, trades."""
        from mts1b_GPUbacktester.report import write_backtest

        write_backtest(self, path)

    def metrics(self) -> dict[str, float]:
        """Return every metric of a sweep, by quantkit's definitions."""
        counts = np.array([self.n_trades])
        found = measure(self.returns[:, None], counts, self.settings, METRICS)
        return {name: float(values[0]) for name, values in found.items()}


def backtest_result(
    *,
    dates: Sequence[Any],
    symbols: tuple[str, ...],
    equity: FloatArray,
    start_equity: float,
    weights: Callable[[], FloatArray],
    trades: Callable[[], pl.DataFrame],
    n_trades: int,
    costs: float,
    settings: Settings,
    engine: EngineChoice,
    rounding: float | None = None,
) -> BacktestResult:
    """Measure an equity path and wrap it up; weights and trades are found when asked for.

    :param rounding: what it may leave of a return of zero; None for that of one account.
    """
    worth = equity / start_equity
    returns = returns_of(worth) if rounding is None else returns_of(worth, rounding)
    wanted = ("sharpe", "total_return", "max_drawdown")
    found = measure(returns[:, None], np.array([n_trades]), settings, wanted)
    return BacktestResult(
        dates=dates,
        symbols=symbols,
        returns=returns,
        equity=equity,
        n_trades=n_trades,
        costs=costs,
        settings=settings,
        engine=engine,
        find_weights=weights,
        find_trades=trades,
        **{name: float(found[name][0]) for name in wanted},
    )
