"""How often something happened lately, in memory of a fixed size."""

from __future__ import annotations

from collections.abc import Hashable

__all__ = ["NEVER", "Window", "Windows"]

NEVER = float("-inf")


class Window:
    """Remember the last ``limit`` moments: full when all of them lie within ``seconds``.

    Moments are seconds of one monotonic clock; the ring is allocated once.
    """

    __slots__ = ("_next", "_ring", "_seconds")

    def __init__(self, limit: int, seconds: float) -> None:
        self._ring = [NEVER] * limit
        self._seconds = seconds
        self._next = 0

    def is_full(self, moment: float) -> bool:
        """Return whether one more at ``moment`` would exceed the limit."""
        return moment - self._ring[self._next] < self._seconds

    def add(self, moment: float) -> None:
        """Count one at ``moment``."""
        self._ring[self._next] = moment
        self._next = (self._next + 1) % len(self._ring)

    def clear(self) -> None:
        """Forget all."""
        self._ring = [NEVER] * len(self._ring)

    def count(self, moment: float) -> int:
        """Return how many lie within the window that ends at ``moment``."""
        return sum(1 for one in self._ring if moment - one < self._seconds)


class Windows:
    """One window per key, each made at its first use. Without a limit nothing is ever full."""

    def __init__(self, limit: int | None, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self._windows: dict[Hashable, Window] = {}

    def is_full(self, key: Hashable, moment: float) -> bool:
        """Return whether one more of ``key`` would exceed the limit."""
        window = self._windows.get(key)
        return window is not None and window.is_full(moment)

    def add(self, key: Hashable, moment: float) -> None:
        """Count one of ``key``."""
        if self.limit is None:
            return
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = Window(self.limit, self.seconds)
        window.add(moment)

    def count(self, key: Hashable, moment: float) -> int:
        """Return how many of ``key`` lie within the window; at most the limit."""
        window = self._windows.get(key)
        return 0 if window is None else window.count(moment)

    def forget(self, key: Hashable) -> None:
        """Begin the window of ``key`` anew."""
        self._windows.pop(key, None)
