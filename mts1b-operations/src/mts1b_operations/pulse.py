"""The log's sign of life: an entry at least every ten seconds, or nothing new is sent."""

from __future__ import annotations

from typing import Any, Protocol

from mts1b_platform.clock import Clock

__all__ = ["EVERY_S", "SILENT_S", "AuditPulse", "PulseLog"]

EVERY_S = 10.0
"""An entry is written after so long without any."""
SILENT_S = 25.0
"""After so long without one the log counts as silent: two signs of life are missing."""


class PulseLog(Protocol):
    """What of the audit log a pulse needs."""

    @property
    def size(self) -> int:
        """Return how many entries there are."""
        ...

    async def append(self, *, actor: str, action: str, subject_id: str) -> object:
        """Append an entry, durably."""
        ...


class AuditPulse:
    """Write a sign of life into the log, and know when the last entry was written.

    A writer that is wedged raises nothing. It is known by its silence alone, and by somebody who
    does not wait for it: :meth:`run` looks and tells, :meth:`write` may hang.
    """

    def __init__(self, log: PulseLog, *, clock: Clock, actor: str, report: Any) -> None:
        self._log = log
        self._clock = clock
        self._actor = actor
        self._report = report
        self._size = log.size
        self._seen = clock.monotonic()
        self._told = False

    @property
    def silent_s(self) -> float:
        """Return for how long no entry was written, s."""
        return self._clock.monotonic() - self._seen

    @property
    def is_sound(self) -> bool:
        """Return whether the log is known to be written to."""
        return self.silent_s < SILENT_S

    @property
    def state(self) -> str:
        """Return ``ok``, or for how long the log has been silent."""
        return "ok" if self.is_sound else f"the audit log is silent for {self.silent_s:.0f} s"

    def look(self) -> None:
        """Take notice of what was written; tell once when the log falls silent."""
        if self._log.size != self._size:
            self._size, self._seen, self._told = self._log.size, self._clock.monotonic(), False
        elif not self.is_sound and not self._told:
            self._told = True
            self._report.error("audit log silent", seconds=round(self.silent_s, 1))

    async def write(self) -> None:
        """For ever: append an entry whenever none came for :data:`EVERY_S`."""
        while True:
            await self._clock.sleep(EVERY_S / 4.0)
            if self.silent_s >= EVERY_S:
                await self._log.append(
                    actor=self._actor, action="audit.heartbeat", subject_id="audit"
                )

    async def watch(self) -> None:
        """For ever: look every second."""
        while True:
            await self._clock.sleep(1.0)
            self.look()
