"""The averages compiled: one pass each, all cores, the same operations as numpy in its order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np

from mts1b_GPUbacktester.averages import NEAR, Averages, RunningSums
from mts1b_GPUbacktester.engines.compiling import compiled
from mts1b_GPUbacktester.semantics import FloatArray

__all__ = ["NumbaAverages"]


@compiled()
def _sum_rows(values: Any, sums: Any, rests: Any) -> Any:
    """Write running sums and what rounding took from them; return whether a value was missing."""
    found = False
    for row in range(len(values)):
        total, rest = 0.0, 0.0
        for bar in range(values.shape[1]):
            value = values[row, bar]
            if np.isnan(value):
                found = True
            else:
                before = total
                total = before + value
                added = total - before
                rest += (before - (total - added)) + (value - added)
            sums[row, bar], rests[row, bar] = total, rest
    return found


@compiled()
def _settled(mean: float, latest: float) -> float:
    """Return the latest value for a mean that is that but for rounding."""
    return latest if abs(mean - latest) <= NEAR * abs(latest) else mean


@compiled(parallel=True)
def _simple(
    values: Any, sums: Any, rests: Any, windows: Any, positions: Any, start: int, out: Any
) -> None:
    """Write the averages of bars from ``start``, shared out by window and row."""
    rows, length = len(sums), out.shape[2]
    stop = min(sums.shape[1], start + length)
    for task in numba.prange(len(windows) * rows):
        place, row = task // rows, task % rows
        window = windows[place]
        into = out[positions[place], row]
        for bar in range(start, min(stop, window - 1)):
            into[bar - start] = np.nan
        if start <= window - 1 < stop:
            last = window - 1
            into[last - start] = _settled(
                (sums[row, last] + rests[row, last]) / window, values[row, last]
            )
        for bar in range(max(start, window), stop):
            gained = sums[row, bar] - sums[row, bar - window]
            gained += rests[row, bar] - rests[row, bar - window]
            into[bar - start] = _settled(gained / window, values[row, bar])


@compiled()
def _blank(gaps: Any, windows: Any, positions: Any, start: int, out: Any) -> None:
    """Make missing what has a missing value in its window."""
    rows = len(gaps)
    stop = min(gaps.shape[1], start + out.shape[2])
    for task in range(len(windows) * rows):
        place, row = task // rows, task % rows
        window = windows[place]
        for bar in range(start, stop):
            before = gaps[row, bar - window] if bar >= window else 0
            if gaps[row, bar] > before:
                out[positions[place], row, bar - start] = np.nan


@compiled()
def _recursive(values: Any, weight: float, warm: int, out: Any) -> None:
    for row in range(len(values)):
        level, last, known = 0.0, 0.0, 0
        for bar in range(values.shape[1]):
            value = values[row, bar]
            missing = np.isnan(value)
            if not missing:
                last = value
                if known == 0:
                    level = value
            if missing and known == 0:
                out[row, bar] = np.nan
                continue
            level = level + weight * (last - level)
            known += 1
            out[row, bar] = np.nan if missing or known < warm else level


class NumbaAverages(Averages):
    """Compute averages with compiled loops, to the last bit as :class:`Averages`."""

    def sums(self, values: FloatArray) -> RunningSums:
        """Return what simple averages of any window over (A, T) share."""
        sums, rests = np.empty(values.shape), np.empty(values.shape)
        found = _sum_rows(values, sums, rests)
        gaps = np.cumsum(np.isnan(values), axis=-1) if found else None
        return RunningSums(values, sums, rests, gaps)

    def simple(self, running: RunningSums, window: int, out: FloatArray, start: int = 0) -> None:
        """Write means of the last ``window`` values into ``out``, whose first bar is ``start``."""
        self.simple_many(running, [window], [0], slice(start, start + out.shape[1]), out[None])

    def simple_many(
        self,
        running: RunningSums,
        windows: Sequence[int],
        positions: Sequence[int],
        bars: slice,
        out: FloatArray,
    ) -> None:
        """Write the averages of several windows, each to its position of ``out`` (S, A, bars)."""
        lengths, places = np.array(windows), np.array(positions)
        _simple(running.values, running.sums, running.rests, lengths, places, bars.start, out)
        if running.gaps is not None:
            _blank(running.gaps, lengths, places, bars.start, out)

    def recursive(self, values: FloatArray, weight: float, warm: int, out: FloatArray) -> None:
        """Write the recursion with any weight; the first ``warm`` - 1 values are missing."""
        _recursive(values, weight, warm, out)
