"""Services whose ``/healthz`` stays red."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mts1b_foundation.model import FrozenModel

from mts1b_operations.watchdogs.base import Breach, Watchdog

__all__ = ["DependencyWatchdog", "HealthPoll"]


class HealthPoll(FrozenModel):
    """One look at a service's health page."""

    service: str
    healthy: bool
    detail: str = ""
    at: datetime


class DependencyWatchdog(Watchdog):
    """Alert when a service is red for ``threshold`` polls in a row."""

    name = "dependency_watchdog"
    channel = "dependency"
    trigger = "/healthz red for 3 polls"
    action = "alert, retry"
    default_threshold = 3.0
    calm = 2
    machine = True

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._red: dict[str, int] = {}

    def judge(self, observation: object) -> Breach | None:
        """Judge one poll."""
        if not isinstance(observation, HealthPoll):
            return None
        name = observation.service
        self._red[name] = 0 if observation.healthy else self._red.get(name, 0) + 1
        return Breach(
            scope=f"service:{name}",
            at=observation.at,
            broken=self._red[name] >= self.threshold,
            value=str(self._red[name]),
            limit=f"{self.threshold:g}",
            message=f"{name} was red for {self._red[name]} polls: {observation.detail}",
        )
