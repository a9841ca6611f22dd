"""Sample a series where something has happened."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mts1b_quantkit.arrays import as_table
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.scalars import read_positive

__all__ = ["cusum_filter"]


def cusum_filter(values: Any, *, threshold: float) -> NDArray[np.intp]:
    """Return the positions at which the level has moved by ``threshold`` since the last one.

    The symmetric filter of Lopez de Prado 2018 (snippet 2.4): sums of changes, each reset to zero
    when it leaves the other side of zero or crosses the threshold.

    :param values: (T,) levels, e.g. log prices.
    :raises BadInput: for a threshold that is not positive.

    >>> from mts1b_quantkit.microstructure import cusum_filter
    >>> cusum_filter([0.0, 1.0, 2.0, 3.0, 2.0], threshold=1.5).tolist()
    [2]
    """
    threshold = read_positive(
        "threshold", threshold, wanted="a positive number in the units of values"
    )
    table = as_table(values, what="values")
    if not table.is_vector:
        raise BadInput("values is a matrix; filter each series alone")
    found: list[int] = []
    rise = fall = 0.0
    for position, change in enumerate(np.diff(table.values).tolist(), start=1):
        rise, fall = max(0.0, rise + change), min(0.0, fall + change)
        if fall < -threshold:
            fall = 0.0
            found.append(position)
        elif rise > threshold:
            rise = 0.0
            found.append(position)
    return np.array(found, dtype=np.intp)
