"""What a tile of time needs: the averages of every set and the tape of one asset, near the core."""

from __future__ import annotations

from typing import Any

import numpy as np

from mts1b_GPUbacktester.engines.compiling import compiled
from mts1b_GPUbacktester.engines.division import divided
from mts1b_GPUbacktester.evaluate import NUMBER, WHOLE

__all__ = ["fill_series"]


@compiled()
def _average(
    sums: Any, level: float, gaps: Any, window: int, start: int, stop: int, into: Any
) -> None:
    """Write the simple averages of bars ``start`` to ``stop``: those of ``averages.py``."""
    whole, later = min(max(start, window - 1), stop), min(max(start, window), stop)
    into[: whole - start] = np.nan
    if whole < later:
        into[whole - start] = sums[whole] / window + level
    now, before = sums[later:stop], sums[later - window : stop - window]
    part = into[later - start : stop - start]
    divisor, inverse = float(window), 1.0 / window
    for bar in range(len(part)):
        part[bar] = divided(now[bar] - before[bar], divisor, inverse) + level
    for bar in range(whole, min(stop, whole + len(gaps))):
        earlier = gaps[bar - window] if bar >= window else 0
        if gaps[bar] > earlier:
            into[bar - start] = np.nan


@compiled()
def fill_series(
    plan: Any,
    sums: Any,
    levels: Any,
    gaps: Any,
    given: Any,
    numbers: Any,
    asset: int,
    start: int,
    stop: int,
    tile: Any,
) -> None:
    """Write bars ``start`` to ``stop`` of each series of one asset into ``tile`` (S, >= bars).

    ``plan`` (S, 2) says where a series comes from: the source and the window of a simple average,
    the place in ``given`` (G, A, T) and WHOLE, or in ``numbers`` and NUMBER. Sources are running
    sums ``sums`` (K, A, T) of differences from ``levels`` (K, A), and counts of what is missing,
    ``gaps``, as many or none.
    """
    for place in range(len(plan)):
        source, window = plan[place, 0], plan[place, 1]
        if window == NUMBER:
            tile[place, : stop - start] = numbers[source]
        elif window == WHOLE:
            tile[place, : stop - start] = given[source, asset, start:stop]
        else:
            _average(
                sums[source, asset], levels[source, asset], gaps[source, asset], window, start,
                stop, tile[place],
            )  # fmt: skip
