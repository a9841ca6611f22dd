"""A wall clock that steps and drifts beside a monotonic one that does neither."""

from __future__ import annotations

from datetime import datetime, timedelta

from mts1b_platform.clock import Clock

__all__ = ["SkewedClock"]


class SkewedClock:
    """What one process sees of the time, in a world whose true time is ``true``.

    Only the wall clock is wrong: the operating system keeps the monotonic one from steps, and a
    drift that matters to waits of seconds would be a broken machine.
    """

    def __init__(self, true: Clock) -> None:
        self._true = true
        self._offset_s = 0.0
        self._drift = 0.0
        self._since = true.monotonic()

    @property
    def error_s(self) -> float:
        """Return by how much the wall clock is ahead of the truth, s."""
        return self._offset_s + self._drift * (self._true.monotonic() - self._since)

    def step(self, seconds: float) -> None:
        """Set the wall clock forward, or back where negative; a drift goes on."""
        self._offset_s += seconds

    def drift(self, rate: float) -> None:
        """Run fast by ``rate`` seconds a second from now on, or slow where negative."""
        self._offset_s, self._since = self.error_s, self._true.monotonic()
        self._drift = rate

    def set_right(self) -> None:
        """Show the true time, as after a look at a time server; a drift goes on."""
        self._offset_s, self._since = 0.0, self._true.monotonic()

    def now(self) -> datetime:
        """Return the wall time as this process sees it (UTC)."""
        return self._true.now() + timedelta(seconds=self.error_s)

    def monotonic(self) -> float:
        """Return seconds that no step touches."""
        return self._true.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds`` of monotonic time."""
        await self._true.sleep(seconds)
