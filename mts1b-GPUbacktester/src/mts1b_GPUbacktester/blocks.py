"""Cut a sweep into blocks of assets and parameter sets that fit a memory budget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from mts1b_GPUbacktester.engines import SweepBlock
from mts1b_GPUbacktester.expressions import Field, Number, Windowed
from mts1b_GPUbacktester.program import Compiled, is_plain

__all__ = ["Cut", "blocks"]

_SHARED_COLUMNS = 16
"""Columns of 8 bytes a bar that an engine keeps beside the series: prices, sums, marks."""

_ACCOUNT = 256
"""Bytes that an engine keeps for an account while it runs."""

_NEAR = 32 * 2**20
"""Bytes that blocks of several assets stay below, so that series are read from a cache."""

_TILE = 1_024
"""Bars that a plain rule works on at once."""

Cut = tuple[slice, slice, SweepBlock]


def blocks(whole: SweepBlock, *, compiled: bool, on_device: bool = False) -> list[Cut]:
    """Return (sets, assets, block) whose distinct series fit the budget; each pair comes once.

    Assets are the outer loop: the series of an asset are computed once for all sets where they
    fit. Where the series of one asset do not, its sets are cut too. An engine that is not
    ``compiled`` gets one block. With ``on_device`` all bars are there at once, and blocks are as
    large as the budget lets them be: a GPU wants many accounts at a time.
    """
    assets = len(whole.prices.symbols)
    if not compiled:
        return [(slice(0, len(whole.sets)), slice(0, assets), whole)]
    every = Compiled.of(whole.rule, whole.settings, whole.sets)
    length: int = whole.prices.close.shape[1]
    tiled = not on_device and _by_tiles(whole, every)
    column, shared = 8 * (min(length, _TILE) if tiled else length), 8 * length * _SHARED_COLUMNS
    cuts = list(_cuts(whole, every, max(2, (whole.budget - shared) // column)))
    widest = max(part.compiled.width for _, part in cuts if part.compiled)
    most = whole.budget if on_device or tiled else min(whole.budget, _NEAR)
    room = most // (column * widest + shared)
    step = max(1, min(assets, room, whole.budget // (_ACCOUNT * len(cuts[0][1].sets))))
    found = []
    for first in range(0, assets, step):
        some = slice(first, min(assets, first + step))
        prices = whole.prices.part(some)
        found += [(rows, some, replace(part, prices=prices)) for rows, part in cuts]
    return found


def _by_tiles(whole: SweepBlock, every: Compiled) -> bool:
    """Return whether an engine holds but a tile of time of each series.

    Plain rules on simple averages go by tiles; other values are computed whole.
    """
    return is_plain(whole.rule, whole.settings) and all(
        isinstance(value, (Field, Number)) or (isinstance(value, Windowed) and value.kind == "sma")
        for value in every.series
    )


def _cuts(whole: SweepBlock, every: Compiled, limit: int) -> Iterator[tuple[slice, SweepBlock]]:
    """Yield stretches of sets that use at most ``limit`` distinct series."""
    most = max(1, whole.budget // _ACCOUNT)
    bounds, seen = [0], set[int]()
    for row, needed in enumerate(every.slots.tolist()):
        seen.update(needed)
        if row > bounds[-1] and (len(seen) > limit or row - bounds[-1] >= most):
            bounds.append(row)
            seen = set(needed)
    bounds.append(len(whole.sets))
    for start, stop in pairwise(bounds):
        rows = slice(start, stop)
        part = every if len(bounds) == 2 else every.part(rows)
        yield rows, replace(whole, sets=whole.sets[rows], compiled=part)
