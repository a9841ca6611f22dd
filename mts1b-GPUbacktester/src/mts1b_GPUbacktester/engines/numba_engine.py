"""The compiled engine: all cores, compiled once and kept on disk. Import it lazily."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from mts1b_quantkit.metrics import annual_volatility

from mts1b_GPUbacktester.engines.buffers import Buffers
from mts1b_GPUbacktester.engines.compiling import compiled
from mts1b_GPUbacktester.engines.numba_averages import NumbaAverages
from mts1b_GPUbacktester.engines.port import (
    Market,
    Paths,
    SweepBlock,
    SweepSummary,
    measure,
)
from mts1b_GPUbacktester.engines.segments import STATE, advance_long
from mts1b_GPUbacktester.engines.tape import COLUMNS, WORD, prepare_stretch
from mts1b_GPUbacktester.evaluate import Evaluator
from mts1b_GPUbacktester.panels import Prices
from mts1b_GPUbacktester.program import Slots, compile_rule
from mts1b_GPUbacktester.rules import close, ema, long_when, sma
from mts1b_GPUbacktester.semantics import BoolArray, FloatArray, Settings

__all__ = ["NumbaEngine"]

_IN_KERNEL = frozenset(
    {"total_return", "sharpe", "max_drawdown", "n_trades", "annual_volatility", "cagr", "calmar"}
)
_EQUITY, _MEAN, _SPREAD, _FALL, _TRADES, _CANCELLED = range(6)
_SETS_A_TASK = 256


@compiled()
def walk(
    wishes: Any,
    fill_prices: Any,
    marks: Any,
    lag: int,
    buy: float,
    sell: float,
    units_out: Any,
    equity_out: Any,
) -> None:
    """Simulate one account bar by bar into the two outputs."""
    cash, units, held = 1.0, 0.0, False
    for t in range(len(wishes)):
        price = fill_prices[t]
        if not np.isnan(price):
            wanted = t >= lag and wishes[t - lag]
            if wanted and not held:
                units = cash / (price * buy)
                held = True
            elif held and not wanted:
                cash = units * (price * sell)
                units = 0.0
                held = False
        units_out[t] = units
        equity_out[t] = units * marks[t] if held else cash


class NumbaEngine:
    """Simulate with compiled loops; agrees with the numpy engine, tests say to what digit.

    :param stretch_words: times 64 bars are worked on at once; averages of no more are in memory.
    """

    name = "numba"

    def __init__(self, *, stretch_words: int = 1024) -> None:
        self._stretch_words = stretch_words
        self._buffers = Buffers()

    def prepare(self) -> None:
        """Compile, or load what was compiled before."""
        one = np.array([[1.0, 2.0], [1.0, np.nan]])
        prices = Prices(one, one, one, one, one, (0, 1), ("A", "B"))
        rule = long_when((sma(close, 1) > ema(close, 2)) & (close > 0))
        metrics = ("total_return",)
        self.sweep(SweepBlock(prices, rule, [{}], Settings(), metrics, 2**20))

    def paths(self, wishes: BoolArray, market: Market, settings: Settings) -> Paths:
        """Simulate wishes (A, T)."""
        units, equity = np.empty(wishes.shape), np.empty(wishes.shape)
        for asset in range(len(wishes)):
            walk(
                np.ascontiguousarray(wishes[asset]),
                market.fill_prices[asset],
                market.marks[asset],
                settings.lag,
                settings.buy_factor,
                settings.sell_factor,
                units[asset],
                equity[asset],
            )
        previous = np.concatenate((np.ones((len(equity), 1)), equity[:, :-1]), axis=1)
        return Paths(units != 0.0, units, equity, equity / previous - 1.0)

    def sweep(self, block: SweepBlock) -> SweepSummary:
        """Simulate a block; what the kernel does not reduce is measured by quantkit."""
        market = Market.of(block.prices, block.settings)
        if not _IN_KERNEL.issuperset(block.metrics):
            return self._by_paths(block, market)
        evaluator = Evaluator(block.prices, budget=block.budget, averages=NumbaAverages())
        out = self._sweep_long(block, market, evaluator)
        for row in np.flatnonzero(out[..., _CANCELLED].any(axis=1)):
            self._measure_again(block, market, evaluator, int(row), out[row])
        found = _metrics_of(out, market.marks.shape[1], block.settings.periods_per_year)
        return SweepSummary({name: found[name] for name in block.metrics})

    def _sweep_long(self, block: SweepBlock, market: Market, evaluator: Evaluator) -> FloatArray:
        """Run the kernels stretch by stretch of time; return (P, A, 6)."""
        program = compile_rule(block.rule)
        slots = Slots(program, block.sets)
        steps, order = program.table(), slots.order()
        lag, (assets, length) = block.settings.lag, market.marks.shape
        words, sets = -(-length // WORD), len(block.sets)
        extremes = self._buffers.take("blocks", (assets, words, 3))
        fillable = self._buffers.take("fillable", (assets, words)).view(np.uint64)
        states = self._buffers.take("states", (sets, assets, STATE))
        states[...] = 0.0
        states[..., 0] = states[..., 2] = states[..., 3] = 1.0
        carries = np.zeros((sets * assets, len(steps)), dtype=np.uint64)
        sums, out = np.zeros((assets, 2)), np.empty((sets, assets, 6))
        for origin in range(0, words, self._stretch_words):
            count = min(words - origin, self._stretch_words)
            bars = slice(origin * WORD, min(length, (origin + count) * WORD))
            tape = self._buffers.take("tape", (assets, count * WORD + 1, COLUMNS))
            prepare_stretch(
                market.fill_prices, market.marks, block.settings.buy_factor,
                block.settings.sell_factor, lag, origin, count, sums, tape, extremes, fillable,
            )  # fmt: skip
            series = self._buffers.take("series", (len(slots.series), assets, count * WORD))
            evaluator.write(slots.series, bars, series)
            advance_long(
                steps, slots.table, order, series, origin, count, tape, extremes, fillable,
                market.marks, lag, _stretch(sets, assets), states, carries, sums, out,
            )  # fmt: skip
        return out

    def _measure_again(
        self, block: SweepBlock, market: Market, evaluator: Evaluator, row: int, out: FloatArray
    ) -> None:
        """Compute mean and deviation of one set from its returns where sums lose too much."""
        wishes = evaluator.wishes(block.rule, block.sets[row])
        returns = np.ascontiguousarray(self.paths(wishes, market, block.settings).returns.T)
        out[:, _MEAN] = returns.mean(axis=0)
        out[:, _SPREAD] = annual_volatility(returns, periods_per_year=1)

    def _by_paths(self, block: SweepBlock, market: Market) -> SweepSummary:
        evaluator = Evaluator(block.prices, budget=block.budget, averages=NumbaAverages())
        rows = []
        for params in block.sets:
            paths = self.paths(evaluator.wishes(block.rule, params), market, block.settings)
            entries = np.count_nonzero(paths.held[:, 1:] & ~paths.held[:, :-1], axis=1)
            returns = np.ascontiguousarray(paths.returns.T)
            trades = entries + paths.held[:, 0]
            rows.append(measure(returns, trades, block.settings, block.metrics))
        return SweepSummary({name: np.stack([row[name] for row in rows]) for name in block.metrics})


def _stretch(sets: int, assets: int) -> int:
    """Return how many sets a task takes: few enough that every core gets several tasks."""
    tasks = 4 * numba.get_num_threads()
    return max(1, min(_SETS_A_TASK, -(-sets * assets // tasks)))


def _metrics_of(out: FloatArray, length: int, periods: float) -> dict[str, FloatArray]:
    """Return metrics from what the kernel reduces, by quantkit's definitions."""
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = out[..., _EQUITY] ** (periods / length) - 1.0
        return {
            "total_return": out[..., _EQUITY] - 1.0,
            "sharpe": out[..., _MEAN] / out[..., _SPREAD] * np.sqrt(periods),
            "max_drawdown": out[..., _FALL],
            "n_trades": out[..., _TRADES],
            "annual_volatility": out[..., _SPREAD] * np.sqrt(periods),
            "cagr": growth,
            "calmar": growth / (-out[..., _FALL] + 0.0),
        }
