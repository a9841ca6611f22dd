"""Re-derive a stored log from its bytes, and name the first index that is not what was written."""

from __future__ import annotations

from collections.abc import Iterable

from mts1b_operations.audit.entry import GENESIS, StoredRow, entry_leaf
from mts1b_operations.audit.evidence import Witnessed
from mts1b_operations.audit.tree import CompactRange
from mts1b_operations.errors import BadSelection, ChainIntegrityError

__all__ = ["LogCheck"]


class LogCheck:
    """Check rows one after another; every finding raises at the first bad index.

    :param from_sequence: rows before it are taken at their stored hash.
    """

    def __init__(self, witnessed: Witnessed, *, from_sequence: int = 0) -> None:
        self._leaves = witnessed.leaves
        self._open = list(witnessed.checkpoints)
        self._from = from_sequence
        self._previous = GENESIS
        self._proven = 0
        self.range = CompactRange()

    @property
    def size(self) -> int:
        """Return how many rows have been checked."""
        return self.range.size

    def feed(self, rows: Iterable[StoredRow]) -> None:
        """Check the next rows.

        :raises ChainIntegrityError: at the first bad one.
        """
        batch: list[bytes] = []
        index, previous, witnessed = self.size, self._previous, len(self._leaves)
        try:
            for row in rows:
                digest = self._check(row, index, previous)
                batch.append(digest)
                if index < witnessed and self._leaves[index] not in (None, digest):
                    raise ChainIntegrityError(
                        index, "the entry is not the one whose hash was witnessed"
                    )
                previous = row[1]
                index += 1
                if self._open and self._open[0].size == index:
                    self._grow(batch)
                    batch = []
        finally:
            self._grow(batch)
            self._previous = previous

    def _check(self, row: StoredRow, index: int, previous: str) -> bytes:
        if row[0] != index:
            raise ChainIntegrityError(index, f"the entry is missing; the next stored is {row[0]}")
        if row[7] != previous:
            raise ChainIntegrityError(index, "its previous_hash does not name the entry before it")
        try:
            leaf = entry_leaf(row) if index >= self._from else bytes.fromhex(row[1])
        except (TypeError, ValueError):  # a column that is no text, or a hash that is none
            raise ChainIntegrityError(index, "a column holds no text, or no hash") from None
        if leaf.hex() != row[1]:
            raise ChainIntegrityError(index, "its content does not give its hash")
        return leaf

    def _grow(self, batch: list[bytes]) -> None:
        self.range = self.range.add(batch)
        while self._open and self._open[0].size <= self.size:
            checkpoint = self._open.pop(0)
            if checkpoint.size == self.size and checkpoint.root != self.range.root.hex():
                raise ChainIntegrityError(
                    self._proven,
                    f"entries {self._proven}..{self.size - 1} were rewritten: their root is "
                    f"{self.range.root.hex()[:16]}.., the signed one {checkpoint.root[:16]}..",
                )
            self._proven = self.size

    def finish(self) -> None:
        """Check that nothing is missing at the end, and that there was something to check.

        :raises ChainIntegrityError: when something witnessed is not there.
        :raises BadSelection: when the log ends before the first entry that was to be checked.
        """
        known = max([len(self._leaves), *(c.size for c in self._open)])
        if known > self.size:
            raise ChainIntegrityError(
                self.size, f"the log is truncated: {known} entries were witnessed"
            )
        if self._from and self._from >= self.size:
            raise BadSelection(
                f"there is nothing to verify from sequence {self._from} on: the log holds "
                f"{self.size} entries, numbered from 0"
            )
