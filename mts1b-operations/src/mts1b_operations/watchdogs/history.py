"""What the watchdogs of a home have seen, worked out from its log alone."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path

from mts1b_platform.config import load_settings

from mts1b_operations.audit.reader import AuditReader, has_store
from mts1b_operations.watchdogs.base import WatchdogStatus
from mts1b_operations.watchdogs.overrides import Override
from mts1b_operations.watchdogs.runner import WatchdogRunner
from mts1b_operations.watchdogs.settings import watchdog_settings

__all__ = ["watchdog_history"]


def watchdog_history(home: Path) -> list[WatchdogStatus]:
    """Return the status of every watchdog; no service needs to run.

    The alerts are those in the log: what a paused watchdog kept to itself is not counted.

    :raises AuditUnavailable: when there is a log that can not be read.
    """
    runner = WatchdogRunner(watchdog_settings(load_settings(home)))
    alerts: Counter[str] = Counter()
    if has_store(home):  # before the first run there is nothing to remember
        with AuditReader(home) as reader:
            runner.apply({row[0]: _override(row) for row in reader.overrides()})
            runner.remember(reader.entries(actions=("nav_updated", "fill_created")))
            for entry in reader.entries(actions=("watchdog_alert",)):
                alerts[str(entry.data["watchdog"])] += 1
    return [dog.with_(alerts=alerts[dog.name]) for dog in runner.status()]


def _override(row: tuple[str, float | None, str | None]) -> Override:
    name, threshold, until = row
    return Override(name, threshold, datetime.fromisoformat(until) if until else None)
