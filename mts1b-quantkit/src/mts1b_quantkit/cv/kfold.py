"""K-fold with purging and embargo (Lopez de Prado 2018, chapter 7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mts1b_quantkit.cv.rows import (
    Positions,
    blocks_of,
    count_rows,
    without_neighbours,
)
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.scalars import read_count

__all__ = ["PurgedKFold", "read_label_end"]


class PurgedKFold:
    """Test on each of K consecutive blocks; train on the rest, less what overlaps.

    A training row is left out when the span of its label meets the span of any test label, on
    either side, or when it lies in the ``embargo`` rows after the last of them.

    :param n_splits: number of blocks, 2 or more.
    :param label_end: (T,) position of the last row that each row's label depends on, inclusive;
        None where a label depends on its own row alone.
    :param embargo: rows left out after each test block.

    >>> import numpy as np
    >>> from mts1b_quantkit.cv import PurgedKFold
    >>> [train.tolist() for train, _ in PurgedKFold(2, embargo=1).split(np.zeros(6))]
    [[4, 5], [0, 1, 2]]
    """

    def __init__(self, n_splits: int, *, label_end: Any = None, embargo: int = 0) -> None:
        self.n_splits = read_count("n_splits", n_splits, least=2)
        self.label_end = label_end
        self.embargo = read_count("embargo", embargo, least=0)

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[Positions, Positions]]:
        """Yield (train, test) positions, the test blocks in the order of time.

        :raises BadInput: for fewer rows than blocks, or a ``label_end`` that does not fit.
        """
        rows = count_rows(X)
        ends = read_label_end(self.label_end, rows)
        for start, stop in blocks_of(rows, self.n_splits):
            train = without_neighbours(
                rows, [(start, stop)], purge=0, embargo=self.embargo, label_end=ends
            )
            yield train, np.arange(start, stop)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of blocks."""
        return self.n_splits


def read_label_end(label_end: Any, rows: int) -> Positions | None:
    """Return positions (T,), each at or after its own row.

    :raises BadInput: for another length, fractions, or an end before its start.
    """
    if label_end is None:
        return None
    try:
        ends = np.asarray(label_end)
    except ValueError as error:
        raise BadInput("label_end has rows of different length; give one position each") from error
    if ends.shape != (rows,):
        raise BadInput(f"label_end has shape {ends.shape}; give one position for each of {rows}")
    if ends.dtype.kind not in "iu":
        raise BadInput(f"label_end has dtype {ends.dtype}; give positions of rows")
    early = ends < np.arange(rows)
    if early.any():
        row = int(early.argmax())
        raise BadInput(f"the label of row {row} ends at {ends[row]}, before it begins")
    return ends.astype(np.intp)
