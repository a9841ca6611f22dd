"""What is compared: a strategy as accounts, each with its own books."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from mts1b_foundation import INTERVALS, interval_length
from mts1b_foundation.market_data import UniversePanel
from mts1b_foundation.symbology import Symbol
from mts1b_GPUbacktester.desk import desk_panel
from mts1b_platform.config import StrategySettings

from mts1b_research.errors import NotComparable
from mts1b_research.registry import StrategyRegistry
from mts1b_research.strategies.rule import RuleStrategy
from mts1b_research.strategy import Strategy

__all__ = ["Account", "Floats", "accounts_of", "comparable_panel", "interval_of"]

Floats = npt.NDArray[np.float64]
_CLOSE = time(21, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Account:
    """One strategy with money of its own; ``settings`` where it can be configured by text."""

    name: str
    strategy: Strategy
    settings: StrategySettings | None

    @property
    def fund_id(self) -> str:
        """Return the fund that holds nothing but this account."""
        return f"fund-{self.name}"


def accounts_of(subject: Strategy | StrategySettings) -> tuple[Account, ...]:
    """Return the accounts of a strategy: one a symbol for a rule, else one.

    In a sweep each symbol of a rule is an account of its own, so it is one here.

    :raises StrategyConfigError, UnknownStrategy: when the settings make no sense.
    """
    if isinstance(subject, StrategySettings):
        strategy = StrategyRegistry().build(subject)
        if isinstance(strategy, RuleStrategy) and len(subject.symbols) > 1:
            parts = [_for_symbol(subject, symbol) for symbol in subject.symbols]
            return tuple(account for part in parts for account in accounts_of(part))
        return (Account(subject.strategy_id, strategy, subject),)
    if isinstance(subject, RuleStrategy):
        return tuple(
            Account(name, _one(subject, name, symbol), None)
            for symbol in subject.symbols
            for name in [f"{subject.strategy_id}-{symbol}"]
        )
    return (Account(subject.strategy_id, subject, None),)


def _for_symbol(settings: StrategySettings, symbol: str) -> StrategySettings:
    name = f"{settings.strategy_id}-{symbol}"
    return settings.model_copy(update={"strategy_id": name, "symbols": [symbol]})


def _one(strategy: RuleStrategy, name: str, symbol: Symbol) -> RuleStrategy:
    return RuleStrategy(name, [symbol], strategy.rule, strategy.params, strategy.settings)


def comparable_panel(panel: Any, symbols: Sequence[str], *, last: int | None) -> UniversePanel:
    """Return the bars of these symbols as both sides can read them.

    A date is a session that ends at 21:00 UTC; a time without a zone is taken as UTC.

    :param last: keep so many bars, the latest; None: all.
    :raises BadPanel: for a panel that is none, or a missing price.
    :raises NotComparable: for a symbol that is missing, or times that are none.
    """
    from mts1b_GPUbacktester import panel_from

    universe = panel_from(panel)
    known = [str(symbol) for symbol in universe.symbols]
    missing = sorted(set(symbols) - set(known))
    if missing:
        raise NotComparable(f"the panel has no {', '.join(missing)}; it has {', '.join(known)}")
    columns = [known.index(symbol) for symbol in symbols]
    first = 0 if last is None else max(len(universe.dates) - last, 0)
    fields = {
        name: None if values is None else np.asarray(values, dtype=np.float64)[first:, columns]
        for name in ("open", "high", "low", "close", "volume")
        for values in [getattr(universe, name)]
    }
    moments = [_moment(value) for value in list(universe.dates)[first:]]
    return desk_panel(UniversePanel(**fields, dates=moments, symbols=tuple(symbols)))


def _moment(value: Any) -> datetime:
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo is not None else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, _CLOSE)
    raise NotComparable(f"{value!r} is no time; give the end of each bar as a date or a time")


def interval_of(moments: Sequence[datetime]) -> str:
    """Return the interval of bars that end at these moments.

    :raises NotComparable: for fewer than two bars, or bars that are shorter than a minute.
    """
    if len(moments) < 2:
        raise NotComparable(f"{len(moments)} bars give nothing to compare; two are the least")
    gap = min(late - early for early, late in pairwise(moments))
    # A session may end an hour early by the clock where summer time begins.
    fitting = [name for name in INTERVALS if interval_length(name) <= gap * 1.2]
    if not fitting:
        raise NotComparable(f"bars {gap} apart are shorter than any known interval")
    return max(fitting, key=interval_length)
