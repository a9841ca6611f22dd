"""How far the record was, kept apart from it: a restored backup can not know what it has lost."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from mts1b_platform.durable_file import write_durably

from mts1b_oms.parent_marks import ParentMarks

__all__ = ["Extent", "Witness"]


_ROOM = 512
"""What an extent takes at most, so that a shorter one leaves nothing of a longer one."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How far one store is: who opened it last, how many orders, fills and changes it has."""

    store_id: str
    fence: int
    orders: int
    fills: int
    changes: int = 0

    def is_behind(self, seen: Extent) -> bool:
        """Return whether this store is an earlier state of the one that was ``seen``.

        ``fence`` is that of the opening now; a store that nobody restored was opened before with a
        lower one.
        """
        if self.store_id != seen.store_id:
            return False
        ours = (self.orders, self.fills, self.changes)
        theirs = (seen.orders, seen.fills, seen.changes)
        return self.fence <= seen.fence or any(a < b for a, b in zip(ours, theirs, strict=True))


def _read(path: Path) -> Extent | None:
    try:
        return Extent(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


class Witness:
    """A small file outside of the folder of the stores, replaced as a whole and synced.

    :param folder: not one that is backed up and restored together with the stores.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "oms.json"
        self._ahead = folder / "oms.ahead"
        self.parents = ParentMarks(folder / "parents.log")
        self._noted: Extent | None = None

    def seen(self) -> Extent | None:
        """Return the extent noted last; None when there is none, or it can not be read."""
        noted, ahead = _read(self._path), _read(self._ahead)
        if noted is None or ahead is None or ahead.store_id != noted.store_id:
            return noted or ahead
        return max(noted, ahead, key=lambda one: (one.fence, one.changes))

    def note_ahead(self, extent: Extent) -> None:
        """Note how far the record is at once, to outlive this process but no power cut.

        In place: to replace a file makes some file systems write it to the disk first.
        """
        text = json.dumps(asdict(extent)).ljust(_ROOM)
        self._ahead.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._ahead, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(file, text.encode(), 0)
        finally:
            os.close(file)

    def note(self, extent: Extent) -> None:
        """Note how far the record is, durably."""
        if extent == self._noted:
            return
        write_durably(self._path, json.dumps(asdict(extent)))
        self._noted = extent
