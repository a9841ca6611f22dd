"""Arrays that are used again: fresh memory costs more than the arithmetic that fills it."""

from __future__ import annotations

from math import prod

import numpy as np

from mts1b_GPUbacktester.semantics import FloatArray

__all__ = ["Buffers"]


class Buffers:
    """Hand out float64 arrays by name; what was in one of the same name is lost."""

    def __init__(self) -> None:
        self._flat: dict[str, FloatArray] = {}

    def take(self, name: str, shape: tuple[int, ...]) -> FloatArray:
        """Return an array of any contents."""
        size = prod(shape)
        flat = self._flat.get(name)
        if flat is None or flat.size < size:
            flat = self._flat[name] = np.empty(size)
        return flat[:size].reshape(shape)
