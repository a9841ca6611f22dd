"""A portfolio of target weights, compiled: one pass over the bars, by the rules of book.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from mts1b_GPUbacktester.book import NUDGE, Orders, Tape, WalkedBook
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
    """Walk the bars; ``numbers``: cost of buying, of selling, borrow a bar, share of the volume."""
    length, assets = weights.shape
    units, marks = np.zeros(assets), np.zeros(assets)
    costs, count, short, wrong = 0.0, 0, 0.0, 0
    limited = numbers[3] > 0.0 or lots.max() > 0.0
    for bar in range(length):
        cash += short * numbers[2]
        decision = bar - lag
        if decision >= 0 and trading[decision]:
            equity, more = _equity_at(fills[bar], closes[bar], marks, units, cash)
            wrong += more
            equity = max(equity, 0.0)
            if limited:
                spent, paid, more = _rebalance_limited(
                    fills[bar], closes[bar], volumes[bar], weights[decision], marks, units, equity,
                    numbers[0], numbers[1], lots, numbers[3],
                )  # fmt: skip
            else:
                spent, paid, more = _rebalance(
                    fills[bar], closes[bar], weights[decision], marks, units, equity, numbers[0],
                    numbers[1],
                )  # fmt: skip
            cash -= spent + paid
            costs += paid
            count += more
        total, short, more = _mark(closes[bar], marks, units)
        wrong += more
        equity_out[bar] = cash + total
    return costs, count, wrong == 0


def walk_weights(tape: Tape, orders: Orders, cash: float) -> tuple[WalkedBook, bool]:
    """Walk a portfolio with costs in basis points; nothing is recorded but equity and costs.

    Also return whether all prices that were met and the equity are sound.
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
    walked.costs, walked.n_fills, sound = _walk(
        tape.fills, tape.closes, tape.volumes, tape.weights, tape.trading, orders.lots, numbers,
        settings.lag, cash, walked.equity,
    )  # fmt: skip
    return walked, bool(sound) and bool(np.isfinite(walked.equity).all())
