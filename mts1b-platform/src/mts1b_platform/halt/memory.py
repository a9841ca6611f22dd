"""The halt record of a run that ends with its process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mts1b_platform.halt.store import HaltState, HaltStore

__all__ = ["MemoryHaltStore"]


class MemoryHaltStore(HaltStore):
    """Keep the halts in memory, under the same rules as on disk."""

    def __init__(self) -> None:
        super().__init__(Path())

    def state(self) -> HaltState:
        """Return the record."""
        return self._state

    @contextmanager
    def _writing(self) -> Iterator[HaltState]:
        yield self._state

    def _save(self, state: HaltState) -> HaltState:
        self._state = state
        return state
