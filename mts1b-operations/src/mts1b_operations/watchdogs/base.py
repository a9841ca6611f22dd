"""What every watchdog is: a name, a subject, a trigger, an action, and ``observe``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from mts1b_foundation.model import FrozenModel
from mts1b_foundation.nats import watchdog_subject
from mts1b_foundation.risk import WatchdogAlert
from mts1b_platform.ids import derive_id

__all__ = ["Breach", "Latch", "Watchdog", "WatchdogStatus"]


@dataclass(frozen=True, slots=True)
class Breach:
    """One judgement: whether ``value`` breaks ``limit`` in ``scope``, and how to say so."""

    scope: str
    at: datetime
    broken: bool
    value: str
    limit: str
    message: str


class Latch:
    """Alert once a breach; a key is armed again after ``calm`` observations without one."""

    def __init__(self, calm: int) -> None:
        self._calm = calm
        self._quiet: dict[str, int] = {}

    def fire(self, key: str, *, broken: bool) -> bool:
        """Record one observation; return whether it deserves an alert."""
        if not broken:
            if key in self._quiet:
                self._quiet[key] += 1
                if self._quiet[key] >= self._calm:
                    del self._quiet[key]
            return False
        fresh = key not in self._quiet
        self._quiet[key] = 0
        return fresh

    def is_armed(self, key: str) -> bool:
        """Return whether the next breach of a key deserves an alert."""
        return key not in self._quiet

    def arm(self, key: str) -> None:
        """Let the next breach of a key deserve an alert."""
        self._quiet.pop(key, None)

    @property
    def tripped(self) -> tuple[str, ...]:
        """Return the keys that are not armed."""
        return tuple(sorted(self._quiet))


class WatchdogStatus(FrozenModel):
    """What ``watchdog status`` shows of one watchdog."""

    name: str
    subject: str
    trigger: str
    action: str
    enabled: bool
    threshold: float
    machine: bool
    paused_until: datetime | None = None
    observed: int = 0
    alerts: int = 0
    tripped: tuple[str, ...] = ()
    last_value: str = ""


@dataclass(slots=True)
class _Counts:
    observed: int = 0
    alerts: int = 0
    last_value: str = field(default="")


class Watchdog(ABC):
    """Judge observations, one after another; the same ones give the same alerts.

    :param threshold: replaces the class's own.
    :param params: the watchdog's further settings, by name.
    """

    name: ClassVar[str]
    channel: ClassVar[str]
    trigger: ClassVar[str]
    action: ClassVar[str]
    default_threshold: ClassVar[float]
    calm: ClassVar[int] = 20
    machine: ClassVar[bool] = False

    def __init__(
        self,
        *,
        threshold: float | None = None,
        params: dict[str, Any] | None = None,
        enabled: bool = True,
    ) -> None:
        self.threshold = self.default_threshold if threshold is None else threshold
        self.params = params or {}
        self.enabled = enabled
        self._latch = Latch(int(self.params.get("calm", self.calm)))
        self._counts = _Counts()

    @classmethod
    def alert_subject(cls) -> str:
        """Return the subject of its alerts."""
        return watchdog_subject(cls.channel)

    @property
    def subject(self) -> str:
        """Return the subject of its alerts."""
        return self.alert_subject()

    @abstractmethod
    def judge(self, observation: object) -> Breach | None:
        """Return a judgement, or None where the observation says nothing (yet)."""

    def observe(self, observation: object, *, quiet: bool = False) -> list[WatchdogAlert]:
        """Take one observation; return the alerts that it raises.

        :param quiet: nobody is to be told now; what is still broken afterwards is told then.
        """
        breach = self.judge(observation)
        if breach is None:
            return []
        self._counts.observed += 1
        self._counts.last_value = breach.value
        if quiet and breach.broken and self._latch.is_armed(breach.scope):
            return []
        if not self._latch.fire(breach.scope, broken=breach.broken):
            return []
        self._counts.alerts += 1
        return [self._alert(breach)]

    def not_told(self, scope: str) -> None:
        """Take back the last alert of a scope, which reached nobody."""
        self._latch.arm(scope)
        self._counts.alerts -= 1

    def _alert(self, breach: Breach) -> WatchdogAlert:
        return WatchdogAlert(
            alert_id=derive_id(
                "alert", self.name, breach.scope, breach.at.isoformat(), str(self._counts.alerts)
            ),
            watchdog=self.name,
            scope=breach.scope,
            message=breach.message,
            value=breach.value,
            threshold=breach.limit,
            action=self.action,
            raised_at=breach.at,
        )

    def status(self, *, paused_until: datetime | None = None) -> WatchdogStatus:
        """Return what is known of it now."""
        return WatchdogStatus(
            name=self.name,
            subject=self.subject,
            trigger=self.trigger,
            action=self.action,
            enabled=self.enabled,
            threshold=self.threshold,
            machine=self.machine,
            paused_until=paused_until,
            observed=self._counts.observed,
            alerts=self._counts.alerts,
            tripped=self._latch.tripped,
            last_value=self._counts.last_value,
        )
