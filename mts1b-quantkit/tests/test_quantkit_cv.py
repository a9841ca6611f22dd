"""Splitters: counts of the book, spans that never meet, scikit-learn's shape."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_quantkit import BadInput
from mts1b_quantkit.cv import CombinatorialPurgedKFold, PurgedKFold, WalkForward


class TestWalkForward:
    """Windows that move."""

    def test_rolling(self) -> None:
        splits = list(WalkForward(4, 2).split(np.zeros(9)))
        assert [(a.tolist(), b.tolist()) for a, b in splits] == [
            ([0, 1, 2, 3], [4, 5]),
            ([2, 3, 4, 5], [6, 7]),
        ]

    def test_expanding_with_a_step_and_purge(self) -> None:
        walk = WalkForward(3, 2, step=1, expanding=True, purge=1)
        splits = list(walk.split(pd.DataFrame({"x": range(7)})))
        assert [(a.tolist(), b.tolist()) for a, b in splits] == [
            ([0, 1, 2], [4, 5]),
            ([0, 1, 2, 3], [5, 6]),
        ]

    def test_the_embargo_follows_earlier_tests(self) -> None:
        walk = WalkForward(3, 2, expanding=True, embargo=2, step=4)
        splits = [(a.tolist(), b.tolist()) for a, b in walk.split(range(13))]
        assert splits[0] == ([0, 1, 2], [3, 4])
        assert splits[1] == ([0, 1, 2, 3, 4], [7, 8])
        assert splits[2] == ([0, 1, 2, 3, 4, 7, 8], [11, 12])

    @settings(max_examples=50, deadline=None)
    @given(
        rows=st.integers(1, 80),
        train=st.integers(1, 20),
        test=st.integers(1, 10),
        step=st.integers(1, 10),
        purge=st.integers(0, 5),
        embargo=st.integers(0, 5),
        expanding=st.booleans(),
    )
    def test_training_ends_before_its_test(
        self, rows: int, train: int, test: int, step: int, purge: int, embargo: int, expanding: bool
    ) -> None:
        walk = WalkForward(
            train, test, step=step, purge=purge, embargo=embargo, expanding=expanding
        )
        count = walk.get_n_splits(np.zeros(rows))
        if count == 0:
            with pytest.raises(BadInput, match="too few"):
                next(walk.split(np.zeros(rows)))
            return
        splits = list(walk.split(np.zeros(rows)))
        assert len(splits) == count
        for learned, tested in splits:
            assert len(tested) == test
            assert tested[-1] < rows
            assert len(learned) == 0 or learned[-1] < tested[0] - purge
        assert splits[0][1][0] == train + purge
        assert splits[-1][1][-1] + step >= rows


@settings(max_examples=50, deadline=None)
@given(
    rows=st.integers(2, 60),
    splits=st.integers(2, 8),
    spans=st.lists(st.integers(0, 9), min_size=60, max_size=60),
    embargo=st.integers(0, 6),
)
def test_no_training_label_span_meets_a_test_label_span(
    rows: int, splits: int, spans: list[int], embargo: int
) -> None:
    ends = np.minimum(np.arange(rows) + np.array(spans[:rows]), rows - 1)
    if splits > rows:
        with pytest.raises(BadInput, match="do not make"):
            list(PurgedKFold(splits).split(np.zeros(rows)))
        return
    seen: list[int] = []
    for train, test in PurgedKFold(splits, label_end=ends, embargo=embargo).split(np.zeros(rows)):
        seen += test.tolist()
        last = int(ends[test].max())
        for row in train:
            assert ends[row] < test[0] or row > last + embargo
        outside = sorted(set(range(rows)) - set(test) - set(train))
        for row in outside:
            meets = row <= last and ends[row] >= test[0]
            assert meets or last < row <= last + embargo
    assert seen == list(range(rows))


def test_labels_before_the_test_are_purged() -> None:
    """Four-row labels, a test from 10: rows 6 to 9 look into it, and later rows are looked at."""
    ends = np.minimum(np.arange(20) + 4, 19)
    train, test = list(PurgedKFold(2, label_end=ends).split(np.zeros(20)))[1]
    assert test.tolist() == list(range(10, 20))
    assert train.tolist() == [0, 1, 2, 3, 4, 5]


class TestCombinatorial:
    """Lopez de Prado 2018, section 12.4."""

    def test_the_counts_of_the_book(self) -> None:
        """Six folds, two tested: fifteen splits, five paths."""
        splitter = CombinatorialPurgedKFold(6, 2)
        assert splitter.get_n_splits() == 15
        assert splitter.n_paths == 5
        assert len(list(splitter.split(np.zeros(60)))) == 15

    @settings(max_examples=40, deadline=None)
    @given(
        folds=st.integers(2, 7),
        tested=st.integers(1, 4),
        purge=st.integers(0, 3),
        embargo=st.integers(0, 3),
    )
    def test_every_path_tests_every_row_once(
        self, folds: int, tested: int, purge: int, embargo: int
    ) -> None:
        if tested >= folds:
            with pytest.raises(BadInput, match="n_test_folds is"):
                CombinatorialPurgedKFold(folds, tested)
            return
        splitter = CombinatorialPurgedKFold(folds, tested, purge=purge, embargo=embargo)
        rows = 5 * folds + 3
        splits = list(splitter.split(np.zeros(rows)))
        for train, test in splits:
            blocks = np.split(test, np.flatnonzero(np.diff(test) > 1) + 1)
            for block in blocks:
                near = (train >= block[0] - purge) & (train <= block[-1] + purge + embargo)
                assert not near.any()
        used: set[tuple[int, int]] = set()
        for path in splitter.paths():
            assert len(path) == folds
            for fold, number in enumerate(path):
                used.add((fold, number))
        assert len(used) == folds * splitter.n_paths
        assert len(splitter.paths()) == splitter.n_paths


def test_scikit_learn_can_use_them() -> None:
    for splitter in (WalkForward(4, 2), PurgedKFold(3), CombinatorialPurgedKFold(4, 2)):
        X = np.zeros((12, 2))
        assert splitter.get_n_splits(X, None, None) == len(list(splitter.split(X, None, None)))


@pytest.mark.parametrize(
    "call",
    [
        lambda: WalkForward(0, 1),
        lambda: WalkForward(1, 1, step=0),
        lambda: WalkForward(2, 1.5),  # type: ignore[arg-type]
        lambda: WalkForward(2, 1).get_n_splits(),
        lambda: PurgedKFold(1),
        lambda: PurgedKFold(2, embargo=-1),
        lambda: list(PurgedKFold(2, label_end=[0]).split(np.zeros(3))),
        lambda: list(PurgedKFold(2, label_end=[0, 0, 2]).split(np.zeros(3))),
        lambda: list(PurgedKFold(2, label_end=[0.5, 1, 2]).split(np.zeros(3))),
        lambda: list(PurgedKFold(2).split([])),
    ],
)
def test_bad_input(call: object) -> None:
    with pytest.raises(BadInput):
        call()  # type: ignore[operator]
