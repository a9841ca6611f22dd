"""Match open orders against one bar or one quote, oldest order first."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from mts1b_foundation import Bar, Fill, Order, OrderStatus, Quote, TimeInForce
from mts1b_platform.ids import derive_id

from mts1b_brokers.paper.made import made, moved
from mts1b_brokers.paper.pricing import Terms, Verdict, price_at, price_in_bar
from mts1b_brokers.paper.profile import FillPolicy, VenueProfile
from mts1b_brokers.paper.state import Draft, Mark, WorkingOrder

__all__ = ["match_bar", "match_now", "match_quote"]

SESSION_INTERVALS = frozenset({"1d", "1w"})
"""Bars that begin with a session's open, hours after the bar before them ended."""

_NOTHING = Decimal(0)
_WHOLE = Decimal(1)
_INSTANT = timedelta(microseconds=1)
_AT_ONCE = (TimeInForce.IOC, TimeInForce.FOK, TimeInForce.OPG)
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
    waiting = draft.open_orders(symbol) if profile.fill is not FillPolicy.QUOTE else []
    if waiting and profile.closed_until(bar.timestamp) is None:
        opens_at = bar.start if last is None else max(bar.start, last.ends_at)
        today, depth = _trading_day(bar.timestamp), profile.depth(bar.volume)
        for working in waiting:
            filled = _try_bar(draft, working, bar, opens_at, today, depth, venue, profile)
            depth = None if depth is None else depth - filled
    draft.marks[symbol, bar.interval] = Mark(bar.timestamp, bar.close)


def _try_bar(
    draft: Draft,
    working: WorkingOrder,
    bar: Bar,
    opens_at: datetime,
    today: date,
    depth: Decimal | None,
    venue: str,
    profile: VenueProfile,
) -> Decimal:
    """Match one order against one bar; return what it took of the depth."""
    session = bar.interval in SESSION_INTERVALS
    there = working.arrives_at - profile.latency if session else working.arrives_at
    if opens_at < there:
        return _NOTHING
    if _is_over(working, opens_at, today):
        _close(draft, working, OrderStatus.EXPIRED)
        return _NOTHING
    order = working.order
    ends_in_bar = order.expires_at is not None and order.expires_at <= bar.timestamp
    verdict = price_in_bar(
        order,
        bar,
        triggered=working.triggered,
        open_only=ends_in_bar or order.tif in _AT_ONCE,
        profile=profile,
    )
    after = _execute(
        draft, working, verdict, depth, today, at=bar.timestamp, venue=venue, profile=profile
    )
    if ends_in_bar or (session and order.tif is TimeInForce.DAY):
        _close(draft, after, OrderStatus.EXPIRED)
    return after.order.filled_quantity - order.filled_quantity


def match_quote(draft: Draft, quote: Quote, *, venue: str, profile: VenueProfile) -> None:
    """Fill at the touch, as far as the quoted sizes go; a size of zero means unknown."""
    if profile.closed_until(quote.timestamp) is not None:
        return
    waiting = draft.open_orders(str(quote.symbol))
    if not waiting:
        return
    sizes = {1: quote.ask_size, -1: quote.bid_size}
    depth = {sign: Decimal(size) if size else None for sign, size in sizes.items()}
    today = _trading_day(quote.timestamp)
    for working in waiting:
        order, sign = working.order, working.order.side.sign
        if quote.timestamp < working.arrives_at or order.tif is TimeInForce.OPG:
            continue
        if _is_over(working, quote.timestamp, today):
            _close(draft, working, OrderStatus.EXPIRED)
            continue
        touch = quote.ask if sign > 0 else quote.bid
        verdict = price_at(order, touch, triggered=working.triggered, profile=profile)
        left = depth[sign]
        after = _execute(
            draft, working, verdict, left, today, at=quote.timestamp, venue=venue, profile=profile
        )
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
    _execute(draft, working, verdict, None, _trading_day(at), at=at, venue=venue, profile=profile)


def _trading_day(moment: datetime) -> date:
    """Return the UTC day that a moment ends; midnight belongs to the day before."""
    return (moment - _INSTANT).date()


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
    today: date,
    *,
    at: datetime,
    venue: str,
    profile: VenueProfile,
) -> WorkingOrder:
    """Fill as much as terms, depth and reduce-only allow; return the order afterwards."""
    order, terms, filled = working.order, verdict.terms, None
    size = _NOTHING if terms is None else _size(draft, order, depth, profile)
    if terms is not None and size > 0:
        fill = _fill(working, size, terms, at=at, venue=venue, profile=profile)
        draft.book(fill, order)
        filled = _filled(order, fill)
    after = working.after(verdict.triggered, today, filled)
    if after is not working:
        draft.put(after)
    if filled is not None and filled.status is OrderStatus.FILLED:
        return after
    leftover = _LEFTOVER.get(order.tif)
    if leftover is None and terms is not None and _nothing_to_reduce(draft, order):
        leftover = OrderStatus.CANCELED
    return after if leftover is None else _close(draft, after, leftover)


def _fill(
    working: WorkingOrder,
    size: Decimal,
    terms: Terms,
    *,
    at: datetime,
    venue: str,
    profile: VenueProfile,
) -> Fill:
    order, price = working.order, terms.price
    values = {
        "fill_id": derive_id("fill", venue, order.broker_order_id or "", str(working.fills + 1)),
        "order_id": order.order_id,
        "symbol": order.symbol,
        "side": order.side,
        "quantity": size,
        "price": price,
        "fees": profile.fee(size, price),
        "venue": venue,
        "timestamp": at,
        "broker_order_id": order.broker_order_id,
        "fund_id": order.fund_id,
        "strategy_id": order.strategy_id,
        "fee_currency": profile.currency,
        "liquidity": terms.liquidity,
    }
    return made(Fill, values)


def _size(draft: Draft, order: Order, depth: Decimal | None, profile: VenueProfile) -> Decimal:
    """Return how much may trade, in units of the order quantity's last digit."""
    left = size = order.remaining_quantity
    if order.reduce_only:
        size = min(size, _reducible(draft, order))
    if depth is not None and depth < size:
        size = max(depth, _NOTHING)
    if profile.max_fill_quantity is not None:
        size = min(size, profile.max_fill_quantity)
    if not (size.same_quantum(_WHOLE) and order.quantity.same_quantum(_WHOLE)):
        exponent = order.quantity.as_tuple().exponent
        size = size.quantize(_WHOLE.scaleb(min(int(exponent), 0)), ROUND_DOWN)
    if order.tif is TimeInForce.FOK and size < left:
        return _NOTHING
    return size


def _reducible(draft: Draft, order: Order) -> Decimal:
    return max(-draft.held_by(order) * order.side.sign, _NOTHING)


def _nothing_to_reduce(draft: Draft, order: Order) -> bool:
    return order.reduce_only and _reducible(draft, order) == 0


def _filled(order: Order, fill: Fill) -> Order:
    total = order.filled_quantity + fill.quantity
    paid = (order.average_fill_price or _NOTHING) * order.filled_quantity + fill.notional
    done = total >= order.quantity
    return moved(
        order,
        filled_quantity=total,
        average_fill_price=paid / total,
        status=OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED,
    )


def _close(draft: Draft, working: WorkingOrder, status: OrderStatus) -> WorkingOrder:
    """End an order that is still open."""
    if working.order.is_terminal:
        return working
    ended = working._replace(order=moved(working.order, status=status))
    draft.put(ended)
    return ended
