"""What is put aside beside the store while the log grows: entry hashes and the last checkpoint.

The store alone can not show that its tail was cut off, or that all of it was rewritten with new
hashes. These two files can; keep copies of them on another disk.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from mts1b_platform.signing import KeyRing
from pydantic import ValidationError

from mts1b_operations.audit.checkpoint import Checkpoint, Head, require_signed
from mts1b_operations.audit.tree import CompactRange
from mts1b_operations.errors import ChainIntegrityError

__all__ = ["PutAside", "Witness", "Witnessed", "witnessed"]

_WIDTH = 32
_HOLE = bytes(_WIDTH)
_TAIL = 1 << 16
_BLOCK = 1 << 20
_ANOTHER = "the entry is not the one whose hash was witnessed"
_TRUNCATED = (
    "the log is truncated: more entries were witnessed. A store that was restored from a backup "
    "goes on once the folder audit/ is moved aside and kept"
)


class Witness:
    """Keep ``leaves`` (32 bytes an entry, by sequence) and ``checkpoints`` (a line each)."""

    def __init__(self, directory: Path) -> None:
        self._leaves = directory / "leaves"
        self._checkpoints = directory / "checkpoints"

    def record(self, first: int, leaves: Sequence[bytes]) -> None:
        """Put entry hashes aside, ``leaves[0]`` being that of sequence ``first``."""
        if not leaves:
            return
        self._leaves.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._leaves, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            _put(handle, b"".join(leaves), first * _WIDTH)
        finally:
            os.close(handle)

    def leaves(self) -> PutAside:
        """Return the hashes by sequence; None where none was recorded."""
        return PutAside(self._leaves)

    @property
    def size(self) -> int:
        """Return how many hashes are recorded."""
        return len(self.leaves())

    def publish(self, checkpoint: Checkpoint, *, durable: bool) -> None:
        """Append a checkpoint to the file; ``durable`` waits for the disk.

        What a torn write left becomes a line of its own.
        """
        self._checkpoints.parent.mkdir(parents=True, exist_ok=True)
        line = checkpoint.model_dump_json().encode() + b"\n"
        handle = os.open(self._checkpoints, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            end = os.fstat(handle).st_size
            if end and os.pread(handle, 1, end - 1) != b"\n":
                line = b"\n" + line
            _put(handle, line, end)
            if durable:
                os.fsync(handle)
        finally:
            os.close(handle)

    def checkpoint(self) -> Checkpoint | None:
        """Return the last whole checkpoint, or None before the first.

        :raises ChainIntegrityError: when it makes no sense.
        """
        if not self._checkpoints.exists():
            return None
        last = _last_line(self._checkpoints)
        if last is None:
            return None
        try:
            return Checkpoint.model_validate_json(last)
        except ValidationError:
            raise ChainIntegrityError(0, f"{self._checkpoints} is damaged") from None

    def require(self, known: CompactRange, leaves: Sequence[bytes]) -> None:
        """Return when what follows in the log on ``known`` is what was witnessed there.

        :raises ChainIntegrityError: naming the first entry that is not.
        """
        size, put_aside = known.size + len(leaves), self.leaves()
        for index in range(known.size, min(size, len(put_aside))):
            if put_aside[index] not in (None, leaves[index - known.size]):
                raise ChainIntegrityError(index, _ANOTHER)
        signed = self.checkpoint()
        if signed is None or not known.size < signed.size <= size:
            return
        if known.add(leaves[: signed.size - known.size]).root.hex() != signed.root:
            raise ChainIntegrityError(known.size, f"its first {signed.size} entries were rewritten")

    def require_no_more(self, size: int) -> None:
        """Return when nothing was witnessed beyond a log of ``size`` entries.

        :raises ChainIntegrityError: when something was: the log was cut.
        """
        put_aside, signed = self.leaves(), self.checkpoint()
        beyond = (put_aside[index] for index in range(size, len(put_aside)))
        if any(leaf is not None for leaf in beyond) or (signed is not None and signed.size > size):
            raise ChainIntegrityError(size, _TRUNCATED)


class PutAside(Sequence[bytes | None]):
    """The hashes in a file, read a block at a time: a year of them fills no memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = path.stat().st_size // _WIDTH if path.exists() else 0
        self._first = 0
        self._block = b""

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> bytes | None: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes | None]: ...
    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes | None] | None:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(self._size))]
        if not 0 <= index < self._size:
            raise IndexError(index)
        at = (index - self._first) * _WIDTH
        if not 0 <= at < len(self._block):
            self._first, at = index, 0
            with self._path.open("rb") as file:
                file.seek(index * _WIDTH)
                self._block = file.read(_BLOCK)
        leaf = self._block[at : at + _WIDTH]
        return None if leaf == _HOLE else leaf


def _put(handle: int, data: bytes, at: int) -> None:
    """Write all of it: a disk that is nearly full takes a part, and says so at the next call."""
    view = memoryview(data)
    while view:
        taken = os.pwrite(handle, view, at)
        view, at = view[taken:], at + taken


def _last_line(path: Path) -> bytes | None:
    """Return the last whole line of a file that may be large; a torn one is no line."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL))
        *whole, _ = file.read().split(b"\n")
    return whole[-1] if whole else None


@dataclass(frozen=True, slots=True)
class Witnessed:
    """What was put aside while the log grew.

    ``leaves`` are the entry hashes as they were appended (None where unknown); ``checkpoints``
    the signed roots, their signatures already proven, smallest tree first.
    """

    leaves: Sequence[bytes | None] = ()
    checkpoints: Sequence[Checkpoint | Head] = ()

    def and_of(self, head: Head) -> Witnessed:
        """Return it with a head that was kept elsewhere."""
        return Witnessed(
            self.leaves, sorted([*self.checkpoints, head], key=lambda known: known.size)
        )


def witnessed(keyring: KeyRing, witness: Witness | None, stored: list[Checkpoint]) -> Witnessed:
    """Return what the log must agree with, every signature proven.

    :raises ChainIntegrityError: when a signature is bad, or the checkpoint file is gone.
    """
    latest = witness.checkpoint() if witness is not None else None
    if witness is not None and latest is None and stored:
        raise ChainIntegrityError(0, "the store has checkpoints, the checkpoint file is gone")
    known = [*stored, *([latest] if latest is not None else [])]
    proven = {c.size: require_signed(keyring, c) for c in known}
    return Witnessed(
        leaves=witness.leaves() if witness is not None else (),
        checkpoints=[proven[size] for size in sorted(proven)],
    )
