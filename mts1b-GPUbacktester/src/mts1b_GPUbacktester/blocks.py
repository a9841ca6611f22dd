"""Cut a sweep into blocks of assets and parameter sets that fit a memory budget."""

from __future__ import annotations

from collections.abc import Iterator

from mts1b_GPUbacktester.engines import SweepBlock
from mts1b_GPUbacktester.program import Slots, compile_rule

__all__ = ["blocks"]

_SHARED_COLUMNS = 16
"""Columns of 8 bytes a bar that an engine keeps beside the series: prices, sums, marks."""

_NEAR = 32 * 2**20
"""Bytes that blocks of several assets stay below, so that series are read from a cache."""


def blocks(whole: SweepBlock) -> Iterator[tuple[slice, slice]]:
    """Yield (sets, assets) whose distinct series fit the budget; each pair comes once.

    Assets are the outer loop: the series of an asset are computed once for all sets where they
    fit. Where the series of one asset do not, its sets are cut too.
    """
    length, assets = whole.prices.close.shape[1], len(whole.prices.symbols)
    cuts = list(_cuts(whole, max(2, whole.budget // (8 * length) - _SHARED_COLUMNS)))
    widest = max(columns for _, columns in cuts) + _SHARED_COLUMNS
    step = max(1, min(assets, min(whole.budget, _NEAR) // (8 * length * widest)))
    for first in range(0, assets, step):
        for rows, _ in cuts:
            yield rows, slice(first, min(assets, first + step))


def _cuts(whole: SweepBlock, limit: int) -> Iterator[tuple[slice, int]]:
    """Yield stretches of sets that use at most ``limit`` distinct series, and how many they use."""
    table = Slots(compile_rule(whole.rule, whole.settings), whole.sets).table
    start, seen = 0, set[int]()
    for row, needed in enumerate(table.tolist()):
        more = seen.union(needed)
        if len(more) > limit and row > start:
            yield slice(start, row), len(seen)
            start, more = row, set(needed)
        seen = more
    yield slice(start, len(table)), len(seen)
