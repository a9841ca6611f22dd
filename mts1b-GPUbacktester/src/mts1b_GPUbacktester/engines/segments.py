"""Long with all cash, by segments: between two trades only prefix sums and block extremes count.

While a position is held, equity is a constant times the price. So the returns of a segment come
from prefix sums of the asset's own returns, and its peaks and falls from the highest and lowest
marks of blocks of 64 bars: a block that can neither lift the peak nor deepen the fall is passed
over, the others are walked. Exact up to rounding, and the cost is one word per 64 bars plus the
trades.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from mts1b_GPUbacktester.engines.bits import above_word, first_bit, latched, not_below_word
from mts1b_GPUbacktester.engines.compiling import compiled
from mts1b_GPUbacktester.engines.tape import WORD

__all__ = ["STATE", "advance_long", "run_words"]

STATE = 9
_ENTRY, _TRADES, _HELD = 6, 7, 8
_DEPTH = 16
_CANCELLED = 1e-5
_TILE = 64


@compiled()
def _compared(code: int, flat: Any, left: int, right: int, carries: Any, at: int, step: int) -> Any:
    """Return the word of a comparison: above, not below, or getting above."""
    if code == 0:
        return above_word(flat, flat, left, right)
    if code == 1:
        return not_below_word(flat, flat, left, right)
    not_above = not_below_word(flat, flat, right, left)
    earlier = (not_above << np.uint64(1)) | carries[at, step]
    carries[at, step] = not_above >> np.uint64(63)
    return above_word(flat, flat, left, right) & earlier


@compiled()
def run_words(
    steps: Any,
    slots: Any,
    row: int,
    series: Any,
    asset: int,
    first: int,
    last: int,
    carries: Any,
    at: int,
    out: Any,
) -> None:
    """Run a program over words ``first`` to ``last`` of one account; bits of the last step.

    ``series`` is (S, A, n * 64) from word 0 of a stretch of time; ``slots[row]`` names the series
    of each leaf; ``carries[at]`` (steps,) goes from word to word, zero before the first of all;
    ``out`` (n, words) gets the words of the first n places of the stack, from position 0.
    """
    flat = series.reshape(-1)
    assets, width = series.shape[1], series.shape[2]
    if len(steps) == 1 and steps[0, 0] == 0:
        # By far the most common rule, one comparison, without the interpreter.
        left = (slots[row, steps[0, 1]] * assets + asset) * width
        right = (slots[row, steps[0, 2]] * assets + asset) * width
        for word in range(first, last):
            out[0, word - first] = above_word(flat, flat, left + word * WORD, right + word * WORD)
        return
    stack = np.empty(_DEPTH, dtype=np.uint64)
    one, top_bit = np.uint64(1), np.uint64(63)
    for word in range(first, last):
        depth = 0
        for step in range(len(steps)):
            code = steps[step, 0]
            if code <= 2:
                left = (slots[row, steps[step, 1]] * assets + asset) * width + word * WORD
                right = (slots[row, steps[step, 2]] * assets + asset) * width + word * WORD
                stack[depth] = _compared(code, flat, left, right, carries, at, step)
                depth += 1
            elif code == 3:
                depth -= 1
                stack[depth - 1] &= stack[depth]
            elif code == 4:
                depth -= 1
                stack[depth - 1] |= stack[depth]
            elif code == 5:
                stack[depth - 1] = ~stack[depth - 1]
            elif code == 7:
                now = stack[depth - 1]
                stack[depth - 1] = now & ~((now << one) | carries[at, step])
                carries[at, step] = now >> top_bit
            else:
                depth -= 1
                made = latched(stack[depth - 1], stack[depth], carries[at, step])
                carries[at, step] = made >> top_bit
                stack[depth - 1] = made
        for place in range(len(out)):
            out[place, word - first] = stack[place]


@compiled()
def _climb(marks: Any, start: int, stop: int, units: float, peak: float, worst: float) -> Any:
    """Walk the bars of a held stretch; return the peak and the deepest ratio to it."""
    for bar in range(start, stop):
        value = units * marks[bar]
        if value > peak:
            peak = value
        elif value < worst * peak:
            worst = value / peak
    return peak, worst


@compiled()
def _lowest(marks: Any, start: int, stop: int) -> float:
    """Return the lowest mark; four at a time, so that none waits for the one before."""
    a = b = c = d = marks[start]
    bar = start
    while bar + 4 <= stop:
        a = min(a, marks[bar])
        b = min(b, marks[bar + 1])
        c = min(c, marks[bar + 2])
        d = min(d, marks[bar + 3])
        bar += 4
    while bar < stop:
        a = min(a, marks[bar])
        bar += 1
    lowest: float = min(min(a, b), min(c, d))
    return lowest


@compiled()
def _fall(
    marks: Any, blocks: Any, start: int, stop: int, units: float, peak: float, worst: float
) -> Any:
    """Do as :func:`_climb`, passing over blocks that change nothing."""
    bar = start
    while bar < stop:
        word = bar // WORD
        end = min(stop, (word + 1) * WORD)
        high, low = units * blocks[word, 0], units * blocks[word, 1]
        if high <= peak:
            if low < worst * peak:
                worst = min(worst, units * _lowest(marks, bar, end) / peak)
            bar = end
        elif end - bar == WORD:
            worst = min(worst, low / peak, blocks[word, 2])
            peak = max(peak, high)
            bar = end
        else:
            peak, worst = _climb(marks, bar, end, units, peak, worst)
            bar = end
    return peak, worst


@compiled()
def _measure_words(
    wishes: Any,
    first: int,
    last: int,
    origin: int,
    tape: Any,
    blocks: Any,
    fillable: Any,
    marks: Any,
    lag: int,
    states: Any,
    at: int,
    asset: int,
) -> None:
    """Move one account over words ``first`` to ``last`` of a stretch that starts at ``origin``.

    ``wishes`` holds these words from position 0; row 0 of ``tape`` is the bar before the first
    that the stretch can fill.
    """
    cash, units = states[at, asset, 0], states[at, asset, 1]
    peak, worst = states[at, asset, 2], states[at, asset, 3]
    total, squares = states[at, asset, 4], states[at, asset, 5]
    entry, trades = int(states[at, asset, _ENTRY]), int(states[at, asset, _TRADES])
    held = states[at, asset, _HELD] != 0.0
    inverted = ~np.uint64(0) if held else np.uint64(0)
    for word in range(first, last):
        wish, open_bits = wishes[0, word - first], fillable[origin + word]
        events = (wish ^ inverted) & open_bits
        while events != 0:
            position = first_bit(events)
            row = word * WORD + position + 1
            bar = origin * WORD + row - 1 + lag
            if held:
                peak, worst = _fall(marks, blocks, entry, bar, units, peak, worst)
                cash = units * tape[row, 1]
                change = tape[row, 3]
                total += change + tape[row - 1, 4]
                squares += change * change + tape[row - 1, 5]
                if cash > peak:
                    peak = cash
                elif cash < worst * peak:
                    worst = cash / peak
            else:
                entry = bar
                units = cash * tape[row, 0]
                trades += 1
                change = tape[row, 2]
                total += change - tape[row, 4]
                squares += change * change - tape[row, 5]
            held = not held
            inverted = ~inverted
            # Two shifts: one of 64 is not defined.
            later = ((~np.uint64(0)) << np.uint64(position)) << np.uint64(1)
            events = (wish ^ inverted) & open_bits & later
    states[at, asset, 0], states[at, asset, 1] = cash, units
    states[at, asset, 2], states[at, asset, 3] = peak, worst
    states[at, asset, 4], states[at, asset, 5] = total, squares
    states[at, asset, _ENTRY], states[at, asset, _TRADES] = entry, trades
    states[at, asset, _HELD] = 1.0 if held else 0.0


@compiled()
def _finish(sums: Any, blocks: Any, marks: Any, state: Any, out: Any) -> None:
    """Mark what is open and turn sums into numbers.

    ``out`` (6,): final equity, mean and sample deviation of returns, deepest fall, trades, and 1
    where squares cancel so far that the deviation must be computed another way.
    """
    length = len(marks)
    cash, units, peak, worst = state[0], state[1], state[2], state[3]
    total, squares, trades = state[4], state[5], state[_TRADES]
    if state[_HELD] != 0.0:
        peak, worst = _fall(marks, blocks, int(state[_ENTRY]), length, units, peak, worst)
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


@compiled(parallel=True)
def advance_long(
    steps: Any,
    slots: Any,
    order: Any,
    series: Any,
    origin: int,
    words: int,
    tape: Any,
    blocks: Any,
    fillable: Any,
    marks: Any,
    lag: int,
    stretch: int,
    states: Any,
    carries: Any,
    sums: Any,
    out: Any,
) -> None:
    """Move every set on every asset over ``words`` words of time from word ``origin``.

    ``states`` is (P, A, STATE), ``carries`` (P * A, steps). Shared out over the cores by asset and
    ``stretch`` sets; a task takes all its sets through a tile of time before the next tile, so that
    the prices of the tile stay near the core. After the last word of all, ``out`` (P, A, 6) gets
    what :func:`_finish` says, from the ``sums`` (A, 2) of the assets.
    """
    sets, assets = len(slots), len(marks)
    stretches = (sets + stretch - 1) // stretch
    for task in numba.prange(assets * stretches):
        asset, begin = task // stretches, (task % stretches) * stretch
        end = min(sets, begin + stretch)
        columns, extremes = tape[asset], blocks[asset]
        opens, marked = fillable[asset], marks[asset]
        wishes = np.empty((1, _TILE), dtype=np.uint64)
        for first in range(0, words, _TILE):
            last = min(words, first + _TILE)
            for at in range(begin, end):
                row = order[at]
                run_words(
                    steps, slots, row, series, asset, first, last, carries, row * assets + asset,
                    wishes,
                )  # fmt: skip
                _measure_words(
                    wishes, first, last, origin, columns, extremes, opens, marked, lag, states, row,
                    asset,
                )  # fmt: skip
        if origin + words == len(opens):
            for at in range(begin, end):
                row = order[at]
                _finish(sums[asset], extremes, marked, states[row, asset], out[row, asset])
