"""From the data that a user gives to numbers per column; arithmetic that metrics share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from mts1b_quantkit.arrays import FloatArray, Table, as_table
from mts1b_quantkit.metrics.sample import Memory, Sample, unit_of
from mts1b_quantkit.scalars import read_number

__all__ = [
    "Measure",
    "deviation",
    "measured",
    "quotient",
    "reduce_columns",
    "require_confidence",
    "require_periods",
    "unit_of",
]

Measure: TypeAlias = Callable[[Sample], FloatArray]
"""A metric with its parameters: K series in, K numbers out."""

_NARROWEST = 1e-9
"""Tail below which 1 - confidence has too few digits."""
_TOGETHER = 1 << 15
"""Numbers (a quarter of a megabyte) that are worked on together, so that they stay in the cache."""
_FEWEST = 8
"""Fewest columns that are worked on together."""


def reduce_columns(returns: Any, metric: Measure) -> Any:
    """Apply ``metric`` and give the result back in the input's kind."""
    table = as_table(returns, any_layout=True)
    return table.per_column(measured(table, [metric])[0])


def measured(table: Table, metrics: Sequence[Measure]) -> FloatArray:
    """Return one row of numbers for each metric, (len(metrics), K), of (T, K) numbers.

    Many columns are worked on in groups that fit the processor's cache, all metrics on one group
    before the next; a column's result does not depend on its group.
    """
    matrix = table.matrix
    rows, columns = matrix.shape
    step = max(_FEWEST, _TOGETHER // rows)
    found = np.empty((len(metrics), columns))
    memory = Memory()
    by_column = matrix.flags.f_contiguous
    for start in range(0, columns, step):
        group = matrix[:, start : start + step]
        values = group.T if by_column else _turned(group, memory)
        sample = Sample(values, memory, table)
        for number, metric in enumerate(metrics):
            found[number, start : start + len(values)] = metric(sample)
    return found


def _turned(group: FloatArray, memory: Memory) -> FloatArray:
    """Return (T, K) numbers as contiguous series: two short copies beat one with long strides."""
    rows, width = group.shape
    near = memory.take("near", (rows, width))
    np.copyto(near, group)
    values = memory.take("values", (width, rows))
    np.copyto(values, near.T)
    return values


def deviation(values: FloatArray) -> FloatArray:
    """Return standard deviations of the columns of (T, K); see :attr:`Sample.deviation`."""
    return Sample.of(values).deviation


def quotient(top: Any, bottom: Any, scale: float = 1.0) -> FloatArray:
    """Divide and scale, with x/0 and what leaves the range infinite, and 0/0 NaN."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(top / bottom * scale)


def require_periods(periods_per_year: float) -> float:
    """Return ``periods_per_year`` when it is positive and finite."""
    return read_number(
        "periods_per_year",
        periods_per_year,
        least=1e-3,
        most=1e9,
        wanted="a positive number up to 1e9, e.g. 252, 52 or 12",
    )


def require_confidence(confidence: float) -> float:
    """Return ``confidence`` when it lies between 0 and 1."""
    return read_number(
        "confidence",
        confidence,
        least=_NARROWEST,
        most=1.0 - _NARROWEST,
        wanted="a fraction between 0 and 1, e.g. 0.95",
    )
