"""What operators change of the watchdogs while the system runs: thresholds and pauses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["Override"]


@dataclass(frozen=True, slots=True)
class Override:
    """One watchdog's changed threshold, and until when (wall time) it is paused."""

    watchdog: str
    threshold: float | None = None
    paused_until: datetime | None = None

    def paused(self, now: datetime) -> bool:
        """Return whether the pause is still on at ``now`` (wall time)."""
        return self.paused_until is not None and now < self.paused_until
