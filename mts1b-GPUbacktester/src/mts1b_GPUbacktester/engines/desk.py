"""A desk's account in floats, compiled; ``desk.py`` beside this folder is the exact one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mts1b_GPUbacktester.engines.compiling import compiled
from mts1b_GPUbacktester.semantics import FloatArray

__all__ = ["WalkedDesk", "walk_desk"]

_NEAR = 1e-7
"""How far rounding may move a number of lots or of cents from where it stands exactly."""


@dataclass(frozen=True, slots=True)
class WalkedDesk:
    """Rows (bar, asset, units) and (bar, asset, units, price, fee), and the NAV, (T,).

    ``cut`` is the row of the fill that the volume would cut, -1 for none.
    """

    orders: list[Any]
    fills: list[Any]
    nav: FloatArray
    cut: int


@compiled()
def _half_even(value: float) -> float:
    """Return the nearest whole number; what is a half up to rounding goes to the even one."""
    below: float = np.floor(value)
    rest = value - below
    if abs(rest - 0.5) < _NEAR:
        return below if below % 2.0 == 0.0 else below + 1.0
    return below + 1.0 if rest > 0.5 else below


@compiled()
def _whole(value: float) -> float:
    """Return a number without its fraction; what is whole up to rounding stays."""
    size: float = np.floor(abs(value) + _NEAR)
    return size if value > 0.0 else -size


@compiled()
def _walk(
    opens: Any,
    closes: Any,
    volumes: Any,
    wishes: Any,
    cash: float,
    lot: float,
    fees: float,
    slippage: float,
    band: float,
    share: float,
    orders: Any,
    fills: Any,
    nav: Any,
) -> Any:
    length, assets = wishes.shape
    units = np.zeros(assets)
    n_orders, n_fills, sent, cut = 0, 0, 0, -1
    for bar in range(length):
        for row in range(sent, n_orders):
            asset, change = int(orders[row, 1]), orders[row, 2]
            sign = 1.0 if change > 0.0 else -1.0
            price = opens[bar, asset] * (1.0 + sign * slippage / 1e4)
            price = _half_even(price * 1e6) / 1e6
            fee = _half_even(abs(change) * price * fees / 1e4 * 100.0) / 100.0
            cash -= change * price + fee
            units[asset] += change
            fills[n_fills, 0], fills[n_fills, 1], fills[n_fills, 2] = bar, asset, change
            fills[n_fills, 3], fills[n_fills, 4] = price, fee
            if cut < 0 and volumes[bar, asset] > 0.0 and abs(change) > volumes[bar, asset] * share:
                cut = n_fills
            n_fills += 1
        sent = n_orders
        worth = cash
        for asset in range(assets):
            worth += units[asset] * closes[bar, asset]
        nav[bar] = worth
        for asset in range(assets):
            wish, held, close = wishes[bar, asset], units[asset], closes[bar, asset]
            if np.isnan(wish) or (wish != 0.0 and worth <= 0.0):
                continue
            target = 0.0
            if wish != 0.0:
                target = _whole(wish * worth / (close * lot)) * lot
                if target != 0.0 and abs(target - held) * close < band * worth:
                    continue
            if held * target < 0.0:
                orders[n_orders, 0], orders[n_orders, 1], orders[n_orders, 2] = bar, asset, -held
                n_orders += 1
                held = 0.0
            if target != held:
                orders[n_orders, 0], orders[n_orders, 1] = bar, asset
                orders[n_orders, 2] = target - held
                n_orders += 1
    return n_orders, n_fills, cut


def walk_desk(
    opens: FloatArray,
    closes: FloatArray,
    volumes: FloatArray,
    wishes: FloatArray,
    cash: float,
    lot: float,
    fees_bps: float,
    slippage_bps: float,
    band: float,
    volume_share: float,
) -> WalkedDesk:
    """Walk one account over (T, A) prices and weights; see :class:`DeskTerms` for the rest."""
    most = 2 * int((~np.isnan(wishes)).sum()) + 1
    orders, fills = np.empty((most, 3)), np.empty((most, 5))
    nav = np.empty(len(wishes))
    n_orders, n_fills, cut = _walk(
        opens, closes, volumes, wishes, cash, lot, fees_bps, slippage_bps, band, volume_share,
        orders, fills, nav,
    )  # fmt: skip
    return WalkedDesk(orders[:n_orders].tolist(), fills[:n_fills].tolist(), nav, int(cut))
