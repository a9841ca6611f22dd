"""The Merkle tree of RFC 6962: roots, inclusion and consistency proofs, and growth in O(log n).

Source: B. Laurie, A. Langley, E. Kasper, "Certificate Transparency", RFC 6962 (2013), section
2.1; the verification algorithms are those of RFC 9162 (2021), sections 2.1.3.2 and 2.1.4.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "EMPTY_ROOT",
    "CompactRange",
    "consistency_proof",
    "inclusion_proof",
    "leaf_hash",
    "node_hash",
    "root_of",
    "verify_consistency",
    "verify_inclusion",
]

_LEAF = b"\x00"
_NODE = b"\x01"

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of the tree with no leaves."""


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256 of the entry behind the leaf prefix."""
    return hashlib.sha256(_LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256 of two child hashes behind the node prefix."""
    return hashlib.sha256(_NODE + left + right).digest()


@dataclass(frozen=True, slots=True)
class CompactRange:
    """The roots of the perfect subtrees that make up a tree of ``size`` leaves, largest first.

    It is all that is needed to grow the tree and to know its root: at most log2(size) + 1 hashes.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def add(self, leaves: Sequence[bytes]) -> CompactRange:
        """Return the range with leaf hashes appended."""
        peaks, size = list(self.peaks), self.size
        for leaf in leaves:
            carry, level = leaf, size
            while level & 1:
                carry = node_hash(peaks.pop(), carry)
                level >>= 1
            peaks.append(carry)
            size += 1
        return CompactRange(size, tuple(peaks))

    @property
    def root(self) -> bytes:
        """Return the root of the tree."""
        if not self.peaks:
            return EMPTY_ROOT
        value = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            value = node_hash(peak, value)
        return value


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    return CompactRange().add(leaves).root


def _split(size: int) -> int:
    """Return the largest power of two smaller than ``size`` (which is at least 2)."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of leaf ``index``, from the leaf upwards.

    :raises IndexError: when the tree has no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf {index} is outside a tree of {len(leaves)} leaves")
    if len(leaves) == 1:
        return []
    k = _split(len(leaves))
    if index < k:
        return [*inclusion_proof(leaves[:k], index), root_of(leaves[k:])]
    return [*inclusion_proof(leaves[k:], index - k), root_of(leaves[:k])]


def verify_inclusion(
    leaf: bytes, *, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Return whether ``proof`` shows that ``leaf`` is leaf ``index`` of the tree under ``root``."""
    if not 0 <= index < size:
        return False
    node, last, value = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            value = node_hash(sibling, value)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and value == root


def consistency_proof(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """Return the proof that the tree of the first ``first`` leaves is a prefix of this tree.

    :raises IndexError: when ``first`` is outside 0..len(leaves).
    """
    if not 0 <= first <= len(leaves):
        raise IndexError(f"no tree of {first} leaves within one of {len(leaves)}")
    if first in (0, len(leaves)):
        return []
    return _subproof(leaves, first, whole=True)


def _subproof(leaves: Sequence[bytes], first: int, *, whole: bool) -> list[bytes]:
    if first == len(leaves):
        return [] if whole else [root_of(leaves)]
    k = _split(len(leaves))
    if first <= k:
        return [*_subproof(leaves[:k], first, whole=whole), root_of(leaves[k:])]
    return [*_subproof(leaves[k:], first - k, whole=False), root_of(leaves[:k])]


def verify_consistency(
    *,
    first: int,
    second: int,
    first_root: bytes,
    second_root: bytes,
    proof: Sequence[bytes],
) -> bool:
    """Return whether the tree of size ``second`` only appended to the one of size ``first``."""
    if not 0 <= first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root
    if first == 0:
        return not proof and first_root == EMPTY_ROOT
    path = list(proof)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    return _walk_consistency(first, second, first_root, second_root, path)


def _walk_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, path: list[bytes]
) -> bool:
    if not path:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root
