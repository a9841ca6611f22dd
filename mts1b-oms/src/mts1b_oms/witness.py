"""How far the record was, kept apart from it: a restored backup can not know what it has lost."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from mts1b_oms.durable_file import write_durably
from mts1b_oms.parent_marks import ParentMarks

__all__ = ["Extent", "Witness"]


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


class Witness:
    """A small file outside of the folder of the stores, replaced as a whole and synced.

    :param folder: not one that is backed up and restored together with the stores.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "oms.json"
        self.parents = ParentMarks(folder / "parents.log")
        self._noted: Extent | None = None

    def seen(self) -> Extent | None:
        """Return the extent noted last; None when there is none, or it can not be read."""
        try:
            return Extent(**json.loads(self._path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def note(self, extent: Extent) -> None:
        """Note how far the record is, durably."""
        if extent == self._noted:
            return
        write_durably(self._path, json.dumps(asdict(extent)))
        self._noted = extent
