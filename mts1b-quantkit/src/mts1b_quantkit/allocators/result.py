"""What an allocator gives back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mts1b_quantkit.arrays import FloatArray, Table

__all__ = ["Allocation", "Diagnostics", "Later", "allocation", "exact_sum", "to_budget"]

_TRIES = 16


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


def exact_sum(
    weights: FloatArray, budget: float, lower: Any = -np.inf, upper: Any = np.inf
) -> FloatArray:
    """Return weights within their bounds whose exactly rounded sum is ``budget``.

    They nearly have it before. The last bits go to the largest weight that has room for them and
    is fine enough to take them; where none is, some bits stay missing. A zero stays a zero.
    """
    result = np.clip(weights, lower, upper)
    unseen = np.finfo(float).eps / 4.0 * abs(budget)
    for _ in range(_TRIES):
        missing = math.fsum((budget, *(-result).tolist()))
        moved = np.clip(result + missing, lower, upper)
        left = np.where(result == 0.0, np.inf, np.abs(moved - result - missing))
        if math.fsum(result) == budget or not left.min() < abs(missing):
            break
        able = left <= max(unseen, float(left.min()))
        asset = int(np.where(able, np.abs(result), -1.0).argmax())
        result[asset] = moved[asset]
    return np.asarray(result)
