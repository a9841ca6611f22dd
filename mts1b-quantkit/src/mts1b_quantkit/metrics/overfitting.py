"""How likely the best strategy of a search is no better than the median out of sample."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mts1b_quantkit.arrays import FloatArray, as_table
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.metrics.columns import unit_of
from mts1b_quantkit.scalars import read_count

__all__ = ["Overfitting", "probability_of_backtest_overfitting"]

_CHUNK_ELEMENTS = 1 << 21
"""Splits x strategies that are worked on at once (16 MB an array)."""
_MOST_BLOCKS = 24
"""They have 2.7 million halves; each two more have four times as many."""


@dataclass(frozen=True, slots=True, eq=False)
class Overfitting:
    """What the symmetric splits say of a search.

    ``logits`` (one a split) are log(w / (1 - w)), w being the out-of-sample rank of the in-sample
    best over K + 1; ``probability`` is their share at or below zero. The degradation line is the
    regression of the best's out-of-sample Sharpe ratio on its in-sample one, both per period;
    ``probability_of_loss`` the share of splits in which the former is negative.
    """

    probability: float
    logits: FloatArray
    degradation_slope: float
    degradation_intercept: float
    probability_of_loss: float


def probability_of_backtest_overfitting(matrix: Any, *, n_splits: int = 16) -> Overfitting:
    """Run combinatorially symmetric cross-validation over the returns of all trials.

    The rows are cut into ``n_splits`` blocks; every half of them is once the sample in which the
    best strategy (by Sharpe ratio) is chosen, the other half the one in which it is ranked
    (Bailey, Borwein, Lopez de Prado and Zhu 2015). Rows that are left over are cut at the start.

    :param matrix: (T, K) returns of K >= 2 trials.
    :param n_splits: an even number of blocks, 2 to 24.
    :raises BadInput: for another number, too few rows or trials, or a trial that does not move
        within some half.

    >>> import numpy as np
    >>> from mts1b_quantkit.metrics import probability_of_backtest_overfitting
    >>> trials = np.random.default_rng(7).normal(size=(160, 5))
    >>> 0.0 <= probability_of_backtest_overfitting(trials, n_splits=8).probability <= 1.0
    True
    """
    table = as_table(matrix, what="matrix")
    values, blocks = table.matrix, _require_blocks(n_splits)
    rows, trials = values.shape
    length = rows // blocks
    if trials < 2:
        raise BadInput("matrix has one column; a search has two trials or more")
    if length * blocks // 2 < 2:
        raise BadInput(f"{rows} rows are too few for {blocks} blocks; give {max(blocks, 4)}")
    unit = unit_of(np.abs(values).max(axis=0))
    values = values if unit is None else values / unit  # no ratio depends on the unit
    centre = values.mean(axis=0)
    kept = (values - centre)[rows - length * blocks :].reshape(blocks, length, trials)
    sums, squares = kept.sum(axis=1), (kept**2).sum(axis=1)
    halves = _halves(blocks)
    step = max(1, _CHUNK_ELEMENTS // trials)
    parts = [
        _score(chosen, sums, squares, centre, length, table.labels)
        for chosen in (halves[at : at + step] for at in range(0, len(halves), step))
    ]
    ranks, inside, outside = (np.concatenate(part) for part in zip(*parts, strict=True))
    share = ranks / (trials + 1.0)
    logits = np.log(share / (1.0 - share))
    slope, intercept = _line(inside, outside)
    return Overfitting(
        probability=float((logits <= 0.0).mean()),
        logits=logits,
        degradation_slope=slope,
        degradation_intercept=intercept,
        probability_of_loss=float((outside < 0.0).mean()),
    )


def _require_blocks(n_splits: int) -> int:
    wanted = f"an even number of blocks from 2 to {_MOST_BLOCKS}, e.g. 16"
    count = read_count("n_splits", n_splits, least=2, most=_MOST_BLOCKS, wanted=wanted)
    if count % 2:
        raise BadInput(f"n_splits is {count}; give {wanted}")
    return count


def _halves(blocks: int) -> FloatArray:
    """Return one row of zeros and ones for each choice of half of the blocks."""
    chosen = list(combinations(range(blocks), blocks // 2))
    result = np.zeros((len(chosen), blocks))
    result[np.arange(len(chosen))[:, None], np.array(chosen)] = 1.0
    return result


def _score(
    chosen: FloatArray,
    sums: FloatArray,
    squares: FloatArray,
    centre: FloatArray,
    length: int,
    labels: list[Any],
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the rank of the in-sample best, and its Sharpe ratio on both sides."""
    count = length * len(sums) // 2
    inside = _sharpe(chosen @ sums, chosen @ squares, centre, count, labels)
    outside = _sharpe((1.0 - chosen) @ sums, (1.0 - chosen) @ squares, centre, count, labels)
    split = np.arange(len(chosen))
    best = inside.argmax(axis=1)
    reached = outside[split, best]
    lower = (outside < reached[:, None]).sum(axis=1)
    equal = (outside == reached[:, None]).sum(axis=1)
    return lower + (equal + 1.0) / 2.0, inside[split, best], reached


def _sharpe(
    total: FloatArray, square: FloatArray, centre: FloatArray, count: int, labels: list[Any]
) -> FloatArray:
    variance = (square - total**2 / count) / (count - 1)
    still: NDArray[np.bool_] = variance <= 1e-14 * square.max(axis=0)
    if still.any():
        name = labels[int(still.any(axis=0).argmax())]
        raise BadInput(f"trial {name!r} does not move within a half of the rows; drop it")
    return np.asarray((total / count + centre) / np.sqrt(variance))


def _line(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    spread = ((x - x.mean()) ** 2).sum()
    if spread == 0.0:
        return float("nan"), float("nan")
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / spread)
    return slope, float(y.mean() - slope * x.mean())
