"""Realised volatility of a fund against its target."""

from __future__ import annotations

import math
from collections import deque
from statistics import stdev
from typing import Any

from mts1b_foundation.funds import NavSnapshot

from mts1b_operations.watchdogs.base import Breach, Watchdog

__all__ = ["PortfolioVolDd"]

_SESSIONS_A_YEAR = 252


class PortfolioVolDd(Watchdog):
    """Alert when annualised volatility over ``window`` sessions exceeds threshold x target.

    Params: ``target.FUND`` or, for all funds, ``target`` (annual, a fraction; a fund without one
    is not judged), ``window`` (sessions).
    """

    name = "portfolio_vol_dd"
    channel = "vol_dd"
    trigger = "realised volatility > 1.5 x target"
    action = "reduce gross"
    default_threshold = 1.5

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._window = int(self.params.get("window", 21))
        self._last: dict[str, NavSnapshot] = {}
        self._returns: dict[str, deque[float]] = {}

    def judge(self, observation: object) -> Breach | None:
        """Judge the total NAV of a fund."""
        if not isinstance(observation, NavSnapshot) or observation.strategy_id is not None:
            return None
        fund = observation.fund_id
        before, self._last[fund] = self._last.get(fund), observation
        target = self.params.get(f"target.{fund}", self.params.get("target"))
        if before is None or before.nav_usd <= 0 or target is None:
            return None
        returns = self._returns.setdefault(fund, deque(maxlen=self._window))
        returns.append(float(observation.gain_since(before) / before.nav_usd))
        if len(returns) < self._window:
            return None
        realised = stdev(returns) * math.sqrt(_SESSIONS_A_YEAR)
        limit = self.threshold * float(target)
        return Breach(
            scope=f"fund:{fund}",
            at=observation.as_of,
            broken=realised > limit,
            value=f"{realised:.4f}",
            limit=f"{limit:.4f}",
            message=f"volatility of {fund} over {self._window} sessions is {realised:.1%} a year, "
            f"above {limit:.1%}",
        )
