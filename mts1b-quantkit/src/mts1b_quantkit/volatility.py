"""Volatility from open, high, low and close, annualised.

With ``window=None`` the whole sample gives one number an asset; with a window, one at every row,
NaN while it warms up.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mts1b_quantkit.arrays import FloatArray, Table, as_table, require_prices
from mts1b_quantkit.doubling import window_deviation, window_mean
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.labels import require_same_columns, require_same_rows
from mts1b_quantkit.metrics.columns import require_periods
from mts1b_quantkit.rolling import require_window

__all__ = [
    "garman_klass",
    "parkinson",
    "realized_volatility",
    "rogers_satchell",
    "yang_zhang",
]


def realized_volatility(
    close: Any, *, window: int | None = None, periods_per_year: float = 252
) -> Any:
    """Return the standard deviation (ddof=1) of log returns, annualised.

    :param close: (T,) or (T, N) prices. A window counts returns.
    :raises BadInput: without a window, for fewer than three prices.

    >>> from mts1b_quantkit.volatility import realized_volatility
    >>> round(realized_volatility([100.0, 101.0, 99.0, 100.0]), 6)
    0.274965
    """
    ((table, c),) = _read(close=close)
    scale = math.sqrt(require_periods(periods_per_year))
    logs = np.full_like(c, np.nan)
    logs[1:] = np.log(c[1:] / c[:-1])
    if window is None:
        if len(c) < 3:
            raise BadInput(f"{len(c)} prices; a deviation of returns needs three")
        return table.per_column(logs[1:].std(axis=0, ddof=1) * scale)
    window = require_window(window, least=2)
    return table.rows(window_deviation(logs, window) * scale)


def parkinson(
    high: Any, low: Any, *, window: int | None = None, periods_per_year: float = 252
) -> Any:
    """Return sqrt(mean(log(h / l)^2) / (4 log 2)), annualised (Parkinson 1980).

    >>> from mts1b_quantkit.volatility import parkinson
    >>> round(parkinson([11.0, 12.0], [10.0, 11.0]), 6)
    0.869991
    """
    (table, h), (_, low_prices) = _read(high=high, low=low)
    squares = np.log(h / low_prices) ** 2 / (4.0 * math.log(2.0))
    return _root_mean(table, squares, window, periods_per_year)


def garman_klass(
    open: Any,
    high: Any,
    low: Any,
    close: Any,
    *,
    window: int | None = None,
    periods_per_year: float = 252,
) -> Any:
    """Return the root mean of log(h/l)^2 / 2 - (2 log 2 - 1) log(c/o)^2, annualised.

    Garman and Klass 1980, without the gap overnight.

    >>> from mts1b_quantkit.volatility import garman_klass
    >>> round(garman_klass([10.0, 11.0], [11.0, 12.0], [10.0, 10.5], [10.5, 11.5]), 6)
    1.218024
    """
    (table, o), (_, h), (_, lo), (_, c) = _read(open=open, high=high, low=low, close=close)
    squares = np.log(h / lo) ** 2 / 2.0 - (2.0 * math.log(2.0) - 1.0) * np.log(c / o) ** 2
    return _root_mean(table, squares, window, periods_per_year)


def rogers_satchell(
    open: Any,
    high: Any,
    low: Any,
    close: Any,
    *,
    window: int | None = None,
    periods_per_year: float = 252,
) -> Any:
    """Return the root mean of log(h/c) log(h/o) + log(l/c) log(l/o), annualised.

    Rogers and Satchell 1991: right under any drift, without the gap overnight.

    >>> from mts1b_quantkit.volatility import rogers_satchell
    >>> round(rogers_satchell([10.0, 11.0], [11.0, 12.0], [10.0, 10.5], [10.5, 11.5]), 6)
    1.248397
    """
    (table, o), (_, h), (_, lo), (_, c) = _read(open=open, high=high, low=low, close=close)
    return _root_mean(table, _rogers_satchell(o, h, lo, c), window, periods_per_year)


def yang_zhang(
    open: Any,
    high: Any,
    low: Any,
    close: Any,
    *,
    window: int | None = None,
    periods_per_year: float = 252,
) -> Any:
    """Return sqrt(overnight + k open-to-close + (1 - k) Rogers-Satchell), annualised.

    The first two are sample variances (ddof=1) of log(o_t / c_{t-1}) and log(c / o), k is
    0.34 / (1.34 + (n + 1) / (n - 1)) and n the rows with a previous close (Yang and Zhang 2000).

    :raises BadInput: without a window, for fewer than three rows.

    >>> from mts1b_quantkit.volatility import yang_zhang
    >>> bars = [10.0, 11.0, 10.5], [11.0, 12.0, 11.0], [9.5, 10.5, 10.0], [10.5, 11.5, 10.2]
    >>> round(yang_zhang(*bars), 6)
    1.96895
    """
    (table, o), (_, h), (_, lo), (_, c) = _read(open=open, high=high, low=low, close=close)
    overnight = np.full_like(o, np.nan)
    overnight[1:] = np.log(o[1:] / c[:-1])
    during, inside = np.log(c / o), _rogers_satchell(o, h, lo, c)
    during[0] = inside[0] = np.nan
    scale = require_periods(periods_per_year)
    if window is None:
        rows = len(o) - 1
        if rows < 2:
            raise BadInput(f"{len(o)} rows; this estimator needs three")
        k = _mixing(rows)
        variance = (
            overnight[1:].var(axis=0, ddof=1)
            + k * during[1:].var(axis=0, ddof=1)
            + (1.0 - k) * inside[1:].mean(axis=0)
        )
        return table.per_column(np.sqrt(variance * scale))
    window = require_window(window, least=2)
    k = _mixing(window)
    variance = (
        window_deviation(overnight, window) ** 2
        + k * window_deviation(during, window) ** 2
        + (1.0 - k) * window_mean(inside, window)
    )
    return table.rows(np.sqrt(variance * scale))


def _mixing(rows: int) -> float:
    return 0.34 / (1.34 + (rows + 1.0) / (rows - 1.0))


def _rogers_satchell(o: FloatArray, h: FloatArray, lo: FloatArray, c: FloatArray) -> FloatArray:
    return np.asarray(np.log(h / c) * np.log(h / o) + np.log(lo / c) * np.log(lo / o))


def _root_mean(table: Table, squares: FloatArray, window: int | None, periods: float) -> Any:
    scale = require_periods(periods)
    if window is None:
        return table.per_column(np.sqrt(np.maximum(squares.mean(axis=0), 0.0) * scale))
    means = window_mean(squares, require_window(window))
    return table.rows(np.sqrt(np.maximum(means, 0.0) * scale))


def _read(**prices: Any) -> list[tuple[Table, FloatArray]]:
    """Read prices of one shape; each positive, none outside of high and low."""
    tables = {name: as_table(given, what=name) for name, given in prices.items()}
    leading, first = next(iter(tables.items()))
    for name, table in tables.items():
        if table.values.shape != first.values.shape:
            raise BadInput(f"{name} has shape {table.values.shape}, not {first.values.shape}")
        require_same_rows(first, table, name, beside=leading)
        require_same_columns(first, table, name, beside=leading)
        require_prices(table, name)
    _check_range(tables)
    return [(table, table.matrix) for table in tables.values()]


def _check_range(tables: dict[str, Table]) -> None:
    if "high" not in tables:
        return
    high, low = tables["high"], tables["low"]
    for name, table in tables.items():
        outside = (table.matrix > high.matrix) | (table.matrix < low.matrix)
        if outside.any():
            i, j = (int(k) for k in np.argwhere(outside)[0])
            where = "" if table.is_vector else f" of {table.labels[j]!r}"
            raise BadInput(
                f"{name}{where} at row {table.row_label(i)!r} lies outside of low and high"
            )
