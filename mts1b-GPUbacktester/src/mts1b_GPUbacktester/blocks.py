"""Cut a sweep into blocks of assets and parameter sets that fit a memory budget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from mts1b_GPUbacktester.engines import SweepBlock
from mts1b_GPUbacktester.expressions import Field, Number, Value, Windowed
from mts1b_GPUbacktester.program import Compiled, is_plain

__all__ = ["Cut", "blocks"]

_SHARED_COLUMNS = 12
"""Columns of 8 bytes a bar that an engine keeps beside the series: prices and marks."""

_SOURCE_COLUMNS = 8
"""The same for each source of averages that goes by tiles.

Its values, sums, rests and gaps, and all of them stacked.
"""

_ACCOUNT = 256
"""Bytes that an engine keeps for an account while it runs."""

_NEAR = 32 * 2**20
"""Bytes that blocks of several assets stay below, so that series are read from a cache."""

_TILE, _WORD = 1_024, 64
"""Bars that a plain rule works on at once, in words of so many."""

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
    plain = is_plain(whole.rule, whole.settings) and not on_device
    needs = _Needs(whole.prices.close.shape[1], plain=plain)
    cuts = list(_cuts(whole, every, needs))
    most = max(needs.bytes(part.compiled.series) for _, part in cuts if part.compiled)
    far = on_device or all(needs.in_tiles(value) for value in every.series)
    room = (whole.budget if far else min(whole.budget, _NEAR)) // most
    step = max(1, min(assets, room, whole.budget // (_ACCOUNT * len(cuts[0][1].sets))))
    found = []
    for first in range(0, assets, step):
        some = slice(first, min(assets, first + step))
        prices = whole.prices.part(some)
        found += [(rows, some, replace(part, prices=prices)) for rows, part in cuts]
    return found


@dataclass(frozen=True, slots=True)
class _Needs:
    """What the series of one asset take in memory, in bytes.

    A ``plain`` rule holds but a tile of time of each simple average; the running sums of what is
    averaged are there whole, once for all windows. Other values are computed whole.
    """

    length: int
    plain: bool

    def in_tiles(self, value: Value) -> bool:
        """Return whether an engine holds but a tile of time of this series."""
        return self.plain and (isinstance(value, Field | Number) or _averaged(value) is not None)

    def own(self, value: Value) -> int:
        """Return what a series takes that no other shares."""
        words = -(-min(self.length, _TILE) // _WORD)
        return 8 * (words * _WORD if self.in_tiles(value) else self.length)

    def source(self, value: Value) -> Value | None:
        """Return what the series shares with others of the same source, None for nothing."""
        return _averaged(value) if self.plain else None

    def of(self, own: int, sources: int) -> int:
        """Return all that an asset takes, by what its series have for themselves."""
        return own + 8 * self.length * (_SHARED_COLUMNS + _SOURCE_COLUMNS * max(1, sources))

    def bytes(self, series: Iterable[Value]) -> int:
        """Return all that an asset takes with these series."""
        values = list(series)
        sources = {self.source(value) for value in values} - {None}
        return self.of(sum(map(self.own, values)), len(sources))


def _averaged(value: Value) -> Value | None:
    """Return what a simple average is made of, None for any other value."""
    return value.source if isinstance(value, Windowed) and value.kind == "sma" else None


class _Pile:
    """Series of one asset that are there together."""

    def __init__(self, needs: _Needs, series: list[Value]) -> None:
        self._needs = needs
        self._sizes = [needs.own(value) for value in series]
        self._sources = [needs.source(value) for value in series]
        self.clear()

    def clear(self) -> None:
        """Begin a new one."""
        self._seen, self._shared, self._own = set[int](), set[Value](), 0

    def put(self, places: Iterable[int]) -> int:
        """Add series by their places; return the bytes that all of them take."""
        for place in set(places) - self._seen:
            self._seen.add(place)
            self._own += self._sizes[place]
            source = self._sources[place]
            if source is not None:
                self._shared.add(source)
        return self._needs.of(self._own, len(self._shared))


def _cuts(whole: SweepBlock, every: Compiled, needs: _Needs) -> Iterator[tuple[slice, SweepBlock]]:
    """Yield stretches of sets whose distinct series fit the budget, one set at least."""
    most = max(1, whole.budget // _ACCOUNT)
    bounds, pile = [0], _Pile(needs, every.series)
    for row, needed in enumerate(every.slots.tolist()):
        full = pile.put(needed) > whole.budget
        if row > bounds[-1] and (full or row - bounds[-1] >= most):
            bounds.append(row)
            pile.clear()
            pile.put(needed)
    bounds.append(len(whole.sets))
    for start, stop in pairwise(bounds):
        rows = slice(start, stop)
        part = every if len(bounds) == 2 else every.part(rows)
        yield rows, replace(whole, sets=whole.sets[rows], compiled=part)
