"""Columns of returns, each contiguous, with what several metrics share computed once.

Every metric is a function of a :class:`Sample`; so one metric alone and many together give the
same numbers to the last bit. Work arrays come from a :class:`Memory` that the next group of columns
uses again: fresh ones would cost more than the arithmetic.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mts1b_quantkit.arrays import FloatArray, Table, as_table
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.labels import require_same_rows
from mts1b_quantkit.scalars import is_single, read_number

__all__ = ["Memory", "Sample", "unit_of"]

_SMALL = 1e-60
"""Below it, third and fourth powers fall out of the range of floating point."""
_SPARE = 4
"""So many more of the extremes are ordered than asked for; the next metric finds them."""


class Memory:
    """Named work arrays that outlive the sample which fills them."""

    def __init__(self) -> None:
        """Start without any array."""
        self._arrays: dict[str, FloatArray] = {}
        self._inner: dict[str, Memory] = {}

    def take(self, name: str, shape: tuple[int, int]) -> FloatArray:
        """Return the array of that name with undefined contents."""
        size = shape[0] * shape[1]
        held = self._arrays.get(name)
        if held is None or held.size < size:
            held = self._arrays[name] = np.empty(size)
        return held[:size].reshape(shape)

    def inner(self, name: str) -> Memory:
        """Return the memory of a sample that is made from this one's."""
        return self._inner.setdefault(name, Memory())


class Sample:
    """K series of T rows, (K, T); every property works along a series."""

    def __init__(
        self, values: FloatArray, memory: Memory | None = None, given: Table | None = None
    ) -> None:
        """Take ``values`` (K, T), contiguous, as they are.

        :param given: the table that they come from; it names the rows.
        """
        self.values = values
        self._given = given
        self.rows = values.shape[1]
        self._memory = Memory() if memory is None else memory
        self._less: dict[float, Sample] = {}
        self._lowest = self._highest = 0

    @classmethod
    def of(cls, values: FloatArray) -> Sample:
        """Return the sample of a (T, K) array."""
        return cls(np.ascontiguousarray(values.T))

    def less(self, level: Any, what: str) -> Sample:
        """Return the sample minus a per-period level: a number, or one value per row.

        :raises BadInput: for any other shape.
        """
        if is_single(level):
            level = read_number(what, level, wanted="a number per period, or one for each row")
            if level == 0.0:
                return self
            if level not in self._less:
                self._less[level] = self._minus(level, f"less {len(self._less)}")
            return self._less[level]
        table = as_table(level, what=what)
        if table.values.shape != (self.rows,):
            raise BadInput(
                f"{what} has shape {table.values.shape}; give a number or {self.rows} rows"
            )
        if self._given is not None:
            require_same_rows(self._given, table, what)
        return self._minus(table.values[None, :], f"less {what}")

    def _minus(self, level: Any, name: str) -> Sample:
        inner = self._memory.inner(name)
        return Sample(np.subtract(self.values, level, out=self._array(name)), inner)

    @cached_property
    def top(self) -> FloatArray:
        """Return the largest values (K,)."""
        return np.asarray(self.values.max(axis=1))

    @cached_property
    def bottom(self) -> FloatArray:
        """Return the smallest values (K,)."""
        return np.asarray(self.values.min(axis=1))

    @cached_property
    def size(self) -> FloatArray:
        """Return the largest absolute values (K,)."""
        return np.maximum(np.abs(self.top), np.abs(self.bottom))

    @cached_property
    def mean(self) -> FloatArray:
        """Return the means (K,)."""
        return np.asarray(self.values.mean(axis=1))

    @cached_property
    def unit(self) -> FloatArray | None:
        """Return the units of :func:`unit_of` (K,), None where none is needed."""
        return unit_of(self.size)

    @cached_property
    def centred(self) -> FloatArray:
        """Return the distances from the mean in ``unit``s, (K, T)."""
        if self.unit is None:
            return np.subtract(self.values, self.mean[:, None], out=self._array("centred"))
        scaled = self.values / self.unit[:, None]
        return np.asarray(scaled - scaled.mean(axis=1)[:, None])

    @cached_property
    def squares(self) -> FloatArray:
        """Return the squares of ``centred`` (K, T)."""
        return np.multiply(self.centred, self.centred, out=self._array("squares"))

    @cached_property
    def sum_of_squares(self) -> FloatArray:
        """Return the sums of ``squares`` (K,)."""
        return np.asarray(self.squares.sum(axis=1))

    @cached_property
    def third_moment(self) -> FloatArray:
        """Return the means of ``centred`` cubed (K,)."""
        return np.asarray(self._product(self.squares, self.centred).mean(axis=1))

    @cached_property
    def fourth_moment(self) -> FloatArray:
        """Return the means of ``squares`` squared (K,)."""
        return np.asarray(self._product(self.squares, self.squares).mean(axis=1))

    @cached_property
    def deviation(self) -> FloatArray:
        """Return standard deviations (ddof=1); NaN for one row, exactly 0 for a constant.

        What rounding leaves of a constant series (a few ulp of its level) counts as 0.
        """
        if self.rows < 2:
            return np.full(len(self.values), np.nan)
        spread = self.whole(np.sqrt(self.sum_of_squares / (self.rows - 1)))
        return np.where(spread <= 8.0 * np.finfo(float).eps * self.size, 0.0, spread)

    @cached_property
    def variance(self) -> FloatArray:
        """Return the population variance in ``unit``s squared; NaN for one row or a constant."""
        still = ~(self.deviation > 0.0)
        return np.where(still, np.nan, self.sum_of_squares / self.rows)

    @cached_property
    def downside(self) -> FloatArray:
        """Return sqrt(mean(min(x, 0)^2)) (K,)."""
        return root_mean_square(self._losses, np.maximum(-self.bottom, 0.0), self.rows)

    @cached_property
    def gains(self) -> FloatArray:
        """Return the sums of what lies above zero (K,)."""
        return np.asarray(np.maximum(self.values, 0.0, out=self._array("work")).sum(axis=1))

    @cached_property
    def losses(self) -> FloatArray:
        """Return the sums of what lies below zero, as positive numbers (K,)."""
        return np.asarray(-self._losses.sum(axis=1) + 0.0)

    @cached_property
    def rises(self) -> NDArray[np.intp]:
        """Return how many values lie above zero (K,)."""
        return np.asarray((self.values > 0.0).sum(axis=1))

    @cached_property
    def falls(self) -> NDArray[np.intp]:
        """Return how many values lie below zero (K,)."""
        return np.asarray((self.values < 0.0).sum(axis=1))

    @cached_property
    def growth(self) -> FloatArray:
        """Return prod(1 + x) (K,); infinite beyond the range of numbers."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(np.add(self.values, 1.0, out=self._array("work")).prod(axis=1))

    @cached_property
    def drawdowns(self) -> Sample:
        """Return wealth over its running peak, less one. The starting capital is a peak."""
        depth, peak = self._array("depth"), self._array("work")
        np.add(self.values, 1.0, out=depth)
        with np.errstate(over="ignore", invalid="ignore"):
            np.multiply.accumulate(depth, axis=1, out=depth)
            beyond = ~np.isfinite(depth[:, -1])  # what leaves the range never comes back
            np.maximum.accumulate(depth, axis=1, out=peak)
            np.maximum(peak, 1.0, out=peak)
            depth /= peak
        depth -= 1.0
        for series in np.flatnonzero(beyond):
            depth[series] = _step_by_step(self.values[series])
        return Sample(depth, self._memory.inner("drawdowns"))

    def lowest(self, count: int) -> FloatArray:
        """Return the ``count`` smallest values in rising order (K, count)."""
        if count > self._lowest:
            ordered = self._ordered
            self._lowest = _enough(count, self.rows)
            self._highest = self.rows if self._lowest == self.rows else 0
            if self._lowest < self.rows:
                ordered.partition(self._lowest - 1, axis=1)
            ordered[:, : self._lowest].sort(axis=1)
        return self._ordered[:, :count]

    def highest(self, count: int) -> FloatArray:
        """Return the ``count`` largest values in rising order (K, count)."""
        if count > self._highest:
            enough = _enough(count, self.rows)
            if enough + self._lowest > self.rows:
                self.lowest(self.rows)
            else:
                rest = self._ordered[:, self._lowest :]
                rest.partition(rest.shape[1] - enough, axis=1)
                rest[:, rest.shape[1] - enough :].sort(axis=1)
                self._highest = enough
        return self._ordered[:, self.rows - count :]

    def quantile(self, fraction: float) -> FloatArray:
        """Return the linearly interpolated quantile (K,), as ``numpy.quantile``."""
        position = fraction * (self.rows - 1)
        low = math.floor(position)
        high = min(low + 1, self.rows - 1)
        if 2 * low < self.rows:
            pair = self.lowest(high + 1)[:, (low, high)]
        else:
            pair = self.highest(self.rows - low)[:, (0, high - low)]
        below, above, share = pair[:, 0], pair[:, 1], position - low
        step = above - below
        return np.asarray(below + step * share if share < 0.5 else above - step * (1.0 - share))

    def whole(self, in_units: FloatArray) -> FloatArray:
        """Return numbers of the first degree that were counted in ``unit``s."""
        return in_units if self.unit is None else np.asarray(in_units * self.unit)

    def work(self) -> FloatArray:
        """Return a (K, T) array with undefined contents, good until the next property."""
        return self._array("work")

    @cached_property
    def _losses(self) -> FloatArray:
        return np.minimum(self.values, 0.0, out=self._array("losses"))

    @cached_property
    def _ordered(self) -> FloatArray:
        ordered = self._array("ordered")
        np.copyto(ordered, self.values)
        return ordered

    def _product(self, one: FloatArray, other: FloatArray) -> FloatArray:
        return np.multiply(one, other, out=self._array("work"))

    def _array(self, name: str) -> FloatArray:
        return self._memory.take(name, self.values.shape)


def unit_of(size: FloatArray) -> FloatArray | None:
    """Return the power of two in which each series is counted so that no power of it is lost.

    :param size: largest size of a number in each series.
    :return: None where no series is so small: there is nothing to do.
    """
    small = (size > 0.0) & (size < _SMALL)
    if not small.any():
        return None
    return np.where(small, np.ldexp(1.0, np.frexp(size)[1]), 1.0)


def root_mean_square(values: FloatArray, size: FloatArray, count: float) -> FloatArray:
    """Return sqrt(sum(x^2) / count) of each series of (K, T); ``size`` as in :func:`unit_of`."""
    unit = unit_of(size)
    if unit is not None:
        values = values / unit[:, None]
    root = np.sqrt(np.einsum("ij,ij->i", values, values) / count)
    return np.asarray(root if unit is None else root * unit)


def _enough(count: int, rows: int) -> int:
    """Return how many extremes to order: with a few to spare, and all where they are many."""
    return rows if 4 * count > rows else min(rows, count + _SPARE)


def _step_by_step(returns: FloatArray) -> FloatArray:
    """Keep wealth over its peak alone, where wealth itself leaves the range of numbers."""
    result, below = np.empty_like(returns), 1.0
    for row, change in enumerate(returns.tolist()):
        below = min(below * (1.0 + change), 1.0)
        result[row] = below
    return result - 1.0
