"""The compiled engine: one pass over the bars of each account, all cores. Import it lazily."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np

from mts1b_GPUbacktester.engines.port import Market, Paths, SweepSummary, measure
from mts1b_GPUbacktester.semantics import BoolArray, FloatArray, Settings

__all__ = ["NumbaEngine"]

_IN_KERNEL = frozenset({"total_return", "sharpe", "max_drawdown", "n_trades"})
_EQUITY, _MEAN, _SPREAD, _FALL, _TRADES = range(5)


def _walk(
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


def _measure_account(
    wishes: Any, fill_prices: Any, marks: Any, lag: int, buy: float, sell: float, out: Any
) -> None:
    """Simulate one account and keep its end, mean and spread of returns, deepest fall, trades.

    One pass, no buffer. Sums of returns run over differences from the first return, so that
    squaring loses nothing where returns hardly vary. A bar without a position returns exactly 0.
    """
    length = len(wishes)
    cash, units, trades, held = 1.0, 0.0, 0, False
    previous, peak, trough, fall = 1.0, 1.0, 1.0, 0.0
    first, total, squares, largest = 0.0, 0.0, 0.0, 0.0
    for t in range(length):
        exposed = held
        price = fill_prices[t]
        if not np.isnan(price):
            wanted = t >= lag and wishes[t - lag]
            if wanted and not held:
                units = cash / (price * buy)
                trades += 1
                held = exposed = True
            elif held and not wanted:
                cash = units * (price * sell)
                held = False
        change = 0.0
        if exposed:
            value = units * marks[t] if held else cash
            change = value / previous - 1.0
            previous = value
            largest = max(largest, abs(change))
            if value > peak:
                fall = min(fall, trough / peak - 1.0)
                peak = trough = value
            elif value < trough:
                trough = value
        if t == 0:
            first = change
        total += change - first
        squares += (change - first) ** 2
    out[0] = previous
    out[1] = first + total / length
    out[2] = _spread_of(total, squares, length, largest)
    out[3] = min(fall, trough / peak - 1.0)
    out[4] = trades


def _spread(total: float, squares: float, length: int, largest: float) -> float:
    """Return the sample deviation from sums; rounding of a constant counts as 0, as in quantkit."""
    if length < 2:
        return np.nan
    spread: float = np.sqrt(max(squares - total * total / length, 0.0) / (length - 1))
    return 0.0 if spread <= 8.0 * 2.220446049250313e-16 * largest else spread


def _summarise(
    wishes: Any, fill_prices: Any, marks: Any, lag: int, buy: float, sell: float, out: Any
) -> None:
    """Measure every account of (P, A, T), shared out over the cores."""
    sets, assets = wishes.shape[:2]
    for column in numba.prange(sets * assets):
        p, a = column // assets, column % assets
        measure_account(wishes[p, a], fill_prices[a], marks[a], lag, buy, sell, out[p, a])


def _compile(function: Callable[..., Any], *, parallel: bool = False) -> Any:
    """Compile on first call; keep the result on disk where a folder can be written."""
    try:
        return numba.njit(cache=True, parallel=parallel)(function)
    except RuntimeError:
        return numba.njit(parallel=parallel)(function)


walk = _compile(_walk)
_spread_of = _compile(_spread)
measure_account = _compile(_measure_account)
summarise_all = _compile(_summarise, parallel=True)


class NumbaEngine:
    """Simulate with compiled loops; agrees with the numpy engine, tests say to what digit."""

    name = "numba"

    def prepare(self) -> None:
        """Compile, or load what was compiled before."""
        one = np.ones((1, 2))
        wishes = np.ones((1, 1, 2), dtype=np.bool_)
        self._run(wishes, Market(one, one), Settings())

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

    def summarise(
        self, wishes: BoolArray, market: Market, settings: Settings, metrics: Sequence[str]
    ) -> SweepSummary:
        """Simulate wishes (P, A, T); what the kernel does not reduce is measured by quantkit."""
        if not _IN_KERNEL.issuperset(metrics):
            return self._by_paths(wishes, market, settings, metrics)
        out = self._run(wishes, market, settings)
        with np.errstate(divide="ignore", invalid="ignore"):
            reward = out[..., _MEAN] / out[..., _SPREAD] * np.sqrt(settings.periods_per_year)
        found = {
            "total_return": out[..., _EQUITY] - 1.0,
            "sharpe": reward,
            "max_drawdown": out[..., _FALL],
            "n_trades": out[..., _TRADES],
        }
        return SweepSummary({name: found[name] for name in metrics})

    def _by_paths(
        self, wishes: BoolArray, market: Market, settings: Settings, metrics: Sequence[str]
    ) -> SweepSummary:
        rows = []
        for one in wishes:
            paths = self.paths(one, market, settings)
            entries = np.count_nonzero(paths.held[:, 1:] & ~paths.held[:, :-1], axis=1)
            returns = np.ascontiguousarray(paths.returns.T)
            rows.append(measure(returns, entries + paths.held[:, 0], settings, metrics))
        return SweepSummary({name: np.stack([row[name] for row in rows]) for name in metrics})

    def _run(self, wishes: BoolArray, market: Market, settings: Settings) -> FloatArray:
        out = np.empty((*wishes.shape[:2], 5))
        summarise_all(
            wishes,
            market.fill_prices,
            market.marks,
            settings.lag,
            settings.buy_factor,
            settings.sell_factor,
            out,
        )
        return out
