"""A rule of the backtester as a strategy: what was swept is what is traded.

The rule is followed bar by bar (:mod:`mts1b_GPUbacktester.following`), so a decision is that of the
sweep over the same bars, to the last bit. Each symbol is followed apart and gets an equal share of
the strategy's NAV; a position is sized when it is entered, and left alone until it ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Self

import numpy as np
from mts1b_foundation.market_data import UniversePanel
from mts1b_foundation.signals import Signal
from mts1b_foundation.symbology import Symbol
from mts1b_GPUbacktester import BadRule, BadSetting
from mts1b_GPUbacktester.following import Following, RuleFollower
from mts1b_GPUbacktester.grid import parameter_sets
from mts1b_GPUbacktester.rules import Rule
from mts1b_GPUbacktester.semantics import Settings
from mts1b_GPUbacktester.specification import rule_of
from mts1b_GPUbacktester.text import parse_value

from mts1b_research.errors import StrategyConfigError
from mts1b_research.history import EVERY_BAR
from mts1b_research.parameters import read_mapping
from mts1b_research.strategy import MarketView, make_signal

__all__ = ["RuleStrategy"]

_MINUTES_PER_SESSION = 390
_TEXTS = {
    "long_when": "long_when",
    "short_when": "short_when",
    "enter": "enter",
    "exit": "leave",
    "stop": "stop",
    "trailing_stop": "trailing_stop",
    "time_exit": "time_exit",
}
_OTHERS = ("direction", "size", "values")


class RuleStrategy:
    """Trade one rule with one parameter set on each of its symbols.

    :param rule: as for ``run_sweep``; ``params`` are its numbers.
    :param settings: direction and size; fills are at the next open.
    :raises StrategyConfigError: when rule and parameters do not fit.
    """

    kind: ClassVar[str] = "rule"

    def __init__(
        self,
        strategy_id: str,
        symbols: Sequence[Symbol],
        rule: Rule,
        params: Mapping[str, Any] | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.strategy_id = strategy_id
        self.symbols = tuple(symbols)
        self.rule = rule
        self.params = dict(params or {})
        self.settings = settings if settings is not None else Settings()
        self._follower = self._new_follower()
        self._last: datetime | None = None
        self._following: Following | None = None

    @property
    def history(self) -> int:
        """Return that every bar is looked at: averages remember the first one."""
        return EVERY_BAR

    @classmethod
    def configure(
        cls, strategy_id: str, symbols: Sequence[Symbol], params: Mapping[str, Any]
    ) -> Self:
        """Build the strategy from text.

        Keys: ``long_when`` or ``enter`` with ``exit``, and any of ``short_when``, ``stop``,
        ``trailing_stop``, ``time_exit``, ``direction``, ``size`` (a number or a value of the rule
        language) and ``values`` (name -> number).

        :raises StrategyConfigError: for an unknown key, and for a rule or setting that is none.
        """
        unknown = sorted(set(params) - {*_TEXTS, *_OTHERS})
        if unknown:
            raise StrategyConfigError(
                f"strategy {strategy_id}: unknown parameter {unknown[0]!r} "
                f"(known: {', '.join((*_TEXTS, *_OTHERS))}); numbers of the rule go under values"
            )
        for name in ("long_when", "short_when"):
            if not isinstance(params.get(name, ""), str):
                raise StrategyConfigError(
                    f"strategy {strategy_id}: {name} must be the text of a condition, e.g. "
                    f"'close > sma(close, 20)'; got {params[name]!r}"
                )
        try:
            rule = rule_of(**{to: params[name] for name, to in _TEXTS.items() if name in params})
            size = params.get("size", "all_cash")
            if isinstance(size, str) and size != "all_cash":
                size = parse_value(size)
            settings = Settings(direction=params.get("direction", "long"), size=size)
        except (BadRule, BadSetting) as error:
            raise StrategyConfigError(f"strategy {strategy_id}: {error}") from error
        values = read_mapping(strategy_id, params, "values")
        return cls(strategy_id, symbols, rule, values, settings)

    def _new_follower(self) -> RuleFollower:
        try:
            # A value that nothing reads is a mistake: a stop, say, that the rule does not have.
            parameter_sets(self.rule, [self.params], size=self.settings.fraction)
            return RuleFollower(self.rule, self.settings, self.params, assets=len(self.symbols))
        except (BadRule, BadSetting) as error:
            raise StrategyConfigError(f"strategy {self.strategy_id}: {error}") from error

    def is_due(self, bars_seen: int) -> bool:
        """Look at every bar."""
        return bars_seen > 0

    def generate_intents(self, view: MarketView) -> list[Signal]:
        """Return a signal for what is entered at the next open, and for what shall be flat.

        A position that is held gets none, so that its size stays. A stop that a bar has met is
        heard at its close and left at the next open.
        """
        following = self._follow(view.panel)
        return [
            self._signal(view, place, following)
            for place in range(len(self.symbols))
            if following.target[place] == 0 or not np.isnan(following.fraction[place])
        ]

    def _follow(self, panel: UniversePanel) -> Following:
        """Take the bars that are new; begin anew where the past is not the one that was seen."""
        done = self._follower.bars
        if done and (len(panel.dates) < done or panel.dates[done - 1] != self._last):
            self._follower, done = self._new_follower(), 0
        names = ("open", "high", "low", "close", "volume")
        arrays = {name: np.asarray(getattr(panel, name), dtype=np.float64) for name in names}
        for bar in range(done, len(panel.dates)):
            values = {name: array[bar] for name, array in arrays.items()}
            self._following = self._follower.step(values)
        self._last = panel.dates[-1]
        assert self._following is not None
        return self._following

    def _signal(self, view: MarketView, place: int, following: Following) -> Signal:
        side = int(following.target[place])
        share = 0.0 if side == 0 else float(following.fraction[place]) / len(self.symbols)
        wish = {1: "long", 0: "flat", -1: "short"}[side]
        return make_signal(
            view,
            strategy_id=self.strategy_id,
            symbol=self.symbols[place],
            weight=side * share,
            thesis=f"the rule is {wish} from the next open on",
            confidence=1.0,
            horizon_minutes=_MINUTES_PER_SESSION,
        )
