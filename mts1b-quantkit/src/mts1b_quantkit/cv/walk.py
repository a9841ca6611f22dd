"""Train on the past, test on what follows, move on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mts1b_quantkit.cv.rows import Positions, count_rows
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.scalars import read_count, read_flag

__all__ = ["WalkForward"]


class WalkForward:
    """Move a training and a test window through the rows.

    :param train_size: rows of the (first) training window.
    :param test_size: rows of each test window; a shorter one at the end is left out.
    :param step: rows from one test window to the next; None for ``test_size``.
    :param expanding: let every training window begin at the first row.
    :param purge: rows left out between the end of training and the start of the test; the first
        test begins at ``train_size`` + ``purge``.
    :param embargo: rows left out of training after each earlier test window.
    :raises BadInput: for sizes that are no whole numbers.

    >>> import numpy as np
    >>> from mts1b_quantkit.cv import WalkForward
    >>> [(len(train), test.tolist()) for train, test in WalkForward(3, 2).split(np.zeros(7))]
    [(3, [3, 4]), (3, [5, 6])]
    """

    def __init__(
        self,
        train_size: int,
        test_size: int,
        *,
        step: int | None = None,
        expanding: bool = False,
        purge: int = 0,
        embargo: int = 0,
    ) -> None:
        self.train_size = read_count("train_size", train_size, least=1)
        self.test_size = read_count("test_size", test_size, least=1)
        self.step = self.test_size if step is None else read_count("step", step, least=1)
        self.expanding = read_flag("expanding", expanding)
        self.purge = read_count("purge", purge, least=0)
        self.embargo = read_count("embargo", embargo, least=0)

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[Positions, Positions]]:
        """Yield (train, test) positions in the order of time.

        :raises BadInput: when there are too few rows for one split.
        """
        rows = count_rows(X)
        if self._count(rows) == 0:
            needed = self.train_size + self.purge + self.test_size
            raise BadInput(f"{rows} rows are too few; one split needs {needed}")
        tested: list[tuple[int, int]] = []
        for number in range(self._count(rows)):
            start = self.train_size + self.purge + number * self.step
            stop = start + self.test_size
            first = 0 if self.expanding else number * self.step
            train = np.arange(first, start - self.purge)
            if self.embargo:
                train = train[~self._after_tests(train, tested)]
            tested.append((start, stop))
            yield train, np.arange(start, stop)

    def _after_tests(self, train: Positions, tested: list[tuple[int, int]]) -> Any:
        """Tell which rows lie in the embargo after an earlier test window."""
        out = np.zeros(len(train), dtype=bool)
        for _, stop in tested:
            out |= (train >= stop) & (train < stop + self.embargo)
        return out

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return how many splits the rows of ``X`` give; zero where they are too few for one.

        :raises BadInput: without ``X``.
        """
        if X is None:
            raise BadInput("the number of splits depends on the rows; give X")
        return self._count(count_rows(X))

    def _count(self, rows: int) -> int:
        left = rows - self.train_size - self.purge - self.test_size
        return 0 if left < 0 else left // self.step + 1
