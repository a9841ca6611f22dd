"""What looks back over a window, one value at a time, in the order of additions of the arrays.

``averages.py`` and ``evaluate.py`` say what each of them is; here is what they keep between bars.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import isinf, nan, sqrt

from mts1b_GPUbacktester.averages import NEAR

__all__ = ["stepper"]


def stepper(kind: str, window: int) -> Callable[[float], float]:
    """Return what takes the next value of a source and returns the next of ``kind``."""
    match kind:
        case "sma":
            return _without_infinities(_Mean(window))
        case "ema":
            return _without_infinities(_Smooth(2.0 / (window + 1.0), window))
        case "wilder":
            return _without_infinities(_Smooth(1.0 / window, window))
        case "lag":
            return _Lag(window)
        case "deviation":
            return _Full(window, _deviation)
        case "highest":
            return _Full(window, max)
        case "lowest":
            return _Full(window, min)
    raise ValueError(f"no window of kind {kind!r}")


def _without_infinities(average: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: average(nan if isinf(value) else value)


class _Mean:
    """The difference of two running sums, each with the rest that rounding took from it."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._sum, self._rest, self._gaps, self._seen = 0.0, 0.0, 0, 0
        self._past: deque[tuple[float, float, int]] = deque(maxlen=window)

    def __call__(self, value: float) -> float:
        if value != value:
            self._gaps += 1
        else:
            before = self._sum
            self._sum = before + value
            added = self._sum - before
            self._rest += (before - (self._sum - added)) + (value - added)
        self._seen += 1
        gained, rest, gaps = self._sum, self._rest, self._gaps
        if self._seen > self._window:
            sum_before, rest_before, gaps_before = self._past[0]
            gained, rest, gaps = gained - sum_before, rest - rest_before, gaps - gaps_before
        self._past.append((self._sum, self._rest, self._gaps))
        if self._seen < self._window or gaps:
            return nan
        mean = (gained + rest) / self._window
        return value if abs(mean - value) <= NEAR * abs(value) else mean


class _Smooth:
    """The recursion of exponential averages; a missing value repeats the last known."""

    def __init__(self, weight: float, warm: int) -> None:
        self._weight, self._warm = weight, warm
        self._last, self._level, self._age = nan, 0.0, 0

    def __call__(self, value: float) -> float:
        missing = value != value
        if missing and self._age == 0:
            return nan
        if not missing:
            self._last = value
            if self._age == 0:
                self._level = value
        self._age += 1
        self._level += self._weight * (self._last - self._level)
        return nan if missing or self._age < self._warm else self._level


class _Lag:
    def __init__(self, bars: int) -> None:
        self._past: deque[float] = deque([nan] * bars, maxlen=bars)

    def __call__(self, value: float) -> float:
        before = self._past[0]
        self._past.append(value)
        return before


class _Full:
    """A function of the last values, oldest first; missing until all of them are known."""

    def __init__(self, window: int, reduce: Callable[[deque[float]], float]) -> None:
        self._window, self._reduce = window, reduce
        self._past: deque[float] = deque(maxlen=window)
        self._since_gap = 0

    def __call__(self, value: float) -> float:
        self._past.append(value)
        self._since_gap = 0 if value != value else self._since_gap + 1
        return nan if self._since_gap < self._window else self._reduce(self._past)


def _deviation(values: deque[float]) -> float:
    """Return the sample deviation; sums are made one by one, as ``sum`` may do it better."""
    count = len(values)
    if count == 1:
        return nan
    total = 0.0
    for value in values:
        total += value
    mean = total / count
    squares = 0.0
    for value in values:
        squares += (value - mean) * (value - mean)
    return sqrt(squares / (count - 1))
