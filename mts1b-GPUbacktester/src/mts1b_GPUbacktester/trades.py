"""The list of round trips behind the paths of a simulation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mts1b_GPUbacktester.engines import Market, Paths
from mts1b_GPUbacktester.semantics import FloatArray, Settings

if TYPE_CHECKING:
    import polars as pl

__all__ = ["costs_of", "trade_table"]


def trade_table(
    paths: Paths, market: Market, settings: Settings, dates: Sequence[Any], symbols: Sequence[str]
) -> pl.DataFrame:
    """Return one row a round trip, by symbol, then time of entry.

    Columns: symbol, side, entry_time, entry_price, exit_time, exit_price, units, bars,
    trade_return, is_open. Prices are those of the fills before slippage and fees; ``trade_return``
    is after both. An open trade has no exit and is marked at the last known close.
    """
    import polars as pl

    rows = [
        row
        for asset, symbol in enumerate(symbols)
        for row in _trades_of(
            paths.trades[asset], float(market.marks[asset, -1]), settings, dates, symbol
        )
    ]
    stamps = pl.Series(list(dates[:1])).dtype
    schema: dict[str, Any] = {
        "symbol": pl.String,
        "side": pl.String,
        "entry_time": stamps,
        "entry_price": pl.Float64,
        "exit_time": stamps,
        "exit_price": pl.Float64,
        "units": pl.Float64,
        "bars": pl.Int64,
        "trade_return": pl.Float64,
        "is_open": pl.Boolean,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _trades_of(
    trades: FloatArray, mark: float, settings: Settings, dates: Sequence[Any], symbol: str
) -> Iterator[tuple[Any, ...]]:
    for start, price, end, leave, units in trades.tolist():
        entry, is_open = int(start), end < 0
        last = len(dates) if is_open else int(end)
        yield (
            symbol,
            "long" if units > 0 else "short",
            dates[entry],
            price,
            None if is_open else dates[last],
            None if is_open else leave,
            abs(units),
            last - entry,
            _trade_return(price, mark if is_open else leave, units, settings, is_open=is_open),
            is_open,
        )


def _trade_return(
    entry: float, leave: float, units: float, settings: Settings, *, is_open: bool
) -> float:
    """Return the gain of a trade over what was put in, ``units`` at the cost of buying them."""
    buy, sell = settings.buy_factor, settings.sell_factor
    if units > 0:
        return leave * (1.0 if is_open else sell) / (entry * buy) - 1.0
    return (entry * sell - leave * (1.0 if is_open else buy)) / (entry * buy)


def costs_of(paths: Paths, settings: Settings) -> float:
    """Return what fees and slippage took from all accounts together."""
    buy, sell = settings.buy_factor - 1.0, 1.0 - settings.sell_factor
    total = 0.0
    for trades in paths.trades:
        long, closed = trades[:, 4] > 0, trades[:, 2] >= 0
        size = np.abs(trades[:, 4])
        total += float((size * trades[:, 1] * np.where(long, buy, sell)).sum())
        leaves = size * trades[:, 3] * np.where(long, sell, buy)
        total += float(leaves[closed].sum())
    return total
