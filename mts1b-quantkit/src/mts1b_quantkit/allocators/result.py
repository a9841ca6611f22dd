"""What an allocator gives back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mts1b_quantkit.arrays import FloatArray, Table

__all__ = ["Allocation", "Diagnostics", "Later", "allocation", "exact_sum", "to_budget"]


class Later:
    """A diagnostic that costs something: it is computed when it is first looked at."""

    def __init__(self, compute: Callable[[], Any]) -> None:
        self.compute = compute


class Diagnostics(Mapping[str, Any]):
    """What a method says of its result, by name; read-only."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Any:
        """Return a diagnostic."""
        value = self._values[name]
        if isinstance(value, Later):
            value = self._values[name] = value.compute()
        return value

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._values)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._values)

    def __repr__(self) -> str:
        """Show names and values."""
        return repr(dict(self))


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """Weights, and how they were found.

    ``weights`` follow the order of the input's columns: an array for numpy, a Series for pandas, a
    frame of one row for polars, a dict for a mapping. ``diagnostics`` holds what the method
    defines (objective, KKT residual, iterations, ...).
    """

    weights: Any
    diagnostics: Mapping[str, Any] = field(default_factory=lambda: Diagnostics({}))

    def __getitem__(self, name: str) -> Any:
        """Return a field by name, as in ``result["weights"]``."""
        if name not in ("weights", "diagnostics"):
            raise KeyError(name)
        return getattr(self, name)


def allocation(table: Table, weights: FloatArray, **diagnostics: Any) -> Allocation:
    """Build the result in the kind of ``table``."""
    return Allocation(table.per_column(weights), Diagnostics(diagnostics))


def to_budget(weights: FloatArray, budget: float = 1.0) -> FloatArray:
    """Scale positive ``weights`` so that their exactly rounded sum is ``budget``."""
    return exact_sum(weights * (budget / math.fsum(weights)), budget)


def exact_sum(weights: FloatArray, budget: float) -> FloatArray:
    """Return weights whose exactly rounded sum is ``budget``, where they nearly have it.

    The last bits go to the largest weight, where they matter least.
    """
    scaled = weights.copy()
    largest = int(np.abs(scaled).argmax())
    for _ in range(4):
        missing = budget - math.fsum(scaled)
        if missing == 0.0:
            break
        scaled[largest] += missing
    return scaled
