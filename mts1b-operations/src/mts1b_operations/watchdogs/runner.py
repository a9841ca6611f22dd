"""Hold the watchdogs of a system and show them what happens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.model import FrozenModel
from mts1b_foundation.orders import Fill
from mts1b_foundation.risk import WatchdogAlert
from mts1b_platform.config import WatchdogSettings

from mts1b_operations.audit.entry import AuditEntry
from mts1b_operations.errors import BadSelection
from mts1b_operations.watchdogs.base import Watchdog, WatchdogStatus
from mts1b_operations.watchdogs.bus_access import BusAccess
from mts1b_operations.watchdogs.db_watchdog import DbWatchdog
from mts1b_operations.watchdogs.dependency_watchdog import DependencyWatchdog
from mts1b_operations.watchdogs.overrides import Override
from mts1b_operations.watchdogs.portfolio_vol_dd import PortfolioVolDd
from mts1b_operations.watchdogs.position_anomaly import PositionAnomaly
from mts1b_operations.watchdogs.predictive_health import PredictiveHealth
from mts1b_operations.watchdogs.strategy_watchdog import StrategyWatchdog

__all__ = ["ALERT", "WATCHDOGS", "WatchdogRunner", "find_watchdog"]

WATCHDOGS: dict[str, type[Watchdog]] = {
    kind.name: kind
    for kind in (
        PredictiveHealth,
        PositionAnomaly,
        StrategyWatchdog,
        PortfolioVolDd,
        DependencyWatchdog,
        DbWatchdog,
        BusAccess,
    )
}
"""The watchdogs, by name, in the order in which they see things."""

ALERT = "watchdog_alert"
"""The action of an alert in the audit log."""

_REPLAYED: dict[str, type[FrozenModel]] = {"nav_updated": NavSnapshot, "fill_created": Fill}


def find_watchdog(name: str) -> type[Watchdog]:
    """Return the watchdog of a name, or of the last word of its subject.

    :raises BadSelection: when there is none.
    """
    for kind in WATCHDOGS.values():
        if name in (kind.name, kind.channel):
            return kind
    raise BadSelection(f"no watchdog {name!r}; there are {', '.join(WATCHDOGS)}")


class WatchdogRunner:
    """Show observations to every watchdog; leave out the alerts of the paused ones.

    :param settings: by watchdog name; what is missing runs on its defaults.
    """

    def __init__(self, settings: Mapping[str, WatchdogSettings] | None = None) -> None:
        given = settings or {}
        unknown = sorted(set(given) - set(WATCHDOGS))
        if unknown:
            raise BadSelection(
                f"settings name no watchdog: {', '.join(unknown)}; there are {', '.join(WATCHDOGS)}"
            )
        self._watchdogs = [_build(kind, given.get(name)) for name, kind in WATCHDOGS.items()]
        self._configured = {dog.name: dog.threshold for dog in self._watchdogs}
        self._overrides: Mapping[str, Override] = {}
        self._untold: dict[tuple[str, str], Watchdog] = {}
        self.seen = 0

    def apply(self, overrides: Mapping[str, Override]) -> None:
        """Take over what operators changed."""
        self._overrides = overrides
        for dog in self._watchdogs:
            changed = overrides.get(dog.name)
            threshold = changed.threshold if changed is not None else None
            dog.threshold = self._configured[dog.name] if threshold is None else threshold

    def observe(self, observation: object, *, wall: datetime) -> list[WatchdogAlert]:
        """Return the alerts of the watchdogs that run and are not paused at ``wall``."""
        self._take_back()
        alerts: list[WatchdogAlert] = []
        for dog in self._watchdogs:
            if not dog.enabled:
                continue
            override = self._overrides.get(dog.name)
            paused = override is not None and override.paused(wall)
            alerts.extend(dog.observe(observation, quiet=paused))
        return alerts

    def remember(self, entries: Iterable[AuditEntry]) -> None:
        """Rebuild what the watchdogs know from the audit log, raising nothing.

        An alert follows in the log on what raised it; where it does not, a pause kept it back.
        """
        for entry in entries:
            if entry.action == ALERT:
                self._untold.pop((entry.data["watchdog"], entry.data["scope"]), None)
            else:
                self._take_back()
                self._look_back(entry)
            self.seen = entry.sequence + 1

    def _look_back(self, entry: AuditEntry) -> None:
        model = _REPLAYED.get(entry.action)
        if model is None:
            return
        observation = model.model_validate(entry.data)
        for dog in self._watchdogs:
            for alert in dog.observe(observation) if dog.enabled else ():
                self._untold[dog.name, alert.scope] = dog

    def _take_back(self) -> None:
        """Have what was told to nobody deserve an alert still."""
        for (_, scope), dog in self._untold.items():
            dog.not_told(scope)
        self._untold.clear()

    def subject_of(self, alert: WatchdogAlert) -> str:
        """Return the subject that an alert goes to."""
        return WATCHDOGS[alert.watchdog].alert_subject()

    def status(self) -> list[WatchdogStatus]:
        """Return what is known of each."""
        self._take_back()
        return [
            dog.status(paused_until=getattr(self._overrides.get(dog.name), "paused_until", None))
            for dog in self._watchdogs
        ]


def _build(kind: type[Watchdog], given: WatchdogSettings | None) -> Watchdog:
    if given is None:
        return kind()
    return kind(threshold=given.threshold, params=dict(given.params), enabled=given.enabled)
