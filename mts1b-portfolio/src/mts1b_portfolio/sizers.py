"""From a ranking to target weights.

A signal is (A,) for one date or (T, A) for one ranking per row; numpy, pandas, polars or a dict in,
the same kind out. Higher is better; NaN is not eligible. Ties go to the earlier column.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mts1b_quantkit.arrays import FloatArray, Table, as_table
from mts1b_quantkit.errors import BadInput
from numpy.typing import NDArray

from mts1b_portfolio.composite import kelly_voltarget_12
from mts1b_portfolio.inputs import read_count, read_number
from mts1b_portfolio.kelly import kelly_binary, kelly_fraction
from mts1b_portfolio.volatility_target import vol_target_weights

__all__ = [
    "equal_weight_long",
    "equal_weight_ls",
    "fixed_weight",
    "kelly_binary",
    "kelly_fraction",
    "kelly_voltarget_12",
    "vol_target_weights",
]


def equal_weight_long(signal: Any, *, n: int, gross: float = 1.0) -> Any:
    """Hold the ``n`` best names at gross / n each.

    Where fewer than ``n`` names have a signal, those are held at gross / n and the rest is cash:
    a name never gets more than gross / n.

    :param gross: sum of the weights, as a fraction of NAV.
    :raises BadInput: for n below 1, more than there are names, or a negative gross.

    >>> from mts1b_portfolio import equal_weight_long
    >>> equal_weight_long({"A": 2.0, "B": 1.0, "C": 3.0}, n=2)
    {'A': 0.5, 'B': 0.0, 'C': 0.5}
    """
    table = as_table(signal, what="signal", allow_nan=True)
    rows = _rows(table)
    count = read_count("n", n, most=rows.shape[1])
    total = _gross(gross)
    return table.rows(np.where(_best(rows, count), total / count, 0.0))


def equal_weight_ls(signal: Any, *, n_long: int, n_short: int, gross: float = 1.0) -> Any:
    """Hold the ``n_long`` best names long and the ``n_short`` worst short, each side gross / 2.

    A row with fewer than ``n_long + n_short`` signals holds nothing: half a pair is no hedge.

    :param gross: sum of the absolute weights, as a fraction of NAV.
    :raises BadInput: for a count below 1, more than there are names, or a negative gross.

    >>> from mts1b_portfolio import equal_weight_ls
    >>> equal_weight_ls({"A": 2.0, "B": 1.0, "C": 3.0}, n_long=1, n_short=1)
    {'A': 0.0, 'B': -0.5, 'C': 0.5}
    """
    table = as_table(signal, what="signal", allow_nan=True)
    rows = _rows(table)
    available = rows.shape[1]
    high = read_count("n_long", n_long, most=available)
    low = read_count("n_short", n_short, most=available)
    read_count("n_long + n_short", high + low, most=available)
    side = _gross(gross) / 2.0
    enough = (~np.isnan(rows)).sum(axis=1) >= high + low
    longs = np.where(_best(rows, high), side / high, 0.0)
    shorts = np.where(_worst(rows, low), side / low, 0.0)
    return table.rows(np.where(enough[:, None], longs - shorts, 0.0))


def fixed_weight(weights: Any, *, gross: float | None = None) -> Any:
    """Hold stated weights, in the order and kind given.

    :param weights: (A,) or a dict of symbol to weight; signed fractions of NAV.
    :param gross: scale the weights to this sum of absolute values; None leaves them.
    :raises NaNInput: for a missing weight.
    :raises BadInput: for a negative gross, or weights of zero that are to be scaled.

    >>> from mts1b_portfolio import fixed_weight
    >>> fixed_weight({"A": 3.0, "B": 1.0}, gross=1.0)
    {'A': 0.75, 'B': 0.25}
    """
    table = as_table(weights, what="weights")
    if gross is None:
        return table.rows(table.values.copy())
    wanted, largest = _gross(gross), float(np.abs(table.values).max())
    if largest == 0.0:
        raise BadInput("weights are all zero; they have no gross to scale")
    shares = table.values / largest  # first, so that the scale of tiny weights has room
    return table.rows(shares * (wanted / float(np.abs(shares).sum())))


def _rows(table: Table) -> FloatArray:
    return table.values[None, :] if table.is_vector else table.values


def _best(rows: FloatArray, count: int) -> NDArray[np.bool_]:
    order = np.argsort(-rows, axis=1, kind="stable")[:, :count]
    return _marked(rows, order)


def _worst(rows: FloatArray, count: int) -> NDArray[np.bool_]:
    """Mark the lowest; among equals the LATER columns, so that no name is on both sides."""
    reverse = np.argsort(rows[:, ::-1], axis=1, kind="stable")[:, :count]
    return _marked(rows, rows.shape[1] - 1 - reverse)


def _marked(rows: FloatArray, order: NDArray[np.intp]) -> NDArray[np.bool_]:
    marked = np.zeros(rows.shape, dtype=bool)
    np.put_along_axis(marked, order, True, axis=1)
    return marked & ~np.isnan(rows)


def _gross(gross: Any) -> float:
    return read_number("gross", gross, least=0.0, wanted="zero or more, as a fraction of NAV")
