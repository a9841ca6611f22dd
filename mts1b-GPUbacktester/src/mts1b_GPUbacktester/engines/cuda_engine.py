"""The CUDA engine: float64 on the device, one thread an account. Import it lazily."""

from __future__ import annotations

from typing import Any

import numpy as np
from mts1b_platform.clock import Clock, SystemClock
from mts1b_quantkit.metrics import annual_volatility

from mts1b_GPUbacktester.engines import cuda_kernels as kernels
from mts1b_GPUbacktester.engines.cuda_device import cuda_module
from mts1b_GPUbacktester.engines.cuda_series import DeviceSeries
from mts1b_GPUbacktester.engines.port import (
    Market,
    Paths,
    SweepBlock,
    SweepSummary,
    returns_of,
    settled,
)
from mts1b_GPUbacktester.errors import BadRule
from mts1b_GPUbacktester.evaluate import Evaluator
from mts1b_GPUbacktester.panels import Prices
from mts1b_GPUbacktester.program import Compiled, is_plain
from mts1b_GPUbacktester.rules import close, ema, long_when, sma
from mts1b_GPUbacktester.semantics import FloatArray, Settings, Signals

__all__ = ["CudaEngine"]

cuda: Any = cuda_module()

_THREADS = 128
_COLUMNS = 7
_EQUITY, _MEAN, _SPREAD, _FALL, _TRADES, _LOSSES, _CANCELLED = range(_COLUMNS)
_MOST_STEPS = 62


class CudaEngine:
    """Simulate on a GPU; agrees with the numpy engine, tests say to what digit.

    Prices go to the device once for all sets of a block; averages are computed there once and
    shared by all sets. Values that are no averages are computed by numpy and copied.
    """

    name = "cuda"

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock if clock is not None else SystemClock()
        self._transfer = 0.0
        self._evaluated: tuple[Prices, Evaluator] | None = None

    def times(self) -> dict[str, float]:
        """Return the seconds that went into copies to and from the device so far."""
        return {"transfer": self._transfer}

    def room(self) -> int:
        """Return how many bytes a block may take: most of the card's memory.

        Of all of it, not of what is free now: blocks must be cut the same when a sweep goes on.
        """
        total = cuda.current_context().get_memory_info().total
        return int(min(total, 2**62) * 0.7)

    def prepare(self, *, plain: bool) -> None:
        """Compile what plain long rules or all others need."""
        one = np.array([[1.0, 2.0], [1.0, np.nan]])
        prices = Prices(one, one, one, one, one, (0, 1), ("A", "B"))
        rule = long_when((sma(close, 1) > ema(close, 2)) & (close > 0))
        whole = rule if plain else rule.stop(0.5)
        self.sweep(SweepBlock(prices, whole, [{}], Settings(), ("total_return",), 2**20))
        self._transfer = 0.0

    def sweep(self, block: SweepBlock) -> SweepSummary:
        """Simulate and measure every set on every asset of a block.

        :raises BadRule: for a rule of more parts than the device program holds.
        """
        settings = block.settings
        compiled = block.ready()
        if len(compiled.steps) > _MOST_STEPS:
            raise BadRule(
                f"the rule has {len(compiled.steps)} parts, {_MOST_STEPS} are possible on a GPU; "
                "use engine='numba'"
            )
        market = Market.of(block.prices, settings, stops=block.rule.has_stops)
        evaluator = self._evaluator(block)
        plain = is_plain(block.rule, settings)
        out = self._run(block, compiled, market, evaluator, plain=plain)
        for row in np.flatnonzero(out[_CANCELLED].any(axis=1)):
            signals = evaluator.signals(block.rule, settings, block.sets[row])
            returns = np.ascontiguousarray(self.paths(signals, market, settings).returns.T)
            out[_MEAN, row] = returns.mean(axis=0)
            out[_SPREAD, row] = annual_volatility(returns, periods_per_year=1)
        length, periods = market.marks.shape[1], settings.periods_per_year
        return SweepSummary({name: _metric(name, out, length, periods) for name in block.metrics})

    def _run(
        self,
        block: SweepBlock,
        compiled: Compiled,
        market: Market,
        evaluator: Evaluator,
        *,
        plain: bool,
    ) -> FloatArray:
        settings, sets = block.settings, len(block.sets)
        assets, length = market.marks.shape
        table = self._up(_plain_table(market) if plain else _price_table(market))
        series = DeviceSeries(evaluator, (assets, length), self._up, _grid)
        values = series.of(compiled.series)
        steps, slots, order = (
            self._up(array) for array in (compiled.steps, compiled.slots, compiled.order)
        )
        options = self._up(_options(settings))
        out = cuda.device_array((_COLUMNS, sets, assets))
        grid = _grid(sets * assets)
        if plain:
            kernels.sweep_long[grid](
                steps, slots, order, values, table, options, settings.lag, out
            )  # fmt: skip
        else:
            nothing = cuda.device_array((1, 1, 5))
            kernels.sweep_walks[grid](
                steps, slots, order, values, table, options, self._up(compiled.exits),
                settings.lag, settings.fill == "next_open", nothing, out,
            )  # fmt: skip
        cuda.synchronize()
        reduced: FloatArray = self._down(out)
        return reduced

    def paths(self, signals: Signals, market: Market, settings: Settings) -> Paths:
        """Simulate signals (A, T), a thread an asset."""
        assets, length = signals.want.shape
        units, equity = (cuda.device_array((length, assets)) for _ in range(2))
        trades, counts = cuda.device_array((assets, length, 5)), cuda.device_array(assets, np.int64)
        exits = np.array([[signals.stop, signals.trail, signals.most_bars]], dtype=np.float64)
        kernels.walk[_grid(assets)](
            self._up(signals.want.T), self._up(signals.start.T.astype(np.int8)),
            self._up(signals.fractions.T), self._up(_price_table(market)),
            self._up(_options(settings)), self._up(exits), settings.lag,
            settings.fill == "next_open", units, equity, trades, counts,
        )  # fmt: skip
        cuda.synchronize()
        many, all_trades = self._down(counts), self._down(trades)
        worth = np.ascontiguousarray(self._down(equity).T)
        return Paths(
            np.ascontiguousarray(self._down(units).T),
            worth,
            returns_of(worth),
            [all_trades[asset, :count].copy() for asset, count in enumerate(many)],
        )

    def _evaluator(self, block: SweepBlock) -> Evaluator:
        """Return the evaluator of these prices; blocks of one stretch of assets share it."""
        if self._evaluated is None or self._evaluated[0] is not block.prices:
            self._evaluated = (block.prices, Evaluator(block.prices, budget=block.budget))
        return self._evaluated[1]

    def _up(self, array: Any) -> Any:
        began = self._clock.monotonic()
        there = cuda.to_device(np.ascontiguousarray(array))
        self._transfer += self._clock.monotonic() - began
        return there

    def _down(self, there: Any) -> Any:
        began = self._clock.monotonic()
        array = there.copy_to_host()
        self._transfer += self._clock.monotonic() - began
        return array


def _grid(threads: int) -> tuple[int, int]:
    return max(1, -(-threads // _THREADS)), min(_THREADS, max(1, threads))


def _price_table(market: Market) -> FloatArray:
    """Return (5, T, A): fills, marks, opens, highs, lows; one bar of NaN where none is read."""
    assets, length = market.marks.shape
    table = np.full((5, length, assets), np.nan)
    columns = (market.fill_prices, market.marks, market.opens, market.highs, market.lows)
    for place, values in enumerate(columns):
        if values is not None:
            table[place] = values.T
    return table


def _plain_table(market: Market) -> FloatArray:
    """Return (3, T, A): fills, marks, and returns from mark to mark."""
    marks = market.marks.T
    table = np.full((3, *marks.shape), np.nan)
    table[0], table[1] = market.fill_prices.T, marks
    table[2, 1:] = marks[1:] / marks[:-1] - 1.0
    return table


def _options(settings: Settings) -> FloatArray:
    return np.array([settings.buy_factor, settings.sell_factor, settings.borrow_a_bar])


def _metric(name: str, out: FloatArray, length: int, periods: float) -> FloatArray:
    """Return a metric (P, A) from what the kernels reduce (7, P, A), by quantkit's definitions."""
    if name == "n_trades":
        return np.asarray(out[_TRADES], dtype=np.float64)
    gain, fall = settled(out[_EQUITY] - 1.0), settled(out[_FALL])
    if name in ("total_return", "max_drawdown"):
        return gain if name == "total_return" else fall
    with np.errstate(divide="ignore", invalid="ignore"):
        if name in ("sharpe", "sortino"):
            risk = settled(out[_SPREAD if name == "sharpe" else _LOSSES])
            return np.asarray(settled(out[_MEAN]) / risk * np.sqrt(periods), dtype=np.float64)
        if name == "annual_volatility":
            return np.asarray(settled(out[_SPREAD]) * np.sqrt(periods), dtype=np.float64)
        growth = np.where(gain == 0.0, 1.0, out[_EQUITY]) ** (periods / length) - 1.0
        return growth if name == "cagr" else growth / (-fall + 0.0)
