"""The list of round trips behind the paths of a simulation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mts1b_GPUbacktester.engines import Market, Paths
from mts1b_GPUbacktester.semantics import Settings

if TYPE_CHECKING:
    import polars as pl

__all__ = ["costs_of", "trade_table"]


def trade_table(
    paths: Paths, market: Market, settings: Settings, dates: Sequence[Any], symbols: Sequence[str]
) -> pl.DataFrame:
    """Return one row a round trip, by symbol, then time of entry.

    Columns: symbol, entry_time, entry_price, exit_time, exit_price, units, bars, trade_return,
    is_open. Prices are those of the bar, before slippage and fees; ``trade_return`` is after both.
    An open trade has no exit and is marked at the last known close.
    """
    import polars as pl

    rows = [
        row
        for asset, symbol in enumerate(symbols)
        for row in _trades_of(paths, market, settings, dates, symbol, asset)
    ]
    stamps = pl.Series(list(dates[:1])).dtype
    schema: dict[str, Any] = {
        "symbol": pl.String,
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
    paths: Paths,
    market: Market,
    settings: Settings,
    dates: Sequence[Any],
    symbol: str,
    asset: int,
) -> Iterator[tuple[Any, ...]]:
    held, fills = paths.held[asset], market.fill_prices[asset]
    change = np.diff(held.astype(np.int8), prepend=0, append=0)
    entries, exits = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    for entry, leave in zip(entries.tolist(), exits.tolist(), strict=True):
        is_open = leave == len(held)
        price = float(market.marks[asset, -1] if is_open else fills[leave])
        value = price * (1.0 if is_open else settings.sell_factor)
        yield (
            symbol,
            dates[entry],
            float(fills[entry]),
            None if is_open else dates[leave],
            None if is_open else price,
            float(paths.units[asset, entry]),
            leave - entry,
            value / (fills[entry] * settings.buy_factor) - 1.0,
            is_open,
        )


def costs_of(paths: Paths, market: Market, settings: Settings) -> float:
    """Return what fees and slippage took from all accounts together."""
    before = np.concatenate((np.zeros((len(paths.units), 1)), paths.units[:, :-1]), axis=1)
    traded = paths.units - before
    rate = np.where(traded > 0, settings.buy_factor - 1.0, 1.0 - settings.sell_factor)
    filled = np.where(traded != 0, np.abs(traded) * market.fill_prices * rate, 0.0)
    return float(filled.sum())
