"""Kernels of the CUDA engine: indicators once for all sets, then one thread an account.

Time is the outermost axis of every array and assets the innermost, so that the threads of a warp,
which are neighbouring assets or neighbouring sets, read neighbouring numbers at each bar.
"""

from __future__ import annotations

from math import isnan, nan
from typing import Any

from mts1b_GPUbacktester.averages import NEAR
from mts1b_GPUbacktester.engines.cuda_account import advance, finish, tally
from mts1b_GPUbacktester.engines.cuda_device import cuda_module, device_function, kernel

__all__ = ["place_series", "simple_series", "smooth_series", "sweep_long", "sweep_walks", "walk"]

cuda: Any = cuda_module()


@kernel
def place_series(values: Any, place: int, series: Any) -> None:
    """Copy ``values`` (A, T) to ``series[:, place]`` (T, S, A); a thread a bar and asset."""
    at = cuda.grid(1)
    length, assets = series.shape[0], series.shape[2]
    if at < length * assets:
        bar, asset = at // assets, at % assets
        series[bar, place, asset] = values[asset, bar]


@kernel
def simple_series(
    values: Any, sums: Any, rests: Any, gaps: Any, windows: Any, places: Any, series: Any
) -> None:
    """Write simple averages of several windows from running sums; a thread a bar and asset.

    ``values``, ``sums``, ``rests`` and ``gaps`` (T, A), the last the missing values so far.
    """
    at = cuda.grid(1)
    length, assets = sums.shape
    if at >= length * assets:
        return
    bar, asset = at // assets, at % assets
    total, rest, missing = sums[bar, asset], rests[bar, asset], gaps[bar, asset]
    latest = values[bar, asset]
    for k in range(len(windows)):
        window = windows[k]
        value = nan
        if bar == window - 1 and missing == 0:
            value = (total + rest) / window
        elif bar >= window and missing == gaps[bar - window, asset]:
            before = bar - window
            value = ((total - sums[before, asset]) + (rest - rests[before, asset])) / window
        if abs(value - latest) <= NEAR * abs(latest):
            value = latest
        series[bar, places[k], asset] = value


@kernel
def smooth_series(values: Any, weights: Any, warm: Any, places: Any, series: Any) -> None:
    """Write exponential averages of ``values`` (T, A); a thread a window and asset.

    The product is an own operation (``fma`` with nothing added), so that it is rounded before it is
    added, as the reference does, and decisions are equal to the last bit.
    """
    at = cuda.grid(1)
    length, assets = values.shape
    if at >= len(weights) * assets:
        return
    k, asset = at // assets, at % assets
    weight, needed, place = weights[k], warm[k], places[k]
    level, last, known = 0.0, 0.0, 0
    for bar in range(length):
        value = values[bar, asset]
        missing = isnan(value)
        if not missing:
            last = value
            if known == 0:
                level = value
        result = nan
        if not missing or known > 0:
            level = level + cuda.fma(weight, last - level, 0.0)
            known += 1
            if not missing and known >= needed:
                result = level
        series[bar, place, asset] = result


@device_function
def _decide(
    steps: Any, slots: Any, row: int, series: Any, bar: int, asset: int, carries: int
) -> Any:
    """Run a program at one bar; return its stack of truths, the top in bit 0, and the carries.

    Bit n of ``carries`` is what step n hands from bar to bar.
    """
    stack = 0
    for step in range(len(steps)):
        code = steps[step, 0]
        carry = (carries >> step) & 1
        following = carry
        if code <= 2:
            left = series[bar, slots[row, steps[step, 1]], asset]
            right = series[bar, slots[row, steps[step, 2]], asset]
            truth = left >= right if code == 1 else left > right
            if code == 2:
                truth = truth and carry == 1
                following = 1 if right >= left else 0
            stack = (stack << 1) | (1 if truth else 0)
        elif code == 3:
            stack = (stack >> 1) & (-2 | (stack & 1))
        elif code == 4:
            stack = (stack >> 1) | (stack & 1)
        elif code == 5:
            stack = stack ^ 1
        else:
            following = (((stack >> 1) & 1) | carry) & (1 - (stack & 1))
            stack = ((stack >> 1) & -2) | following
        carries = carries ^ ((carry ^ following) << step)
    return stack, carries


@kernel
def sweep_long(
    steps: Any,
    slots: Any,
    order: Any,
    series: Any,
    market: Any,
    options: Any,
    lag: int,
    out: Any,
) -> None:
    """Walk plain long rules with all cash into ``out`` (7, P, A); a thread a set and asset.

    ``market`` (3, T, A): fills, marks, returns from mark to mark.
    """
    at = cuda.grid(1)
    length, assets = market.shape[1], market.shape[2]
    if at >= len(order) * assets:
        return
    row, asset = order[at // assets], at % assets
    cash, units, held, trades, carries = 1.0, 0.0, False, 0, 0
    value, peak, worst = 1.0, 1.0, 1.0
    total, squares, below, largest = 0.0, 0.0, 0.0, 0.0
    for bar in range(length):
        wish = held
        if bar >= lag:
            stack, carries = _decide(steps, slots, row, series, bar - lag, asset, carries)
            wish = (stack & 1) == 1
        price = market[0, bar, asset]
        before, change = value, 0.0
        if wish != held and not isnan(price):
            if held:
                cash = units * (price * options[1])
                value = cash
            else:
                units = cash / (price * options[0])
                value = units * market[1, bar, asset]
                trades += 1
            held = not held
            change = value / before - 1.0
        elif held:
            value = units * market[1, bar, asset]
            change = market[2, bar, asset]
        peak, worst, total, squares, below, largest = tally(
            value, change, peak, worst, total, squares, below, largest
        )
    finish(out, row, asset, length, value, worst, trades, total, squares, below, largest)


@kernel
def sweep_walks(
    steps: Any,
    slots: Any,
    order: Any,
    series: Any,
    market: Any,
    options: Any,
    exits: Any,
    lag: int,
    at_open: bool,
    trades_out: Any,
    out: Any,
) -> None:
    """Walk any rule into ``out`` (7, P, A); a thread a set and asset.

    The program leaves four truths: long, short, and whether an event enters each; its last leaf is
    the size.
    """
    at = cuda.grid(1)
    length, assets = market.shape[1], market.shape[2]
    if at >= len(order) * assets:
        return
    row, asset = order[at // assets], at % assets
    size = slots[row, slots.shape[1] - 1]
    cash, units, side, trades, carries = 1.0, 0.0, 0, 0, 0
    entry_bar, entry_price, best, blocked_at = -1, 0.0, 0.0, -1
    value, peak, worst = 1.0, 1.0, 1.0
    total, squares, below, largest = 0.0, 0.0, 0.0, 0.0
    wished = 0
    for bar in range(length):
        wanted, started, fraction = 0, False, 0.0
        if bar >= lag:
            stack, carries = _decide(steps, slots, row, series, bar - lag, asset, carries)
            long, short = (stack >> 3) & 1, (stack >> 2) & 1
            wanted = long - short
            entered = ((stack >> 1) & 1) * (wanted > 0) + (stack & 1) * (wanted < 0) > 0
            started = entered or (wanted != 0 and wanted != wished)
            wished = wanted
            fraction = series[bar - lag, size, asset]
        before = value
        cash, units, side, entry_bar, entry_price, best, blocked_at, trades, value = advance(
            bar, bar - lag, wanted, started, fraction, market, asset, options, exits, row, at_open,
            cash, units, side, entry_bar, entry_price, best, blocked_at, trades, False, trades_out,
        )  # fmt: skip
        change = value / before - 1.0 if before != 0.0 else 0.0
        peak, worst, total, squares, below, largest = tally(
            value, change, peak, worst, total, squares, below, largest
        )
    finish(out, row, asset, length, value, worst, trades, total, squares, below, largest)


@kernel
def walk(
    want: Any,
    start: Any,
    fractions: Any,
    market: Any,
    options: Any,
    exits: Any,
    lag: int,
    at_open: bool,
    units_out: Any,
    equity_out: Any,
    trades_out: Any,
    counts: Any,
) -> None:
    """Walk given wishes (T, A) into units and equity (T, A) and trades (A, T, 5)."""
    asset = cuda.grid(1)
    length, assets = market.shape[1], market.shape[2]
    if asset >= assets:
        return
    cash, units, side, trades, blocked_at = 1.0, 0.0, 0, 0, -1
    entry_bar, entry_price, best = -1, 0.0, 0.0
    for bar in range(length):
        wanted, started, fraction = 0, False, 0.0
        if bar >= lag:
            wanted = want[bar - lag, asset]
            started = start[bar - lag, asset] != 0
            fraction = fractions[bar - lag, asset]
        cash, units, side, entry_bar, entry_price, best, blocked_at, trades, value = advance(
            bar, bar - lag, wanted, started, fraction, market, asset, options, exits, 0, at_open,
            cash, units, side, entry_bar, entry_price, best, blocked_at, trades, True, trades_out,
        )  # fmt: skip
        units_out[bar, asset] = units
        equity_out[bar, asset] = value
    counts[asset] = trades
