"""At which price, if any, a bar or a quote fills an order. Pure functions."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from mts1b_foundation import Bar, Liquidity, Order, OrderType

from mts1b_brokers.paper.profile import VenueProfile

__all__ = ["Terms", "Verdict", "price_at", "price_in_bar"]


class Terms(NamedTuple):
    """A price at which the order may trade, and whether it made or took liquidity."""

    price: Decimal
    liquidity: Liquidity


class Verdict(NamedTuple):
    """Whether the stop has triggered, and the terms when the order can trade."""

    triggered: bool
    terms: Terms | None


def _beyond(price: Decimal, level: Decimal, sign: int) -> bool:
    """Tell whether ``price`` is at ``level`` or above it for sign +1, or below it for -1."""
    return (price - level) * sign >= 0


def _take(order: Order, price: Decimal, profile: VenueProfile) -> Terms | None:
    """Trade at a price that is there now, within the limit."""
    sign, limit = order.side.sign, order.limit_price
    if limit is None:
        return Terms(profile.slipped(price, sign), Liquidity.TAKER)
    if not _beyond(limit, price, sign):
        return None
    if order.order_type is OrderType.MARKETABLE_LIMIT:
        slipped = profile.slipped(price, sign)
        price = slipped if _beyond(limit, slipped, sign) else limit
    return Terms(price, Liquidity.TAKER)


def price_at(order: Order, price: Decimal, *, triggered: bool, profile: VenueProfile) -> Verdict:
    """Judge an order against one price that can be taken: the ask for a buy, the bid for a sell."""
    stop = order.stop_price
    active = triggered or stop is None or _beyond(price, stop, order.side.sign)
    return Verdict(
        triggered or (active and stop is not None),
        _take(order, price, profile) if active else None,
    )


def price_in_bar(
    order: Order, bar: Bar, *, triggered: bool, open_only: bool, profile: VenueProfile
) -> Verdict:
    """Judge an order against a whole bar that opened after the order arrived.

    :param open_only: only the open counts: what happened later in the bar came too late for an
        order that is for immediate execution.
    """
    first = price_at(order, bar.open, triggered=triggered, profile=profile)
    if first.terms is not None or open_only:
        return first
    waiting = order.stop_price is not None and not first.triggered
    if waiting:
        return _stop_in_bar(order, bar, profile)
    return Verdict(first.triggered, _rest_in_bar(order, bar))


def _best(bar: Bar, sign: int) -> Decimal:
    return bar.low if sign > 0 else bar.high


def _rest_in_bar(order: Order, bar: Bar) -> Terms | None:
    """Fill a resting limit that the bar touched, at the limit."""
    limit, sign = order.limit_price, order.side.sign
    if limit is None or not _beyond(limit, _best(bar, sign), sign):
        return None
    return Terms(limit, Liquidity.MAKER)


def _stop_in_bar(order: Order, bar: Bar, profile: VenueProfile) -> Verdict:
    """Trigger a stop that the bar reached after its open.

    The path inside the bar is unknown. After the trigger only two prices are certain: the stop
    itself and the close; a stop-limit fills at no other.
    """
    stop, sign = order.stop_price, order.side.sign
    worst = bar.high if sign > 0 else bar.low
    if stop is None or not _beyond(worst, stop, sign):
        return Verdict(False, None)
    terms = _take(order, stop, profile)
    limit = order.limit_price
    if terms is None and limit is not None and _beyond(limit, bar.close, sign):
        terms = Terms(limit, Liquidity.MAKER)
    return Verdict(True, terms)
