"""How far below its best the capital has been. The starting capital is the first peak."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from mts1b_quantkit.arrays import FloatArray, as_table
from mts1b_quantkit.metrics.columns import reduce_columns
from mts1b_quantkit.metrics.sample import Sample
from mts1b_quantkit.scalars import read_choice

__all__ = [
    "average_drawdown",
    "average_drawdown_of",
    "drawdown_path",
    "drawdown_series",
    "max_drawdown",
    "max_drawdown_of",
]


def drawdown_series(returns: Any) -> Any:
    """Return wealth over its running peak, less one: (T,) or (T, K), zero or negative.

    >>> import numpy as np
    >>> from mts1b_quantkit.metrics import drawdown_series
    >>> drawdown_series([0.25, -0.5, 0.5]).tolist()
    [0.0, -0.5, -0.25]
    """
    table = as_table(returns)
    return table.rows(drawdown_path(table.matrix))


def max_drawdown(returns: Any) -> Any:
    """Return the deepest drawdown, zero or negative.

    >>> from mts1b_quantkit.metrics import max_drawdown
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(max_drawdown(returns), 6)
    -0.02
    """
    return reduce_columns(returns, max_drawdown_of)


def max_drawdown_of(sample: Sample) -> FloatArray:
    """Return the deepest drawdown of each series."""
    return sample.drawdowns.bottom


def average_drawdown(returns: Any, *, over: Literal["periods", "episodes"] = "periods") -> Any:
    """Return the mean drawdown, zero or negative.

    ``periods``: the mean of the drawdown series (Chekhlov, Uryasev and Zabarankin 2005, the limit
    of conditional drawdown at confidence 0). ``episodes``: the mean depth of the separate
    drawdowns, from peak to recovery, the last one included (Bacon 2008); zero where there is none.

    :raises BadInput: for another ``over``.

    >>> from mts1b_quantkit.metrics import average_drawdown
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(average_drawdown(returns), 6)
    -0.00804
    """
    read_choice("over", over, ("periods", "episodes"))
    if over == "periods":
        return reduce_columns(returns, average_drawdown_of)
    return reduce_columns(
        returns,
        lambda sample: np.array([_mean_depth(path) for path in sample.drawdowns.values]),
    )


def average_drawdown_of(sample: Sample) -> FloatArray:
    """Return the mean of the drawdown path of each series."""
    return sample.drawdowns.mean


def drawdown_path(values: FloatArray) -> FloatArray:
    """Return the drawdown path of each column of (T, K)."""
    return np.ascontiguousarray(Sample.of(values).drawdowns.values.T)


def _mean_depth(path: FloatArray) -> float:
    under = path < 0.0
    starts = np.flatnonzero(under & ~np.concatenate(([False], under[:-1])))
    if len(starts) == 0:
        return 0.0
    return float(np.minimum.reduceat(path, starts).mean())
