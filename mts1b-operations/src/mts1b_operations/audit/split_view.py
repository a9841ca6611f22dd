"""Find out that two readers were shown two logs, and keep what proves it.

Whoever holds the log's key could show one log to one reader and another to the next. Each reader
alone finds nothing: both logs verify. Two signed checkpoints of one size with different roots,
laid side by side, prove it, and nobody without the key can make such a pair.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NoReturn

from mts1b_platform.signing import KeyRing

from mts1b_operations.audit.checkpoint import Checkpoint, require_signed
from mts1b_operations.audit.tree import CompactRange
from mts1b_operations.errors import ChainIntegrityError

__all__ = ["View", "compare_views", "read_checkpoints"]


class View(StrEnum):
    """How another reader's checkpoint relates to this log."""

    SAME = "same"
    """This log has that root at that size."""
    AHEAD = "ahead"
    """It is of a longer log than this one: this one is old, or was cut."""


def read_checkpoints(path: Path) -> list[Checkpoint]:
    """Return the checkpoints of a file with one a line; a torn last line is none.

    :raises OSError: when there is no such file.
    :raises pydantic.ValidationError: for a whole line that is no checkpoint.
    """
    *whole, _ = path.read_bytes().split(b"\n")
    return [Checkpoint.model_validate_json(line) for line in whole if line]


def compare_views(
    hashes: Sequence[str], theirs: Iterable[Checkpoint], keyring: KeyRing, *, evidence: Path
) -> View:
    """Return how the checkpoints that another reader was shown relate to this log.

    :param hashes: those of this log's entries, as stored, from the first on.
    :param evidence: the folder in which the proof of a second log is kept: their checkpoint, and
        the root and hashes of this log at that size.
    :raises ChainIntegrityError: for a checkpoint that the log's key did not sign, and for one
        that contradicts this log.
    """
    state = CompactRange()
    for one in sorted((require_signed(keyring, one) for one in theirs), key=lambda one: one.size):
        if one.size > len(hashes):
            return View.AHEAD
        state = state.add([bytes.fromhex(digest) for digest in hashes[state.size : one.size]])
        if one.root != state.root.hex():
            _keep(one, state, hashes, evidence)
    return View.SAME


def _keep(
    theirs: Checkpoint, state: CompactRange, hashes: Sequence[str], evidence: Path
) -> NoReturn:
    evidence.mkdir(parents=True, exist_ok=True)
    target, root = evidence / f"split-view-{theirs.size}.json", state.root.hex()
    proof = {
        "theirs": theirs.model_dump(mode="json"),
        "ours": {"size": theirs.size, "root": root, "hashes": list(hashes[: theirs.size])},
    }
    target.write_text(json.dumps(proof, indent=1) + "\n", encoding="utf-8")
    raise ChainIntegrityError(
        max(theirs.size - 1, 0),
        f"somebody was shown another log: of {theirs.size} entries the signed root is "
        f"{theirs.root[:16]}.. there and {root[:16]}.. here; the proof is in {target}",
    )
