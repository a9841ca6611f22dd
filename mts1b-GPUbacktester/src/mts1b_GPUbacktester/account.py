"""One account walked bar by bar in plain Python: the rules of the semantics page as code."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isnan

import numpy as np

from mts1b_GPUbacktester.semantics import FloatArray, Settings, Signals

__all__ = ["AccountPath", "Bars", "walk_account"]


@dataclass(frozen=True, slots=True)
class Bars:
    """Prices of one asset, each (T,); opens, highs and lows are read by stops alone."""

    fills: FloatArray
    marks: FloatArray
    opens: FloatArray | None = None
    highs: FloatArray | None = None
    lows: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class AccountPath:
    """Units and equity after each bar, (T,), and trades (n, 5).

    Columns of trades: bar and price of the entry, bar (-1 while open) and price of the exit, units.
    """

    units: FloatArray
    equity: FloatArray
    trades: FloatArray


@dataclass
class _Account:
    """Cash and a position while the bars go by."""

    settings: Settings
    signals: Signals
    cash: float = 1.0
    units: float = 0.0
    side: int = 0
    entry_bar: int = -1
    entry_price: float = 0.0
    best: float = 0.0
    ruined: bool = False
    blocked_at: int = -1
    trades: list[list[float]] = field(default_factory=list)

    def open(self, bar: int, price: float, side: int, fraction: float) -> None:
        """Put a fraction of the equity into a position; rule 10 of the page."""
        if isnan(fraction) or fraction <= 0.0 or self.ruined:
            return
        spent = fraction * self.cash
        size = spent / (price * self.settings.buy_factor)
        if side > 0:
            self.cash -= spent
        else:
            self.cash += size * (price * self.settings.sell_factor)
        self.units, self.side = side * size, side
        self.entry_bar, self.entry_price, self.best = bar, price, price
        self.trades.append([bar, price, -1, np.nan, self.units])

    def close(self, bar: int, price: float) -> None:
        """Sell a long or buy back a short position."""
        factor = self.settings.sell_factor if self.side > 0 else self.settings.buy_factor
        self.cash += self.units * (price * factor)
        self.units, self.side = 0.0, 0
        self.trades[-1][2:4] = [bar, price]
        if self.cash <= 0.0:
            self.cash, self.ruined = 0.0, True

    def trade(self, bar: int, price: float, want: int, fraction: float) -> None:
        """Move to what is wanted at the price of the fill."""
        if isnan(price):
            return
        most = self.signals.most_bars
        expired = self.side != 0 and most > 0 and bar - self.entry_bar >= most
        if expired and want == self.side:
            self.close(bar, price)
            self.blocked_at = bar
            return
        if want != self.side:
            if self.side != 0:
                self.close(bar, price)
            if want != 0 and self.blocked_at < 0:
                self.open(bar, price, want, fraction)

    def stop(self, bar: int, opened: float, high: float, low: float) -> None:
        """Leave where the bar reaches the stop: at the open beyond it, else at the stop.

        A bar whose open is missing may lie beyond the stop: then its nearest price is that of the
        fill.
        """
        level = self._level()
        if level is None or isnan(low) or isnan(high):
            return
        reached = low <= level if self.side > 0 else high >= level
        beyond = opened <= level if self.side > 0 else opened >= level
        if beyond or reached:
            inside = min(level, high) if self.side > 0 else max(level, low)
            self.close(bar, opened if beyond else inside)
            self.blocked_at = bar

    def _level(self) -> float | None:
        levels = []
        if self.signals.stop:
            levels.append(self.entry_price * (1.0 - self.side * self.signals.stop))
        if self.signals.trail:
            levels.append(self.best * (1.0 - self.side * self.signals.trail))
        if not levels:
            return None
        return max(levels) if self.side > 0 else min(levels)

    def mark(self, mark: float) -> float:
        """Return the equity at a close; at zero or below the account is over."""
        equity = self.cash + self.units * mark if self.side else self.cash
        if equity <= 0.0 and not self.ruined:
            self.ruined = True
        return 0.0 if self.ruined else equity


def walk_account(bars: Bars, signals: Signals, asset: int, settings: Settings) -> AccountPath:
    """Simulate one account; see ``docs/backtest_semantics.md``."""
    account = _Account(settings, signals)
    want, start = signals.want[asset].tolist(), signals.start[asset].tolist()
    fills, marks, lag = bars.fills.tolist(), bars.marks.tolist(), settings.lag
    fractions = signals.fractions[asset]
    length = len(fills)
    units, equity = np.zeros(length), np.zeros(length)
    at_open = settings.fill == "next_open"
    for bar in range(length):
        decision = bar - lag
        wanted = want[decision] if decision >= 0 else 0
        fraction = float(fractions[decision]) if decision >= 0 else 0.0
        if account.side < 0 and bar > 0:
            account.cash += account.units * marks[bar - 1] * settings.borrow_a_bar
        _unblock(account, decision, start)
        if at_open:
            account.trade(bar, fills[bar], wanted, fraction)
        _intrabar(account, bars, bar)
        if not at_open:
            _unblock(account, decision, start)
            account.trade(bar, fills[bar], wanted, fraction)
        equity[bar] = account.mark(marks[bar])
        if account.ruined and account.side:
            account.close(bar, marks[bar])
            account.cash = 0.0
        units[bar] = account.units
        _follow(account, bars, bar, at_open)
    trades = np.array(account.trades).reshape(-1, 5)
    return AccountPath(units, equity, trades)


def _unblock(account: _Account, decision: int, start: list[bool]) -> None:
    """Let an account trade again once its wish begins anew after the early exit."""
    if 0 <= account.blocked_at <= decision and start[decision]:
        account.blocked_at = -1


def _intrabar(account: _Account, bars: Bars, bar: int) -> None:
    if account.side == 0 or bars.lows is None or bars.highs is None or bars.opens is None:
        return
    account.stop(bar, float(bars.opens[bar]), float(bars.highs[bar]), float(bars.lows[bar]))


def _follow(account: _Account, bars: Bars, bar: int, at_open: bool) -> None:
    """Move the best price since the entry on; a fill at the close has not seen its own bar."""
    if account.side == 0 or bars.highs is None or bars.lows is None:
        return
    if account.entry_bar == bar and not at_open:
        return
    seen = float(bars.highs[bar] if account.side > 0 else bars.lows[bar])
    if (account.side > 0 and seen > account.best) or (account.side < 0 and seen < account.best):
        account.best = seen
