"""Keys that are used for what their owner may not do: stolen, or of a service gone wrong."""

from __future__ import annotations

from datetime import datetime

from mts1b_foundation.model import FrozenModel

from mts1b_operations.watchdogs.base import Breach, Watchdog

__all__ = ["BusAccess", "BusRefusals"]


class BusRefusals(FrozenModel):
    """What the bus refused one user since the last look; ``first`` is the first of it."""

    user: str
    count: int
    first: str
    at: datetime


class BusAccess(Watchdog):
    """Alert when the bus refuses a user ``threshold`` times between two looks."""

    name = "bus_access"
    channel = "access"
    trigger = "the bus refused a user"
    action = "alert"
    default_threshold = 1.0
    calm = 60
    machine = True

    def judge(self, observation: object) -> Breach | None:
        """Judge what one user was refused."""
        if not isinstance(observation, BusRefusals):
            return None
        return Breach(
            scope=f"user:{observation.user}",
            at=observation.at,
            broken=observation.count >= self.threshold,
            value=str(observation.count),
            limit=f"{self.threshold:g}",
            message=(
                f"the bus refused {observation.user} {observation.count} times, first: "
                f"{observation.first}; its key may be stolen: `mts down`, remove it from "
                "nats/users, `mts up`"
            ),
        )
