"""Changes of a position that are unusually large for it."""

from __future__ import annotations

from typing import Any

from mts1b_foundation.orders import Fill

from mts1b_operations.watchdogs.base import Breach, Watchdog
from mts1b_operations.watchdogs.moments import Moments

__all__ = ["PositionAnomaly"]


class PositionAnomaly(Watchdog):
    """Alert when a fill changes a position by more than mean + threshold x sigma of past changes.

    A change is measured by its notional. Params: ``history`` (fills needed before judging).
    """

    name = "position_anomaly"
    channel = "position"
    trigger = "size change above 2 sigma"
    action = "warn"
    default_threshold = 2.0

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._history = int(self.params.get("history", 30))
        self._past: dict[str, Moments] = {}

    def judge(self, observation: object) -> Breach | None:
        """Judge one fill against the earlier ones of its strategy and symbol."""
        if not isinstance(observation, Fill):
            return None
        scope = f"strategy:{observation.strategy_id}/{observation.symbol}"
        change = float(observation.notional)
        past = self._past.setdefault(scope, Moments())
        known, limit = past.count, past.mean + self.threshold * past.deviation
        past.add(change)
        if known < self._history:
            return None
        return Breach(
            scope=scope,
            at=observation.timestamp,
            broken=change > limit,
            value=f"{change:.0f}",
            limit=f"{limit:.0f}",
            message=f"{observation.side.value} of {observation.symbol} moves {change:,.0f} USD, "
            f"above {limit:,.0f} ({self.threshold:g} sigma of {known} changes)",
        )
