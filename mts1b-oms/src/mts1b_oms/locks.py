"""One lock per key, kept only while somebody wants it."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from types import TracebackType

__all__ = ["KeyedLocks"]


class KeyedLocks:
    """Let one task at a time work on a key; different keys do not wait for each other."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    def hold(self, key: str) -> AbstractAsyncContextManager[None]:
        """Hold the lock of ``key``."""
        return _Held(self._locks, key)


class _Held:
    """One body that holds the lock of a key."""

    __slots__ = ("_key", "_locks")

    def __init__(self, locks: dict[str, tuple[asyncio.Lock, int]], key: str) -> None:
        self._locks, self._key = locks, key

    async def __aenter__(self) -> None:
        known = self._locks.get(self._key)
        lock, wanted = known if known is not None else (asyncio.Lock(), 0)
        self._locks[self._key] = (lock, wanted + 1)
        held = False
        try:
            held = await lock.acquire()
        finally:
            if not held:
                self._leave()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._locks[self._key][0].release()
        self._leave()

    def _leave(self) -> None:
        lock, wanted = self._locks[self._key]
        if wanted == 1:
            del self._locks[self._key]
        else:
            self._locks[self._key] = (lock, wanted - 1)
