"""One process for each service of a home: what a service holds in memory is all there is of it.

Two risk engines would each know half of the exposure, and two operations grant two leases.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mts1b_platform.errors import RetryLater

__all__ = ["LockHeld", "ProcessLock", "ServiceBusy", "only_one"]


class LockHeld(RetryLater):
    """Another process has the lock; ``holder`` is its id, or "unknown"."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"process {holder} has the lock")
        self.holder = holder


class ServiceBusy(RetryLater):
    """Another process runs the service on this home."""


class ProcessLock:
    """A lock on a file that ends with the process, however that ends. It says who has it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def take(self) -> None:
        """Take the lock.

        :raises LockHeld: when another holds it.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise LockHeld(holder) from error
        os.truncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        self._handle = handle

    def release(self) -> None:
        """Let the next one in."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


@contextmanager
def only_one(folder: Path, names: Sequence[str]) -> Iterator[None]:
    """Hold a lock for each service.

    :raises ServiceBusy: when another process holds one of them.
    """
    with ExitStack() as held:
        for name in names:
            lock = ProcessLock(folder / f"{name}.lock")
            try:
                lock.take()
            except LockHeld as error:
                raise ServiceBusy(
                    f"process {error.holder} runs {name} on this home already; end it first "
                    "(`mts down`, where `mts up` started it), or set MTS_HOME to another folder"
                ) from error
            held.callback(lock.release)
        yield
