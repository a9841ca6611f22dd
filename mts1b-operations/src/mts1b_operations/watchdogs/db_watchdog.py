"""The operations store itself: events without an audit entry, a stuck outbox, slow queries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mts1b_foundation.model import FrozenModel

from mts1b_operations.watchdogs.base import Breach, Watchdog

__all__ = ["DbWatchdog", "StoreProbe"]


class StoreProbe(FrozenModel):
    """What one look at the store found; ``consumed_events`` is None where nobody counted."""

    store: str
    at: datetime
    consumed_events: int | None
    audit_entries: int
    outbox_backlog: int
    query_s: float


class DbWatchdog(Watchdog):
    """Alert when rows do not match, or a query takes longer than ``threshold`` seconds.

    Every consumed event leaves an audit entry, so since the first probe the log has grown at
    least as much as the inbox. Params: ``backlog`` (unpublished events that are tolerated).
    """

    name = "db_watchdog"
    channel = "db"
    trigger = "row count mismatch, or a slow query"
    action = "alert"
    default_threshold = 0.5
    calm = 5
    machine = True

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._backlog = int(self.params.get("backlog", 10_000))
        self._first: dict[str, tuple[int, int]] = {}
        self._counted: dict[str, list[tuple[str, str, str]]] = {}

    def judge(self, observation: object) -> Breach | None:
        """Judge one probe; the worst finding counts."""
        if not isinstance(observation, StoreProbe):
            return None
        findings = self._findings(observation)
        value, limit, message = (
            findings[0] if findings else (f"{observation.query_s:.3f} s", "", "")
        )
        return Breach(
            scope=f"store:{observation.store}",
            at=observation.at,
            broken=bool(findings),
            value=value,
            limit=limit or f"{self.threshold:g} s",
            message=message,
        )

    def _unlogged(self, probe: StoreProbe) -> list[tuple[str, str, str]]:
        if probe.consumed_events is None:
            return self._counted.get(probe.store, [])
        before, entries = self._first.setdefault(
            probe.store, (probe.consumed_events, probe.audit_entries)
        )
        consumed, logged = probe.consumed_events - before, probe.audit_entries - entries
        text = f"{consumed} events were consumed and {logged} audit entries written"
        found = [(str(logged), f">= {consumed}", text)] if consumed > logged else []
        self._counted[probe.store] = found
        return found

    def _findings(self, probe: StoreProbe) -> list[tuple[str, str, str]]:
        found = [*self._unlogged(probe)]
        if probe.outbox_backlog > self._backlog:
            text = f"{probe.outbox_backlog} events wait to be published"
            found.append((str(probe.outbox_backlog), str(self._backlog), text))
        if probe.query_s > self.threshold:
            text = f"a query took {probe.query_s:.2f} s"
            found.append((f"{probe.query_s:.3f} s", f"{self.threshold:g} s", text))
        return found
