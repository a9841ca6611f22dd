"""Match open orders against one bar or one quote, oldest order first."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from mts1b_foundation import Bar, Fill, Order, OrderStatus, Quote, TimeInForce
from mts1b_platform.ids import derive_id

from mts1b_brokers.paper.pricing import Verdict, price_at, price_in_bar
from mts1b_brokers.paper.profile import FillPolicy, VenueProfile
from mts1b_brokers.paper.state import Draft, Mark, WorkingOrder

__all__ = ["match_bar", "match_now", "match_quote"]

SESSION_INTERVALS = frozenset({"1d", "1w"})
"""Bars that begin with a session's open, hours after the bar before them ended."""

_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK, TimeInForce.OPG})
_LEFTOVER = {
    TimeInForce.IOC: OrderStatus.CANCELED,
    TimeInForce.FOK: OrderStatus.CANCELED,
    TimeInForce.OPG: OrderStatus.EXPIRED,
}


def match_bar(draft: Draft, bar: Bar, *, venue: str, profile: VenueProfile) -> None:
    """Fill what the bar allows; a bar that is not newer than the last one does nothing."""
    symbol = str(bar.symbol)
    last = draft.mark(symbol, bar.interval)
    if last is not None and bar.timestamp <= last.ends_at:
        return
    opens_at = bar.start if last is None else max(bar.start, last.ends_at)
    depth = profile.depth(bar.volume)
    if profile.fill is not FillPolicy.QUOTE and profile.closed_until(bar.timestamp) is None:
        for working in draft.open_orders(symbol):
            filled = _try_bar(draft, working, bar, opens_at, depth, venue, profile)
            depth = None if depth is None else depth - filled
    draft.marks[symbol, bar.interval] = Mark(bar.timestamp, bar.close)


def _try_bar(
    draft: Draft,
    working: WorkingOrder,
    bar: Bar,
    opens_at: datetime,
    depth: Decimal | None,
    venue: str,
    profile: VenueProfile,
) -> Decimal:
    """Match one order against one bar; return what it took of the depth."""
    session = bar.interval in SESSION_INTERVALS
    sent = working.arrives_at - profile.latency
    if opens_at < (sent if session else working.arrives_at):
        return Decimal(0)
    today = _trading_day(bar.timestamp)
    if _is_over(working, opens_at, today):
        _close(draft, working, OrderStatus.EXPIRED)
        return Decimal(0)
    order = working.order
    ends_in_bar = order.expires_at is not None and order.expires_at <= bar.timestamp
    verdict = price_in_bar(
        order,
        bar,
        triggered=working.triggered,
        open_only=ends_in_bar or order.tif in _AT_ONCE,
        profile=profile,
    )
    working = replace(working, triggered=verdict.triggered, day=working.day or today)
    after = _execute(draft, working, verdict, depth, at=bar.timestamp, venue=venue, profile=profile)
    if ends_in_bar or (session and order.tif is TimeInForce.DAY):
        _close(draft, after, OrderStatus.EXPIRED)
    return after.order.filled_quantity - order.filled_quantity


def match_quote(draft: Draft, quote: Quote, *, venue: str, profile: VenueProfile) -> None:
    """Fill at the touch, as far as the quoted sizes go; a size of zero means unknown."""
    if profile.closed_until(quote.timestamp) is not None:
        return
    sizes = {1: quote.ask_size, -1: quote.bid_size}
    depth = {sign: Decimal(size) if size else None for sign, size in sizes.items()}
    today = _trading_day(quote.timestamp)
    for working in draft.open_orders(str(quote.symbol)):
        order, sign = working.order, working.order.side.sign
        if quote.timestamp < working.arrives_at or order.tif is TimeInForce.OPG:
            continue
        if _is_over(working, quote.timestamp, today):
            _close(draft, working, OrderStatus.EXPIRED)
            continue
        touch = quote.ask if sign > 0 else quote.bid
        verdict = price_at(order, touch, triggered=working.triggered, profile=profile)
        working = replace(working, triggered=verdict.triggered, day=working.day or today)
        after = _execute(
            draft, working, verdict, depth[sign], at=quote.timestamp, venue=venue, profile=profile
        )
        left = depth[sign]
        if left is not None:
            depth[sign] = left - (after.order.filled_quantity - order.filled_quantity)


def match_now(
    draft: Draft,
    working: WorkingOrder,
    price: Decimal,
    *,
    at: datetime,
    venue: str,
    profile: VenueProfile,
) -> None:
    """Fill a new order at the last known price, without a limit of size."""
    if working.order.tif is TimeInForce.OPG:
        return
    verdict = price_at(working.order, price, triggered=False, profile=profile)
    working = replace(working, triggered=verdict.triggered, day=_trading_day(at))
    _execute(draft, working, verdict, None, at=at, venue=venue, profile=profile)


def _trading_day(moment: datetime) -> date:
    """Return the UTC day that a moment ends; midnight belongs to the day before."""
    return (moment - timedelta(microseconds=1)).date()


def _is_over(working: WorkingOrder, opens_at: datetime, today: date) -> bool:
    """Tell whether the order's time had passed before this price was there."""
    order = working.order
    if order.expires_at is not None and order.expires_at <= opens_at:
        return True
    is_day = order.tif is TimeInForce.DAY
    return is_day and working.day is not None and today > working.day


def _execute(
    draft: Draft,
    working: WorkingOrder,
    verdict: Verdict,
    depth: Decimal | None,
    *,
    at: datetime,
    venue: str,
    profile: VenueProfile,
) -> WorkingOrder:
    """Fill as much as terms, depth and reduce-only allow; return the order afterwards."""
    order = working.order
    draft.put(working)
    size = Decimal(0) if verdict.terms is None else _size(draft, order, depth, profile)
    if verdict.terms is not None and size > 0:
        price = verdict.terms.price
        fill = Fill(
            fill_id=derive_id("fill", venue, order.broker_order_id or "", str(working.fills + 1)),
            order_id=order.order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=size,
            price=price,
            fees=profile.fee(size, price),
            venue=venue,
            timestamp=at,
            broker_order_id=order.broker_order_id,
            fund_id=order.fund_id,
            strategy_id=order.strategy_id,
            fee_currency=profile.currency,
            liquidity=verdict.terms.liquidity,
        )
        draft.book(fill, order)
        working = replace(working, order=_filled(order, fill), fills=working.fills + 1)
        draft.put(working)
    leftover = _LEFTOVER.get(order.tif)
    if leftover is None and verdict.terms is not None and _nothing_to_reduce(draft, order):
        leftover = OrderStatus.CANCELED
    return working if leftover is None else _close(draft, working, leftover)


def _size(draft: Draft, order: Order, depth: Decimal | None, profile: VenueProfile) -> Decimal:
    """Return how much may trade, in units of the order quantity's last digit."""
    size = order.remaining_quantity
    if order.reduce_only:
        size = min(size, _reducible(draft, order))
    if depth is not None:
        size = min(size, max(depth, Decimal(0)))
    if profile.max_fill_quantity is not None:
        size = min(size, profile.max_fill_quantity)
    exponent = order.quantity.as_tuple().exponent
    unit = Decimal(1).scaleb(min(int(exponent), 0))
    size = size.quantize(unit, ROUND_DOWN)
    if order.tif is TimeInForce.FOK and size < order.remaining_quantity:
        return Decimal(0)
    return size


def _reducible(draft: Draft, order: Order) -> Decimal:
    return max(-draft.held_by(order) * order.side.sign, Decimal(0))


def _nothing_to_reduce(draft: Draft, order: Order) -> bool:
    return order.reduce_only and _reducible(draft, order) == 0


def _filled(order: Order, fill: Fill) -> Order:
    total = order.filled_quantity + fill.quantity
    paid = (order.average_fill_price or Decimal(0)) * order.filled_quantity + fill.notional
    done = total >= order.quantity
    return order.with_(
        filled_quantity=total,
        average_fill_price=paid / total,
        status=OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED,
    )


def _close(draft: Draft, working: WorkingOrder, status: OrderStatus) -> WorkingOrder:
    """End an order that is still open."""
    if working.order.is_terminal:
        return working
    ended = replace(working, order=working.order.with_(status=status))
    draft.put(ended)
    return ended
