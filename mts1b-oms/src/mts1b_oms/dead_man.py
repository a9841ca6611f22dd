"""Have the venue cancel everything when nobody is here to watch."""

from __future__ import annotations

from typing import Any

from mts1b_foundation.protocols import BrokerProtocol, DeadManTimer
from mts1b_platform.clock import Clock

from mts1b_oms.outcomes import NO_EVIDENCE

__all__ = ["DeadManSwitch"]


class DeadManSwitch:
    """Renew the venue's timer at half of its time, for as long as this process lives.

    Nothing disarms it, also not an orderly end: orders that rest at a venue need somebody who
    hears of their executions.

    :param seconds: after how long the venue cancels all open orders.
    :raises ValueError: when the venue has no such timer.
    """

    def __init__(self, venue: BrokerProtocol, *, seconds: float, clock: Clock, log: Any) -> None:
        if not isinstance(venue, DeadManTimer):
            raise ValueError(
                f"venue.dead_man_s is {seconds:g}, but venue {venue.name} has no dead-man timer"
            )
        self._venue = venue
        self._seconds = seconds
        self._clock = clock
        self._log = log
        self.failing = ""

    async def run(self) -> None:
        """Renew for ever; a venue that does not answer is asked again at the next turn."""
        while True:
            await self.renew()
            await self._clock.sleep(self._seconds / 2.0)

    async def renew(self) -> None:
        """Renew once."""
        try:
            await self._venue.cancel_all_after(self._seconds)
        except NO_EVIDENCE as error:
            self.failing = f"{type(error).__name__}: {error}"
            self._log.error("dead-man timer not renewed", error=self.failing)
        else:
            self.failing = ""
