"""A compiled rule on words of 64 bars: the steps of ``program.py``, one account at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from mts1b_GPUbacktester.engines.bits import above_word, latched, not_below_word
from mts1b_GPUbacktester.engines.compiling import compiled
from mts1b_GPUbacktester.engines.tape import WORD

__all__ = ["run_words"]

_DEPTH = 16


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
    top_bit = np.uint64(63)
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
            else:
                depth -= 1
                made = latched(stack[depth - 1], stack[depth], carries[at, step])
                carries[at, step] = made >> top_bit
                stack[depth - 1] = made
        for place in range(len(out)):
            out[place, word - first] = stack[place]
