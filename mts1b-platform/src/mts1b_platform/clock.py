"""The one place that reads time: injected everywhere else, so that a replay can own it."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol, runtime_checkable

__all__ = ["Clock", "SystemClock", "VirtualClock"]


@runtime_checkable
class Clock(Protocol):
    """Tell the time and wait for it."""

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go backwards; only differences mean anything."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds`` of this clock."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""
        return datetime.now(UTC)

    monotonic = staticmethod(time.perf_counter)
    """Return seconds of the performance counter."""

    async def sleep(self, seconds: float) -> None:
        """Sleep for ``seconds``."""
        await asyncio.sleep(seconds)


class VirtualClock:
    """A clock that moves only when it is told to, and never backwards.

    :param start: aware start time.
    """

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a virtual clock starts at an aware time")
        self._origin = start.astimezone(UTC)
        self._now = self._origin
        self._elapsed_s = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """Return the virtual time, aware, in UTC."""
        return self._now

    def monotonic(self) -> float:
        """Return virtual seconds since the start."""
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        """Move on by ``seconds`` and wake who waited for a time up to then."""
        self.advance_to(self._now + timedelta(seconds=seconds))

    def advance_to(self, moment: datetime) -> None:
        """Move on to ``moment`` (aware); an earlier moment changes nothing."""
        self._now = max(self._now, moment.astimezone(UTC))
        self._elapsed_s = (self._now - self._origin).total_seconds()
        while self._sleepers and self._sleepers[0][0] <= self._now:
            _, _, waiter = heapq.heappop(self._sleepers)
            if not waiter.done():
                waiter.set_result(None)

    async def sleep(self, seconds: float) -> None:
        """Return when the virtual time has moved on by ``seconds``."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        due = self._now + timedelta(seconds=seconds)
        heapq.heappush(self._sleepers, (due, next(self._order), waiter))
        await waiter
