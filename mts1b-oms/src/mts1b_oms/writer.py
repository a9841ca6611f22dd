"""One OMS on a machine's store: a lock that ends with the process."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from mts1b_oms.errors import WriterFenced

__all__ = ["WriterLock"]


class WriterLock:
    """Hold ``<folder>/oms.lock`` for as long as this OMS lives."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "oms.lock"
        self._file: int | None = None

    def take(self) -> None:
        """Take the lock.

        :raises WriterFenced: when another process holds it.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise WriterFenced(
                f"another OMS (process {holder}) has this store; end it first, or use another "
                "MTS_HOME"
            ) from error
        os.truncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        self._file = handle

    def release(self) -> None:
        """Let the next one in."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
