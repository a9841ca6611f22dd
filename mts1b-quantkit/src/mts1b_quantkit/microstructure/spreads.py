"""What trading costs, read off prices and volumes."""

from __future__ import annotations

from typing import Any

import numpy as np

from mts1b_quantkit.arrays import FloatArray, as_table, require_prices
from mts1b_quantkit.doubling import window_mean
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.labels import require_same_columns, require_same_rows
from mts1b_quantkit.rolling import require_window

__all__ = ["amihud_illiquidity", "roll_spread"]


def amihud_illiquidity(close: Any, volume: Any, *, window: int | None = None) -> Any:
    """Return the mean of |return| / (close times volume) (Amihud 2002).

    :param close: (T,) or (T, N) prices. :param volume: the same shape, in units.
    :param window: rows of a moving mean; None for one number an asset.
    :raises BadInput: for shapes that differ, or a volume of zero: such a day has no price impact
        to measure, drop it.

    >>> from mts1b_quantkit.microstructure import amihud_illiquidity
    >>> amihud_illiquidity([10.0, 11.0, 10.0], [100.0, 100.0, 200.0])
    6.818181818181823e-05
    """
    prices, traded = as_table(close, what="close"), as_table(volume, what="volume")
    if prices.values.shape != traded.values.shape:
        raise BadInput(f"volume has shape {traded.values.shape}, close {prices.values.shape}")
    require_same_rows(prices, traded, "volume", beside="close")
    require_same_columns(prices, traded, "volume", beside="close")
    if len(prices.values) < 2:
        raise BadInput("close has one row; a return needs two")
    require_prices(prices, "close")
    require_prices(traded, "volume")
    c = prices.matrix
    ratio = np.full_like(c, np.nan)
    with np.errstate(over="ignore"):  # one after the other: their product may leave the range
        ratio[1:] = np.abs(c[1:] / c[:-1] - 1.0) / c[1:] / traded.matrix[1:]
    if window is None:
        return prices.per_column(ratio[1:].mean(axis=0))
    return prices.rows(window_mean(ratio, require_window(window)))


def roll_spread(close: Any) -> Any:
    """Return 2 sqrt(-cov(dp_t, dp_{t-1})), the effective spread in price units (Roll 1984).

    NaN where the covariance is positive, for which the model has no spread.

    :param close: (T,) or (T, N), four rows or more.
    :raises BadInput: for fewer.

    >>> from mts1b_quantkit.microstructure import roll_spread
    >>> round(roll_spread([10.0, 10.1, 10.0, 10.1, 10.0]), 6)
    0.23094
    """
    table = as_table(close, what="close")
    if len(table.values) < 4:
        raise BadInput(f"close has {len(table.values)} rows; a serial covariance needs four")

    def spread(prices: FloatArray) -> FloatArray:
        change = np.diff(prices, axis=0)
        now, before = change[1:], change[:-1]
        products = (now - now.mean(axis=0)) * (before - before.mean(axis=0))
        covariance = products.sum(axis=0) / (len(now) - 1)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.where(covariance <= 0.0, 2.0 * np.sqrt(-covariance), np.nan))

    return table.per_column(spread(table.matrix))
