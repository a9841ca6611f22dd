"""One printed example, and how far the computed numbers are from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["MANUAL", "MEMORY", "RESTATED", "SOURCE", "Printed", "units_off"]

MEMORY = "from memory of the paper, not checked against a copy"
RESTATED = "another author's example prints the same"
SOURCE = "the source itself"
MANUAL = "the manual of R's PerformanceAnalytics prints the same and cites the page"
"""For Bacon's book, 2nd edition."""


@dataclass(frozen=True)
class Printed:
    """Numbers of a source as it prints them, how to compute them, and who has seen them."""

    source: str
    what: str
    function: str
    printed: str
    compute: Callable[[], Any]
    limit: float = 0.51
    checked: str = MEMORY


def units_off(row: Printed) -> float:
    """Return the largest distance from a printed number, in units of its last digit."""
    texts = row.printed.split()
    values = np.atleast_1d(np.asarray(row.compute(), dtype=float))
    if len(texts) != len(values):
        raise ValueError(f"{row.what}: {len(texts)} numbers are printed, {len(values)} computed")
    return max(
        abs(float(value) - float(text)) * 10.0 ** _places(text)
        for text, value in zip(texts, values, strict=True)
    )


def _places(text: str) -> int:
    return len(text.partition(".")[2])
