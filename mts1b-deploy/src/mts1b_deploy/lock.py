"""The lock of one MTS_HOME: one supervisor at a time, and none while old processes still end."""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path

from mts1b_deploy.errors import AlreadyRunning

__all__ = ["HomeLock", "owner_of"]

_POLL_S = 0.05


def _path(home: Path) -> Path:
    """Return the lock's path: beside ``run``, which is moved aside with a finished run."""
    return home / "supervisor.lock"


def _try(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _living_owner(handle: int) -> int | None:
    text = os.pread(handle, 32, 0).strip()
    if not text.isdigit():
        return None
    try:
        os.kill(int(text), 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return int(text)


def owner_of(home: Path) -> int | None:
    """Return the process id of the supervisor that runs in ``home``, or None."""
    try:
        handle = os.open(_path(home), os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return None if _try(handle) else _living_owner(handle)
    finally:
        os.close(handle)


class HomeLock:
    """Hold a home. Supervised processes inherit the lock, so it lasts as long as any of them."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.handle: int | None = None

    async def acquire(self, patience_s: float) -> None:
        """Take the lock; wait for the processes of a supervisor that was killed.

        :raises AlreadyRunning: at once while another supervisor lives, else after ``patience_s``.
        """
        self._home.mkdir(parents=True, exist_ok=True)
        handle = os.open(_path(self._home), os.O_RDWR | os.O_CREAT, 0o600)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        while not _try(handle):
            owner = _living_owner(handle)
            if owner is not None or loop.time() >= deadline:
                os.close(handle)
                raise AlreadyRunning(self._refusal(owner))
            await asyncio.sleep(_POLL_S)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        self.handle = handle

    def _refusal(self, owner: int | None) -> str:
        if owner is None:
            return (
                f"processes of a supervisor that was killed still run in {self._home}; their ids "
                f"are in {self._home / 'run' / 'supervisor.json'}: end them first"
            )
        return (
            f"another supervisor (pid {owner}) runs in {self._home}; stop it with `mts down`, or "
            "set MTS_HOME to another folder"
        )

    def release(self) -> None:
        """Let go."""
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None
