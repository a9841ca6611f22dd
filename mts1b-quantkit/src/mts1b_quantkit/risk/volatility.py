"""Volatility that forgets."""

from __future__ import annotations

from typing import Any

import numpy as np

from mts1b_quantkit.arrays import as_table
from mts1b_quantkit.metrics.columns import unit_of
from mts1b_quantkit.scalars import read_number

__all__ = ["ewma_volatility"]


def ewma_volatility(returns: Any, *, decay: float = 0.94) -> Any:
    """Return the RiskMetrics volatility per period, one value per row.

    variance_t = decay variance_(t-1) + (1 - decay) r_t^2, mean zero, started at the first squared
    return (J.P. Morgan/Reuters 1996). Row t uses returns up to and including t: it is the
    forecast for row t + 1. Not annualised.

    :param returns: (T,) or (T, K) simple returns.
    :raises BadInput: for a decay outside (0, 1).

    >>> from mts1b_quantkit.risk import ewma_volatility
    >>> ewma_volatility([0.01, -0.02, 0.03]).round(6).tolist()
    [0.01, 0.010863, 0.012842]
    """
    decay = read_number(
        "decay", decay, above=0.0, below=1.0, wanted="a fraction between 0 and 1, e.g. 0.94"
    )
    table = as_table(returns)
    unit = unit_of(np.abs(table.matrix).max(axis=0))
    squares = (table.matrix if unit is None else table.matrix / unit) ** 2
    variance = np.empty_like(squares)
    state = squares[0]
    for row, square in enumerate(squares):
        state = square if row == 0 else decay * state + (1.0 - decay) * square
        variance[row] = state
    return table.rows(np.sqrt(variance) * (1.0 if unit is None else unit))
