"""Percentiles from every sample: nothing is put into buckets, nothing is interpolated."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["SHARES", "percentile", "summary"]

SHARES = (0.50, 0.90, 0.99, 0.999)


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile; 0.0 of nothing.

    >>> percentile([3.0, 1.0, 2.0], 0.5)
    2.0
    """
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def summary(samples: Sequence[float], *, scale: float = 1000.0) -> dict[str, float]:
    """Return count, percentiles and the largest, times ``scale`` (seconds to milliseconds)."""
    ordered = sorted(samples)
    found = {f"p{100 * share:g}": round(scale * percentile(ordered, share), 3) for share in SHARES}
    return {"count": len(ordered), **found, "max": round(scale * (ordered or [0.0])[-1], 3)}
