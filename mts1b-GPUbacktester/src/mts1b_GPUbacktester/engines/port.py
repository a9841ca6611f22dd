"""What an engine is asked for, and what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from mts1b_quantkit import metrics as quantkit
from numpy.typing import NDArray

from mts1b_GPUbacktester.errors import BadSetting
from mts1b_GPUbacktester.panels import Prices
from mts1b_GPUbacktester.rules import Rule
from mts1b_GPUbacktester.semantics import BoolArray, FloatArray, Settings, carried

__all__ = [
    "METRICS",
    "Engine",
    "Market",
    "Paths",
    "SweepBlock",
    "SweepSummary",
    "check_metrics",
    "measure",
]

_PLAIN = {"total_return": quantkit.total_return, "max_drawdown": quantkit.max_drawdown}
_PER_YEAR = {
    "sharpe": quantkit.sharpe,
    "sortino": quantkit.sortino,
    "calmar": quantkit.calmar,
    "cagr": quantkit.cagr,
    "annual_volatility": quantkit.annual_volatility,
}
METRICS = (*_PLAIN, *_PER_YEAR, "n_trades")
"""The metrics of a sweep; all but ``n_trades`` are quantkit's."""


@dataclass(frozen=True, slots=True)
class Market:
    """What a simulation needs to know of prices, each (A, T): where fills are made, and marks."""

    fill_prices: FloatArray
    marks: FloatArray

    @classmethod
    def of(cls, prices: Prices, settings: Settings) -> Market:
        """Pick the prices of the fills and carry closes over missing bars.

        Before the first close nothing is filled: what is bought could not be marked.
        """
        fills, marks = prices.field(settings.price_field), carried(prices.field("close"))
        unmarked = np.isnan(marks[:, 0])
        if unmarked.any():
            fills = np.where(np.isnan(marks), np.nan, fills)
        return cls(fills, marks)

    def part(self, bars: slice) -> Market:
        """Return a stretch of time; marks before it stay carried into it."""
        return Market(
            np.ascontiguousarray(self.fill_prices[:, bars]),
            np.ascontiguousarray(self.marks[:, bars]),
        )


@dataclass(frozen=True, slots=True)
class Paths:
    """One simulation bar by bar, each (A, T)."""

    held: BoolArray
    units: FloatArray
    equity: FloatArray
    returns: FloatArray


@dataclass(frozen=True, slots=True)
class SweepSummary:
    """One number per column of a sweep: metric -> (P, A)."""

    values: dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class SweepBlock:
    """A part of a sweep: some parameter sets on some assets.

    ``budget`` are the bytes that averages and signals may take.
    """

    prices: Prices
    rule: Rule
    sets: list[dict[str, Any]]
    settings: Settings
    metrics: tuple[str, ...]
    budget: int


class Engine(Protocol):
    """Simulate the wishes of a rule; see :mod:`mts1b_GPUbacktester.semantics`."""

    name: str

    def prepare(self) -> None:
        """Do what is done once, such as compiling."""
        ...

    def paths(self, wishes: BoolArray, market: Market, settings: Settings) -> Paths:
        """Simulate wishes (A, T)."""
        ...

    def sweep(self, block: SweepBlock) -> SweepSummary:
        """Simulate and measure every set on every asset of a block."""
        ...


def check_metrics(metrics: Sequence[str]) -> tuple[str, ...]:
    """Return the metrics when all are known.

    :raises BadSetting: otherwise.
    """
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
