"""Small files that are on disk once a write has returned."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["append_durably", "write_durably"]


def write_durably(path: Path, text: str) -> None:
    """Replace a file, its folder made where it is missing; a crash leaves the old or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    _sync_folder(path)


def append_durably(path: Path, text: str) -> None:
    """Append to a file, made with its folder where it is missing; a crash may leave a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    with path.open("a") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        _sync_folder(path)


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
