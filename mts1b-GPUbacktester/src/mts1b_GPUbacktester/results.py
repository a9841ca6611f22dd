"""What a backtest gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mts1b_GPUbacktester.engines import EngineChoice
from mts1b_GPUbacktester.engines.port import METRICS, measure, returns_of
from mts1b_GPUbacktester.errors import BadSetting
from mts1b_GPUbacktester.semantics import FloatArray, Settings

if TYPE_CHECKING:
    import polars as pl

__all__ = ["BacktestResult", "SweepResult"]

_SMALLER_IS_BETTER = frozenset({"annual_volatility", "n_trades"})


@dataclass(frozen=True, slots=True)
class SweepResult:
    """All parameter sets of a sweep.

    ``table`` has one row per symbol and parameter set: ``symbol``, the parameters, the metrics.
    ``timings`` are seconds: ``compile`` and ``run``.
    """

    table: pl.DataFrame
    n_trials: int
    engine: EngineChoice
    timings: dict[str, float]
    settings: Settings

    def best(self, k: int = 10, *, by: str = "sharpe") -> pl.DataFrame:
        """Return the ``k`` best rows; undefined values come last, ties in the order of the grid.

        :raises BadSetting: for a metric that the sweep did not measure.
        """
        import polars as pl

        if by not in METRICS or by not in self.table.columns:
            known = ", ".join(name for name in self.table.columns if name in METRICS)
            raise BadSetting(f"by={by!r} was not measured; choose from {known}")
        key = pl.col(by).fill_nan(None)
        return self.table.sort(
            key, descending=by not in _SMALLER_IS_BETTER, nulls_last=True, maintain_order=True
        ).head(k)

    def to_parquet(self, path: Path | str) -> None:
        """Write the table as parquet."""
        self.table.write_parquet(path)


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """One simulation.

    ``returns`` and ``equity`` are (T,), ``weights`` (T, A) at the close of each bar. ``costs`` is
    what fees and slippage took, in units of the starting equity. ``trades`` has one row a trade.
    """

    dates: Sequence[Any]
    symbols: tuple[str, ...]
    returns: FloatArray
    equity: FloatArray
    weights: FloatArray
    trades: pl.DataFrame
    costs: float
    settings: Settings
    sharpe: float
    total_return: float
    max_drawdown: float

    def metrics(self) -> dict[str, float]:
        """Return every metric of a sweep, by quantkit's definitions."""
        counts = np.array([self.trades.height])
        found = measure(self.returns[:, None], counts, self.settings, METRICS)
        return {name: float(values[0]) for name, values in found.items()}


def backtest_result(
    *,
    dates: Sequence[Any],
    symbols: tuple[str, ...],
    equity: FloatArray,
    start_equity: float,
    weights: FloatArray,
    trades: pl.DataFrame,
    costs: float,
    settings: Settings,
) -> BacktestResult:
    """Measure an equity path and wrap it up."""
    returns = returns_of(equity / start_equity)
    wanted = ("sharpe", "total_return", "max_drawdown")
    found = measure(returns[:, None], np.array([trades.height]), settings, wanted)
    return BacktestResult(
        dates=dates,
        symbols=symbols,
        returns=returns,
        equity=equity,
        weights=weights,
        trades=trades,
        costs=costs,
        settings=settings,
        **{name: float(found[name][0]) for name in wanted},
    )
