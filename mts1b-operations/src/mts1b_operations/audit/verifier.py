"""Verify an exported audit log, or a proof from one, with nothing but Python.

``python verifier.py LOG`` and ``python verifier.py PROOF --public-key HEX``. This file imports
nothing of the project on purpose: copy it to the machine of whoever doubts. It re-derives every
hash from the exported bytes, the chain, the RFC 6962 root, and the Ed25519 signature (RFC 8032) of
every checkpoint; of a proof the path (RFC 9162, section 2.1) and the signed heads.

The log is text: a line ``mts-audit-log/v1 <public key>``, a line ``<hash> <canonical entry>`` for
each entry, and lines ``checkpoint <json>``. A proof is what ``audit prove`` or ``prove-growth``
wrote. Exit code 0: intact; 1: not; 2: unusable.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

HEADER = "mts-audit-log/v1"
PROOF, GROWTH = "mts-audit-proof/v1", "mts-audit-growth/v1"
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


class BadProof(Exception):
    """A part of a proof is not what the key signed."""


def check_proof(proof: dict[str, Any], public_key: str) -> str:
    """Return what a proof of one entry, or of a log's growth, shows under the key.

    :param public_key: hex, from whom you trust; never from the file that is checked.
    :raises BadProof: when it shows nothing.
    :raises ValueError, KeyError, TypeError: when it is no proof.
    """
    public = bytes.fromhex(public_key)
    if proof["format"] not in (PROOF, GROWTH):
        raise ValueError(f"no proof: its format is {proof['format']!r}")
    size, root = _signed_head(proof["head"], public)
    path = [bytes.fromhex(node) for node in proof["path"]]
    if proof["format"] == PROOF:
        index = _proven_entry(proof["entry"], path, size, root)
        return f"entry {index} is in the log of {size} entries that this key signed"
    first, old = _signed_head(proof["first"], public)
    if not _grew(first, size, old, root, path):
        raise BadProof(f"the path does not lead from the root of {first} entries to that of {size}")
    return f"the log of {size} entries holds the one of {first} unchanged; this key signed both"


def _signed_head(head: dict[str, Any], public: bytes) -> tuple[int, bytes]:
    moment = datetime.fromisoformat(head["created_at"].replace("Z", "+00:00"))
    utc = moment.astimezone(timezone.utc)  # noqa: UP017  (this file runs on any Python)
    message = checkpoint_message(head | {"created_at": utc.isoformat(timespec="microseconds")})
    signature = bytes.fromhex(head["signature"])
    if head["key_id"] != key_id(public) or not good_signature(public, message, signature):
        raise BadProof(f"the head of {head['size']} entries is not signed by this key")
    return int(head["size"]), bytes.fromhex(head["root"])


def _proven_entry(text: str, path: list[bytes], size: int, root: bytes) -> int:
    """Return the sequence of an entry that the path shows to be in the tree (section 2.1.3.2)."""
    entry = json.loads(text)
    index = entry["sequence"] if isinstance(entry, dict) else -1
    node, last, value = index, size - 1, sha256(b"\x00" + text.encode())
    good = 0 <= index < size
    for sibling in path:
        good = good and last > 0
        if node & 1 or node == last:
            value = sha256(b"\x01" + sibling + value)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            value = sha256(b"\x01" + value + sibling)
        node, last = node >> 1, last >> 1
    if not good or last or value != root:
        raise BadProof(f"the path does not lead from entry {index} to the signed root")
    return int(index)


def _grew(first: int, second: int, old: bytes, new: bytes, path: list[bytes]) -> bool:
    """Return whether the larger tree only appended to the smaller one (section 2.1.4.2)."""
    if first in (0, second):
        return not path and old == (sha256(b"") if first == 0 else new)
    hashes = path if first & (first - 1) else [old, *path]
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    if first > second or not hashes:
        return False
    one = two = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            one, two = sha256(b"\x01" + sibling + one), sha256(b"\x01" + sibling + two)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            two = sha256(b"\x01" + two + sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and (one, two) == (old, new)


def _told(path: str, pinned: str | None) -> str:
    """Check a file and return what it shows."""
    with open(path, encoding="utf-8") as file:
        if file.read(1) == "{":
            file.seek(0)
            if pinned is None:
                raise ValueError("a proof is checked with the log's key: give --public-key HEX")
            return f"true: {check_proof(json.load(file), pinned)}"
        file.seek(0)
        size, root, signed = check(file, public_key=pinned)
    trust = "the key given" if pinned else "the key in the log (pin it with --public-key)"
    return f"intact: {size} entries, root {root}, {signed} checkpoints signed by {trust}"


def main(arguments: list[str]) -> int:
    """Run from the command line; return the exit code."""
    if len(arguments) not in (1, 3) or arguments[1:2] not in ([], ["--public-key"]):
        print("usage: verifier.py LOG-OR-PROOF [--public-key HEX]", file=sys.stderr)
        return 2
    try:
        told = _told(arguments[0], arguments[2] if len(arguments) == 3 else None)
    except BadLog as error:
        print(f"NOT INTACT, {error}")
        return 1
    except BadProof as error:
        print(f"NOT PROVEN, {error}")
        return 1
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print(told)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
