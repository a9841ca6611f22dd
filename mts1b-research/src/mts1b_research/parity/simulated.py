"""The simulated side: decisions by an engine of the backtester, books by its desk account."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mts1b_foundation.market_data import UniversePanel
from mts1b_GPUbacktester.desk import DeskTerms, rule_wishes, run_desk
from mts1b_GPUbacktester.engines import EngineName

from mts1b_research.parity.record import Record
from mts1b_research.parity.subject import Account, Floats
from mts1b_research.strategies.factor import FactorStrategy
from mts1b_research.strategies.rule import RuleStrategy
from mts1b_research.strategy import MarketView, Strategy

__all__ = ["decision_table", "simulate"]

_DIGITS = 12
"""A signal carries its weight to so many significant digits."""


def simulate(
    panel: UniversePanel, accounts: Sequence[Account], terms: DeskTerms, engine: EngineName
) -> Record:
    """Return what the accounts do by one engine.

    :raises BadSetting, BadRule, EngineMissing: when the engine can not tell.
    """
    symbols = [str(symbol) for symbol in panel.symbols]
    runs = {}
    for account in accounts:
        columns = [symbols.index(str(symbol)) for symbol in account.strategy.symbols]
        part = _columns(panel, columns)
        wishes = _kept(_wishes(part, account.strategy, engine))
        runs[account.name] = run_desk(part, wishes, terms, engine=engine)
    return Record(engine, runs)


def _wishes(panel: UniversePanel, strategy: Strategy, engine: EngineName) -> Floats:
    if isinstance(strategy, RuleStrategy):
        return rule_wishes(panel, strategy.rule, strategy.params, strategy.settings, engine=engine)
    if isinstance(strategy, FactorStrategy):
        return strategy.weights(panel)
    return decision_table(strategy, panel)


def decision_table(strategy: Strategy, panel: UniversePanel) -> Floats:
    """Return what a strategy wants at the close of each bar, (T, A), NaN for no wish.

    Each bar is asked with a view that ends there, as the runner gives it.

    :param panel: the symbols of the strategy, in its order.
    """
    length = panel.shape[0]
    table = np.full(panel.shape, np.nan)
    places = {str(symbol): place for place, symbol in enumerate(panel.symbols)}
    for bar in range(length):
        if not strategy.is_due(bar + 1):
            continue
        part = _rows(panel, slice(max(bar + 1 - strategy.history, 0), bar + 1))
        view = MarketView(as_of=panel.dates[bar], panel=part, bars_seen=bar + 1)
        for signal in strategy.generate_intents(view):
            if signal.target_weight is not None:
                table[bar, places[str(signal.symbol)]] = signal.target_weight
    return table


def _kept(wishes: Floats) -> Floats:
    return np.array([[float(f"{w:.{_DIGITS}g}") for w in row] for row in wishes.tolist()])


def _columns(panel: UniversePanel, columns: Sequence[int]) -> UniversePanel:
    symbols = tuple(str(panel.symbols[column]) for column in columns)
    return UniversePanel(
        close=np.ascontiguousarray(panel.close[:, columns]),
        high=np.ascontiguousarray(panel.high[:, columns]),
        low=np.ascontiguousarray(panel.low[:, columns]),
        volume=np.ascontiguousarray(panel.volume[:, columns]),
        open=np.ascontiguousarray(panel.open[:, columns]),
        dates=panel.dates,
        symbols=symbols,
    )


def _rows(panel: UniversePanel, rows: slice) -> UniversePanel:
    return UniversePanel(
        close=panel.close[rows],
        high=panel.high[rows],
        low=panel.low[rows],
        volume=panel.volume[rows],
        open=panel.open[rows],
        dates=panel.dates[rows],
        symbols=panel.symbols,
    )
