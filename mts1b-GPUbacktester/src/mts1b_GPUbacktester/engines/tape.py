"""What all accounts of an asset share: prices of units, returns, extremes of 64 bars."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from mts1b_GPUbacktester.engines.compiling import compiled

__all__ = ["COLUMNS", "WORD", "prepare_stretch"]

WORD = 64
COLUMNS = 6


@compiled()
def _fill_tape(
    fills: Any, marks: Any, buy: float, sell: float, first: int, last: int, sums: Any, tape: Any
) -> None:
    """Write the columns of bars ``first`` to ``last``; row 0 of ``tape`` is the bar before."""
    total, squares = sums[0], sums[1]
    tape[0, 4], tape[0, 5] = total, squares
    for bar in range(first, last):
        row = bar - first + 1
        price, mark = fills[bar], marks[bar]
        before = marks[bar - 1] if bar > 0 else np.nan
        inverse = 1.0 / (price * buy)
        tape[row, 0] = inverse
        tape[row, 1] = price * sell
        tape[row, 2] = mark * inverse - 1.0
        tape[row, 3] = price * sell / before - 1.0
        change = mark / before - 1.0
        if not np.isnan(change):
            total += change
            squares += change * change
        tape[row, 4] = total
        tape[row, 5] = squares
    sums[0], sums[1] = total, squares


@compiled()
def _find_blocks(marks: Any, first: int, last: int, blocks: Any) -> None:
    """Write the extremes of words ``first`` to ``last``."""
    length = len(marks)
    for word in range(first, last):
        high, low, ratio = -np.inf, np.inf, 1.0
        for bar in range(word * WORD, min(length, (word + 1) * WORD)):
            mark = marks[bar]
            if mark > high:
                high = mark
            elif mark < ratio * high:
                ratio = mark / high
            if mark < low:
                low = mark
        blocks[word, 0], blocks[word, 1], blocks[word, 2] = high, low, ratio


@compiled()
def _find_fillable(fills: Any, lag: int, first: int, last: int, words: Any) -> None:
    """Write the words that say whether the decision of a bar finds a price ``lag`` bars later."""
    length = len(fills)
    for word in range(first, last):
        bits = np.uint64(0)
        start = word * WORD + lag
        for bar in range(start, min(length, start + WORD)):
            if not np.isnan(fills[bar]):
                bits |= np.uint64(1) << np.uint64(bar - start)
        words[word] = bits


@compiled(parallel=True)
def prepare_stretch(
    fills: Any,
    marks: Any,
    buy: float,
    sell: float,
    lag: int,
    origin: int,
    count: int,
    sums: Any,
    tape: Any,
    blocks: Any,
    fillable: Any,
) -> None:
    """Write what ``count`` words of time from word ``origin`` need, for each asset.

    ``tape`` (A, bars + 1, 6): 1 / cost of a unit, proceeds of a unit, the return of a bar of entry
    and of a bar of exit, the sums so far of the returns of a held bar and of their squares; row 0
    is the bar before the first that can be filled. ``sums`` (A, 2) carries the last two on.
    ``blocks`` (A, W, 3): the highest and lowest mark and the deepest ratio to a peak in 64 bars.
    ``fillable`` (A, W): the bits of the bars whose decision finds a price ``lag`` bars later.
    """
    length = marks.shape[1]
    first = origin * WORD + lag
    last = min(length, first + count * WORD)
    for asset in numba.prange(len(marks)):
        _fill_tape(fills[asset], marks[asset], buy, sell, first, last, sums[asset], tape[asset])
        _find_blocks(marks[asset], origin, origin + count, blocks[asset])
        _find_fillable(fills[asset], lag, origin, origin + count, fillable[asset])
