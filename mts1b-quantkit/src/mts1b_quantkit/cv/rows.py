"""Rows as positions, and what must not be trained on beside a test block."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.scalars import shown

__all__ = ["Positions", "blocks_of", "count_rows", "without_neighbours"]

Positions = NDArray[np.intp]


def count_rows(X: Any) -> int:
    """Return the number of rows of an array, a frame, or anything with a length.

    :raises BadInput: when there is none.
    """
    try:
        rows = X.shape[0] if hasattr(X, "shape") and len(X.shape) else len(X)
    except TypeError as error:
        raise BadInput(f"X is {shown(X)}; give an array, a frame or a list of rows") from error
    if rows == 0:
        raise BadInput("X has no rows; there is nothing to split")
    return int(rows)


def blocks_of(rows: int, count: int) -> list[tuple[int, int]]:
    """Return (start, stop) of ``count`` consecutive blocks; the first ones are a row longer.

    :raises BadInput: for more blocks than rows.
    """
    if count > rows:
        raise BadInput(f"{rows} rows do not make {count} blocks; give fewer")
    sizes = np.full(count, rows // count)
    sizes[: rows % count] += 1
    stops = np.cumsum(sizes)
    return [(int(stop - size), int(stop)) for stop, size in zip(stops, sizes, strict=True)]


def without_neighbours(
    rows: int,
    blocks: list[tuple[int, int]],
    *,
    purge: int,
    embargo: int,
    label_end: Positions | None = None,
) -> Positions:
    """Return the rows outside of the test blocks whose labels do not meet them.

    Without ``label_end``: not within ``purge`` rows before a block, nor within ``purge`` +
    ``embargo`` rows after it. With it, row i is labelled by what happens up to ``label_end[i]``:
    none whose span meets the span of a test label, nor the ``embargo`` rows after that.
    """
    keep = np.ones(rows, dtype=bool)
    for start, stop in blocks:
        keep[max(0, start - purge) : stop] = False
        last = stop - 1
        if label_end is not None:
            last = int(label_end[start:stop].max())
            keep[:start] &= label_end[:start] < start
        keep[stop : max(stop, last + 1 + purge + embargo)] = False
    return np.flatnonzero(keep)
