"""The depth and length of drawdowns, in one number or as a table."""

from __future__ import annotations

import sys
from typing import Any, Literal

import numpy as np

from mts1b_quantkit.arrays import FloatArray, Kind, Table, as_table
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.metrics.columns import Measure, reduce_columns, require_confidence
from mts1b_quantkit.metrics.drawdown import drawdown_path
from mts1b_quantkit.metrics.sample import Sample
from mts1b_quantkit.metrics.tail import fractional_tail
from mts1b_quantkit.scalars import read_count

__all__ = [
    "conditional_drawdown_at_risk",
    "conditional_drawdown_at_risk_of",
    "drawdown_table",
    "pain_index",
    "pain_index_of",
    "ulcer_index",
    "ulcer_index_of",
]


def ulcer_index(returns: Any, *, ddof: Literal[0, 1] = 0) -> Any:
    """Return sqrt(sum(drawdown^2) / (T - ddof)), positive (Martin and McCann 1989).

    >>> from mts1b_quantkit.metrics import ulcer_index
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(ulcer_index(returns), 6)
    0.010991
    """
    return reduce_columns(returns, ulcer_index_of(ddof))


def ulcer_index_of(ddof: int) -> Measure:
    """Return the measure with its parameter."""
    ddof = read_count("ddof", ddof, least=0, most=1)

    def index(sample: Sample) -> FloatArray:
        if sample.rows <= ddof:
            return np.full(len(sample.values), np.nan)
        path = sample.drawdowns.values
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", path, path) / (sample.rows - ddof)))

    return index


def pain_index(returns: Any) -> Any:
    """Return the mean depth below the peak, positive (Becker 2006).

    >>> from mts1b_quantkit.metrics import pain_index
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(pain_index(returns), 6)
    0.00804
    """
    return reduce_columns(returns, pain_index_of)


def pain_index_of(sample: Sample) -> FloatArray:
    """Return the mean depth of each series."""
    return -sample.drawdowns.mean + 0.0


def conditional_drawdown_at_risk(returns: Any, *, confidence: float = 0.95) -> Any:
    """Return the mean of the worst 1 - ``confidence`` of the drawdown series, negative or zero.

    The last observation counts in part (Chekhlov, Uryasev and Zabarankin 2005).

    >>> from mts1b_quantkit.metrics import conditional_drawdown_at_risk
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(conditional_drawdown_at_risk(returns), 6)
    -0.02
    """
    return reduce_columns(returns, conditional_drawdown_at_risk_of(confidence))


def conditional_drawdown_at_risk_of(confidence: float) -> Measure:
    """Return the measure with its parameter."""
    tail = 1.0 - require_confidence(confidence)
    return lambda sample: fractional_tail(sample.drawdowns, tail)


def drawdown_table(returns: Any) -> Any:
    """List the separate drawdowns of one series, the deepest first.

    The columns are ``peak`` (the last row at the peak; null for the starting capital), ``valley``,
    ``recovery`` (the first row at or above the peak again; null while under water) and ``depth``
    (negative). pandas and polars give a frame with their own row labels, everything else a dict of
    lists with positions.

    :raises BadInput: for a matrix: each series has its own table.

    >>> from mts1b_quantkit.metrics import drawdown_table
    >>> drawdown_table([0.25, -0.5, 1.0])
    {'peak': [0], 'valley': [1], 'recovery': [2], 'depth': [-0.5]}
    """
    table = as_table(returns)
    if table.matrix.shape[1] != 1:
        raise BadInput("returns has several columns; make one table for each")
    path = drawdown_path(table.matrix)[:, 0]
    rows = sorted(_episodes(path), key=lambda row: (row[3], row[1]))
    peaks, valleys, recoveries, depths = zip(*rows, strict=True) if rows else ((), (), (), ())
    columns = {
        "peak": _labels(table, peaks),
        "valley": _labels(table, valleys),
        "recovery": _labels(table, recoveries),
        "depth": list(depths),
    }
    if table.kind in (Kind.PANDAS, Kind.POLARS):
        return sys.modules[table.kind.value].DataFrame(columns)
    return columns


def _episodes(path: FloatArray) -> list[tuple[int | None, int, int | None, float]]:
    under = np.concatenate(([False], path < 0.0, [False]))
    edges = np.flatnonzero(under[1:] != under[:-1])
    found: list[tuple[int | None, int, int | None, float]] = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        valley = start + int(path[start:end].argmin())
        recovery = end if end < len(path) else None
        found.append((start - 1 if start else None, valley, recovery, float(path[valley])))
    return found


def _labels(table: Table, rows: Any) -> list[Any]:
    return [None if row is None else table.row_label(row) for row in rows]
