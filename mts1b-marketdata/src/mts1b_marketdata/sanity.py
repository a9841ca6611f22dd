"""What makes a quote or a bar unfit or doubtful, on raw values: before a model refuses them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from mts1b_foundation import Quote
from mts1b_platform.clock import Clock

__all__ = ["Defect", "QuoteSieve", "bar_defects", "is_number", "is_refused", "quote_defects"]

_MOST_DIGITS = 300
"""Before or after the point: a float holds no more."""
_SUSPICIOUS_SPREAD = Decimal("0.1")
_AHEAD = timedelta(seconds=5)
"""What clocks of others may be ahead of ours."""


class Defect(StrEnum):
    """Name one thing that is wrong with a quote or bar."""

    NON_POSITIVE = "non_positive"
    CROSSED = "crossed"
    WIDE_SPREAD = "wide_spread"
    HIGH_BELOW_LOW = "high_below_low"
    OPEN_OUTSIDE = "open_outside"
    CLOSE_OUTSIDE = "close_outside"
    NEGATIVE_VOLUME = "negative_volume"
    NOT_A_NUMBER = "not_a_number"
    OUT_OF_ORDER = "out_of_order"
    OF_THE_FUTURE = "of_the_future"


_DOUBTFUL = frozenset({Defect.WIDE_SPREAD})


def is_refused(defects: tuple[Defect, ...]) -> bool:
    """Tell whether the defects make the data unfit; a wide spread alone only flags it."""
    return any(defect not in _DOUBTFUL for defect in defects)


def quote_defects(bid: Decimal, ask: Decimal) -> tuple[Defect, ...]:
    """Return what is wrong with a bid and ask; a spread above 10 % of the bid is doubtful."""
    if not (is_number(bid) and is_number(ask)):
        return (Defect.NOT_A_NUMBER,)
    if bid <= 0 or ask <= 0:
        return (Defect.NON_POSITIVE,)
    if bid > ask:
        return (Defect.CROSSED,)
    return (Defect.WIDE_SPREAD,) if (ask - bid) / bid > _SUSPICIOUS_SPREAD else ()


def is_number(value: Decimal) -> bool:
    """Tell whether a value is finite, and stays so, and above zero, as a strategy reads it."""
    return value.is_finite() and abs(value.adjusted()) < _MOST_DIGITS


def bar_defects(
    *, opened: Decimal, high: Decimal, low: Decimal, close: Decimal, volume: Decimal
) -> tuple[Defect, ...]:
    """Return everything that is wrong with the numbers of one bar."""
    prices = (opened, high, low, close)
    if not all(is_number(value) for value in (*prices, volume)):
        return (Defect.NOT_A_NUMBER,)
    rules = (
        (Defect.NON_POSITIVE, min(prices) <= 0),
        (Defect.HIGH_BELOW_LOW, high < low),
        (Defect.OPEN_OUTSIDE, not low <= opened <= high),
        (Defect.CLOSE_OUTSIDE, not low <= close <= high),
        (Defect.NEGATIVE_VOLUME, volume < 0),
    )
    return tuple(defect for defect, broken in rules if broken)


@dataclass(slots=True)
class QuoteSieve:
    """Judge a stream of quotes, and count what was found.

    A quote that is older than the last one of its symbol, or equal to it, is out of order. One
    that is more than five seconds ahead of the clock is of the future: as the last one, it would
    make every true quote after it out of order.

    :ivar clock: None where quotes are not of now.
    """

    clock: Clock | None = None

    counts: dict[Defect, int] = field(default_factory=dict)
    _last: dict[str, Quote] = field(default_factory=dict)

    def judge(self, quote: Quote) -> tuple[Defect, ...]:
        """Return the defects of the next quote; one that is not refused becomes the last."""
        defects = quote_defects(quote.bid, quote.ask)
        last = self._last.get(quote.symbol)
        if last is not None and (quote.timestamp < last.timestamp or quote == last):
            defects = (*defects, Defect.OUT_OF_ORDER)
        if self.clock is not None and quote.timestamp > self.clock.now() + _AHEAD:
            defects = (*defects, Defect.OF_THE_FUTURE)
        for defect in defects:
            self.counts[defect] = self.counts.get(defect, 0) + 1
        if not is_refused(defects):
            self._last[quote.symbol] = quote
        return defects

    def last_time(self, symbol: str) -> datetime | None:
        """Return the time of the last good quote of a symbol."""
        last = self._last.get(symbol)
        return last.timestamp if last is not None else None
