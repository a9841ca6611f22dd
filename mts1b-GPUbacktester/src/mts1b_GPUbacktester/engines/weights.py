"""A portfolio of target weights, compiled: one pass over the bars, by the rules of book.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from mts1b_GPUbacktester.book import DUST, NUDGE, Orders, Tape, WalkedBook
from mts1b_GPUbacktester.engines.compiling import compiled

__all__ = ["walk_weights"]


@compiled(reorder=True)
def _equity_at(fills: Any, closes: Any, marks: Any, units: Any, cash: float) -> Any:
    """Return the equity at the fills of a bar, and how many prices are not positive.

    What has no price counts at its last mark.
    """
    total, wrong = cash, 0
    for asset in range(len(units)):
        price, mark = fills[asset], marks[asset]
        known = not np.isnan(price) and (mark > 0.0 or not np.isnan(closes[asset]))
        total += units[asset] * (price if known else mark)
        wrong += 1 if price <= 0.0 or price == np.inf else 0
    return total, wrong


@compiled(reorder=True)
def _rebalance(
    fills: Any,
    closes: Any,
    weights: Any,
    marks: Any,
    units: Any,
    equity: float,
    bought: float,
    sold: float,
) -> Any:
    """Trade fractions to the weights; return what is spent, the costs and how many fills."""
    spent, costs, count = 0.0, 0.0, 0
    for asset in range(len(units)):
        price, mark, weight = fills[asset], marks[asset], weights[asset]
        known = not np.isnan(price) and (mark > 0.0 or not np.isnan(closes[asset]))
        wanted = (0.0 if np.isnan(weight) else weight) * equity / (price if known else 1.0)
        traded = wanted - units[asset] if known else 0.0
        traded = 0.0 if abs(traded) <= DUST * abs(units[asset]) else traded
        notional = traded * (price if known else 0.0)
        spent += notional
        costs += notional * bought if notional > 0.0 else -notional * sold
        count += 1 if traded != 0.0 else 0
        units[asset] += traded
    return spent, costs, count


@compiled()
def _whole_lots(units: float, lot: float) -> float:
    if lot <= 0.0:
        return units
    whole: float = np.sign(units) * np.floor(abs(units) / lot + NUDGE) * lot
    return whole


@compiled()
def _rebalance_limited(
    fills: Any,
    closes: Any,
    volumes: Any,
    weights: Any,
    marks: Any,
    units: Any,
    equity: float,
    bought: float,
    sold: float,
    lots: Any,
    share: float,
) -> Any:
    """Trade whole lots, at most a share of the volume; return as :func:`_rebalance`."""
    spent, costs, count = 0.0, 0.0, 0
    for asset in range(len(units)):
        price, mark, weight = fills[asset], marks[asset], weights[asset]
        if np.isnan(price) or not (mark > 0.0 or not np.isnan(closes[asset])):
            continue
        wanted = (0.0 if np.isnan(weight) else weight) * equity / price
        traded = _whole_lots(wanted, lots[asset]) - units[asset]
        traded = 0.0 if abs(traded) <= DUST * abs(units[asset]) else traded
        if share > 0.0:
            volume = volumes[asset]
            most = 0.0 if np.isnan(volume) else share * volume
            traded = _whole_lots(min(max(traded, -most), most), lots[asset])
        notional = traded * price
        spent += notional
        costs += notional * bought if notional > 0.0 else -notional * sold
        count += 1 if traded != 0.0 else 0
        units[asset] += traded
    return spent, costs, count


@compiled()
def _trade_with_care(
    fills: Any,
    closes: Any,
    volumes: Any,
    weights: Any,
    marks: Any,
    units: Any,
    cash: float,
    numbers: Any,
    lots: Any,
    limited: bool,
) -> Any:
    """Trade to the weights where prices may be missing or the quantity is limited.

    Return as :func:`_rebalance`, and how many prices are not positive or weights infinite.
    """
    equity, wrong = _equity_at(fills, closes, marks, units, cash)
    wrong += _infinite(weights)
    equity = max(equity, 0.0)
    if limited:
        spent, paid, count = _rebalance_limited(
            fills, closes, volumes, weights, marks, units, equity, numbers[0], numbers[1], lots,
            numbers[3],
        )  # fmt: skip
    else:
        spent, paid, count = _rebalance(
            fills, closes, weights, marks, units, equity, numbers[0], numbers[1]
        )
    return spent, paid, count, wrong


@compiled(reorder=True)
def _mark(closes: Any, marks: Any, units: Any) -> Any:
    """Move the marks to the closes of a bar.

    Return the value of all and of short positions, and how many closes are not positive.
    """
    total, short, wrong = 0.0, 0.0, 0
    for asset in range(len(units)):
        close = closes[asset]
        mark = marks[asset] if np.isnan(close) else close
        marks[asset] = mark
        value = units[asset] * mark
        total += value
        short += value if value < 0.0 else 0.0
        wrong += 1 if close <= 0.0 or close == np.inf else 0
    return total, short, wrong


@compiled(reorder=True)
def _known_value(prices: Any, units: Any) -> Any:
    """Return the value at prices that are all known, else NaN or infinite.

    Also return the value of short positions, and how many prices are not positive.
    """
    total, short, wrong = 0.0, 0.0, 0.0
    for asset in range(len(units)):
        price = prices[asset]
        value = units[asset] * price
        total += value
        short += value if value < 0.0 else 0.0
        wrong += 1.0 if price <= 0.0 else 0.0
    return total, short, wrong


@compiled(reorder=True)
def _known_rebalance(
    fills: Any, closes: Any, weights: Any, units: Any, equity: float, traded_to: Any
) -> Any:
    """Write what :func:`_rebalance` leaves, where all prices and weights are known.

    Return what was spent, what was moved in either direction, how many fills, and the value of all
    and of short positions at the closes with how many of these are not positive. The first or the
    fourth is NaN or infinite where something was not known; nothing else was changed then.
    """
    spent, moved, count, total, short, wrong = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for asset in range(len(units)):
        price, close, held = fills[asset], closes[asset], units[asset]
        traded = weights[asset] * equity / price - held
        traded = 0.0 if abs(traded) <= DUST * abs(held) else traded
        notional = traded * price
        spent += notional
        moved += abs(notional)
        count += 1.0 if traded != 0.0 else 0.0
        left = held + traded
        traded_to[asset] = left
        value = left * close
        total += value
        short += value if value < 0.0 else 0.0
        wrong += 1.0 if close <= 0.0 else 0.0
    return spent, moved, count, total, short, wrong


@compiled()
def _walk(
    fills: Any,
    closes: Any,
    volumes: Any,
    weights: Any,
    trading: Any,
    lots: Any,
    numbers: Any,
    lag: int,
    cash: float,
    equity_out: Any,
) -> Any:
    """Walk the bars; ``numbers``: cost of buying, of selling, borrow a bar, share of the volume.

    Each bar is tried as one where everything is known; where it is not, it is done again with care.
    """
    length, assets = weights.shape
    units, others, marks = np.zeros(assets), np.zeros(assets), np.zeros(assets)
    bought, sold = numbers[0], numbers[1]
    costs, count, short, wrong = 0.0, 0.0, 0.0, 0.0
    limited = numbers[3] > 0.0 or lots.max() > 0.0
    # The bar whose closes are the marks; -1 where ``marks`` holds them.
    marked = -1
    for bar in range(length):
        cash += short * numbers[2]
        decision = bar - lag
        trades = decision >= 0 and trading[decision]
        if trades and not limited:
            total, _, faults = _known_value(fills[bar], units)
            if np.isfinite(total):
                spent, moved, more, total, below, other_faults = _known_rebalance(
                    fills[bar], closes[bar], weights[decision], units, max(cash + total, 0.0),
                    others,
                )  # fmt: skip
                if np.isfinite(spent) and np.isfinite(total):
                    paid = 0.5 * (bought * (moved + spent) + sold * (moved - spent))
                    cash -= spent + paid
                    costs += paid
                    count += more
                    wrong += faults + other_faults
                    units, others = others, units
                    short, marked = below, bar
                    equity_out[bar] = cash + total
                    continue
        elif not trades:
            total, below, faults = _known_value(closes[bar], units)
            if np.isfinite(total):
                wrong += faults
                short, marked = below, bar
                equity_out[bar] = cash + total
                continue
        if marked >= 0:
            marks[:] = closes[marked]
            marked = -1
        if trades:
            spent, paid, more, faults = _trade_with_care(
                fills[bar], closes[bar], volumes[bar], weights[decision], marks, units, cash,
                numbers, lots, limited,
            )  # fmt: skip
            cash -= spent + paid
            costs += paid
            count += more
            wrong += faults
        total, short, more = _mark(closes[bar], marks, units)
        wrong += more
        equity_out[bar] = cash + total
    return costs, count, wrong == 0


@compiled()
def _infinite(weights: Any) -> int:
    count = 0
    for asset in range(len(weights)):
        count += 1 if np.isinf(weights[asset]) else 0
    return count


@compiled(reorder=True)
def _wrong_of(values: Any, rows: Any, least: float) -> float:
    """Return how many values of some rows are at most ``least`` or infinite."""
    wrong = 0.0
    for row in rows:
        for place in range(values.shape[1]):
            value = values[row, place]
            wrong += 1.0 if value <= least or value == np.inf else 0.0
    return wrong


def _unmet_sound(tape: Tape, lag: int) -> bool:
    """Return whether prices and weights that no rebalance reads make sense too."""
    length = len(tape.trading)
    filled, read = np.zeros(length, dtype=np.bool_), tape.trading.copy()
    filled[lag:] = tape.trading[: length - lag]
    read[length - lag :] = False
    wrong = _wrong_of(tape.fills, np.flatnonzero(~filled), 0.0)
    return not (wrong + _wrong_of(tape.weights, np.flatnonzero(~read), -np.inf))


def walk_weights(tape: Tape, orders: Orders, cash: float) -> tuple[WalkedBook, bool]:
    """Walk a portfolio with costs in basis points; nothing is recorded but equity and costs.

    Also return whether prices, weights and the equity are sound.
    """
    settings = orders.settings
    numbers = np.array(
        [
            settings.buy_factor - 1.0,
            1.0 - settings.sell_factor,
            settings.borrow_a_bar,
            orders.volume_share,
        ]
    )
    walked = WalkedBook(np.empty(len(tape.weights)))
    walked.costs, fills, sound = _walk(
        tape.fills, tape.closes, tape.volumes, tape.weights, tape.trading, orders.lots, numbers,
        settings.lag, cash, walked.equity,
    )  # fmt: skip
    walked.n_fills = int(fills)
    sound = bool(sound) and bool(np.isfinite(walked.equity).all())
    return walked, sound and _unmet_sound(tape, settings.lag)
