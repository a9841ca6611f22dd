"""What the public API shows: the newest of everything, in memory."""

from __future__ import annotations

from collections import OrderedDict, deque

from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.market_data import Bar, Quote
from mts1b_foundation.model import FrozenModel, UtcDatetime

__all__ = ["Board", "FundStatus"]

_BARS_KEPT = 500
_SYMBOLS_KEPT = 2_000


class FundStatus(FrozenModel):
    """What the public may know of a fund: no orders, no positions."""

    fund_id: str
    as_of: UtcDatetime
    nav_usd: str
    drawdown: str
    halted: bool = False


class Board:
    """Keep the last quote and bars of each symbol, and the last NAV of each fund.

    Raw messages are kept and parsed when somebody asks: most are never asked for.
    """

    def __init__(self) -> None:
        self._quotes: OrderedDict[str, bytes] = OrderedDict()
        self._bars: OrderedDict[tuple[str, str], deque[bytes]] = OrderedDict()
        self._navs: dict[str, NavSnapshot] = {}

    def put_quote(self, symbol: str, data: bytes) -> None:
        """Keep the newest quote of a subject symbol."""
        self._quotes[symbol] = data
        self._quotes.move_to_end(symbol)
        while len(self._quotes) > _SYMBOLS_KEPT:
            self._quotes.popitem(last=False)

    def put_bar(self, symbol: str, interval: str, data: bytes) -> None:
        """Keep one more bar of a subject symbol."""
        key = (symbol, interval)
        self._bars.setdefault(key, deque(maxlen=_BARS_KEPT)).append(data)
        self._bars.move_to_end(key)
        while len(self._bars) > _SYMBOLS_KEPT:
            self._bars.popitem(last=False)

    def put_nav(self, nav: NavSnapshot) -> None:
        """Keep the newest total NAV of a fund."""
        if nav.strategy_id is None:
            self._navs[nav.fund_id] = nav

    def quote(self, symbol: str) -> Quote | None:
        """Return the newest quote, or None."""
        data = self._quotes.get(symbol)
        return None if data is None else Quote.model_validate_json(data)

    def bars(self, symbol: str, interval: str) -> list[Bar] | None:
        """Return the bars that are kept, oldest first, or None when there are none."""
        kept = self._bars.get((symbol, interval))
        return None if kept is None else [Bar.model_validate_json(data) for data in kept]

    def navs(self) -> list[NavSnapshot]:
        """Return the newest NAV of each fund."""
        return [self._navs[fund] for fund in sorted(self._navs)]
