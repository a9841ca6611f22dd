"""Control charts: one observation at a time, or all at once, equal to the last bit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mts1b_quantkit.arrays import LARGEST, as_table
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.scalars import read_number

__all__ = ["Cusum", "CusumState", "EwmaChart", "EwmaState"]


class CusumState(NamedTuple):
    """The sums above and below the target, and whether one of them exceeds the threshold."""

    upper: float
    lower: float
    alarm: bool


class EwmaState(NamedTuple):
    """The smoothed value, and whether it lies outside of the limits."""

    value: float
    alarm: bool


class Cusum:
    """Watch for a lasting shift of the mean (Page 1954; NIST handbook 6.3.2.3, tabular form).

    upper = max(0, upper + x - target - slack), lower = max(0, lower + target - slack - x). The sums
    go on after an alarm; :meth:`reset` starts anew.

    :param slack: half of the shift that matters, in the units of x.
    :param threshold: an alarm above it, in the units of x.

    >>> from mts1b_quantkit.microstructure import Cusum
    >>> chart = Cusum(target=10.0, slack=0.5, threshold=2.0)
    >>> [chart.update(x).alarm for x in (10.0, 12.0, 12.0)]
    [False, False, True]
    """

    def __init__(self, *, target: float, slack: float, threshold: float) -> None:
        self.target = _finite("target", target)
        self.slack = _finite("slack", slack, least=0.0)
        self.threshold = _finite("threshold", threshold, least=0.0)
        self.reset()

    def reset(self) -> None:
        """Set both sums to zero."""
        self._upper = self._lower = 0.0

    def update(self, x: float) -> CusumState:
        """Take one observation.

        :raises BadInput: for a value that is not finite; the sums stay.
        """
        value = _finite("x", x)
        self._upper = max(0.0, self._upper + (value - self.target - self.slack))
        self._lower = max(0.0, self._lower + (self.target - self.slack - value))
        alarm = self._upper > self.threshold or self._lower > self.threshold
        return CusumState(self._upper, self._lower, alarm)

    def batch(self, values: Any) -> Mapping[str, NDArray[Any]]:
        """Return ``upper``, ``lower`` and ``alarm`` (T,) of a fresh chart over all values."""
        fresh = Cusum(target=self.target, slack=self.slack, threshold=self.threshold)
        states = [fresh.update(float(x)) for x in _series(values)]
        return _columns(states, CusumState._fields)


class EwmaChart:
    """Watch a smoothed mean between two limits (Roberts 1959; NIST handbook 6.3.2.4).

    value = smoothing x + (1 - smoothing) value, started at the target; the limits are target +-
    width standard_deviation sqrt(smoothing / (2 - smoothing)).

    >>> from mts1b_quantkit.microstructure import EwmaChart
    >>> chart = EwmaChart(target=50.0, smoothing=0.3, standard_deviation=2.0)
    >>> [round(chart.update(x).value, 2) for x in (52.0, 47.0, 53.0)]
    [50.6, 49.52, 50.56]
    """

    def __init__(
        self, *, target: float, smoothing: float, standard_deviation: float, width: float = 3.0
    ) -> None:
        self.target = _finite("target", target)
        self.smoothing = read_number(
            "smoothing",
            smoothing,
            above=0.0,
            most=1.0,
            wanted="the weight of the newest, in (0, 1]",
        )
        self.standard_deviation = _finite("standard_deviation", standard_deviation, least=0.0)
        self.width = _finite("width", width, least=0.0)
        share = self.smoothing / (2.0 - self.smoothing)
        reach = self.width * self.standard_deviation * math.sqrt(share)
        self.upper_limit, self.lower_limit = self.target + reach, self.target - reach
        self.reset()

    def reset(self) -> None:
        """Begin again at the target."""
        self._value = self.target

    def update(self, x: float) -> EwmaState:
        """Take one observation.

        :raises BadInput: for a value that is not finite; the state stays.
        """
        value = _finite("x", x)
        self._value = self.smoothing * value + (1.0 - self.smoothing) * self._value
        outside = not self.lower_limit <= self._value <= self.upper_limit
        return EwmaState(self._value, outside)

    def batch(self, values: Any) -> Mapping[str, NDArray[Any]]:
        """Return ``value`` and ``alarm`` (T,) of a fresh chart over all values."""
        fresh = EwmaChart(
            target=self.target,
            smoothing=self.smoothing,
            standard_deviation=self.standard_deviation,
            width=self.width,
        )
        states = [fresh.update(float(x)) for x in _series(values)]
        return _columns(states, EwmaState._fields)


def _columns(states: list[Any], names: tuple[str, ...]) -> Mapping[str, NDArray[Any]]:
    return {
        name: np.array([state[place] for state in states], dtype=bool if name == "alarm" else float)
        for place, name in enumerate(names)
    }


def _series(values: Any) -> NDArray[np.float64]:
    table = as_table(values, what="values")
    if not table.is_vector:
        raise BadInput("values is a matrix; a chart watches one series")
    return table.values


def _finite(name: str, value: float, *, least: float = -LARGEST) -> float:
    bound = "" if least < 0.0 else f", {least:g} or more"
    return read_number(name, value, least=least, wanted=f"a finite number{bound}")
