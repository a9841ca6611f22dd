"""Running statistics of a series, without keeping it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

__all__ = ["Moments", "two_sided_z"]


@dataclass(slots=True)
class Moments:
    """Mean and sample variance, updated one value at a time.

    Source: B. P. Welford, "Note on a method for calculating corrected sums of squares and
    products", Technometrics 4 (1962).
    """

    count: int = 0
    mean: float = 0.0
    _squares: float = 0.0

    def add(self, value: float) -> None:
        """Take one more value."""
        self.count += 1
        delta = value - self.mean
        self.mean += delta / self.count
        self._squares += delta * (value - self.mean)

    @property
    def deviation(self) -> float:
        """Return the sample standard deviation; 0 below two values."""
        return math.sqrt(self._squares / (self.count - 1)) if self.count > 1 else 0.0


def two_sided_z(confidence: float) -> float:
    """Return z such that a standard normal lies within ±z with probability ``confidence``.

    :raises ValueError: outside (0, 1).
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence {confidence} must lie between 0 and 1, e.g. 0.95")
    return NormalDist().inv_cdf(0.5 + confidence / 2)
