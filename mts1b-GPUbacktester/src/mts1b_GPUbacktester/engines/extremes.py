"""Highest and lowest prices of any stretch of time, and how deep it falls, without a walk.

Entry k, b of a table is about the 2^k blocks of 16 bars from block b. Two entries that overlap
cover any run of blocks, which bounds a stretch of bars in constant time; a fall is exact from
entries that do not overlap, and the bars at both ends.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from mts1b_GPUbacktester.engines.bits import first_bit, last_bit, lowest_of_16
from mts1b_GPUbacktester.engines.compiling import compiled
from mts1b_GPUbacktester.semantics import FloatArray

__all__ = ["bounds", "deepest_fall", "fill_table", "lowest", "table_shape"]

_BLOCK, _SHIFT = 16, 4
_HIGH, _LOW, _RATIO = 0, 1, 2


def table_shape(length: int) -> tuple[int, int, int]:
    """Return the shape of the table of one asset with so many bars."""
    blocks = -(-length // _BLOCK)
    return blocks.bit_length(), blocks, 3


@compiled()
def _find_blocks(marks: Any, level: Any) -> None:
    """Write what each block of 16 bars is about; an unknown mark counts for nothing."""
    length = len(marks)
    for block in range(len(level)):
        high, low, ratio = -np.inf, np.inf, 1.0
        for bar in range(block * _BLOCK, min(length, (block + 1) * _BLOCK)):
            mark = marks[bar]
            if mark > high:
                high = mark
            elif mark < ratio * high:
                ratio = mark / high
            if mark < low:
                low = mark
        level[block, _HIGH], level[block, _LOW], level[block, _RATIO] = high, low, ratio


@compiled()
def _join(halves: Any, level: Any, width: int) -> None:
    """Write twice the width of the level below; ratios only where they are read, at multiples."""
    half = width // 2
    for block in range(len(level) - width + 1):
        other = block + half
        high, low = halves[block, _HIGH], halves[block, _LOW]
        level[block, _HIGH] = max(high, halves[other, _HIGH])
        level[block, _LOW] = min(low, halves[other, _LOW])
    for block in range(0, len(level) - width + 1, width):
        other = block + half
        ratio = min(halves[block, _RATIO], halves[other, _RATIO])
        level[block, _RATIO] = min(ratio, halves[other, _LOW] / halves[block, _HIGH])


@compiled(parallel=True)
def fill_table(marks: FloatArray, tables: FloatArray) -> None:
    """Fill the tables (A, *shape) of :func:`table_shape` from marks (A, T)."""
    for asset in numba.prange(len(marks)):
        table = tables[asset]
        _find_blocks(marks[asset], table[0])
        for level in range(1, len(table)):
            _join(table[level - 1], table[level], 1 << level)


@compiled()
def bounds(table: Any, start: int, stop: int) -> Any:
    """Return a high and a low that no mark of bars ``start`` to ``stop`` (after it) exceeds."""
    first, last = start >> _SHIFT, (stop - 1) >> _SHIFT
    level = last_bit(np.uint64(last - first + 1))
    second = last + 1 - (1 << level)
    high, low = table[level, first, _HIGH], table[level, first, _LOW]
    other_high, other_low = table[level, second, _HIGH], table[level, second, _LOW]
    return (
        high if high > other_high else other_high,
        low if low < other_low else other_low,
    )


@compiled()
def lowest(marks: Any, table: Any, start: int, stop: int) -> float:
    """Return the lowest mark of bars ``start`` to ``stop`` (after it), all of which are known."""
    if stop - start < _BLOCK:
        found = marks[start]
        for bar in range(start + 1, stop):
            found = min(found, marks[bar])
        return float(found)
    head, tail = lowest_of_16(marks, start), lowest_of_16(marks, stop - _BLOCK)
    least: float = head if head < tail else tail
    first, last = (start + _BLOCK - 1) >> _SHIFT, stop >> _SHIFT
    if first < last:
        level = last_bit(np.uint64(last - first))
        one, other = table[level, first, _LOW], table[level, last - (1 << level), _LOW]
        middle = one if one < other else other
        least = middle if middle < least else least
    return least


@compiled()
def _climb(marks: Any, start: int, stop: int, units: float, peak: float, worst: float) -> Any:
    """Walk the bars of a held stretch; return the peak and the deepest ratio to it."""
    for bar in range(start, stop):
        value = units * marks[bar]
        if value > peak:
            peak = value
        elif value < worst * peak:
            worst = value / peak
    return peak, worst


@compiled()
def deepest_fall(
    marks: Any, table: Any, start: int, stop: int, units: float, peak: float, worst: float
) -> Any:
    """Return the peak and the deepest ratio to a peak after ``units`` were held in a stretch.

    :param peak: the highest equity before; ``worst`` is the deepest ratio to a peak before.
    """
    block, last = (start + _BLOCK - 1) >> _SHIFT, stop >> _SHIFT
    if block >= last:
        return _climb(marks, start, stop, units, peak, worst)
    peak, worst = _climb(marks, start, block << _SHIFT, units, peak, worst)
    while block < last:
        # The widest entry that starts at a multiple of its width and ends in time.
        level = last_bit(np.uint64(last - block))
        if block > 0:
            level = min(level, first_bit(np.uint64(block)))
        high, low = units * table[level, block, _HIGH], units * table[level, block, _LOW]
        if low < worst * peak:
            worst = low / peak
        if high > peak:
            worst, peak = min(worst, table[level, block, _RATIO]), high
        block += 1 << level
    return _climb(marks, last << _SHIFT, stop, units, peak, worst)
