"""The recent result of a strategy against its own history."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from mts1b_foundation.funds import NavSnapshot

from mts1b_operations.watchdogs.base import Breach, Watchdog
from mts1b_operations.watchdogs.moments import Moments, two_sided_z

__all__ = ["StrategyWatchdog"]


class StrategyWatchdog(Watchdog):
    """Alert when the sum of the last ``window`` returns leaves the interval of earlier ones.

    ``threshold`` is the confidence. The interval is n mu ± z sigma sqrt(n), with mu and sigma of
    the returns before the window. Params: ``window``, ``history`` (sessions).
    """

    name = "strategy_watchdog"
    channel = "strategy"
    trigger = "rolling 30-session P/L outside its 95 % interval"
    action = "move to shadow"
    default_threshold = 0.95

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._window = int(self.params.get("window", 30))
        self._history = int(self.params.get("history", 252))
        self._last: dict[str, NavSnapshot] = {}
        self._recent: dict[str, deque[float]] = {}
        self._past: dict[str, Moments] = {}

    def judge(self, observation: object) -> Breach | None:
        """Judge the NAV of one strategy."""
        if not isinstance(observation, NavSnapshot) or observation.strategy_id is None:
            return None
        scope = f"strategy:{observation.strategy_id}"
        before, self._last[scope] = self._last.get(scope), observation
        if before is None or before.nav_usd <= 0:
            return None
        recent = self._recent.setdefault(scope, deque())
        past = self._past.setdefault(scope, Moments())
        recent.append(float(observation.gain_since(before) / before.nav_usd))
        if len(recent) > self._window:
            past.add(recent.popleft())
        if past.count < self._history or past.deviation == 0.0:
            return None
        return self._breach(scope, observation, sum(recent), past)

    def _breach(self, scope: str, nav: NavSnapshot, result: float, past: Moments) -> Breach:
        half = two_sided_z(self.threshold) * past.deviation * math.sqrt(self._window)
        low, high = self._window * past.mean - half, self._window * past.mean + half
        return Breach(
            scope=scope,
            at=nav.as_of,
            broken=not low <= result <= high,
            value=f"{result:.4f}",
            limit=f"{low:.4f}..{high:.4f}",
            message=f"{self._window}-session result of {scope} is {result:.1%}, "
            f"outside {low:.1%}..{high:.1%}",
        )
