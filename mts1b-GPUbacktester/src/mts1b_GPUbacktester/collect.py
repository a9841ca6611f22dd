"""Gather the blocks of a sweep: the whole table, or the best rows, and the mean of each set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mts1b_GPUbacktester.engines import SweepBlock
from mts1b_GPUbacktester.semantics import FloatArray

if TYPE_CHECKING:
    import polars as pl

__all__ = ["SMALLER_IS_BETTER", "Collected", "frame_of"]

SMALLER_IS_BETTER = frozenset({"annual_volatility", "n_trades"})


class Collected:
    """Take blocks of metrics and keep what was asked for.

    :param top: how many of the best rows to keep; None for all of them.
    :param by: the metric that orders them.
    """

    def __init__(self, whole: SweepBlock, *, top: int | None, by: str) -> None:
        self._whole, self._top, self._by = whole, top, by
        sets, assets = len(whole.sets), len(whole.prices.symbols)
        self._sums = {name: np.zeros(sets) for name in whole.metrics}
        self._counts = {name: np.zeros(sets) for name in whole.metrics}
        self._values: dict[str, FloatArray] = {}
        if top is None:
            self._values = {name: np.empty((sets, assets)) for name in whole.metrics}
        self._best = _Best.none(whole.metrics)

    def add(self, rows: slice, assets: slice, values: dict[str, FloatArray]) -> None:
        """Take the metrics (sets, assets) of one block."""
        for name, found in values.items():
            known = np.isfinite(found)
            self._sums[name][rows] += np.where(known, found, 0.0).sum(axis=1)
            self._counts[name][rows] += known.sum(axis=1)
            if self._top is None:
                self._values[name][rows, assets] = found
        if self._top is not None:
            self._best = self._best.with_block(rows, assets, values, self._by, self._top)

    def table(self) -> pl.DataFrame:
        """Return one row per set and symbol, sets outermost; or the best rows, best first."""
        whole = self._whole
        if self._top is None:
            sets, assets = len(whole.sets), len(whole.prices.symbols)
            rows = np.repeat(np.arange(sets), assets)
            columns = np.tile(np.arange(assets), sets)
            flat = {name: values.reshape(-1) for name, values in self._values.items()}
            return frame_of(whole, rows, columns, flat)
        return frame_of(whole, self._best.rows, self._best.assets, self._best.values)

    def by_set(self) -> pl.DataFrame:
        """Return the parameters of each set and the mean of each metric over its symbols."""
        import polars as pl

        columns: dict[str, Any] = _parameters(self._whole, np.arange(len(self._whole.sets)))
        for name in self._whole.metrics:
            counts = self._counts[name]
            mean = self._sums[name] / np.maximum(counts, 1.0)
            columns[name] = np.where(counts > 0, mean, np.nan)
        return pl.DataFrame(columns)


class _Best:
    """The best rows so far; undefined values come last, ties in the order of the sweep."""

    def __init__(
        self, rows: NDArray[np.int64], assets: NDArray[np.int64], values: dict[str, FloatArray]
    ) -> None:
        self.rows, self.assets, self.values = rows, assets, values

    @classmethod
    def none(cls, metrics: tuple[str, ...]) -> _Best:
        """Return no rows yet."""
        nothing = np.empty(0, dtype=np.int64)
        return cls(nothing, nothing, {name: np.empty(0) for name in metrics})

    def with_block(
        self, rows: slice, assets: slice, values: dict[str, FloatArray], by: str, top: int
    ) -> _Best:
        """Return the best ``top`` rows of these and a block, whose ``values`` are (P, A) each."""
        width = assets.stop - assets.start
        key = _key(values[by].reshape(-1), by)
        keep = np.arange(key.size)
        if key.size > top:
            # All ties with the last one stay in, so that the order of the sweep decides.
            keep = np.flatnonzero(key >= np.partition(key, key.size - top)[key.size - top])
        mine = np.concatenate((self.rows, rows.start + keep // width))
        theirs = np.concatenate((self.assets, assets.start + keep % width))
        joined = {
            name: np.concatenate((self.values[name], found.reshape(-1)[keep]))
            for name, found in values.items()
        }
        order = np.lexsort((theirs, mine, -_key(joined[by], by)))[:top]
        return _Best(
            mine[order], theirs[order], {name: found[order] for name, found in joined.items()}
        )


def _key(values: FloatArray, by: str) -> FloatArray:
    """Return values of which larger is better, the undefined lowest."""
    signed = -values if by in SMALLER_IS_BETTER else values
    return np.where(np.isnan(signed), -np.inf, signed)


def _parameters(whole: SweepBlock, rows: NDArray[np.int64]) -> dict[str, Any]:
    return {name: np.array([params[name] for params in whole.sets])[rows] for name in whole.sets[0]}


def frame_of(
    whole: SweepBlock,
    rows: NDArray[np.int64],
    assets: NDArray[np.int64],
    values: dict[str, FloatArray],
) -> pl.DataFrame:
    """Return a table of the given sets and assets: symbol, parameters, metrics."""
    import polars as pl

    symbols = pl.Series("symbol", whole.prices.symbols, dtype=pl.String).gather(assets)
    columns: dict[str, Any] = {"symbol": symbols, **_parameters(whole, rows)}
    for name, found in values.items():
        columns[name] = found.astype(np.int64) if name == "n_trades" else found
    return pl.DataFrame(columns)
