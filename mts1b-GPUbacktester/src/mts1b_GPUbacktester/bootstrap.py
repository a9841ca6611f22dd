"""Other histories that could have been: the stationary bootstrap of a whole panel.

Stretches of time are drawn with replacement and joined, all assets together, so that what moves
together on a day still does (Politis and Romano 1994, "The stationary bootstrap", JASA 89). Where a
stretch ends is chance: after each bar with probability 1 / ``block``, so lengths are geometric with
that mean, and every bar of the history is as likely as every other. What is longer than a stretch
in the data (a trend, a regime, a season) is cut.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mts1b_GPUbacktester.errors import BadSetting
from mts1b_GPUbacktester.panels import Prices
from mts1b_GPUbacktester.semantics import FloatArray, carried
from mts1b_GPUbacktester.wholes import require_whole

__all__ = ["bootstrap_indices", "bootstrap_paths"]


def bootstrap_indices(
    length: int, block: float, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Return which of ``length`` bars each bar of a path is, (length,).

    The bar after the last one is the first: stretches go round.

    :param block: the mean number of bars of a stretch, 1 or more.
    :raises BadSetting: for a block outside [1, length].
    """
    if not 1 <= block <= length:
        raise BadSetting(f"block {block} must be a mean number of bars, 1 to the panel's {length}")
    fresh = generator.random(length) < 1.0 / block
    fresh[0] = True
    begins = generator.integers(0, length, size=int(fresh.sum()))
    places = np.arange(length)
    latest = np.maximum.accumulate(np.where(fresh, places, 0))
    return np.asarray((begins[np.cumsum(fresh) - 1] + places - latest) % length, dtype=np.int64)


def bootstrap_paths(
    prices: Prices, *, paths: int, seed: int, block: float
) -> Iterator[tuple[int, Prices]]:
    """Yield the number and the prices of each path; path 0 is the history itself.

    Each path has the bars of the history in another order: its closes grow as those of the drawn
    bars did, its opens, highs and lows stand to the close before as theirs did, and what was
    missing in a drawn bar is missing. Path k is the same for any number of paths.

    :raises BadSetting: for a number of paths below 1, a negative seed, or a block outside [1, T].
    """
    require_whole("paths", paths, 1)
    require_whole("seed", seed, 0)
    if isinstance(block, bool) or not isinstance(block, (int, float, np.number)):
        raise BadSetting(f"block {block!r} must be a number of bars")
    ratios = _Ratios(prices)
    length: int = prices.close.shape[1]
    yield 0, prices
    for path in range(1, paths + 1):
        generator = np.random.default_rng([seed, path])
        yield path, ratios.drawn(bootstrap_indices(length, block, generator))


class _Ratios:
    """Prices over the last known close before each bar, (A, T)."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        closes = carried(prices.close)
        before = np.full(closes.shape, np.nan)
        before[:, 1:] = closes[:, :-1]
        known = ~np.isnan(prices.close)
        first = np.argmax(known, axis=1)
        rows = np.arange(len(closes))
        # The first known close has none before it: it stands for itself, a return of zero.
        before[rows, first] = prices.close[rows, first]
        self._level = np.where(known.any(axis=1), prices.close[rows, first], 1.0)[:, None]
        self._close = prices.close / before
        self._others = {
            name: None if values is None else values / before
            for name, values in (("open", prices.open), ("high", prices.high), ("low", prices.low))
        }

    def drawn(self, places: NDArray[np.int64]) -> Prices:
        """Return the prices of the bars ``places`` (T,) one after the other."""
        growth = self._close[:, places]
        closes = self._level * np.cumprod(np.where(np.isnan(growth), 1.0, growth), axis=1)
        before = np.concatenate((self._level, closes[:, :-1]), axis=1)
        priced: dict[str, FloatArray | None] = {
            name: None if ratio is None else before * ratio[:, places]
            for name, ratio in self._others.items()
        }
        prices = self._prices
        return Prices(
            **priced,  # type: ignore[arg-type]
            close=np.where(np.isnan(growth), np.nan, closes),
            volume=np.ascontiguousarray(prices.volume[:, places]),
            dates=prices.dates,
            symbols=prices.symbols,
        )
