"""Long with all cash, by segments: between two trades only prefix sums and extremes count.

While a position is held, equity is a constant times the price. So the returns of a segment come
from prefix sums of the asset's own returns, and its peaks and falls from a table of extremes: a
segment that by its bounds can neither lift the peak nor deepen the fall is passed over, of the
others the table knows the fall. Exact up to rounding, and the cost is one word per 64 bars plus
the trades.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from mts1b_GPUbacktester.engines.bits import first_bit, latched, ones
from mts1b_GPUbacktester.engines.compiling import compiled
from mts1b_GPUbacktester.engines.extremes import bounds, deepest_fall, lowest
from mts1b_GPUbacktester.engines.tape import COLUMNS, WORD, fill_tape
from mts1b_GPUbacktester.engines.tiles import fill_series
from mts1b_GPUbacktester.engines.words import run_words

__all__ = ["sweep_segments"]

_STATE = 9
_ENTRY, _TRADES, _HELD = 6, 7, 8
_CANCELLED = 1e-5


@compiled()
def _find_events(wishes: Any, words: int, opens: Any, holding: Any, events: Any) -> int:
    """Write the bars of a tile after which a position begins or ends; return how many.

    ``holding`` is 1 where a position is held before. Four places a word are written without asking
    how many it needs.
    """
    one, top_bit, full, count = np.uint64(1), np.uint64(63), ~np.uint64(0), 0
    for word in range(words):
        held, fillable = wishes[word], opens[word]
        if fillable != full:
            held = latched(held & fillable, ~held & fillable, holding)
        left = held ^ ((held << one) | holding)
        holding = held >> top_bit
        base, found = word * WORD, ones(left)
        for place in range(4):
            events[count + place] = base + first_bit(left)
            left &= left - one
        place = 4
        while left != 0:
            events[count + place] = base + first_bit(left)
            left &= left - one
            place += 1
        count += found
    return count


@compiled()
def _trade(
    events: Any, count: int, ahead: int, tape: Any, table: Any, marks: Any, state: Any
) -> None:
    """Carry out the trades of an account at its events.

    ``ahead`` is what is added to a bar of the tile for the bar of its fill.
    """
    cash, units, entry, trades = state[0], state[1], int(state[_ENTRY]), int(state[_TRADES])
    peak, worst, total, squares = state[2], state[3], state[4], state[5]
    deepest = worst * peak
    held = state[_HELD] != 0.0
    for place in range(count):
        row = events[place]
        if not held:
            units, entry = cash * tape[row, 0], row + ahead
            total += tape[row, 1]
            squares += tape[row, 2]
            trades += 1
            held = True
            continue
        high, low = bounds(table, entry, row + ahead)
        if units * high <= peak:
            if units * low < deepest:
                least = units * lowest(marks, table, entry, row + ahead)
                if least < deepest:
                    worst, deepest = least / peak, least
        else:
            peak, worst = deepest_fall(marks, table, entry, row + ahead, units, peak, worst)
            deepest = worst * peak
        cash = units * tape[row, 4]
        total += tape[row, 5]
        squares += tape[row, 6]
        if cash > peak:
            peak, deepest = cash, worst * cash
        elif cash < deepest:
            worst, deepest = cash / peak, cash
        held = False
    state[0], state[1], state[_ENTRY], state[_TRADES] = cash, units, entry, trades
    state[2], state[3], state[4], state[5] = peak, worst, total, squares
    state[_HELD] = 1.0 if held else 0.0


@compiled()
def _finish(sums: Any, table: Any, marks: Any, state: Any, out: Any) -> None:
    """Mark what is open and turn sums into numbers.

    ``out`` (6,): final equity, mean and sample deviation of returns, deepest fall, trades, and 1
    where squares cancel so far that the deviation must be computed another way.
    """
    length = len(marks)
    cash, units, peak, worst = state[0], state[1], state[2], state[3]
    total, squares, trades = state[4], state[5], state[_TRADES]
    if state[_HELD] != 0.0:
        entry = int(state[_ENTRY])
        peak, worst = deepest_fall(marks, table, entry, length, units, peak, worst)
        cash = units * marks[length - 1]
        total += sums[0]
        squares += sums[1]
    out[0], out[3], out[4] = cash, worst - 1.0, trades
    out[1], out[2], out[5] = 0.0, 0.0, 0.0
    mean = total / length
    centred = squares - total * mean
    if length < 2:
        out[1], out[2] = mean, np.nan
    elif trades > 0:
        out[1] = mean
        out[2] = np.sqrt(max(centred, 0.0) / (length - 1))
        out[5] = 1.0 if centred <= _CANCELLED * (squares + sums[1]) else 0.0


@compiled()
def _sweep_asset(
    steps: Any,
    slots: Any,
    rows: Any,
    plan: Any,
    sources: Any,
    sums: Any,
    rests: Any,
    gaps: Any,
    given: Any,
    numbers: Any,
    asset: int,
    fills: Any,
    marks: Any,
    table: Any,
    factors: Any,
    lag: int,
    tile: int,
    out: Any,
) -> None:
    """Sweep the sets ``rows`` on one asset; see :func:`sweep_segments`."""
    length = len(marks)
    words = (length + WORD - 1) // WORD
    series = np.empty((len(plan), 1, tile * WORD))
    tape, opens = np.empty((tile * WORD, COLUMNS)), np.empty(tile, dtype=np.uint64)
    wishes, events = np.empty((1, tile), dtype=np.uint64), np.empty(tile * WORD + 4, dtype=np.int64)
    carries = np.zeros((len(rows), len(steps)), dtype=np.uint64)
    states, held_sums = np.zeros((len(rows), _STATE)), np.zeros(2)
    states[:, 0] = states[:, 2] = states[:, 3] = 1.0
    for first in range(0, words, tile):
        count = min(words - first, tile)
        start = first * WORD
        fill_series(
            plan, sources, sums, rests, gaps, given, numbers, asset, start,
            min(length, start + count * WORD), series[:, 0],
        )  # fmt: skip
        fill_tape(fills, marks, factors[0], factors[1], start + lag, count, held_sums, tape, opens)
        for place in range(len(rows)):
            run_words(steps, slots, rows[place], series, 0, 0, count, carries, place, wishes)
            holding = np.uint64(states[place, _HELD])
            found = _find_events(wishes[0], count, opens, holding, events)
            _trade(events, found, start + lag, tape, table, marks, states[place])
    for place in range(len(rows)):
        _finish(held_sums, table, marks, states[place], out[rows[place], asset])


@compiled(parallel=True)
def sweep_segments(
    steps: Any,
    slots: Any,
    order: Any,
    plan: Any,
    sources: Any,
    sums: Any,
    rests: Any,
    gaps: Any,
    given: Any,
    numbers: Any,
    fills: Any,
    marks: Any,
    tables: Any,
    factors: Any,
    lag: int,
    tile: int,
    parts: int,
    out: Any,
) -> None:
    """Sweep every set (P) on every asset (A) into ``out`` (P, A, 6): see :func:`_finish`.

    ``plan`` to ``numbers`` are those of :func:`fill_series`, ``tables`` of ``extremes.py``;
    ``factors``: what a unit costs and brings, per unit of price. Shared out over the cores by asset
    and ``parts`` of the sets; a task computes the averages and prices of ``tile`` words and takes
    all its sets through them before it goes on, so that nothing but prices comes from memory.
    """
    sets, assets = len(slots), len(marks)
    stretch = (sets + parts - 1) // parts
    for task in numba.prange(assets * parts):
        asset, begin = task // parts, (task % parts) * stretch
        _sweep_asset(
            steps, slots, order[begin : min(sets, begin + stretch)], plan, sources, sums, rests,
            gaps, given, numbers, asset, fills[asset], marks[asset], tables[asset], factors, lag,
            tile, out,
        )  # fmt: skip
