"""What the market has traded, as far as it was seen, and what an order has become."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from typing import Protocol

from mts1b_foundation.market_data import Bar
from mts1b_foundation.orders import Order
from mts1b_foundation.symbology import Symbol
from mts1b_foundation.time import interval_length

from mts1b_oms_algos.errors import BadParameter
from mts1b_oms_algos.volume_profile import SessionVolume

__all__ = ["ExpectedVolume", "OrderLook", "VolumeFeed", "VolumeTape"]

_DIGITS = 120

OrderLook = Callable[[str], Awaitable[Order | None]]
"""Tell an order as it is now by its id; None where there is no such order."""


class VolumeFeed(Protocol):
    """Tell what has traded of a symbol."""

    def volume(self, symbol: Symbol, *, start: datetime, end: datetime) -> Decimal:
        """Return the volume traded from ``start`` to ``end``, not negative."""
        ...


@dataclass(frozen=True, slots=True)
class ExpectedVolume:
    """The volume that a session's curve leads to expect, where none is observed.

    :ivar session: the curve.
    :ivar average_daily_volume: volume of the whole session.
    """

    session: SessionVolume
    average_daily_volume: Decimal

    def volume(self, symbol: Symbol, *, start: datetime, end: datetime) -> Decimal:
        """Return the expected volume, rounded down to a millionth."""
        share = self.session.share(start, end)
        with localcontext(prec=_DIGITS):
            millionths = share.numerator * int(self.average_daily_volume * 1_000_000)
            return Decimal(millionths // share.denominator) / 1_000_000


@dataclass(slots=True)
class VolumeTape:
    """Remember the volume of bars for a while.

    Only the shortest interval that a symbol has shown counts, so that no trade counts twice. A bar
    counts where it lies in the asked time as a whole: volume is never taken to be larger than was
    seen.

    :ivar keep: how long a bar is remembered, by the time of the newest of its symbol.
    """

    keep: timedelta = timedelta(days=1)
    _bars: dict[Symbol, _SymbolTape] = field(default_factory=dict, init=False)

    def see(self, bar: Bar) -> None:
        """Take a bar; one that was seen before changes nothing."""
        length = interval_length(bar.interval)
        tape = self._bars.get(bar.symbol)
        if tape is None or length < tape.length:
            tape = self._bars[bar.symbol] = _SymbolTape(length)
        if length == tape.length:
            tape.add(bar, self.keep)

    def volume(self, symbol: Symbol, *, start: datetime, end: datetime) -> Decimal:
        """Return the volume of the bars from ``start`` to ``end``; zero where none was seen.

        :raises BadParameter: when ``start`` is after ``end``.
        """
        if start > end:
            raise BadParameter(f"start {start.isoformat()} is after end {end.isoformat()}")
        tape = self._bars.get(symbol)
        return tape.between(start, end) if tape else Decimal(0)


@dataclass(slots=True)
class _SymbolTape:
    length: timedelta
    ends: list[datetime] = field(default_factory=list)
    volumes: dict[datetime, Decimal] = field(default_factory=dict)

    def add(self, bar: Bar, keep: timedelta) -> None:
        """Take a bar, or its new volume; forget those that end ``keep`` before the last."""
        if bar.timestamp not in self.volumes:
            insort(self.ends, bar.timestamp)
        self.volumes[bar.timestamp] = bar.volume
        gone = bisect_right(self.ends, self.ends[-1] - keep)
        for end in self.ends[:gone]:
            del self.volumes[end]
        del self.ends[:gone]

    def between(self, start: datetime, end: datetime) -> Decimal:
        """Return the exact volume of the bars that lie wholly between the two."""
        first = bisect_right(self.ends, start + self.length - timedelta(microseconds=1))
        inside = self.ends[first : bisect_right(self.ends, end)]
        with localcontext(prec=_DIGITS):
            return sum((self.volumes[moment] for moment in inside), Decimal(0))
