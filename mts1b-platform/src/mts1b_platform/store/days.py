"""How old events are: the day of each, and from which on an outbox still has them.

A day is a number that only grows: that of the calendar, or the last one where the clock went back.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

__all__ = ["BEGINNING", "ORIGIN", "Days", "Mark", "Origin", "day_of"]

ORIGIN = "mts-outbox"
"""The header that says where an event comes from."""


def day_of(moment: datetime) -> int:
    """Return the number of a day."""
    return moment.toordinal()


@dataclass(frozen=True, slots=True)
class Mark:
    """Events from ``position`` on are of ``day`` or later."""

    position: int
    day: int


BEGINNING = Mark(0, 0)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an event stands in its outbox, and what is never sent again: all before ``kept``."""

    position: int
    day: int
    kept: Mark

    def header(self) -> str:
        """Return it as one line of text."""
        return f"{self.position} {self.day} {self.kept.position} {self.kept.day}"

    @classmethod
    def of(cls, header: str | None) -> Origin | None:
        """Return what a header says; None where there is none, or one that is not understood."""
        words = (header or "").split()
        if len(words) != 4 or not all(word.isdigit() for word in words):
            return None
        position, day, kept_position, kept_day = (int(word) for word in words)
        return cls(position, day, Mark(kept_position, kept_day))


class Days:
    """The days of one outbox, oldest first; the first is the oldest of which events are kept."""

    def __init__(self, marks: Sequence[Mark] = ()) -> None:
        self.marks = tuple(marks)
        self._positions = [mark.position for mark in marks]

    @property
    def today(self) -> int:
        """Return the day of what is added now; 0 when none was ever marked."""
        return self.marks[-1].day if self.marks else 0

    @property
    def kept(self) -> Mark:
        """Return where the events begin that are kept."""
        return self.marks[0] if self.marks else BEGINNING

    def origin(self, position: int) -> Origin | None:
        """Return where an event comes from; None when it was added before days were marked."""
        index = bisect_right(self._positions, position) - 1
        if index < 0 or not self.marks[index].day:
            return None
        return Origin(position, self.marks[index].day, self.marks[0])

    def oldest_of(self, count: int) -> Mark | None:
        """Return the first of the last ``count`` days; None while there were fewer."""
        marked = [mark for mark in self.marks if mark.day]
        return marked[-count] if len(marked) >= count else None
