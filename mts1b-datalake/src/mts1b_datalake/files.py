"""The few file operations that make a write atomic, as one small port."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

__all__ = ["Files", "LocalFiles", "exclusive", "write_atomically"]


class Files(Protocol):
    """What the lake asks of a file system."""

    def write(self, path: Path, data: bytes) -> None:
        """Write ``data`` to ``path`` and force it to disk."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Replace ``target`` by ``source`` in one step."""
        ...

    def sync_directory(self, path: Path) -> None:
        """Force the names in a directory to disk."""
        ...

    def remove(self, path: Path) -> None:
        """Remove one file."""
        ...


class LocalFiles:
    """Work on the local disk."""

    def write(self, path: Path, data: bytes) -> None:
        """Write ``data`` to ``path`` and force it to disk."""
        with path.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())

    def rename(self, source: Path, target: Path) -> None:
        """Replace ``target`` by ``source`` in one step."""
        os.replace(source, target)

    def sync_directory(self, path: Path) -> None:
        """Force the names in a directory to disk."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        """Remove one file."""
        path.unlink(missing_ok=True)


def write_atomically(files: Files, path: Path, data: bytes) -> None:
    """Write beside ``path``, then rename: a reader sees the old file or the new one."""
    partial = path.with_name(path.name + ".partial")
    files.write(partial, data)
    files.rename(partial, path)


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Hold the directory's write lock; the system releases it when the process dies."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
