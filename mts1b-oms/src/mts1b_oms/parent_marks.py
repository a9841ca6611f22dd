"""Which parents were begun, kept apart from the record: after a restore nobody else knows.

The keys of a parent's children follow from its own. A record that was put back has forgotten them,
so a parent that it lost and that is asked for again would send them a second time.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from mts1b_oms.durable_file import write_durably

__all__ = ["ParentMarks"]

_SINCE = "since"


class ParentMarks:
    """A small file for each parent, on disk before anything of it leaves.

    It holds the fence of the opening in which the parent was asked for first. Whatever can not be
    read proves nothing.

    :param folder: not one that is backed up and restored together with the stores.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, fence: int) -> None:
        """Note since which opening there are marks, unless it is noted."""
        if _number_in(self._folder / _SINCE) is None:
            self.distrust(fence)

    def distrust(self, fence: int) -> None:
        """Let no mark count from before this opening."""
        write_durably(self._folder / _SINCE, str(fence))

    def note(self, key: str, fence: int) -> None:
        """Note durably that a parent is asked for; the first time counts."""
        path = self._path(key)
        if not path.exists():
            write_durably(path, str(fence))

    def is_from(self, key: str, restored_by: int) -> bool:
        """Return whether a parent is certainly none of those that a restore lost.

        :param restored_by: the fence of the opening that found the record put back.
        """
        since, first = _number_in(self._folder / _SINCE), _number_in(self._path(key))
        if since is None or first is None:
            return False
        return since < restored_by <= first

    def _path(self, key: str) -> Path:
        return self._folder / hashlib.sha256(key.encode()).hexdigest()[:40]


def _number_in(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
