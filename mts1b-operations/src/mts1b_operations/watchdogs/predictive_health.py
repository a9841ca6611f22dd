"""The NAV of a fund against the envelope that its own history lets expect."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from mts1b_foundation.funds import NavSnapshot

from mts1b_operations.watchdogs.base import Breach, Watchdog
from mts1b_operations.watchdogs.moments import Moments, two_sided_z

__all__ = ["PredictiveHealth"]


@dataclass(slots=True)
class _Envelope:
    """An anchor NAV and the drift and deviation of log returns that were known there.

    The anchor moves with capital that comes or goes.
    """

    anchor: float
    drift: float
    deviation: float
    age: int = 0

    def bounds(self, z: float) -> tuple[float, float]:
        """Return the lowest and the highest NAV within ``z`` deviations, at this age."""
        centre, half = self.age * self.drift, z * self.deviation * math.sqrt(self.age)
        return self.anchor * math.exp(centre - half), self.anchor * math.exp(centre + half)


@dataclass(slots=True)
class _Fund:
    last: NavSnapshot
    past: Moments = field(default_factory=Moments)
    envelope: _Envelope | None = None


class PredictiveHealth(Watchdog):
    """Alert when NAV leaves the ``threshold`` (confidence) interval of its envelope.

    The envelope is a geometric random walk with the mean and variance of all earlier log
    returns, anchored anew every ``horizon`` sessions. Params: ``horizon``, ``history``.
    """

    name = "predictive_health"
    channel = "health"
    trigger = "NAV outside the 99 % interval of its envelope"
    action = "warn"
    default_threshold = 0.99

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._horizon = int(self.params.get("horizon", 63))
        self._history = int(self.params.get("history", 252))
        self._funds: dict[str, _Fund] = {}

    def judge(self, observation: object) -> Breach | None:
        """Judge the total NAV of a fund."""
        if not isinstance(observation, NavSnapshot) or observation.strategy_id is not None:
            return None
        nav, name = float(observation.nav_usd), observation.fund_id
        if nav <= 0:
            return None
        fund = self._funds.get(name)
        if fund is None:
            self._funds[name] = _Fund(observation)
            return None
        without = nav - float(observation.capital_since(fund.last))
        if without <= 0:
            self._funds[name] = _Fund(observation)
            return None
        fund.past.add(math.log(without / float(fund.last.nav_usd)))
        fund.last = observation
        if fund.envelope is not None:
            fund.envelope.anchor *= nav / without
        return self._against_envelope(fund, nav, observation)

    def _against_envelope(self, fund: _Fund, nav: float, seen: NavSnapshot) -> Breach | None:
        envelope = fund.envelope
        if envelope is None or envelope.age >= self._horizon:
            if fund.past.count >= self._history and fund.past.deviation > 0.0:
                fund.envelope = _Envelope(nav, fund.past.mean, fund.past.deviation)
            return None
        envelope.age += 1
        low, high = envelope.bounds(two_sided_z(self.threshold))
        return Breach(
            scope=f"fund:{seen.fund_id}",
            at=seen.as_of,
            broken=not low <= nav <= high,
            value=f"{nav:.0f}",
            limit=f"{low:.0f}..{high:.0f}",
            message=f"NAV of {seen.fund_id} is {nav:,.0f} USD, outside {low:,.0f}..{high:,.0f} "
            f"expected {envelope.age} sessions after {envelope.anchor:,.0f}",
        )
