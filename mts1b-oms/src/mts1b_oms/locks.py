"""One lock per key, kept only while somebody wants it."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from types import TracebackType

__all__ = ["KeyedLocks"]


class KeyedLocks:
    """Let one task at a time work on a key; different keys do not wait for each other."""

    def __init__(self) -> None:
        self._keys: dict[str, _Key] = {}

    @property
    def held(self) -> frozenset[str]:
        """Return the keys that somebody holds or waits for."""
        return frozenset(self._keys)

    def hold(self, key: str) -> AbstractAsyncContextManager[None]:
        """Hold the lock of ``key``."""
        known = self._keys.get(key)
        if known is None:
            known = self._keys[key] = _Key(self._keys, key)
        return known


class _Key:
    """The lock of one key. It is made for the second who wants it; the first holds it without."""

    __slots__ = ("_key", "_keys", "_lock", "_wanted")

    def __init__(self, keys: dict[str, _Key], key: str) -> None:
        self._keys, self._key = keys, key
        self._lock: asyncio.Lock | None = None
        self._wanted = 0

    async def __aenter__(self) -> None:
        self._wanted += 1
        if self._wanted > 1:
            await self._wait()

    async def _wait(self) -> None:
        held = False
        try:
            if self._lock is None:
                self._lock = asyncio.Lock()
                await self._lock.acquire()  # for the one who holds the key; nobody waits for this
            held = await self._lock.acquire()
        finally:
            if not held:
                self._leave()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._lock is not None:
            self._lock.release()
        self._leave()

    def _leave(self) -> None:
        self._wanted -= 1
        if not self._wanted:
            del self._keys[self._key]
