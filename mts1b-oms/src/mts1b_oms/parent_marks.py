"""Which parents were begun, kept apart from the record: after a restore nobody else knows.

The keys of a parent's children follow from its own. A record that was put back has forgotten them,
so a parent that it lost and that is asked for again would send them a second time.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from mts1b_platform.durable_file import append_durably

__all__ = ["ParentMarks"]

_SINCE = "since"


class ParentMarks:
    """A line for each parent, on disk before anything of it leaves: some twenty bytes.

    It holds the fence of the opening in which the parent was asked for first. A file with a line
    that makes no sense proves nothing; an end without a line's end was never relied on.

    :param path: in a folder that is not backed up and restored together with the stores.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._since: int | None = None
        self._first: dict[str, int] = {}
        self._is_sound = self._read()

    def _read(self) -> bool:
        """Read the file, cut off a line that was not finished, and return whether all is well."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(self._path, whole)
        try:
            for line in data[:whole].decode().splitlines():
                name, fence = line.split(" ")
                self._take(name, int(fence))
        except ValueError:
            return False
        return True

    def _take(self, name: str, fence: int) -> None:
        if name == _SINCE:
            self._since = fence
        else:
            self._first.setdefault(name, fence)

    def _put(self, name: str, fence: int) -> None:
        append_durably(self._path, f"{name} {fence}\n")
        self._take(name, fence)

    def begin(self, fence: int) -> None:
        """Note since which opening there are marks, unless it is noted."""
        if self._since is None:
            self.distrust(fence)

    def reach_back(self, *, before: int) -> bool:
        """Return whether there are marks since an opening before this one."""
        return self._since is not None and self._since < before

    def distrust(self, fence: int) -> None:
        """Let no mark count from before this opening."""
        self._put(_SINCE, fence)

    def note(self, key: str, fence: int) -> None:
        """Note durably that a parent is asked for; the first time counts."""
        name = _name_of(key)
        if name not in self._first:
            self._put(name, fence)

    def is_from(self, key: str, restored_by: int) -> bool:
        """Return whether a parent is certainly none of those that a restore lost.

        :param restored_by: the fence of the opening that found the record put back.
        """
        since, first = self._since, self._first.get(_name_of(key))
        if not self._is_sound or since is None or first is None:
            return False
        return since < restored_by <= first


def _name_of(key: str) -> str:
    """Return a short name; two keys of one name count as the older, which is only more careful."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]
