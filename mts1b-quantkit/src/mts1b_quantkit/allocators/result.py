"""What an allocator gives back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from mts1b_quantkit.arrays import FloatArray, Table

__all__ = ["Allocation", "allocation", "to_budget"]


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """Weights, and how they were found.

    ``weights`` follow the order of the input's columns: an array for numpy, a Series for pandas, a
    frame of one row for polars, a dict for a mapping. ``diagnostics`` holds what the method
    defines (objective, KKT residual, iterations, ...).
    """

    weights: Any
    diagnostics: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __getitem__(self, name: str) -> Any:
        """Return a field by name, as in ``result["weights"]``."""
        if name not in ("weights", "diagnostics"):
            raise KeyError(name)
        return getattr(self, name)


def allocation(table: Table, weights: FloatArray, **diagnostics: Any) -> Allocation:
    """Build the result in the kind of ``table``."""
    return Allocation(table.per_column(weights), MappingProxyType(diagnostics))


def to_budget(weights: FloatArray, budget: float = 1.0) -> FloatArray:
    """Scale positive ``weights`` so that their exactly rounded sum is ``budget``.

    The last bits go to the largest weight, where they matter least.
    """
    scaled = weights * (budget / math.fsum(weights))
    largest = int(scaled.argmax())
    for _ in range(4):
        missing = budget - math.fsum(scaled)
        if missing == 0.0:
            break
        scaled[largest] += missing
    return scaled
