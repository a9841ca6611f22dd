"""Any rule, bar by bar: both sides, stops, time exits, sizes. One pass an account, no buffer.

The same rules as ``account.py``, written again for the compiler; tests hold the two together.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from mts1b_GPUbacktester.engines.compiling import compiled
from mts1b_GPUbacktester.engines.tape import WORD
from mts1b_GPUbacktester.engines.words import run_words

__all__ = ["sweep_walks", "walk"]

_TINY = 8.0 * 2.220446049250313e-16


@compiled()
def _level(side: int, entry_price: float, best: float, stop: float, trail: float) -> float:
    """Return the price at which a position is left, the nearer of two stops; NaN for none."""
    level: float = np.nan
    if stop > 0.0:
        level = entry_price * (1.0 - side * stop)
    if trail > 0.0:
        other = best * (1.0 - side * trail)
        if np.isnan(level) or (side > 0 and other > level) or (side < 0 and other < level):
            level = other
    return level


@compiled()
def _stop_price(side: int, opened: float, high: float, low: float, level: float) -> float:
    """Return where a bar ends a position: at its open beyond the level, at the level, or NaN."""
    if np.isnan(level) or np.isnan(low) or np.isnan(high):
        return np.nan
    if (opened - level) * side <= 0.0:
        return opened
    if side > 0:
        return min(level, high) if low <= level else np.nan
    return max(level, low) if high >= level else np.nan


@compiled()
def _exit_price(
    filling: bool,
    side: int,
    wanted: int,
    expired: bool,
    price: float,
    prices: Any,
    bar: int,
    entry_price: float,
    best: float,
    exits: Any,
) -> float:
    """Return where a position is left, by its wish at a fill or by its stops in a bar, or NaN."""
    if side == 0:
        return np.nan
    if filling:
        return price if wanted != side or expired else np.nan
    level = _level(side, entry_price, best, exits[0], exits[1])
    left: float = _stop_price(side, prices[2, bar], prices[3, bar], prices[4, bar], level)
    return left


@compiled()
def walk(
    want: Any,
    start: Any,
    fractions: Any,
    prices: Any,
    options: Any,
    exits: Any,
    lag: int,
    at_open: bool,
    units_out: Any,
    equity_out: Any,
    trades_out: Any,
) -> int:
    """Simulate one account into units and equity (T,) and trades (T, 5); return how many trades.

    ``want`` (T,) is -1, 0 or 1 by the bar of the decision, ``start`` whether it begins anew,
    ``fractions`` which part of the equity it takes. ``prices`` (5, T): fills, marks, opens, highs,
    lows. ``options``: cost and proceeds of a unit, borrow a bar. ``exits``: stop, trail, bars.
    """
    fills, marks = prices[0], prices[1]
    buy, sell, most = options[0], options[1], int(exits[2])
    cash, units, side, trades, blocked_at = 1.0, 0.0, 0, 0, -1
    entry_bar, entry_price, best = -1, 0.0, 0.0
    for bar in range(len(want)):
        decision = bar - lag
        wanted = want[decision] if decision >= 0 else 0
        if side < 0 and bar > 0:
            cash += units * marks[bar - 1] * options[2]
        for phase in range(2):
            if 0 <= blocked_at <= decision and start[decision]:
                blocked_at = -1
            filling, price = (phase == 0) == at_open, fills[bar]
            expired = most > 0 and bar - entry_bar >= most
            leave = _exit_price(
                filling, side, wanted, expired, price, prices, bar, entry_price, best, exits
            )
            if not np.isnan(leave):
                if not filling or wanted == side:
                    blocked_at = bar
                cash += units * (leave * (sell if side > 0 else buy))
                units, side = 0.0, 0
                trades_out[trades - 1, 2], trades_out[trades - 1, 3] = bar, leave
            may_enter = filling and side == 0 and wanted != 0 and blocked_at < 0 and cash > 0.0
            if may_enter and not np.isnan(price) and fractions[decision] > 0.0:
                spent = min(fractions[decision], 1.0) * cash
                size = spent / (price * buy)
                cash += -spent if wanted > 0 else size * (price * sell)
                units, side = wanted * size, wanted
                entry_bar, entry_price, best = bar, price, price
                _record(trades_out[trades], bar, price, units)
                trades += 1
        equity = cash + units * marks[bar] if side != 0 else cash
        if equity <= 0.0:
            if side != 0:
                trades_out[trades - 1, 2], trades_out[trades - 1, 3] = bar, marks[bar]
            cash = units = equity = 0.0
            side = 0
        units_out[bar], equity_out[bar] = units, equity
        if side != 0 and (entry_bar < bar or at_open):
            best = _better(side, best, prices[3, bar] if side > 0 else prices[4, bar])
    return trades


@compiled()
def _better(side: int, best: float, seen: float) -> float:
    """Return the better of two prices for a side; NaN is not better."""
    return seen if (seen - best) * side > 0.0 else best


@compiled()
def _record(trade: Any, bar: int, price: float, units: float) -> None:
    trade[0], trade[1], trade[2], trade[3], trade[4] = bar, price, -1.0, np.nan, units


@compiled()
def _measure_equity(equity: Any, trades: int, out: Any) -> None:
    """Measure a path of equity into ``out`` (6,): see :func:`sweep_walks`.

    Sums run over differences from the first return, so that squares do not cancel.
    """
    length = len(equity)
    previous, peak, worst = 1.0, 1.0, 1.0
    first, total, squares, largest = 0.0, 0.0, 0.0, 0.0
    for bar in range(length):
        value = equity[bar]
        change = value / previous - 1.0 if previous != 0.0 else 0.0
        previous = value
        if value > peak:
            peak = value
        elif value < worst * peak:
            worst = value / peak
        if bar == 0:
            first = change
        largest = max(largest, abs(change))
        total += change - first
        squares += (change - first) ** 2
    out[0], out[1], out[3] = previous, first + total / length, worst - 1.0
    out[2], out[4], out[5] = np.nan, trades, 0.0
    if length > 1:
        spread = np.sqrt(max(squares - total * total / length, 0.0) / (length - 1))
        out[2] = 0.0 if spread <= _TINY * largest else spread


@compiled(parallel=True)
def sweep_walks(
    steps: Any,
    slots: Any,
    order: Any,
    series: Any,
    prices: Any,
    options: Any,
    exits: Any,
    lag: int,
    at_open: bool,
    stretch: int,
    out: Any,
) -> None:
    """Walk every set (P) on every asset (A) into ``out`` (P, A, 6).

    ``prices`` is (A, 5, T), ``exits`` (P, 3), and the program leaves four words: long, short, and
    where an event enters each; its last leaf is the size. ``out``: final equity, mean and deviation
    of returns, deepest fall, trades, and 0. Shared out by asset and ``stretch`` sets.
    """
    sets, assets, length = len(slots), len(prices), prices.shape[2]
    words = (length + WORD - 1) // WORD
    stretches = (sets + stretch - 1) // stretch
    for task in numba.prange(assets * stretches):
        asset, begin = task // stretches, (task % stretches) * stretch
        carries = np.zeros((1, len(steps)), dtype=np.uint64)
        sides = np.empty((4, words), dtype=np.uint64)
        want = np.empty(length, dtype=np.int8)
        start = np.empty(length, dtype=np.bool_)
        units, equity, trades = np.empty(length), np.empty(length), np.empty((length, 5))
        for at in range(begin, min(sets, begin + stretch)):
            row = order[at]
            carries[:] = 0
            run_words(steps, slots, row, series, asset, 0, words, carries, 0, sides)
            _spread_bits(sides, want, start)
            size = series[slots[row, -1], asset, :length]
            count = walk(
                want, start, size, prices[asset], options, exits[row], lag, at_open, units, equity,
                trades,
            )  # fmt: skip
            _measure_equity(equity, count, out[row, asset])


@compiled()
def _spread_bits(sides: Any, want: Any, start: Any) -> None:
    """Turn words into wishes and where they begin anew; with both sides true it is flat."""
    one, top_bit = np.uint64(1), np.uint64(63)
    were_long = were_short = np.uint64(0)
    for word in range(sides.shape[1]):
        long, short = sides[0, word] & ~sides[1, word], sides[1, word] & ~sides[0, word]
        turned = (long & ~((long << one) | were_long)) | (short & ~((short << one) | were_short))
        fresh = turned | (sides[2, word] & long) | (sides[3, word] & short)
        were_long, were_short = long >> top_bit, short >> top_bit
        base = word * WORD
        for bit in range(min(WORD, len(want) - base)):
            at = np.uint64(bit)
            want[base + bit] = np.int8((long >> at) & one) - np.int8((short >> at) & one)
            start[base + bit] = ((fresh >> at) & one) != 0
