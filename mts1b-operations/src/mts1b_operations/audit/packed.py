"""Hashes side by side in one block of memory: a year of them is some hundred megabytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import overload

__all__ = ["PackedHashes", "pack"]

_WIDTH = 32


class PackedHashes(Sequence[bytes]):
    """A view of hashes; a slice of it is a view too.

    :param span: which of them, of a step of one.
    """

    def __init__(self, block: bytes | bytearray, span: range) -> None:
        self._block = block
        self._span = span

    def __len__(self) -> int:
        return len(self._span)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> PackedHashes: ...
    def __getitem__(self, index: int | slice) -> bytes | PackedHashes:
        if isinstance(index, slice):
            return PackedHashes(self._block, self._span[index])
        at = self._span[index] * _WIDTH
        return bytes(self._block[at : at + _WIDTH])


def pack(digests: Iterable[str]) -> PackedHashes:
    """Return hashes that are written in hexadecimal."""
    block = bytearray()
    for digest in digests:
        block += bytes.fromhex(digest)
    return PackedHashes(block, range(len(block) // _WIDTH))
