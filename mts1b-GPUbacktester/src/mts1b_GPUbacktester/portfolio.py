"""Simulate target weights over time: one account, many assets, drifting between rebalances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mts1b_GPUbacktester.engines import Market
from mts1b_GPUbacktester.errors import BadSetting
from mts1b_GPUbacktester.panels import PanelLike, Prices, panel_from
from mts1b_GPUbacktester.results import BacktestResult, backtest_result
from mts1b_GPUbacktester.semantics import Fill, FloatArray, Settings

if TYPE_CHECKING:
    import polars as pl

__all__ = ["run_portfolio"]


def run_portfolio(
    panel: PanelLike,
    target_weights: Any,
    *,
    rebalance: int = 1,
    fees_bps: float = 5.0,
    slippage_bps: float = 0.0,
    fill: Fill = "next_open",
    initial_cash: float = 1.0,
    periods_per_year: float = 252,
) -> BacktestResult:
    """Trade towards target weights (T, A), decided at the close of each bar.

    Every ``rebalance`` bars, from the first bar with a weight, units are set to weight x equity /
    price at the fill, equity being that before the costs of the trade; in between they drift.
    Weights may be negative and need not sum to one; the rest is cash, which earns nothing. An asset
    without a price at the fill keeps its units. NaN weights count as zero. Costs are exact and paid
    from cash.

    :raises BadSetting: for weights of another shape or with infinities.
    """
    settings = Settings(
        fill=fill,
        fees_bps=fees_bps,
        slippage_bps=slippage_bps,
        periods_per_year=periods_per_year,
    )
    prices = Prices.of(panel_from(panel))
    weights = _checked(target_weights, prices)
    if rebalance < 1:
        raise BadSetting(f"rebalance {rebalance} must be a number of bars, 1 or more")
    if not initial_cash > 0:
        raise BadSetting(f"initial_cash {initial_cash} must be positive")
    return simulate_weights(
        prices, Market.of(prices, settings), weights, settings, rebalance, initial_cash
    )


def _checked(target_weights: Any, prices: Prices) -> FloatArray:
    weights = np.asarray(target_weights, dtype=np.float64)
    shape = prices.close.shape[::-1]
    if weights.shape != shape:
        raise BadSetting(f"target_weights have shape {weights.shape}; the panel asks for {shape}")
    if np.isinf(weights).any():
        raise BadSetting("target_weights hold an infinity; use NaN or 0 for no position")
    return weights


@dataclass
class _Book:
    """Cash and units while the simulation walks."""

    cash: float
    units: FloatArray
    costs: float = 0.0

    def trade(self, weights: FloatArray, prices: FloatArray, settings: Settings) -> FloatArray:
        """Move to the weights at these prices; return the units traded."""
        priced = ~np.isnan(prices)
        safe = np.where(priced, prices, 0.0)
        equity = self.cash + float(self.units @ safe)
        wanted = np.where(priced, weights * equity / np.where(priced, prices, 1.0), self.units)
        traded = wanted - self.units
        notional = traded * safe
        paid = np.where(notional > 0, settings.buy_factor - 1.0, 1.0 - settings.sell_factor)
        cost = float((np.abs(notional) * paid).sum())
        self.cash -= float(notional.sum()) + cost
        self.costs += cost
        self.units = wanted
        return traded


def simulate_weights(
    prices: Prices,
    market: Market,
    weights: FloatArray,
    settings: Settings,
    rebalance: int,
    initial_cash: float,
) -> BacktestResult:
    """Walk the bars; see :func:`run_portfolio`."""
    length, assets = weights.shape
    book = _Book(initial_cash, np.zeros(assets))
    equity, held = np.empty(length), np.zeros((length, assets))
    fills: list[tuple[Any, ...]] = []
    decided = ~np.isnan(weights).all(axis=1)
    first = int(np.argmax(decided)) if decided.any() else length
    targets = np.nan_to_num(weights, nan=0.0)
    marks = np.nan_to_num(market.marks, nan=0.0)
    for bar in range(length):
        decision = bar - settings.lag
        if decision >= first and (decision - first) % rebalance == 0:
            at = market.fill_prices[:, bar]
            traded = book.trade(targets[decision], at, settings)
            for asset in np.flatnonzero(traded):
                fills.append(
                    (
                        prices.dates[bar],
                        prices.symbols[asset],
                        float(traded[asset]),
                        float(at[asset]),
                    )
                )
        value = book.units * marks[:, bar]
        equity[bar] = book.cash + value.sum()
        held[bar] = value / equity[bar]
    return backtest_result(
        dates=prices.dates,
        symbols=prices.symbols,
        equity=equity,
        start_equity=initial_cash,
        weights=held,
        trades=_fill_table(fills, prices),
        costs=book.costs / initial_cash,
        settings=settings,
    )


def _fill_table(fills: list[tuple[Any, ...]], prices: Prices) -> pl.DataFrame:
    """Return one row a fill; ``units`` is signed, ``price`` is the bar's, before costs."""
    import polars as pl

    schema: dict[str, Any] = {
        "time": pl.Series(list(prices.dates[:1])).dtype,
        "symbol": pl.String,
        "units": pl.Float64,
        "price": pl.Float64,
    }
    return pl.DataFrame(fills, schema=schema, orient="row")
