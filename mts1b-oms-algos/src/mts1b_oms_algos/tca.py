"""What an order cost: against arrival, against the market's average price, against the decision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext
from typing import TypeVar

from mts1b_foundation.market_data import Bar
from mts1b_foundation.orders import Fill, Order, Side
from mts1b_foundation.symbology import Symbol

from mts1b_oms_algos.errors import BadParameter
from mts1b_oms_algos.shortfall import Shortfall, implementation_shortfall

__all__ = ["TransactionCosts", "transaction_costs"]

Item = TypeVar("Item", Fill, Bar)

_DIGITS = 60
_BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class TransactionCosts:
    """The costs of one order. Money and prices are Decimal; a positive cost is a cost.

    ``average_price`` is None when nothing was filled; ``market_vwap`` and ``participation`` when
    nothing traded in the order's time. Prices carry up to 60 digits: round where they are shown.
    """

    order_id: str
    symbol: Symbol
    side: Side
    ordered: Decimal
    filled: Decimal
    decision_price: Decimal
    arrival_price: Decimal
    average_price: Decimal | None
    final_price: Decimal
    market_vwap: Decimal | None
    market_volume: Decimal
    fees: Decimal
    shortfall: Shortfall

    @property
    def participation(self) -> Decimal | None:
        """Return what was filled as a part of the volume from arrival to the end."""
        return self.filled / self.market_volume if self.market_volume else None

    @property
    def arrival_bps(self) -> Decimal | None:
        """Return the average price against the arrival price, in basis points; without fees."""
        return self._against(self.arrival_price)

    @property
    def vwap_bps(self) -> Decimal | None:
        """Return the average price against the market's, in basis points; without fees."""
        return self._against(self.market_vwap)

    @property
    def shortfall_amount(self) -> Decimal:
        """Return the whole shortfall in currency, exactly: delay, execution, opportunity, fees."""
        with localcontext(prec=_DIGITS):
            done = (self.average_price or self.arrival_price) - self.decision_price
            left = self.final_price - self.decision_price
            moved = self.filled * done + (self.ordered - self.filled) * left
            return self.side.sign * moved + self.fees

    def _against(self, benchmark: Decimal | None) -> Decimal | None:
        if self.average_price is None or benchmark is None:
            return None
        with localcontext(prec=_DIGITS):
            return self.side.sign * (self.average_price / benchmark - 1) * _BPS

    def __str__(self) -> str:
        """Return the report as lines of text."""
        rows = [
            ("filled", f"{self.filled} of {self.ordered}"),
            ("average price", _shown(self.average_price, 4)),
            ("against arrival", _shown(self.arrival_bps, 2, " bps")),
            ("against VWAP", _shown(self.vwap_bps, 2, " bps")),
            ("participation", _shown(self.participation, 4)),
            ("fees", _shown(self.fees, 2)),
            ("shortfall", _shown(self.shortfall_amount, 2)),
        ]
        for name in ("delay", "execution", "opportunity", "fees", "total"):
            rows.append((f"  {name}", f"{getattr(self.shortfall, name) * 1e4 + 0.0:.2f} bps"))
        title = f"{self.order_id}: {self.side.value} {self.symbol}"
        return "\n".join([title, *(f"{name:<17}{value:>18}" for name, value in rows)])


def transaction_costs(
    order: Order,
    fills: Iterable[Fill],
    bars: Sequence[Bar],
    *,
    decision_price: Decimal | None = None,
    arrival_price: Decimal | None = None,
    arrived_at: datetime | None = None,
    ended_at: datetime | None = None,
) -> TransactionCosts:
    """Return what ``order`` cost, from its fills and the market's bars.

    The market's average price and volume are those of the bars that overlap the time from arrival
    to the end, so that the bar of every fill counts. A bar without a ``vwap`` counts at the mean of
    its high, low and close.

    :param fills: of the order, or of all children of a parent.
    :param bars: of the symbol and of one interval, in any order.
    :param decision_price: None for the order's ``reference_price``, else the arrival price.
    :param arrival_price: None for the last close up to the arrival, else the open of the first bar.
    :param arrived_at: None for ``submitted_at``, else ``created_at``.
    :param ended_at: None for the time of the last fill; without fills, the end of the last bar.
    :raises BadParameter: for no bars, bars of several intervals or twice, bars or fills of another
        symbol or side, a fill twice, more filled than ordered, or an end before the arrival.
    """
    done = _checked_fills(order, fills)
    market = _checked_bars(order, bars)
    arrived = arrived_at or order.submitted_at or order.created_at
    ended = ended_at or max((fill.timestamp for fill in done), default=market[-1].timestamp)
    if ended < arrived:
        raise BadParameter(f"ended_at {ended.isoformat()} is before arrival {arrived.isoformat()}")
    arrival, decision = arrival_price, decision_price
    if arrival is None:
        arrival = _last_close(market, arrived) or market[0].open
    if decision is None:
        decision = order.reference_price or arrival
    final = _last_close(market, ended) or arrival
    with localcontext(prec=_DIGITS):
        filled = sum((fill.quantity for fill in done), Decimal(0))
        fees = sum((fill.fees for fill in done), Decimal(0))
        paid = sum((fill.notional for fill in done), Decimal(0))
        average = paid / filled if filled else None
        volume, vwap = _traded(market, arrived, ended)
    return TransactionCosts(
        order_id=order.order_id,
        symbol=order.symbol,
        side=order.side,
        ordered=order.quantity,
        filled=filled,
        decision_price=decision,
        arrival_price=arrival,
        average_price=average,
        final_price=final,
        market_vwap=vwap,
        market_volume=volume,
        fees=fees,
        shortfall=implementation_shortfall(
            order.side,
            ordered=order.quantity,
            filled=filled,
            decision_price=decision,
            arrival_price=arrival,
            execution_price=average or arrival,
            final_price=final,
            fees=fees,
        ),
    )


def _checked_fills(order: Order, fills: Iterable[Fill]) -> list[Fill]:
    if not isinstance(order, Order):
        raise BadParameter(f"order is a {type(order).__name__}; give the order or its parent")
    done = _all("fills", fills, Fill)
    for fill in done:
        if (fill.symbol, fill.side) != (order.symbol, order.side):
            raise BadParameter(
                f"fill {fill.fill_id} is a {fill.side.value} of {fill.symbol}; {order.order_id} is "
                f"a {order.side.value} of {order.symbol}"
            )
    if len({fill.fill_id for fill in done}) < len(done):
        raise BadParameter(f"a fill of {order.order_id} is given twice; give each once")
    return done


def _all(name: str, items: Iterable[Item], kind: type[Item]) -> list[Item]:
    found = list(items) if isinstance(items, Iterable) else [items]
    strange = [item for item in found if not isinstance(item, kind)]
    if strange:
        raise BadParameter(f"{name} hold {strange[0]!r}, which is no {kind.__name__}; give those")
    return found


def _checked_bars(order: Order, bars: Sequence[Bar]) -> list[Bar]:
    seen = _all("bars", bars, Bar)
    if not seen:
        raise BadParameter(f"no bars of {order.symbol}; give those around the order's time")
    market = sorted(seen, key=lambda bar: bar.timestamp)
    for name, found in (
        ("symbols", {str(bar.symbol) for bar in market} | {str(order.symbol)}),
        ("intervals", {bar.interval for bar in market}),
    ):
        if len(found) > 1:
            raise BadParameter(f"bars of several {name}: {', '.join(sorted(found))}; give one")
    if len({bar.timestamp for bar in market}) < len(market):
        raise BadParameter(f"a bar of {order.symbol} is given twice; give each once")
    return market


def _last_close(market: Sequence[Bar], moment: datetime) -> Decimal | None:
    closes = [bar.close for bar in market if bar.timestamp <= moment]
    return closes[-1] if closes else None


def _traded(
    market: Sequence[Bar], start: datetime, end: datetime
) -> tuple[Decimal, Decimal | None]:
    """Return the volume, and its average price, of the bars that overlap a time."""
    seen = [bar for bar in market if bar.start < end and bar.timestamp > start]
    volume = sum((bar.volume for bar in seen), Decimal(0))
    turnover = sum((bar.volume * _mean_price(bar) for bar in seen), Decimal(0))
    return volume, turnover / volume if volume else None


def _mean_price(bar: Bar) -> Decimal:
    return bar.vwap if bar.vwap is not None else (bar.high + bar.low + bar.close) / 3


def _shown(value: Decimal | None, places: int, unit: str = "") -> str:
    return "none" if value is None else f"{value:.{places}f}{unit}"
