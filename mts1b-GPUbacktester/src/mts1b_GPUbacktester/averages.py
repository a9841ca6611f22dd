"""Moving averages along the last axis of (A, T): plain numpy, the reference for every other way.

A value depends on its row up to its bar and on nothing else: neither on later bars nor on how many
rows or bars there are, to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mts1b_GPUbacktester.semantics import BoolArray, FloatArray

__all__ = ["NEAR", "Averages", "RunningSums", "without_infinities"]

NEAR = 2.0**-50
"""Of a value: so much rounding may move an average of equal ones."""

_FEW_ROWS = 16


@dataclass(frozen=True, slots=True)
class RunningSums:
    """Sums over time of the known values of each row, and the rests that rounding took from them.

    Both together hold twice the digits, so that an average keeps its own whatever came before its
    window. ``gaps`` counts missing values, None where there is none.
    """

    values: FloatArray
    sums: FloatArray
    rests: FloatArray
    gaps: NDArray[np.int64] | None


class Averages:
    """Compute averages with numpy."""

    def sums(self, values: FloatArray) -> RunningSums:
        """Return what simple averages of any window over (A, T) share."""
        missing = np.isnan(values)
        with_gaps = bool(missing.any())
        known = np.where(missing, 0.0, values) if with_gaps else values
        sums = np.cumsum(known, axis=-1)
        before = np.zeros(sums.shape)
        before[..., 1:] = sums[..., :-1]
        # What an addition of two numbers loses is a number too (Knuth, TAOCP 2, 4.2.2).
        added = sums - before
        lost = (before - (sums - added)) + (known - added)
        gaps = np.cumsum(missing, axis=-1) if with_gaps else None
        return RunningSums(values, sums, np.cumsum(lost, axis=-1), gaps)

    def simple(self, running: RunningSums, window: int, out: FloatArray, start: int = 0) -> None:
        """Write means of the last ``window`` values into ``out``, whose first bar is ``start``.

        NaN where a value of the window is missing. A mean that is the latest value but for rounding
        is that value: nothing crosses a price that stands still.
        """
        stop = start + out.shape[-1]
        whole = max(start, min(window - 1, stop))
        out[..., : whole - start] = np.nan
        tail = out[..., whole - start :]
        tail[...] = _in_window(running.sums, window, whole, stop)
        tail += _in_window(running.rests, window, whole, stop)
        tail /= window
        latest = running.values[..., whole:stop]
        np.copyto(tail, latest, where=np.abs(tail - latest) <= NEAR * np.abs(latest))
        if running.gaps is not None:
            tail[_in_window(running.gaps, window, whole, stop) > 0] = np.nan

    def simple_many(
        self,
        running: RunningSums,
        windows: Sequence[int],
        positions: Sequence[int],
        bars: slice,
        out: FloatArray,
    ) -> None:
        """Write the averages of several windows, each to its position of ``out`` (S, A, bars)."""
        for window, position in zip(windows, positions, strict=True):
            part = out[position, :, : bars.stop - bars.start]
            self.simple(running, window, part, bars.start)

    def exponential(self, values: FloatArray, window: int, out: FloatArray) -> None:
        """Write y(t) = y(t-1) + 2 / (window + 1) * (x(t) - y(t-1)).

        It starts at the first known value; a missing one repeats the last known and is itself
        missing, as are the first ``window`` - 1 values.
        """
        self.recursive(values, 2.0 / (window + 1.0), window, out)

    def recursive(self, values: FloatArray, weight: float, warm: int, out: FloatArray) -> None:
        """Write the recursion with any weight; the first ``warm`` - 1 values are missing."""
        missing = np.isnan(values)
        latest = np.maximum.accumulate(np.where(missing, 0, np.arange(values.shape[-1])), axis=-1)
        filled = np.take_along_axis(values, latest, axis=-1)
        started = np.maximum.accumulate(~missing, axis=-1)
        smooth = _smooth_rows if len(values) < _FEW_ROWS else _smooth_columns
        smooth(filled, started, weight, out)
        out[missing | (np.cumsum(started, axis=-1) < warm)] = np.nan


def without_infinities(values: FloatArray) -> FloatArray:
    """Return values with NaN for infinities: one in a running sum or a level would never leave it.

    So a division by zero, by the volume of a day without trades say, is missing in the averages
    whose windows have it, and in no other.
    """
    infinite = np.isinf(values)
    return np.where(infinite, np.nan, values) if infinite.any() else values


def _in_window(sums: NDArray[Any], window: int, start: int, stop: int) -> NDArray[Any]:
    """Return what running sums gained over the windows that end at bars ``start`` to ``stop``."""
    gained = sums[..., start:stop].copy()
    first = max(start, window)
    gained[..., first - start :] -= sums[..., first - window : max(first, stop) - window]
    return gained


def _smooth_rows(filled: FloatArray, started: BoolArray, weight: float, out: FloatArray) -> None:
    """Walk row by row; numbers of Python round as those of numpy."""
    for row in range(len(filled)):
        first = int(np.argmax(started[row]))
        level = float(filled[row, first])
        smooth = []
        for value in filled[row, first:].tolist():
            level += weight * (value - level)
            smooth.append(level)
        out[row, first:] = smooth


def _smooth_columns(filled: FloatArray, started: BoolArray, weight: float, out: FloatArray) -> None:
    """Walk all rows at once; the first known value of a row is its start."""
    level = np.zeros(len(filled))
    columns = np.ascontiguousarray(filled.T)
    fresh = np.ascontiguousarray((started & ~np.roll(started, 1, axis=-1)).T)
    fresh[0] = started[:, 0]
    results = np.empty_like(columns)
    for bar, column in enumerate(columns):
        if fresh[bar].any():
            level = np.where(fresh[bar], column, level)
        level = level + weight * (column - level)
        results[bar] = level
    out[...] = results.T
