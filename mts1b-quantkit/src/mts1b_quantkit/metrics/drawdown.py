"""How far below its best the capital has been. The starting capital is the first peak."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from mts1b_quantkit.arrays import FloatArray, as_table
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.metrics.columns import reduce_columns

__all__ = ["average_drawdown", "drawdown_series", "drawdowns", "max_drawdown"]


def drawdown_series(returns: Any) -> Any:
    """Return wealth over its running peak, less one: (T,) or (T, K), zero or negative."""
    table = as_table(returns)
    return table.rows(drawdowns(table.matrix))


def max_drawdown(returns: Any) -> Any:
    """Return the deepest drawdown, zero or negative."""
    return reduce_columns(returns, lambda values: drawdowns(values).min(axis=0))


def average_drawdown(returns: Any, *, over: Literal["periods", "episodes"] = "periods") -> Any:
    """Return the mean drawdown, zero or negative.

    ``periods``: the mean of the drawdown series (Chekhlov, Uryasev and Zabarankin 2005, the limit
    of conditional drawdown at confidence 0). ``episodes``: the mean depth of the separate
    drawdowns, from peak to recovery, the last one included (Bacon 2008); zero where there is none.

    :raises BadInput: for another ``over``.
    """
    if over not in ("periods", "episodes"):
        raise BadInput(f"over is {over!r}; use 'periods' or 'episodes'")
    if over == "periods":
        return reduce_columns(returns, lambda values: drawdowns(values).mean(axis=0))
    return reduce_columns(
        returns, lambda values: np.array([_mean_depth(path) for path in drawdowns(values).T])
    )


def drawdowns(values: FloatArray) -> FloatArray:
    """Return the drawdown path of each column."""
    with np.errstate(over="ignore", invalid="ignore"):
        wealth = np.cumprod(1.0 + values, axis=0)
    if not np.isfinite(wealth[-1]).all():  # what leaves the range of numbers never comes back
        return _step_by_step(values)
    peak = np.maximum.accumulate(wealth, axis=0)
    np.maximum(peak, 1.0, out=peak)
    wealth /= peak
    wealth -= 1.0
    return np.asarray(wealth)


def _step_by_step(values: FloatArray) -> FloatArray:
    """Keep wealth over its peak alone, where wealth itself leaves the range of numbers."""
    result = np.empty_like(values)
    below = np.ones(values.shape[1])
    for row, change in enumerate(values):
        below = np.minimum(below * (1.0 + change), 1.0)
        result[row] = below
    return result - 1.0


def _mean_depth(path: FloatArray) -> float:
    under = path < 0.0
    starts = np.flatnonzero(under & ~np.concatenate(([False], under[:-1])))
    if len(starts) == 0:
        return 0.0
    return float(np.minimum.reduceat(path, starts).mean())
