"""How a venue tells of executions: late, out of order, again, under two ids, without fees."""

from __future__ import annotations

from mts1b_foundation import Fill
from mts1b_foundation.protocols import FillHistory
from mts1b_platform.clock import Clock
from mts1b_platform.ids import derive_id

from mts1b_brokers.faulty.faults import Dice, VenueFaults

__all__ = ["FillReports"]


class FillReports:
    """The venue's executions, and when and how each of them is told.

    A cursor is a place in the venue's whole history; it stops before the first execution that is
    not told yet, so nothing is ever lost.
    """

    def __init__(
        self, venue: FillHistory, *, clock: Clock, dice: Dice, faults: VenueFaults
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._dice = dice
        self._faults = faults
        self._cursor: str | None = None
        self._shown_at: dict[str, float] = {}
        self._twins: dict[str, Fill] = {}
        self.truth: list[Fill] = []
        """What was executed."""
        self._told: list[Fill] = []
        self._places: dict[str, int] = {}
        self.fresh: list[Fill] = []
        """What was executed and has had no accident yet."""
        self.without_fee: list[Fill] = []
        """What was told without its fee, which is still to be stated."""

    async def refresh(self) -> None:
        """Learn what was executed since."""
        new, self._cursor = await self._venue.fills_since(self._cursor)
        for fill in new:
            if fill.fill_id not in self._places:
                self._admit(fill)

    def _admit(self, fill: Fill) -> None:
        told = fill
        if fill.fees and self._dice.takes(self._faults.uncharged, "B11 fee missing"):
            told = fill.with_(fees=0)
            self.without_fee.append(fill)
        if self._dice.takes(self._faults.late_fill, "B9 told late"):
            delay = self._dice.up_to(self._faults.late_fill_s)
            self._shown_at[fill.fill_id] = self._clock.monotonic() + delay
        if self._dice.takes(self._faults.two_ids, "B2 second id"):
            twin = derive_id("fill", "twin", fill.fill_id)
            self._twins[fill.fill_id] = told.with_(fill_id=twin)
        self._places[fill.fill_id] = len(self.truth)
        self.truth.append(fill)
        self._told.append(told)
        self.fresh.append(fill)

    def hide(self, fill_id: str, seconds: float) -> None:
        """Tell an execution no earlier than ``seconds`` from now."""
        until = self._clock.monotonic() + seconds
        self._shown_at[fill_id] = max(until, self._shown_at.get(fill_id, 0.0))

    def is_told(self, fill_id: str) -> bool:
        """Return whether an execution is told by now."""
        return self._clock.monotonic() >= self._shown_at.get(fill_id, 0.0)

    def streamed(self, fill: Fill) -> Fill | None:
        """Return how an execution is pushed: under its second id, where it has one."""
        place = self._places.get(fill.fill_id)
        if place is None or not self.is_told(fill.fill_id):
            return None
        return self._twins.get(fill.fill_id, self._told[place])

    def since(self, cursor: str | None) -> tuple[list[Fill], str]:
        """Return what is told after ``cursor``, and the new cursor.

        :raises ValueError: when the cursor is not one of this venue.
        """
        start = self._place(cursor)
        end = start
        while end < len(self._told) and self.is_told(self._told[end].fill_id):
            end += 1
        early = [fill for fill in self._told[end + 1 :] if self.is_told(fill.fill_id)]
        for _ in early:
            self._dice.count("B7 out of order")
        again = self._again(start)
        found = [*early, *again, *self._told[start:end]]
        return [*found, *self._second_ids(found)], str(end)

    def _again(self, start: int) -> list[Fill]:
        if start and self._dice.takes(self._faults.repeat, "B1 told again"):
            return [self._told[start - 1]]
        return []

    def _second_ids(self, found: list[Fill]) -> list[Fill]:
        return [self._twins[fill.fill_id] for fill in found if fill.fill_id in self._twins]

    def _place(self, cursor: str | None) -> int:
        if cursor is None:
            return 0
        if cursor.isdecimal() and int(cursor) <= len(self._told):
            return int(cursor)
        raise ValueError(f"cursor {cursor!r} is not one of the {len(self._told)} executions here")
