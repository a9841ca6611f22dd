"""The deterministic loop, whose time also reaches a timer that fires with others."""

from __future__ import annotations

import asyncio

from mts1b_platform.simulation import DeterministicLoop

__all__ = ["RaceLoop"]


class RaceLoop(DeterministicLoop):
    """A loop in which no timer fires before its time, not even by the clock's resolution.

    asyncio fires timers that are due within the resolution. Two tasks that look whether their
    deadline is over would then wake each other for ever, as virtual time stands still meanwhile.
    """

    _scheduled: list[asyncio.TimerHandle]

    def _run_once(self) -> None:
        timers = self._scheduled
        if timers and self._now < timers[0].when() < self._now + self._clock_resolution:
            self._now = timers[0].when()
        super()._run_once()  # type: ignore[misc]
