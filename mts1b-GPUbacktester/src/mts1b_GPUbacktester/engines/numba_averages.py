"""The averages compiled: one pass each, all cores, the same operations as numpy in its order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np

from mts1b_GPUbacktester.averages import Averages, RunningSums, first_known
from mts1b_GPUbacktester.engines.compiling import compiled
from mts1b_GPUbacktester.semantics import FloatArray

__all__ = ["NumbaAverages"]


@compiled()
def _sum_rows(values: Any, base: Any, sums: Any) -> Any:
    """Write running sums; return whether a value was missing."""
    found = False
    for row in range(len(values)):
        total, level = 0.0, base[row, 0]
        for bar in range(values.shape[1]):
            value = values[row, bar]
            if np.isnan(value):
                found = True
            else:
                total += value - level
            sums[row, bar] = total
    return found


@compiled(parallel=True)
def _simple(base: Any, sums: Any, windows: Any, positions: Any, start: int, out: Any) -> None:
    """Write the averages of bars from ``start``, shared out by window and row."""
    rows, length = len(sums), out.shape[2]
    stop = min(sums.shape[1], start + length)
    for task in numba.prange(len(windows) * rows):
        place, row = task // rows, task % rows
        window, level = windows[place], base[row, 0]
        into = out[positions[place], row]
        for bar in range(start, min(stop, window - 1)):
            into[bar - start] = np.nan
        if start <= window - 1 < stop:
            into[window - 1 - start] = sums[row, window - 1] / window + level
        for bar in range(max(start, window), stop):
            into[bar - start] = (sums[row, bar] - sums[row, bar - window]) / window + level


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
        base = values[:, :1].copy()
        if np.isnan(base).any():
            base = first_known(values, np.isnan(values))
        sums = np.empty(values.shape)
        found = _sum_rows(values, base, sums)
        gaps = np.cumsum(np.isnan(values), axis=-1) if found else None
        return RunningSums(base, sums, gaps)

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
        _simple(running.base, running.sums, lengths, places, bars.start, out)
        if running.gaps is not None:
            _blank(running.gaps, lengths, places, bars.start, out)

    def recursive(self, values: FloatArray, weight: float, warm: int, out: FloatArray) -> None:
        """Write the recursion with any weight; the first ``warm`` - 1 values are missing."""
        _recursive(values, weight, warm, out)
