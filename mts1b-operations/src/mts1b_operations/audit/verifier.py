"""Verify an exported audit log with nothing but Python: ``python verifier.py LOG``.

This file imports nothing of the project on purpose: copy it to the machine of whoever doubts.
It re-derives every hash from the exported bytes, the chain, the RFC 6962 root, and the Ed25519
signature (RFC 8032) of every checkpoint.

The log is text: a line ``mts-audit-log/v1 <public key>``, a line ``<hash> <canonical entry>`` for
each entry, and lines ``checkpoint <json>``. Exit code 0: intact; 1: not; 2: unusable.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable

HEADER = "mts-audit-log/v1"
DOMAIN = "mts/audit-checkpoint/v1"

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_I = pow(2, (_P - 1) // 4, _P)

Point = tuple[int, int, int, int]


class BadLog(Exception):
    """The log is not intact; ``index`` is the first bad entry."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(f"broken at index {index}: {reason}")
        self.index = index


def sha256(data: bytes) -> bytes:
    """Return SHA-256."""
    return hashlib.sha256(data).digest()


class Tree:
    """The peaks of a growing Merkle tree."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Append one leaf hash."""
        size = self.size
        while size & 1:
            leaf = sha256(b"\x01" + self.peaks.pop() + leaf)
            size >>= 1
        self.peaks.append(leaf)
        self.size += 1

    @property
    def root(self) -> bytes:
        """Return the root."""
        if not self.peaks:
            return sha256(b"")
        value = self.peaks[-1]
        for peak in self.peaks[-2::-1]:
            value = sha256(b"\x01" + peak + value)
        return value


def _add(one: Point, two: Point) -> Point:
    """Add on the twisted Edwards curve, extended coordinates (RFC 8032, section 5.1.4)."""
    a = (one[1] - one[0]) * (two[1] - two[0]) % _P
    b = (one[1] + one[0]) * (two[1] + two[0]) % _P
    c = 2 * one[3] * two[3] * _D % _P
    d = 2 * one[2] * two[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: Point) -> Point:
    total: Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point = _add(point, point)
        scalar >>= 1
    return total


def _point(data: bytes) -> Point | None:
    """Decode a point (RFC 8032, section 5.1.3)."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _I % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


_BASE_Y = 4 * pow(5, _P - 2, _P) % _P
_BASE = _point(_BASE_Y.to_bytes(32, "little"))


def good_signature(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether an Ed25519 signature is good (RFC 8032, section 5.1.7)."""
    if len(public) != 32 or len(signature) != 64 or _BASE is None:
        return False
    key, commitment = _point(public), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or s >= _L:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    k = int.from_bytes(digest, "little") % _L
    left, right = _times(s, _BASE), _add(commitment, _times(k, key))
    return not (
        (left[0] * right[2] - right[0] * left[2]) % _P
        or (left[1] * right[2] - right[1] * left[2]) % _P
    )


def checkpoint_message(checkpoint: dict[str, object]) -> bytes:
    """Return the bytes that a checkpoint's signature covers."""
    parts = [DOMAIN]
    for name in ("size", "root", "created_at", "key_id"):
        parts += [name, str(checkpoint[name])]
    data = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in data)


def key_id(public: bytes) -> str:
    """Return the id of a public key."""
    return hashlib.sha256(b"mts/key/v1" + public).hexdigest()[:16]


def check(lines: Iterable[str], *, public_key: str | None = None) -> tuple[int, str, int]:
    """Check a log; return its size, its root, and how many checkpoints were proven.

    :param public_key: hex; pins the key instead of trusting the one in the log.
    :raises BadLog: naming the first bad index.
    :raises ValueError: when it is no exported log.
    """
    source = iter(lines)
    head, _, named = next(source, "").strip().partition(" ")
    if head != HEADER:
        raise ValueError(f"no exported audit log: the first line must begin with {HEADER}")
    public = bytes.fromhex(public_key or named)
    tree, roots, signed, previous = Tree(), {0: sha256(b"").hex()}, 0, "0" * 64
    for line in source:
        word, _, body = line.rstrip("\n").partition(" ")
        if word == "checkpoint":
            _check_checkpoint(json.loads(body), tree, roots, public)
            signed += 1
            continue
        previous = _check_entry(word, body, tree, previous)
        roots[tree.size] = tree.root.hex()
    return tree.size, tree.root.hex(), signed


def _check_entry(digest: str, body: str, tree: Tree, previous: str) -> str:
    index = tree.size
    leaf = sha256(b"\x00" + body.encode())
    if leaf.hex() != digest:
        raise BadLog(index, "the content does not give the hash")
    entry = json.loads(body)
    if entry["sequence"] != index:
        raise BadLog(index, f"entry {entry['sequence']} stands here")
    if entry["previous_hash"] != previous:
        raise BadLog(index, "the chain does not link to the entry before")
    tree.add(leaf)
    return digest


def _check_checkpoint(
    checkpoint: dict[str, object], tree: Tree, roots: dict[int, str], public: bytes
) -> None:
    size = int(str(checkpoint["size"]))
    message = checkpoint_message(checkpoint)
    signature = bytes.fromhex(str(checkpoint["signature"]))
    if checkpoint["key_id"] != key_id(public) or not good_signature(public, message, signature):
        raise BadLog(0, f"the checkpoint of size {size} is not signed by this key")
    if size > tree.size:
        raise BadLog(tree.size, f"the log is truncated: {size} entries were signed")
    if roots[size] != checkpoint["root"]:
        raise BadLog(0, f"the first {size} entries are not those that were signed")


def main(arguments: list[str]) -> int:
    """Run from the command line; return the exit code."""
    if len(arguments) not in (1, 3) or arguments[1:2] not in ([], ["--public-key"]):
        print("usage: verifier.py LOG [--public-key HEX]", file=sys.stderr)
        return 2
    pinned = arguments[2] if len(arguments) == 3 else None
    try:
        with open(arguments[0], encoding="utf-8") as file:
            size, root, signed = check(file, public_key=pinned)
    except BadLog as error:
        print(f"NOT INTACT, {error}")
        return 1
    except (OSError, ValueError, KeyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    trust = "the key given" if pinned else "the key in the log (pin it with --public-key)"
    print(f"intact: {size} entries, root {root}, {signed} checkpoints signed by {trust}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
