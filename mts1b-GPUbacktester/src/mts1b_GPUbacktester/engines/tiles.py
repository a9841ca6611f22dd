"""What a tile of time needs: the averages of every set and the tape of one asset, near the core."""

from __future__ import annotations

from typing import Any

import numpy as np

from mts1b_GPUbacktester.averages import NEAR
from mts1b_GPUbacktester.engines.compiling import compiled
from mts1b_GPUbacktester.engines.division import divided
from mts1b_GPUbacktester.evaluate import NUMBER, WHOLE

__all__ = ["fill_series"]


@compiled()
def _average(
    values: Any, sums: Any, rests: Any, gaps: Any, window: int, start: int, stop: int, into: Any
) -> None:
    """Write the simple averages of bars ``start`` to ``stop``: those of ``averages.py``."""
    whole, later = min(max(start, window - 1), stop), min(max(start, window), stop)
    into[: whole - start] = np.nan
    if whole < later:
        mean = (sums[whole] + rests[whole]) / window
        near = abs(mean - values[whole]) <= NEAR * abs(values[whole])
        into[whole - start] = values[whole] if near else mean
    now, before = sums[later:stop], sums[later - window : stop - window]
    rest, rest_before = rests[later:stop], rests[later - window : stop - window]
    part, latest = into[later - start : stop - start], values[later:stop]
    divisor, inverse = float(window), 1.0 / window
    for bar in range(len(part)):
        gained = (now[bar] - before[bar]) + (rest[bar] - rest_before[bar])
        mean = divided(gained, divisor, inverse)
        near = abs(mean - latest[bar]) <= NEAR * abs(latest[bar])
        part[bar] = latest[bar] if near else mean
    for bar in range(whole, min(stop, whole + len(gaps))):
        earlier = gaps[bar - window] if bar >= window else 0
        if gaps[bar] > earlier:
            into[bar - start] = np.nan


@compiled()
def fill_series(
    plan: Any,
    sources: Any,
    sums: Any,
    rests: Any,
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
    the place in ``given`` (G, A, T) and WHOLE, or in ``numbers`` and NUMBER. ``sources``, their
    running ``sums`` and ``rests`` are (K, A, T), and so are counts of what is missing, ``gaps``, or
    there are none.
    """
    for place in range(len(plan)):
        source, window = plan[place, 0], plan[place, 1]
        if window == NUMBER:
            tile[place, : stop - start] = numbers[source]
        elif window == WHOLE:
            tile[place, : stop - start] = given[source, asset, start:stop]
        else:
            _average(
                sources[source, asset], sums[source, asset], rests[source, asset],
                gaps[source, asset], window, start, stop, tile[place],
            )  # fmt: skip
