"""The reference: one account after the other, whole arrays, no shortcut. It is the authority."""

from __future__ import annotations

import numpy as np

from mts1b_GPUbacktester.account import AccountPath, walk_account
from mts1b_GPUbacktester.engines.port import (
    Market,
    Paths,
    SweepBlock,
    SweepSummary,
    measure,
    returns_of,
)
from mts1b_GPUbacktester.evaluate import Evaluator
from mts1b_GPUbacktester.semantics import (
    BoolArray,
    FloatArray,
    Settings,
    Signals,
    held_positions,
)

__all__ = ["NumpyEngine", "plain_path"]


class NumpyEngine:
    """Simulate with numpy alone."""

    name = "numpy"

    def prepare(self, *, plain: bool) -> None:
        """Do nothing: there is nothing to compile."""

    def paths(self, signals: Signals, market: Market, settings: Settings) -> Paths:
        """Simulate signals (A, T): whole arrays for plain long positions, else bar by bar."""
        if signals.plain and settings.size == "all_cash":
            held = held_positions(signals.want > 0, market.fill_prices, settings.lag)
            found = [
                plain_path(held[asset], market.fill_prices[asset], market.marks[asset], settings)
                for asset in range(len(held))
            ]
        else:
            found = [
                walk_account(bars, signals, asset, settings)
                for asset, bars in enumerate(market.bars())
            ]
        equity = np.array([one.equity for one in found])
        units = np.array([one.units for one in found])
        return Paths(units, equity, returns_of(equity), [one.trades for one in found])

    def sweep(self, block: SweepBlock) -> SweepSummary:
        """Simulate one parameter set at a time."""
        settings = block.settings
        market = Market.of(block.prices, settings, stops=block.rule.has_stops)
        evaluator = Evaluator(block.prices, budget=block.budget)
        rows = []
        for params in block.sets:
            signals = evaluator.signals(block.rule, settings, params)
            paths = self.paths(signals, market, settings)
            returns = np.ascontiguousarray(paths.returns.T)
            rows.append(measure(returns, paths.counts(), settings, block.metrics))
        return SweepSummary({name: np.stack([row[name] for row in rows]) for name in block.metrics})


def plain_path(
    held: BoolArray, fill_prices: FloatArray, marks: FloatArray, settings: Settings
) -> AccountPath:
    """Simulate a long account with all of its cash from the bars at which it holds, (T,)."""
    before = np.concatenate(([False], held[:-1]))
    entries = np.flatnonzero(held & ~before)
    exits = np.flatnonzero(before & ~held)
    cost = fill_prices[entries] * settings.buy_factor
    proceeds = fill_prices[exits] * settings.sell_factor
    # Cash before each trade, and after the last: all of it goes into every trade.
    growth = proceeds / cost[: len(exits)]
    cash = np.concatenate(([1.0], np.cumprod(growth)))
    units_of_trade = cash[: len(entries)] / cost
    n_entered = np.cumsum(held & ~before)
    n_left = np.cumsum(before & ~held)
    units = np.zeros(len(held))
    units[held] = units_of_trade[n_entered[held] - 1]
    equity = cash[n_left]
    equity[held] = units[held] * marks[held]
    trades = np.full((len(entries), 5), np.nan)
    trades[:, 0], trades[:, 1], trades[:, 2] = entries, fill_prices[entries], -1
    trades[: len(exits), 2], trades[: len(exits), 3] = exits, fill_prices[exits]
    trades[:, 4] = units_of_trade
    return AccountPath(units, equity, trades)
