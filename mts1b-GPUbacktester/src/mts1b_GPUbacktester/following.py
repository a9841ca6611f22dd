"""Follow the position that a rule would hold, bar by bar: the same walk without any money.

When a position is opened and closed follows from wishes, prices of fills and the early exits; how
large it is does not matter. So a runner can know where a simulated account stands after each bar,
and what that account would do at the next fill.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np

from mts1b_GPUbacktester.errors import BadSetting
from mts1b_GPUbacktester.program import early_exits
from mts1b_GPUbacktester.rules import Rule
from mts1b_GPUbacktester.semantics import FloatArray, IntArray, Settings
from mts1b_GPUbacktester.streaming import RuleStream, Wish

__all__ = ["Following", "RuleFollower"]


@dataclass(frozen=True, slots=True)
class Following:
    """Where the accounts of a rule stand after a bar, each (A,).

    ``held`` is the side held now; ``target`` the side after the next fill, ``fraction`` the part
    of the equity that it takes where it is entered there, else NaN; ``stopped`` is true where a
    stop ended a position inside of this bar.
    """

    held: IntArray
    target: IntArray
    fraction: FloatArray
    stopped: Any


@dataclass(slots=True)
class _Position:
    side: int = 0
    entry_bar: int = -1
    entry_price: float = 0.0
    best: float = 0.0
    blocked_at: int = -1


class RuleFollower:
    """Feed bars to a rule and follow its accounts.

    :raises BadSetting: for ``fill="signal_close"``, at which nothing can be sent any more.
    :raises BadRule: for parameters that make no sense.
    """

    def __init__(
        self, rule: Rule, settings: Settings, params: Mapping[str, Any], *, assets: int
    ) -> None:
        if settings.lag != 1:
            raise BadSetting(
                f"fill {settings.fill!r} trades at a price that is past when the rule has decided; "
                "use 'next_open' or 'next_close'"
            )
        self._stream = RuleStream(rule, settings, params, assets=assets)
        self._stop, self._trail, self._most = early_exits(rule.bind(dict(params)))
        self._settings = settings
        self._positions = [_Position() for _ in range(assets)]
        self._marked = np.zeros(assets, dtype=np.bool_)
        self._wish: Wish | None = None
        self.bars = 0

    def step(self, bar: Mapping[str, FloatArray]) -> Following:
        """Take one bar, field -> (A,); its open may be absent for fills at the close."""
        self._marked |= ~np.isnan(bar["close"])
        stopped = np.zeros(len(self._positions), dtype=np.bool_)
        for asset, position in enumerate(self._positions):
            values = {name: float(series[asset]) for name, series in bar.items()}
            price = values[self._settings.price_field] if self._marked[asset] else float("nan")
            stopped[asset] = self._bar(position, asset, price, values)
        self._wish = self._stream.step(bar)
        self.bars += 1
        return self._following(stopped)

    def _bar(
        self, position: _Position, asset: int, price: float, values: Mapping[str, float]
    ) -> bool:
        """Fill what was decided, meet the stops, follow the best price; tell of a stop."""
        at_open = self._settings.fill == "next_open"
        if at_open:
            self._fill(position, asset, price)
        stopped = self._meet_stop(position, values)
        if not at_open:
            self._fill(position, asset, price)
        self._follow(position, values, at_open=at_open)
        return stopped

    def _fill(self, position: _Position, asset: int, price: float) -> None:
        if self._wish is None:
            return
        if position.blocked_at >= 0 and self._unblocks(position, asset):
            position.blocked_at = -1
        if isnan(price):
            return
        target, entering = self._next(position, asset)
        if target == position.side:
            return
        expired = self._expired(position) and int(self._wish.want[asset]) == position.side
        position.side = target
        if entering:
            position.entry_bar, position.entry_price = self.bars, price
            position.best = price
        elif expired:
            position.blocked_at = self.bars

    def _unblocks(self, position: _Position, asset: int) -> bool:
        """Return whether the last decision began anew at or after the early exit."""
        assert self._wish is not None
        return position.blocked_at <= self.bars - 1 and bool(self._wish.start[asset])

    def _expired(self, position: _Position) -> bool:
        return position.side != 0 and 0 < self._most <= self.bars - position.entry_bar

    def _next(self, position: _Position, asset: int) -> tuple[int, bool]:
        """Return the side after the fill of the last decision, and whether it is entered there."""
        assert self._wish is not None
        want, fraction = int(self._wish.want[asset]), float(self._wish.fractions[asset])
        if want == position.side:
            return (0, False) if self._expired(position) else (position.side, False)
        blocked = position.blocked_at >= 0 and not self._unblocks(position, asset)
        if want == 0 or blocked or isnan(fraction) or fraction <= 0.0:
            return 0, False
        return want, True

    def _meet_stop(self, position: _Position, values: Mapping[str, float]) -> bool:
        if position.side == 0 or not (self._stop or self._trail):
            return False
        level, low, high = self._level(position), values["low"], values["high"]
        if isnan(low) or isnan(high):
            return False
        long = position.side > 0
        beyond = values["open"] <= level if long else values["open"] >= level
        if not beyond and not (low <= level if long else high >= level):
            return False
        position.side, position.blocked_at = 0, self.bars
        return True

    def _level(self, position: _Position) -> float:
        levels = []
        if self._stop:
            levels.append(position.entry_price * (1.0 - position.side * self._stop))
        if self._trail:
            levels.append(position.best * (1.0 - position.side * self._trail))
        return max(levels) if position.side > 0 else min(levels)

    def _follow(self, position: _Position, values: Mapping[str, float], *, at_open: bool) -> None:
        if position.side == 0 or not (self._stop or self._trail):
            return
        if position.entry_bar == self.bars and not at_open:
            return
        seen = values["high"] if position.side > 0 else values["low"]
        if (position.side > 0 and seen > position.best) or (
            position.side < 0 and seen < position.best
        ):
            position.best = seen

    def _following(self, stopped: Any) -> Following:
        assert self._wish is not None
        count = len(self._positions)
        held, target = np.zeros(count, dtype=np.int8), np.zeros(count, dtype=np.int8)
        fraction = np.full(count, np.nan)
        for asset, position in enumerate(self._positions):
            held[asset] = position.side
            target[asset], entering = self._next(position, asset)
            if entering:
                fraction[asset] = self._wish.fractions[asset]
        return Following(held, target, fraction, stopped)
