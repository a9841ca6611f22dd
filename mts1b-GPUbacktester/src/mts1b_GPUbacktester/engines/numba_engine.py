"""The compiled engine: all cores, compiled once and kept on disk. Import it lazily."""

from __future__ import annotations

import numba
import numpy as np
from mts1b_quantkit.metrics import annual_volatility
from numpy.typing import NDArray

from mts1b_GPUbacktester.averages import RunningSums
from mts1b_GPUbacktester.engines.buffers import Buffers
from mts1b_GPUbacktester.engines.extremes import fill_table, table_shape
from mts1b_GPUbacktester.engines.numba_averages import NumbaAverages
from mts1b_GPUbacktester.engines.port import (
    Market,
    Paths,
    SweepBlock,
    SweepSummary,
    measure,
    returns_of,
    settled,
)
from mts1b_GPUbacktester.engines.segments import sweep_segments
from mts1b_GPUbacktester.engines.tape import WORD
from mts1b_GPUbacktester.engines.walks import sweep_walks, walk
from mts1b_GPUbacktester.evaluate import Evaluator
from mts1b_GPUbacktester.panels import Prices
from mts1b_GPUbacktester.program import Compiled, is_plain
from mts1b_GPUbacktester.rules import close, ema, long_when, sma
from mts1b_GPUbacktester.semantics import FloatArray, Settings, Signals

__all__ = ["NumbaEngine"]

_IN_KERNEL = frozenset(
    {"total_return", "sharpe", "max_drawdown", "n_trades", "annual_volatility", "cagr", "calmar"}
)
_EQUITY, _MEAN, _SPREAD, _FALL, _TRADES, _CANCELLED = range(6)
_SETS_A_TASK = 256


class NumbaEngine:
    """Simulate with compiled loops; agrees with the numpy engine, tests say to what digit.

    :param stretch_words: times 64 bars are worked on at once, so that they stay near the core.
    """

    name = "numba"

    def __init__(self, *, stretch_words: int = 16) -> None:
        self._tile_words = stretch_words
        self._buffers = Buffers()

    def prepare(self, *, plain: bool) -> None:
        """Compile what plain long rules or all others need, or load what was compiled before."""
        one = np.array([[1.0, 2.0], [1.0, np.nan]])
        prices = Prices(one, one, one, one, one, (0, 1), ("A", "B"))
        rule = long_when((sma(close, 1) > ema(close, 2)) & (close > 0))
        whole = rule if plain else rule.stop(0.5)
        self.sweep(SweepBlock(prices, whole, [{}], Settings(), ("total_return",), 2**20))

    def paths(self, signals: Signals, market: Market, settings: Settings) -> Paths:
        """Simulate signals (A, T)."""
        assets, length = signals.want.shape
        units, equity = np.empty((assets, length)), np.empty((assets, length))
        exits = np.array([signals.stop, signals.trail, signals.most_bars])
        table, found, trades = _price_table(market), np.empty((length, 5)), []
        fractions, options = np.ascontiguousarray(signals.fractions), _options(settings)
        for asset in range(assets):
            count = walk(
                signals.want[asset], signals.start[asset], fractions[asset], table[asset], options,
                exits, settings.lag, settings.fill == "next_open", units[asset], equity[asset],
                found,
            )  # fmt: skip
            trades.append(found[:count].copy())
        return Paths(units, equity, returns_of(equity), trades)

    def sweep(self, block: SweepBlock) -> SweepSummary:
        """Simulate a block; what the kernel does not reduce is measured by quantkit."""
        market = Market.of(block.prices, block.settings, stops=block.rule.has_stops)
        if not _IN_KERNEL.issuperset(block.metrics):
            return self._by_paths(block, market)
        evaluator = Evaluator(block.prices, budget=block.budget, averages=NumbaAverages())
        plain = is_plain(block.rule, block.settings)
        run = self._sweep_long if plain else self._sweep_walks
        out = run(block, market, evaluator, block.ready())
        for row in np.flatnonzero(out[..., _CANCELLED].any(axis=1)):
            self._measure_again(block, market, evaluator, int(row), out[row])
        found = _metrics_of(out, market.marks.shape[1], block.settings.periods_per_year)
        return SweepSummary({name: found[name] for name in block.metrics})

    def _sweep_long(
        self, block: SweepBlock, market: Market, evaluator: Evaluator, compiled: Compiled
    ) -> FloatArray:
        """Run the kernel of segments; return (P, A, 6)."""
        assets, length = market.marks.shape
        tables = self._buffers.take("tables", (assets, *table_shape(length)))
        fill_table(market.marks, tables)
        plan = evaluator.planned(compiled.series)
        sources, sums, rests, gaps = _stacked(plan.sources, (assets, length))
        out = np.empty((len(block.sets), assets, 6))
        factors = np.array([block.settings.buy_factor, block.settings.sell_factor])
        sweep_segments(
            compiled.steps, compiled.slots, compiled.order, plan.rows, sources, sums, rests, gaps,
            plan.others, np.array(plan.numbers, dtype=np.float64),
            market.fill_prices, market.marks, tables, factors, block.settings.lag,
            self._tile(block.budget, compiled.width, length), _parts(assets), out,
        )  # fmt: skip
        return out

    def _tile(self, budget: int, series: int, length: int) -> int:
        """Return how many words of time tasks work on at once: no more than the budget holds."""
        a_word: int = 8 * WORD * max(1, series) * numba.get_num_threads()
        return max(1, min(self._tile_words, -(-length // WORD), budget // a_word))

    def _sweep_walks(
        self, block: SweepBlock, market: Market, evaluator: Evaluator, compiled: Compiled
    ) -> FloatArray:
        """Walk each account bar by bar; return (P, A, 6)."""
        sets, (assets, length) = len(block.sets), market.marks.shape
        words = -(-length // WORD)
        series = self._buffers.take("series", (compiled.width, assets, words * WORD))
        evaluator.write(compiled.series, slice(0, length), series)
        out = np.empty((sets, assets, 6))
        sweep_walks(
            compiled.steps, compiled.slots, compiled.order, series, _price_table(market),
            _options(block.settings), compiled.exits, block.settings.lag,
            block.settings.fill == "next_open", _stretch(sets, assets), out,
        )  # fmt: skip
        return out

    def _measure_again(
        self, block: SweepBlock, market: Market, evaluator: Evaluator, row: int, out: FloatArray
    ) -> None:
        """Compute mean and deviation of one set from its returns where sums lose too much."""
        signals = evaluator.signals(block.rule, block.settings, block.sets[row])
        returns = np.ascontiguousarray(self.paths(signals, market, block.settings).returns.T)
        out[:, _MEAN] = returns.mean(axis=0)
        out[:, _SPREAD] = annual_volatility(returns, periods_per_year=1)

    def _by_paths(self, block: SweepBlock, market: Market) -> SweepSummary:
        evaluator = Evaluator(block.prices, budget=block.budget, averages=NumbaAverages())
        rows = []
        for params in block.sets:
            signals = evaluator.signals(block.rule, block.settings, params)
            paths = self.paths(signals, market, block.settings)
            returns = np.ascontiguousarray(paths.returns.T)
            rows.append(measure(returns, paths.counts(), block.settings, block.metrics))
        return SweepSummary({name: np.stack([row[name] for row in rows]) for name in block.metrics})


def _price_table(market: Market) -> FloatArray:
    """Return (A, 5, T): fills, marks, opens, highs, lows."""
    assets, length = market.marks.shape
    table = np.full((assets, 5, length), np.nan)
    columns = (market.fill_prices, market.marks, market.opens, market.highs)
    for place, values in enumerate((*columns, market.lows)):
        if values is not None:
            table[:, place] = values
    return table


def _options(settings: Settings) -> FloatArray:
    return np.array([settings.buy_factor, settings.sell_factor, settings.borrow_a_bar])


def _stacked(
    sources: list[RunningSums], shape: tuple[int, int]
) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.int64]]:
    """Return values, sums, rests, and counts of what is missing, each (K, A, T), the last or none.

    One source is not copied.
    """
    if not sources:
        nothing = np.empty((0, *shape))
        return nothing, nothing, nothing, np.empty((0, shape[0], 0), np.int64)
    values, sums, rests = (
        given[0][None] if len(given) == 1 else np.stack(given)
        for given in zip(*((one.values, one.sums, one.rests) for one in sources), strict=True)
    )
    counts = [one.gaps for one in sources]
    if all(count is None for count in counts):
        return values, sums, rests, np.empty((len(sources), shape[0], 0), np.int64)
    none = np.zeros(shape, np.int64)
    gaps = np.stack([none if count is None else count for count in counts])
    return values, sums, rests, gaps


def _parts(assets: int) -> int:
    """Return how many tasks share the sets of an asset: cores get equal numbers of tasks."""
    threads: int = numba.get_num_threads()
    return 1 if assets >= 4 * threads else threads


def _stretch(sets: int, assets: int) -> int:
    """Return how many sets a task takes: few enough that every core gets several tasks."""
    tasks = 4 * numba.get_num_threads()
    return max(1, min(_SETS_A_TASK, -(-sets * assets // tasks)))


def _metrics_of(out: FloatArray, length: int, periods: float) -> dict[str, FloatArray]:
    """Return metrics from what the kernel reduces, by quantkit's definitions."""
    gain, fall = settled(out[..., _EQUITY] - 1.0), settled(out[..., _FALL])
    mean, spread = settled(out[..., _MEAN]), settled(out[..., _SPREAD])
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = np.where(gain == 0.0, 1.0, out[..., _EQUITY]) ** (periods / length) - 1.0
        return {
            "total_return": gain,
            "sharpe": mean / spread * np.sqrt(periods),
            "max_drawdown": fall,
            "n_trades": out[..., _TRADES],
            "annual_volatility": spread * np.sqrt(periods),
            "cagr": growth,
            "calmar": growth / (-fall + 0.0),
        }
