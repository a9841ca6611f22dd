"""What an engine is asked for, and what it gives back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from mts1b_quantkit import metrics as quantkit
from numpy.typing import NDArray

from mts1b_GPUbacktester.account import Bars
from mts1b_GPUbacktester.errors import BadSetting
from mts1b_GPUbacktester.panels import Prices
from mts1b_GPUbacktester.program import Compiled
from mts1b_GPUbacktester.rules import Rule
from mts1b_GPUbacktester.semantics import BoolArray, FloatArray, Settings, Signals, carried

__all__ = [
    "METRICS",
    "Engine",
    "Market",
    "Paths",
    "SweepBlock",
    "SweepSummary",
    "check_metrics",
    "measure",
    "returns_of",
    "settled",
]

_PLAIN = {"total_return": quantkit.total_return, "max_drawdown": quantkit.max_drawdown}
_PER_YEAR = {
    "sharpe": quantkit.sharpe,
    "sortino": quantkit.sortino,
    "calmar": quantkit.calmar,
    "cagr": quantkit.cagr,
    "annual_volatility": quantkit.annual_volatility,
}
_ROUNDING = 4 * float(np.finfo(np.float64).eps)
METRICS = (*_PLAIN, *_PER_YEAR, "n_trades")
"""The metrics of a sweep; all but ``n_trades`` are quantkit's."""


@dataclass(frozen=True, slots=True)
class Market:
    """What a simulation needs to know of prices, each (A, T): where fills are made, and marks.

    ``opens``, ``highs`` and ``lows`` are there where stops read them.
    """

    fill_prices: FloatArray
    marks: FloatArray
    opens: FloatArray | None = None
    highs: FloatArray | None = None
    lows: FloatArray | None = None

    @classmethod
    def of(cls, prices: Prices, settings: Settings, *, stops: bool = False) -> Market:
        """Pick the prices of the fills and carry closes over missing bars.

        Before the first close nothing is filled: what is bought could not be marked.

        :raises BadPanel: where the panel has not the prices that fills or stops need.
        """
        fills, marks = prices.field(settings.price_field), carried(prices.field("close"))
        unmarked = np.isnan(marks[:, 0])
        if unmarked.any():
            fills = np.where(np.isnan(marks), np.nan, fills)
        if not stops:
            return cls(fills, marks)
        ranges = [prices.field(name) for name in ("open", "high", "low")]
        return cls(fills, marks, *ranges)

    def part(self, bars: slice) -> Market:
        """Return a stretch of time; marks before it stay carried into it."""
        cut = {
            item.name: None if values is None else np.ascontiguousarray(values[:, bars])
            for item in fields(self)
            for values in [getattr(self, item.name)]
        }
        return Market(**cut)  # type: ignore[arg-type]

    def bars(self) -> Iterator[Bars]:
        """Yield the prices of each asset."""
        ranges = (self.opens, self.highs, self.lows)
        for asset in range(len(self.marks)):
            yield Bars(
                self.fill_prices[asset],
                self.marks[asset],
                *(None if values is None else values[asset] for values in ranges),
            )


@dataclass(frozen=True, slots=True)
class Paths:
    """One simulation bar by bar, each (A, T), and the trades of each asset, (n, 5).

    Columns of trades: bar and price of the entry, bar (-1 while open) and price of the exit, units.
    """

    units: FloatArray
    equity: FloatArray
    returns: FloatArray
    trades: list[FloatArray]

    @property
    def held(self) -> BoolArray:
        """Return whether a position is held after the fills of each bar."""
        return np.asarray(self.units != 0.0)

    def counts(self) -> NDArray[np.int64]:
        """Return how many trades each asset has, (A,)."""
        return np.array([len(trades) for trades in self.trades], dtype=np.int64)

    def after(self, bars: int) -> Paths:
        """Return the paths without the first ``bars`` bars, in which nothing is held."""
        moved = []
        for trades in self.trades:
            later = trades.copy()
            later[:, 0] -= bars
            later[later[:, 2] >= 0, 2] -= bars
            moved.append(later)
        cut = slice(bars, None)
        return Paths(self.units[:, cut], self.equity[:, cut], self.returns[:, cut], moved)


def settled(values: Any, rounding: float = _ROUNDING) -> FloatArray:
    """Return values with zero for what rounding leaves of it.

    A unit that is bought for all cash and marked at its own price is worth that cash up to the last
    bit. The bit is no return, and a ratio of two such bits would look like one of two numbers.
    """
    return np.asarray(np.where(np.abs(values) <= rounding, 0.0, values), dtype=np.float64)


def returns_of(equity: FloatArray, rounding: float = _ROUNDING) -> FloatArray:
    """Return equity(t) / equity(t - 1) - 1 along the last axis, from a start of 1.0.

    Falling to zero or below is a return of -1, ruin, and after it returns are zero. So is what
    rounding leaves of zero.
    """
    previous = np.concatenate((np.ones((*equity.shape[:-1], 1)), equity[..., :-1]), axis=-1)
    over = np.logical_or.accumulate(previous <= 0.0, axis=-1)
    left = np.maximum(equity, 0.0)
    return np.where(over, 0.0, settled(left / np.where(over, 1.0, previous) - 1.0, rounding))


@dataclass(frozen=True, slots=True)
class SweepSummary:
    """One number per column of a sweep: metric -> (P, A)."""

    values: dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class SweepBlock:
    """A part of a sweep: some parameter sets on some assets.

    ``budget`` are the bytes that averages and signals may take; ``compiled`` is the rule with these
    sets where that was done before.
    """

    prices: Prices
    rule: Rule
    sets: list[dict[str, Any]]
    settings: Settings
    metrics: tuple[str, ...]
    budget: int
    compiled: Compiled | None = None

    def ready(self) -> Compiled:
        """Return the compiled rule."""
        return self.compiled or Compiled.of(self.rule, self.settings, self.sets)


class Engine(Protocol):
    """Simulate the wishes of a rule; see :mod:`mts1b_GPUbacktester.semantics`."""

    name: str

    def prepare(self, *, plain: bool) -> None:
        """Do what is done once, such as compiling, for plain long rules or for all others."""
        ...

    def paths(self, signals: Signals, market: Market, settings: Settings) -> Paths:
        """Simulate signals (A, T)."""
        ...

    def sweep(self, block: SweepBlock) -> SweepSummary:
        """Simulate and measure every set on every asset of a block."""
        ...


def check_metrics(metrics: Sequence[str]) -> tuple[str, ...]:
    """Return the metrics when all are known; one may be given by its name.

    :raises BadSetting: otherwise.
    """
    metrics = [metrics] if isinstance(metrics, str) else metrics
    if not isinstance(metrics, Iterable):
        raise BadSetting(f"metrics {metrics!r} must be a list of names")
    unknown = [name for name in metrics if name not in METRICS]
    if unknown or not metrics:
        raise BadSetting(
            f"metrics {', '.join(unknown) or '(none)'} are refused; "
            f"choose from {', '.join(METRICS)}"
        )
    return tuple(dict.fromkeys(metrics))


def measure(
    returns: FloatArray, n_trades: NDArray[np.int64], settings: Settings, metrics: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Measure K accounts by quantkit's definitions: returns (T, K) -> metric -> (K,)."""
    found: dict[str, NDArray[np.float64]] = {}
    for name in metrics:
        if name == "n_trades":
            found[name] = n_trades.astype(np.float64)
        elif name in _PLAIN:
            found[name] = np.asarray(_PLAIN[name](returns), dtype=np.float64)
        else:
            metric = _PER_YEAR[name]
            found[name] = np.asarray(metric(returns, periods_per_year=settings.periods_per_year))
    return found
