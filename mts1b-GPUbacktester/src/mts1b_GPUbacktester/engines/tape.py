"""What all accounts of an asset share: prices of units, returns, the bars that can be filled."""

from __future__ import annotations

from typing import Any

import numpy as np

from mts1b_GPUbacktester.engines.compiling import compiled

__all__ = ["COLUMNS", "WORD", "fill_tape"]

WORD = 64
COLUMNS = 8
"""Four of a bar of entry, then four of a bar of exit; the last of each is not used."""


@compiled()
def _fill_rows(
    fills: Any, marks: Any, buy: float, sell: float, first: int, last: int, sums: Any, tape: Any
) -> None:
    """Write the columns of the fills in bars ``first`` to ``last``."""
    total, squares = sums[0], sums[1]
    before = marks[first - 1] if 0 < first <= len(marks) else np.nan
    for bar in range(first, last):
        row = bar - first
        price, mark = fills[bar], marks[bar]
        known = 1.0 / before
        inverse, proceeds = 1.0 / (price * buy), price * sell
        leaving = proceeds * known - 1.0
        tape[row, 4] = proceeds
        tape[row, 5] = leaving + total
        tape[row, 6] = leaving * leaving + squares
        change = mark * known - 1.0
        if not np.isnan(change):
            total += change
            squares += change * change
        entering = mark * inverse - 1.0
        tape[row, 0] = inverse
        tape[row, 1] = entering - total
        tape[row, 2] = entering * entering - squares
        before = mark
    sums[0], sums[1] = total, squares


@compiled()
def fill_tape(
    fills: Any,
    marks: Any,
    buy: float,
    sell: float,
    first: int,
    count: int,
    sums: Any,
    tape: Any,
    fillable: Any,
) -> None:
    """Write what ``count`` words of decisions need whose first is filled in bar ``first``.

    Row k of ``tape`` (bars, 8) is of the fill in bar ``first`` + k. Of an entry there: 1 / cost of
    a unit, and what the sum of returns and that of their squares gain by entering, less the sums
    of a held bar so far; of an exit: the proceeds of a unit, and the same gains with the sums of a
    held bar before. So a round trip adds two rows to the sums of its account. ``sums`` (2,) carries
    the sums of a held bar on to the next tile. ``fillable`` (words,): the bits of the decisions
    that find a price.
    """
    last = min(len(marks), first + count * WORD)
    _fill_rows(fills, marks, buy, sell, first, last, sums, tape)
    for word in range(count):
        bits = np.uint64(0)
        start = first + word * WORD
        for bar in range(start, min(last, start + WORD)):
            if not np.isnan(fills[bar]):
                bits |= np.uint64(1) << np.uint64(bar - start)
        fillable[word] = bits
