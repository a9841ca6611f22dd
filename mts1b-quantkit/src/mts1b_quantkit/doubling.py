"""Moments and extremes of moving windows, each put together from windows of half its length.

The moments of two windows that meet give those of both (Chan, Golub and LeVeque 1983), so a window
of h rows takes about log2(h) steps for all rows at once. Nothing is carried from row to row: there
is no drift, no value from the future, and the same h values give the same bits wherever they stand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.rolling import require_window

__all__ = [
    "window_comoments",
    "window_deviation",
    "window_drawdown",
    "window_max",
    "window_mean",
    "window_min",
    "window_skewness",
]

State: TypeAlias = tuple[FloatArray, ...]
Merge: TypeAlias = Callable[[State, State, int, int], State]
"""From an older window of n rows and a newer one of m to both: (older, newer, n, m) -> state."""

_TOGETHER = 1 << 15
"""Numbers that are worked on together, so that they stay in the processor's cache."""


def window_mean(values: FloatArray, window: int) -> FloatArray:
    """Return the mean of the last ``window`` rows at every row of (T, A); NaN in the first ones.

    NaN also where the window holds a NaN, as in every function here.

    :raises BadInput: for a window below 1.
    """
    return _by_columns((values,), window, lambda x: _merged((x,), window, _sum)[0] / window)


def window_max(values: FloatArray, window: int) -> FloatArray:
    """Return the largest of the last ``window`` rows at every row."""
    return _by_columns((values,), window, lambda x: _merged((x,), window, _larger)[0])


def window_min(values: FloatArray, window: int) -> FloatArray:
    """Return the smallest of the last ``window`` rows at every row."""
    return _by_columns((values,), window, lambda x: _merged((x,), window, _smaller)[0])


def window_deviation(values: FloatArray, window: int, ddof: int = 1) -> FloatArray:
    """Return the standard deviation of the last ``window`` rows at every row."""

    def spread(x: FloatArray) -> FloatArray:
        squares = _merged((x, 0.0 * x), window, _two_moments)[1]
        return np.asarray(np.sqrt(squares / (window - ddof)))

    return _by_columns((values,), window, spread)


def window_skewness(values: FloatArray, window: int) -> FloatArray:
    """Return m3 / m2^1.5 of the last ``window`` rows at every row; NaN where nothing moves."""

    def skew(x: FloatArray) -> FloatArray:
        _, second, third = _merged((x, 0.0 * x, 0.0 * x), window, _three_moments)
        level = np.where(second > 0.0, second / window, np.nan)
        return np.asarray(third / window / level**1.5)

    return _by_columns((values,), window, skew)


def window_comoments(
    first: FloatArray,
    second: FloatArray,
    window: int,
    function: Callable[[FloatArray, FloatArray, FloatArray], FloatArray],
) -> FloatArray:
    """Return ``function`` of sum(x'^2), sum(y'^2) and sum(x' y') at every row, (T, A).

    Primes are distances from the window's mean.

    :param first: x, (T, A).
    :param second: y, (T, A), or (T, 1) for all columns.
    :param function: of arrays whose last axis is time, element by element.
    """

    def apply(x: FloatArray, y: FloatArray) -> FloatArray:
        state = (x, y, 0.0 * x, 0.0 * y, 0.0 * x * y)
        _, _, xx, yy, xy = _merged(state, window, _comoments)
        return function(xx, yy, xy)

    return _by_columns((first, second), window, apply)


def window_drawdown(values: FloatArray, window: int) -> FloatArray:
    """Return the deepest fall from a peak within the last ``window`` rows, zero or negative."""

    def depth(x: FloatArray) -> FloatArray:
        return np.asarray(_merged((x, x, x / x), window, _deepest)[2] - 1.0)

    return _by_columns((values,), window, depth)


def _by_columns(
    arrays: tuple[FloatArray, ...], window: int, compute: Callable[..., FloatArray]
) -> FloatArray:
    """Apply ``compute``, on series (A, T), to groups of columns that fit the cache."""
    require_window(window)
    rows, columns = arrays[0].shape
    result = np.full((rows, columns), np.nan)
    if window > rows:
        return result
    step = max(1, _TOGETHER // rows)
    for start in range(0, columns, step):
        part = [_series(array, start, start + step) for array in arrays]
        result[window - 1 :, start : start + step] = np.ascontiguousarray(compute(*part).T)
    return result


def _series(array: FloatArray, start: int, stop: int) -> FloatArray:
    """Return columns as contiguous rows; a single column is that of all."""
    columns = array if array.shape[1] == 1 else array[:, start:stop]
    near = np.ascontiguousarray(columns)  # two short copies beat one with long strides
    return np.ascontiguousarray(near.T)


def _merged(single: State, window: int, merge: Merge) -> State:
    """Return the state of every window, by its first row, from the states of single rows."""
    half, size = single, 1  # windows of 1, 2, 4, ... rows
    whole: State | None = None
    done, left = 0, window
    while True:
        if left & 1:
            whole = half if whole is None else _adjacent(half, whole, size, done, merge)
            done += size
        left >>= 1
        if left == 0:
            assert whole is not None  # a window has a highest bit
            return whole
        half, size = _adjacent(half, half, size, size, merge), 2 * size


def _adjacent(older: State, newer: State, before: int, after: int, merge: Merge) -> State:
    """Merge each older window with the newer one that starts where it ends."""
    count = newer[0].shape[-1] - before
    return merge(
        tuple(array[..., :count] for array in older),
        tuple(array[..., before : before + count] for array in newer),
        before,
        after,
    )


def _sum(older: State, newer: State, n: int, m: int) -> State:
    return (older[0] + newer[0],)


def _larger(older: State, newer: State, n: int, m: int) -> State:
    return (np.maximum(older[0], newer[0]),)


def _smaller(older: State, newer: State, n: int, m: int) -> State:
    return (np.minimum(older[0], newer[0]),)


def _two_moments(older: State, newer: State, n: int, m: int) -> State:
    step = newer[0] - older[0]
    squares = step * step
    squares *= n * m / (n + m)
    squares += older[1]
    squares += newer[1]
    step *= m / (n + m)
    step += older[0]
    return step, squares


def _three_moments(older: State, newer: State, n: int, m: int) -> State:
    both = n + m
    step = newer[0] - older[0]
    cubes = step**2 * step * (n * m * (n - m) / both**2)
    cubes += 3.0 / both * step * (n * newer[1] - m * older[1])
    cubes += older[2]
    cubes += newer[2]
    return (*_two_moments(older[:2], newer[:2], n, m), cubes)


def _comoments(older: State, newer: State, n: int, m: int) -> State:
    x, y = newer[0] - older[0], newer[1] - older[1]
    share, weight = m / (n + m), n * m / (n + m)
    state = []
    for one, other, number in ((x, x, 2), (y, y, 3), (x, y, 4)):
        product = one * other
        product *= weight
        product += older[number]
        product += newer[number]
        state.append(product)
    x *= share
    x += older[0]
    y *= share
    y += older[1]
    return x, y, *state


def _deepest(older: State, newer: State, n: int, m: int) -> State:
    peak, trough = np.maximum(older[0], newer[0]), np.minimum(older[1], newer[1])
    depth = np.minimum(older[2], newer[2])
    np.minimum(depth, newer[1] / older[0], out=depth)
    return peak, trough, depth
