"""The reference: one account after the other, whole arrays, no shortcut. It is the authority."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mts1b_GPUbacktester.engines.port import (
    Market,
    Paths,
    SweepBlock,
    SweepSummary,
    measure,
)
from mts1b_GPUbacktester.evaluate import Evaluator
from mts1b_GPUbacktester.semantics import BoolArray, FloatArray, Settings, held_positions

__all__ = ["NumpyEngine", "account_path"]


class NumpyEngine:
    """Simulate with numpy alone."""

    name = "numpy"

    def prepare(self) -> None:
        """Do nothing: there is nothing to compile."""

    def paths(self, wishes: BoolArray, market: Market, settings: Settings) -> Paths:
        """Simulate wishes (A, T)."""
        held = held_positions(wishes, market.fill_prices, settings.lag)
        units, equity = np.empty(held.shape), np.empty(held.shape)
        for asset in range(len(held)):
            units[asset], equity[asset] = account_path(
                held[asset], market.fill_prices[asset], market.marks[asset], settings
            )
        return Paths(held, units, equity, _returns(equity))

    def sweep(self, block: SweepBlock) -> SweepSummary:
        """Simulate one parameter set at a time."""
        market = Market.of(block.prices, block.settings)
        evaluator = Evaluator(block.prices, budget=block.budget)
        rows = [
            self._measure(
                evaluator.wishes(block.rule, params), market, block.settings, block.metrics
            )
            for params in block.sets
        ]
        return SweepSummary({name: np.stack([row[name] for row in rows]) for name in block.metrics})

    def _measure(
        self, wishes: BoolArray, market: Market, settings: Settings, metrics: Sequence[str]
    ) -> dict[str, FloatArray]:
        paths = self.paths(wishes, market, settings)
        entries = np.count_nonzero(paths.held[:, 1:] & ~paths.held[:, :-1], axis=1)
        n_trades = entries + paths.held[:, 0]
        return measure(np.ascontiguousarray(paths.returns.T), n_trades, settings, metrics)


def account_path(
    held: BoolArray, fill_prices: FloatArray, marks: FloatArray, settings: Settings
) -> tuple[FloatArray, FloatArray]:
    """Return units held and equity of one account after each bar, all (T,)."""
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
    return units, equity


def _returns(equity: FloatArray) -> FloatArray:
    """Return equity(t) / equity(t - 1) - 1 along the last axis, from a start of 1.0."""
    previous = np.concatenate((np.ones((*equity.shape[:-1], 1)), equity[..., :-1]), axis=-1)
    return np.asarray(equity / previous - 1.0)
