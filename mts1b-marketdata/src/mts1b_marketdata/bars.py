"""Build bars from trades or quotes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from mts1b_foundation import INTERVALS, Bar, Quote, Symbol, Trade, interval_length

from mts1b_marketdata.errors import LateTick, NotOffered

__all__ = ["INTERVALS", "BarBuilder", "bar_end", "interval_length"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BY_CLOCK = frozenset({"1m", "5m", "15m", "30m", "1h", "4h"})


def bar_end(moment: datetime, interval: str) -> datetime:
    """Return the end of the bar that ``moment`` (aware) belongs to.

    A bar holds its start and not its end: the moment 09:31:00 belongs to the 1m bar that ends
    at 09:32. Bars are aligned to midnight UTC.

    :raises NotOffered: for ``1d`` and ``1w``, which end with a session and not by the clock.
    """
    if interval not in _BY_CLOCK:
        interval_length(interval)
        raise NotOffered(
            f"a {interval} bar ends with a session, which only a calendar knows; "
            f"build one of {', '.join(w for w in INTERVALS if w in _BY_CLOCK)}"
        )
    length = interval_length(interval)
    return moment - (moment - _EPOCH) % length + length


@dataclass(slots=True)
class _Forming:
    end: datetime
    first: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    first_at: datetime
    last_at: datetime
    volume: Decimal = Decimal(0)
    turnover: Decimal = Decimal(0)
    trades: int = 0


class BarBuilder:
    """Build the bars of one symbol and interval from trades, or from the mids of quotes.

    A bar is complete when something later than it arrives, or when :meth:`close_until` says that
    its time is over. An interval without trades has no bar.

    :param interval: ``1m 5m 15m 30m 1h 4h``.
    """

    def __init__(self, symbol: str, interval: str) -> None:
        bar_end(_EPOCH, interval)
        self.symbol = Symbol(symbol)
        self.interval = interval
        self._forming: _Forming | None = None
        self._closed_until: datetime | None = None

    def add_trade(self, trade: Trade) -> Bar | None:
        """Add a trade; return the bar that it completes, if it does.

        :raises LateTick: when the trade belongs to a bar that is complete.
        """
        return self._add(trade.symbol, trade.timestamp, trade.price, trade.quantity, trades=1)

    def add_quote(self, quote: Quote) -> Bar | None:
        """Add the mid of a quote; return the bar that it completes, if it does.

        :raises LateTick: when the quote belongs to a bar that is complete.
        """
        return self._add(quote.symbol, quote.timestamp, quote.mid, Decimal(0), trades=0)

    def close_until(self, now: datetime) -> Bar | None:
        """Return the forming bar when it ended at ``now`` or before."""
        if self._forming is None or self._forming.end > now:
            return None
        return self._complete(self._forming)

    def _add(
        self, symbol: str, at: datetime, price: Decimal, quantity: Decimal, *, trades: int
    ) -> Bar | None:
        if symbol != self.symbol:
            raise ValueError(f"this builder is for {self.symbol}, not for {symbol}")
        if self._closed_until is not None and at < self._closed_until:
            raise LateTick(
                f"{symbol} at {at.isoformat()} belongs to a bar that ended at "
                f"{self._closed_until.isoformat()} and is out; sort the input by time"
            )
        done = self.close_until(at)
        forming = self._forming or _Forming(
            bar_end(at, self.interval), price, price, price, price, at, at
        )
        self._forming = forming
        if at < forming.end - interval_length(self.interval):
            raise LateTick(
                f"{symbol} at {at.isoformat()} lies before the bar that ends at "
                f"{forming.end.isoformat()}; sort the input by time"
            )
        if at >= forming.last_at:
            forming.last, forming.last_at = price, at
        if at < forming.first_at:
            forming.first, forming.first_at = price, at
        forming.high, forming.low = max(forming.high, price), min(forming.low, price)
        forming.volume += quantity
        forming.turnover += quantity * price
        forming.trades += trades
        return done

    def _complete(self, forming: _Forming) -> Bar:
        self._forming, self._closed_until = None, forming.end
        traded = forming.volume > 0
        return Bar(
            symbol=self.symbol,
            interval=self.interval,
            open=forming.first,
            high=forming.high,
            low=forming.low,
            close=forming.last,
            volume=forming.volume,
            vwap=forming.turnover / forming.volume if traded else None,
            n_trades=forming.trades or None,
            timestamp=forming.end,
        )
