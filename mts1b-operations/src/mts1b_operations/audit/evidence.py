"""What is put aside beside the store while the log grows: entry hashes and the last checkpoint.

The store alone can not show that its tail was cut off, or that all of it was rewritten with new
hashes. These two files can; keep copies of them on another disk.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mts1b_platform.signing import KeyRing
from pydantic import ValidationError

from mts1b_operations.audit.checkpoint import Checkpoint, require_signed
from mts1b_operations.audit.tree import CompactRange
from mts1b_operations.errors import ChainIntegrityError

__all__ = ["Witness", "Witnessed", "witnessed"]

_WIDTH = 32
_HOLE = bytes(_WIDTH)
_TAIL = 1 << 16
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

    def leaves(self, first: int = 0) -> list[bytes | None]:
        """Return the hashes by sequence, from ``first`` on; None where none was recorded."""
        if not self._leaves.exists():
            return []
        with self._leaves.open("rb") as file:
            file.seek(first * _WIDTH)
            data = file.read()
        whole = len(data) - len(data) % _WIDTH
        cut = [data[at : at + _WIDTH] for at in range(0, whole, _WIDTH)]
        return [None if leaf == _HOLE else leaf for leaf in cut]

    @property
    def size(self) -> int:
        """Return how many hashes are recorded."""
        return self._leaves.stat().st_size // _WIDTH if self._leaves.exists() else 0

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
        """Return when the log that grew from ``known`` by ``leaves`` is the one witnessed.

        :raises ChainIntegrityError: naming the first entry that is not, or is not there.
        """
        size = known.size + len(leaves)
        for index, put_aside in enumerate(self.leaves(known.size), known.size):
            if put_aside is None:
                continue
            if index >= size:
                raise ChainIntegrityError(size, _TRUNCATED)
            if put_aside != leaves[index - known.size]:
                raise ChainIntegrityError(index, _ANOTHER)
        signed = self.checkpoint()
        if signed is None or signed.size <= known.size:
            return
        if signed.size > size:
            raise ChainIntegrityError(size, _TRUNCATED)
        if known.add(leaves[: signed.size - known.size]).root.hex() != signed.root:
            raise ChainIntegrityError(known.size, f"its first {signed.size} entries were rewritten")


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
    checkpoints: Sequence[Checkpoint] = ()


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
