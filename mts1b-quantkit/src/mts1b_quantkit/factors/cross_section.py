"""Compare assets within a row. One dimension is one cross-section; NaN stays NaN."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mts1b_quantkit.arrays import FloatArray, Table, as_table
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.scalars import read_choice, read_count, read_flag, read_number

__all__ = [
    "average_ranks",
    "rank_cross_sectional",
    "winsorize",
    "zscore_cross_sectional",
    "zscored",
]

_MAD_TO_DEVIATION = 1.4826
_TOGETHER = 1 << 15
"""Numbers that are worked on together, so that they stay in the cache."""


def zscore_cross_sectional(
    values: Any, *, method: Literal["standard", "mad"] = "standard", ddof: int = 0
) -> Any:
    """Return (x - centre) / scale within each row.

    ``standard``: mean and standard deviation. ``mad``: median and 1.4826 times the median absolute
    deviation. A row without spread is undefined: NaN.

    :param values: (T, A), or (A,) for one cross-section; NaN where there is no score.
    :raises BadInput: for an unknown method.

    >>> from mts1b_quantkit.factors import zscore_cross_sectional
    >>> zscore_cross_sectional([1.0, 2.0, 3.0]).round(6).tolist()
    [-1.224745, 0.0, 1.224745]
    """
    read_choice("method", method, ("standard", "mad"))
    ddof = read_count("ddof", ddof, least=0)
    table = as_table(values, what="values", allow_nan=True)
    return table.rows(zscored(_rows(table), method=method, ddof=ddof))


def rank_cross_sectional(values: Any, *, percent: bool = False) -> Any:
    """Return ranks from 1 (smallest) within each row, ties averaged.

    :param percent: divide by the number of scores in the row.

    >>> from mts1b_quantkit.factors import rank_cross_sectional
    >>> rank_cross_sectional([5.0, 1.0, 5.0]).tolist()
    [2.5, 1.0, 2.5]
    """
    shares = read_flag("percent", percent)
    table = as_table(values, what="values", allow_nan=True)
    rows = _rows(table)
    ranks = average_ranks(rows)
    if shares:
        ranks = ranks / np.maximum((~np.isnan(rows)).sum(axis=1), 1)[:, None]
    return table.rows(ranks)


def winsorize(values: Any, *, lower: float = 0.05, upper: float = 0.95) -> Any:
    """Clip each row to its own ``lower`` and ``upper`` quantiles, linearly interpolated.

    :raises BadInput: unless 0 <= lower <= upper <= 1.

    >>> from mts1b_quantkit.factors import winsorize
    >>> winsorize([1.0, 2.0, 3.0, 100.0], lower=0.0, upper=0.5).tolist()
    [1.0, 2.0, 2.5, 2.5]
    """
    lower, upper = (
        read_number(name, value, least=0.0, most=1.0, wanted="a fraction from 0 to 1")
        for name, value in (("lower", lower), ("upper", upper))
    )
    if lower > upper:
        raise BadInput(f"lower is {lower}, upper {upper}; give 0 <= lower <= upper <= 1")
    table = as_table(values, what="values", allow_nan=True)
    rows = _rows(table)
    low, high = _row_quantile(rows, lower), _row_quantile(rows, upper)
    return table.rows(np.clip(rows, low[:, None], high[:, None]))


def zscored(rows: FloatArray, *, method: str = "standard", ddof: int = 0) -> FloatArray:
    """Return the scores of a (T, A) array, computed in groups of rows that fit the cache."""
    result = np.empty(rows.shape)
    step = max(1, _TOGETHER // rows.shape[1])
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        result[part] = _zscored(rows[part], method, ddof)
    return result


def _zscored(rows: FloatArray, method: str, ddof: int) -> FloatArray:
    if method == "mad":
        centred = rows - _row_quantile(rows, 0.5)[:, None]
        scale = _MAD_TO_DEVIATION * _row_quantile(np.abs(centred), 0.5)
    else:
        missing = np.isnan(rows)
        if not missing.any():
            count = np.full(len(rows), rows.shape[1])
            centred = rows - _quotient(rows.sum(axis=1), count)[:, None]
            squares = (centred * centred).sum(axis=1)
        else:
            count = (~missing).sum(axis=1)
            total = np.where(missing, 0.0, rows).sum(axis=1)
            centred = rows - _quotient(total, count)[:, None]
            squares = np.where(missing, 0.0, centred * centred).sum(axis=1)
        scale = np.sqrt(_quotient(squares, count - ddof))
    level = np.fmax.reduce(np.abs(rows), axis=1)
    flat = ~(scale > 8.0 * np.finfo(float).eps * level)
    return np.asarray(centred / np.where(flat, np.nan, scale)[:, None])


def _rows(table: Table) -> FloatArray:
    return table.values[None, :] if table.is_vector else table.values


def _quotient(total: FloatArray, count: NDArray[np.intp]) -> FloatArray:
    return np.asarray(total / np.where(count > 0, count, np.nan))


def _row_quantile(rows: FloatArray, quantile: float) -> FloatArray:
    """Return the linear quantile of what is known in each row; NaN for an empty one."""
    ordered = np.sort(rows, axis=1)
    last = (~np.isnan(rows)).sum(axis=1) - 1
    position = quantile * np.maximum(last, 0)
    low = np.floor(position).astype(np.intp)
    high = np.minimum(low + 1, np.maximum(last, 0))
    at = np.arange(len(rows))
    below, above = ordered[at, low], ordered[at, high]
    return np.asarray(below + (position - low) * (above - below))


def average_ranks(rows: FloatArray) -> FloatArray:
    """Return ranks from 1 within each row of a (T, A) array, ties averaged, NaN for NaN."""
    order = np.argsort(rows, axis=1, kind="stable")
    ordered = np.take_along_axis(rows, order, axis=1)
    place = np.broadcast_to(np.arange(rows.shape[1]), rows.shape)
    changes = ordered[:, 1:] != ordered[:, :-1]
    edge = np.ones((len(rows), 1), dtype=bool)
    first = np.maximum.accumulate(np.where(np.hstack((edge, changes)), place, 0), axis=1)
    ends = np.where(np.hstack((changes, edge)), place, rows.shape[1])
    last = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty(rows.shape)
    np.put_along_axis(ranks, order, (first + last) / 2.0 + 1.0, axis=1)
    return np.where(np.isnan(rows), np.nan, ranks)
