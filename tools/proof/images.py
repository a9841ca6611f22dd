"""Crash images: what may be on a disk when the power goes, given what was written and synced.

What was synced is there. Of what was written since, any part may be there, in any order, down to
single sectors; a file that was made is there under its name once its folder was synced, names
change in order.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from tools.proof.trace import Event, Kind

__all__ = ["SECTOR", "Disk", "Image"]

SECTOR = 512
Image = dict[str, bytes]
_MODES = ("none", "all", "prefix", "sectors", "sectors")


@dataclass
class _File:
    """One file: its synced content, and what was done to it since."""

    synced: bytearray = field(default_factory=bytearray)
    pending: list[Event] = field(default_factory=list)

    def sync(self) -> None:
        for event in self.pending:
            _apply(self.synced, event)
        self.pending.clear()

    def content(self, rng: random.Random) -> bytes:
        """Return one content that may be found after the power went."""
        found, mode = bytearray(self.synced), rng.choice(_MODES)
        kept: Iterable[Event] = ()
        if mode == "all":
            kept = self.pending
        elif mode == "prefix" and self.pending:
            whole = rng.randrange(len(self.pending))
            kept = [*self.pending[:whole], *_sectors(self.pending[whole])[: rng.randrange(1, 9)]]
        elif mode == "sectors":
            parts = [part for event in self.pending for part in _sectors(event)]
            kept = [part for part in parts if rng.random() < 0.5]
        for event in kept:
            _apply(found, event)
        return bytes(found)


class Disk:
    """A folder, from its beginning, under the acts of a trace."""

    def __init__(self) -> None:
        self._live: dict[str, _File] = {}
        self._synced: dict[str, _File] = {}
        self._names: list[dict[str, _File]] = []
        """The folder after each change of names that is not synced."""

    def do(self, event: Event) -> None:
        """Carry out one act."""
        match event.kind:
            case Kind.WRITE | Kind.TRUNCATE:
                self._file(event.path).pending.append(event)
            case Kind.SYNC if event.path:
                self._file(event.path).sync()
            case Kind.SYNC:
                self._synced = dict(self._live)
                self._names.clear()
            case Kind.CREATE:
                self._file(event.path)
            case Kind.UNLINK:
                self._live.pop(event.path, None)
                self._names.append(dict(self._live))
            case Kind.RENAME:
                self._live[event.data.decode()] = self._live.pop(event.path, _File())
                self._names.append(dict(self._live))
            case Kind.SAID:
                pass

    def _file(self, path: str) -> _File:
        if path not in self._live:
            self._live[path] = _File()
            self._names.append(dict(self._live))
        return self._live[path]

    def image(self, rng: random.Random) -> Image:
        """Return one state that may be found after the power went now."""
        names = rng.choice([self._synced, *self._names])
        return {path: file.content(rng) for path, file in sorted(names.items())}


def _sectors(event: Event) -> list[Event]:
    """Cut a write where the sectors of the disk end."""
    if event.kind is not Kind.WRITE:
        return [event]
    found, at, data = [], event.place, event.data
    while data:
        size = SECTOR - at % SECTOR
        found.append(Event(Kind.WRITE, event.path, at, data[:size]))
        at, data = at + size, data[size:]
    return found


def _apply(content: bytearray, event: Event) -> None:
    if event.kind is Kind.TRUNCATE:
        del content[event.place :]
        content.extend(bytes(event.place - len(content)))
        return
    content.extend(bytes(max(0, event.place - len(content))))
    content[event.place : event.place + len(event.data)] = event.data
