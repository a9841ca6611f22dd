"""The one source of randomness."""

from __future__ import annotations

import random
import secrets
from typing import Protocol, runtime_checkable

__all__ = ["Rng", "SeededRng", "SystemRng"]


@runtime_checkable
class Rng(Protocol):
    """Draw random numbers."""

    def random(self) -> float:
        """Return a float in [0, 1)."""
        ...

    def uniform(self, low: float, high: float) -> float:
        """Return a float in [low, high]."""
        ...

    def integer(self, low: int, high: int) -> int:
        """Return an integer in [low, high]."""
        ...

    def bytes(self, count: int) -> bytes:
        """Return ``count`` random bytes."""
        ...


class SeededRng:
    """Draw numbers that the seed decides. Not for keys."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def random(self) -> float:
        """Return a float in [0, 1)."""
        return self._random.random()

    def uniform(self, low: float, high: float) -> float:
        """Return a float in [low, high]."""
        return self._random.uniform(low, high)

    def integer(self, low: int, high: int) -> int:
        """Return an integer in [low, high]."""
        return self._random.randint(low, high)

    def bytes(self, count: int) -> bytes:
        """Return ``count`` bytes."""
        return self._random.randbytes(count)


class SystemRng(SeededRng):
    """Draw numbers from the operating system; bytes are fit for keys."""

    def __init__(self) -> None:
        super().__init__(0)
        self._random = random.SystemRandom()

    def bytes(self, count: int) -> bytes:
        """Return ``count`` bytes fit for keys."""
        return secrets.token_bytes(count)
