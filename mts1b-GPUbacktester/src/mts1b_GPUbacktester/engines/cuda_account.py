"""One account on the device, bar by bar: the rules of ``account.py`` written for one GPU thread.

Device functions take and return plain numbers, so that an account lives in registers.
"""

from __future__ import annotations

from math import isnan, nan, sqrt
from typing import Any

from mts1b_GPUbacktester.engines.cuda_device import device_function

__all__ = ["advance", "finish", "tally"]

_TINY = 8.0 * 2.220446049250313e-16


@device_function
def _level(side: int, entry_price: float, best: float, stop: float, trail: float) -> float:
    """Return the price at which a position is left, the nearer of two stops; NaN for none."""
    level = nan
    if stop > 0.0:
        level = entry_price * (1.0 - side * stop)
    if trail > 0.0:
        other = best * (1.0 - side * trail)
        if isnan(level) or (side > 0 and other > level) or (side < 0 and other < level):
            level = other
    return level


@device_function
def _stop_price(side: int, market: Any, bar: int, asset: int, level: float) -> Any:
    """Return where a bar ends a position: at its open beyond the level, at the level, or NaN.

    Where the open is missing, the level may lie outside of the bar; its nearest price counts then.

    Prices are compared, never subtracted: a fused multiplication and subtraction would round
    another way than the stop of the reference.
    """
    opened, high, low = market[2, bar, asset], market[3, bar, asset], market[4, bar, asset]
    if isnan(level) or isnan(low) or isnan(high):
        return nan
    if (side > 0 and opened <= level) or (side < 0 and opened >= level):
        return opened
    if side > 0 and low <= level:
        return min(level, high)
    if side < 0 and high >= level:
        return max(level, low)
    return nan


@device_function
def _best(side: int, market: Any, bar: int, asset: int, best: float) -> float:
    """Return the best price that a position has seen, this bar included."""
    seen = market[3, bar, asset] if side > 0 else market[4, bar, asset]
    if (side > 0 and seen > best) or (side < 0 and seen < best):
        best = seen
    return best


@device_function
def _write_entry(
    trades_out: Any, asset: int, trade: int, bar: int, price: float, units: float
) -> None:
    trades_out[asset, trade, 0] = bar
    trades_out[asset, trade, 1] = price
    trades_out[asset, trade, 2] = -1.0
    trades_out[asset, trade, 3] = nan
    trades_out[asset, trade, 4] = units


@device_function
def _write_exit(trades_out: Any, asset: int, trade: int, bar: int, price: float) -> None:
    trades_out[asset, trade, 2] = bar
    trades_out[asset, trade, 3] = price


@device_function
def advance(
    bar: int,
    decision: int,
    wanted: int,
    started: bool,
    fraction: float,
    market: Any,
    asset: int,
    options: Any,
    exits: Any,
    row: int,
    at_open: bool,
    cash: float,
    units: float,
    side: int,
    entry_bar: int,
    entry_price: float,
    best: float,
    blocked_at: int,
    trades: int,
    record: bool,
    trades_out: Any,
) -> Any:
    """Move one account over one bar; return its state and its equity at the close.

    ``market`` (5, T, A): fills, marks, opens, highs, lows; the last three are read where ``exits``
    (P, 3), stop, trail and bars of each set, ask for them. ``options``: cost and proceeds of a
    unit, borrow a bar. With ``record`` trades go into ``trades_out`` (A, T, 5).
    """
    buy, sell, most = options[0], options[1], exits[row, 2]
    stopping = exits[row, 0] > 0.0 or exits[row, 1] > 0.0
    if side < 0 and bar > 0:
        cash += units * market[1, bar - 1, asset] * options[2]
    for phase in range(2):
        if blocked_at >= 0 and blocked_at <= decision and started:
            blocked_at = -1
        filling = (phase == 0) == at_open
        leave = nan
        if side != 0 and filling:
            if wanted != side or (most > 0 and bar - entry_bar >= most):
                leave = market[0, bar, asset]
        elif side != 0 and stopping:
            level = _level(side, entry_price, best, exits[row, 0], exits[row, 1])
            leave = _stop_price(side, market, bar, asset, level)
        if not isnan(leave):
            if not filling or wanted == side:
                blocked_at = bar
            cash += units * (leave * (sell if side > 0 else buy))
            units, side = 0.0, 0
            if record:
                _write_exit(trades_out, asset, trades - 1, bar, leave)
        if filling and side == 0 and wanted != 0 and blocked_at < 0 and cash > 0.0:
            price = market[0, bar, asset]
            if not isnan(price) and fraction > 0.0:
                spent = min(fraction, 1.0) * cash
                size = spent / (price * buy)
                cash += -spent if wanted > 0 else size * (price * sell)
                units, side = wanted * size, wanted
                entry_bar, entry_price, best = bar, price, price
                if record:
                    _write_entry(trades_out, asset, trades, bar, price, units)
                trades += 1
    equity = cash if side == 0 else cash + units * market[1, bar, asset]
    if equity <= 0.0:
        if side != 0 and record:
            _write_exit(trades_out, asset, trades - 1, bar, market[1, bar, asset])
        cash, units, equity, side = 0.0, 0.0, 0.0, 0
    if side != 0 and stopping and (entry_bar < bar or at_open):
        best = _best(side, market, bar, asset, best)
    return cash, units, side, entry_bar, entry_price, best, blocked_at, trades, equity


@device_function
def tally(
    value: float,
    change: float,
    peak: float,
    worst: float,
    total: float,
    squares: float,
    below: float,
    largest: float,
) -> Any:
    """Take the equity and the return of a bar into what metrics are made of."""
    if value > peak:
        peak = value
    elif value < worst * peak:
        worst = value / peak
    total += change
    squares += change * change
    if change < 0.0:
        below += change * change
    largest = max(largest, abs(change))
    return peak, worst, total, squares, below, largest


@device_function
def finish(
    out: Any,
    row: int,
    asset: int,
    length: int,
    value: float,
    worst: float,
    trades: int,
    total: float,
    squares: float,
    below: float,
    largest: float,
) -> None:
    """Write ``out[:, row, asset]``.

    Final equity, mean and sample deviation of returns, deepest fall, trades, root mean square of
    losses, and 1 where the sums cancel so far that the deviation must be computed another way.
    """
    out[0, row, asset] = value
    out[1, row, asset] = total / length
    out[3, row, asset] = worst - 1.0
    out[4, row, asset] = trades
    out[5, row, asset] = sqrt(below / length)
    out[2, row, asset] = nan
    out[6, row, asset] = 0.0
    if length > 1:
        centred = max(squares - total * total / length, 0.0)
        spread = sqrt(centred / (length - 1))
        out[2, row, asset] = 0.0 if spread <= _TINY * largest else spread
        out[6, row, asset] = 1.0 if squares > 0.0 and centred <= 1e-5 * squares else 0.0
