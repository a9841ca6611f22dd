"""Combinatorial purged cross-validation (Lopez de Prado 2018, chapter 12)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from math import comb
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

__all__ = ["CombinatorialPurgedKFold"]

_MOST_FOLDS = 1000


class CombinatorialPurgedKFold:
    """Test on every choice of ``n_test_folds`` of ``n_folds`` consecutive blocks.

    Each block is tested in C(N - 1, k - 1) splits; their tests join to that many paths through all
    the rows (:attr:`n_paths`).

    :param purge: rows left out of training before each test block, and after it.
    :param embargo: further rows left out after each test block.

    >>> from mts1b_quantkit.cv import CombinatorialPurgedKFold
    >>> CombinatorialPurgedKFold(6, 2).n_paths
    5
    """

    def __init__(
        self, n_folds: int, n_test_folds: int, *, purge: int = 0, embargo: int = 0
    ) -> None:
        self.n_folds = read_count("n_folds", n_folds, least=2, most=_MOST_FOLDS)
        self.n_test_folds = read_count("n_test_folds", n_test_folds, least=1)
        if self.n_test_folds >= self.n_folds:
            raise BadInput(
                f"n_test_folds is {n_test_folds} of {n_folds}; leave one fold or more to train on"
            )
        self.purge = read_count("purge", purge, least=0)
        self.embargo = read_count("embargo", embargo, least=0)

    @property
    def n_paths(self) -> int:
        """Return the number of paths through all the rows: k / N times the splits."""
        return comb(self.n_folds - 1, self.n_test_folds - 1)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return C(n_folds, n_test_folds)."""
        return comb(self.n_folds, self.n_test_folds)

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[Positions, Positions]]:
        """Yield (train, test) positions for each choice of folds, in lexical order."""
        rows = count_rows(X)
        blocks = blocks_of(rows, self.n_folds)
        for chosen in combinations(range(self.n_folds), self.n_test_folds):
            tested = [blocks[fold] for fold in chosen]
            train = without_neighbours(rows, tested, purge=self.purge, embargo=self.embargo)
            test = np.concatenate([np.arange(start, stop) for start, stop in tested])
            yield train, test

    def paths(self) -> list[list[int]]:
        """Return, for each path, the number of the split that tests each fold.

        Path j takes of every fold the j-th split in which it is tested.
        """
        of_fold: list[list[int]] = [[] for _ in range(self.n_folds)]
        for number, chosen in enumerate(combinations(range(self.n_folds), self.n_test_folds)):
            for fold in chosen:
                of_fold[fold].append(number)
        return [[splits[path] for splits in of_fold] for path in range(self.n_paths)]
