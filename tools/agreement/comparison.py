"""One function beside one of a peer, and how far apart they may be."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["EXACT", "Comparison", "Data", "difference"]

EXACT = 1e-10
"""The most that two exact computations may differ by."""


@dataclass(frozen=True)
class Data:
    """Simple daily returns (T, N), one portfolio of them and one benchmark."""

    name: str
    returns: pd.DataFrame
    series: pd.Series[float]
    benchmark: pd.Series[float]

    @property
    def values(self) -> np.ndarray[Any, Any]:
        """Return the returns as numpy."""
        return self.returns.to_numpy()


@dataclass(frozen=True)
class Comparison:
    """A function, a peer's name for it, both computations, and the limit.

    ``why`` says which definition the two share, or what keeps them apart.
    """

    function: str
    theirs: str
    ours: Callable[[Data], Any]
    peer: Callable[[Data], Any]
    limit: float = EXACT
    why: str = ""


def difference(comparison: Comparison, data: Data) -> float:
    """Return the largest difference, as a fraction of the largest size that the peer gives."""
    one = np.asarray(comparison.ours(data), dtype=float)
    other = np.asarray(comparison.peer(data), dtype=float)
    if one.shape != other.shape:
        raise ValueError(f"{comparison.function}: shapes {one.shape} and {other.shape}")
    known = ~(np.isnan(one) & np.isnan(other))
    size = float(np.abs(other[known]).max(initial=0.0))
    gap = float(np.abs(one - other)[known].max(initial=0.0))
    if math.isnan(gap) or math.isnan(size):
        return math.inf
    return gap / size if size > 0.0 else gap
