"""Cards of what a venue says about itself: it is true, and it stays."""

from __future__ import annotations

import inspect
from datetime import timedelta

from mts1b_foundation import Order, OrderType, TimeInForce
from mts1b_foundation.protocols import CapabilityCard, VenueCard

from mts1b_pluginsdk.conformance.bench import Bench
from mts1b_pluginsdk.conformance.card import Deck, Group
from mts1b_pluginsdk.conformance.needs import Need
from mts1b_pluginsdk.conformance.verdicts import CardFailed, CardSkipped, require

__all__ = ["CAPABILITIES"]

CAPABILITIES = Deck(Group.CAPABILITIES)
_CLAIMS = {
    "replaces": "replace",
    "cancels_all": "cancel_all",
    "corrects": "corrections_since",
    "dead_man_max_s": "cancel_all_after",
}
_OPTIONAL = (
    "get_order_by_key",
    "fills_since",
    "account_snapshot",
    *_CLAIMS.values(),
    "on_bars",
)


def _told(bench: Bench) -> VenueCard:
    if bench.card is None:
        raise CardFailed("the client has no capabilities")
    return bench.card


@CAPABILITIES.card(
    201,
    "card stays",
    purpose="the OMS plans by the card once, when it starts",
    source="CapabilityCard: it does not change while the venue is open",
    needs=(Need.CARD,),
)
async def card_stays(bench: Bench) -> str:
    """State the same card before and after an order, and over a new connection."""
    first = _told(bench)
    await bench.submit(bench.resting())
    for when in ("after an order", "over a new connection"):
        client = bench.venue
        again = client.capabilities() if isinstance(client, CapabilityCard) else None
        require(again == first, f"the card differs {when}")
        await bench.reconnect()
    return "one card"


@CAPABILITIES.card(
    202,
    "card names the venue",
    purpose="limits and halts of a venue reach the venue that they name",
    source="VenueCard: venue; BrokerProtocol: name",
    needs=(Need.CARD,),
)
async def card_names_the_venue(bench: Bench) -> str:
    """State the same name on the card and on the client."""
    card = _told(bench)
    require(type(card) is VenueCard, f"capabilities() gave a {type(card).__name__}")
    name = bench.venue.name
    require(card.venue == name, f"the card is of {card.venue!r}, the client is {name!r}")
    return repr(name)


@CAPABILITIES.card(
    203,
    "claims have methods",
    purpose="what the OMS relies on in an emergency is there",
    source="VenueCard; LEAN #5875: no documentation of what an adapter must do",
    needs=(Need.CARD,),
)
async def claims_have_methods(bench: Bench) -> str:
    """Offer a coroutine for everything that the card claims."""
    card = _told(bench)
    claimed = [method for claim, method in _CLAIMS.items() if getattr(card, claim)]
    if not claimed:
        raise CardSkipped("the venue does not offer anything beyond the minimum")
    for method in claimed:
        found = getattr(bench.venue, method, None)
        require(found is not None, f"the card claims {method} and the client has none")
        require(inspect.iscoroutinefunction(found), f"{method} must be `async def`")
    return ", ".join(claimed)


@CAPABILITIES.card(
    204,
    "optional methods are coroutines",
    purpose="an optional part can be called like the rest, and blocks nothing",
    source="foundation protocols: every method beyond set_time and capabilities is async",
)
async def optional_methods_are_coroutines(bench: Bench) -> str:
    """Offer optional parts as coroutines."""
    there = [name for name in _OPTIONAL if hasattr(bench.venue, name)]
    if not there:
        raise CardSkipped("the venue does not offer anything beyond the minimum")
    for name in there:
        found = inspect.iscoroutinefunction(getattr(bench.venue, name))
        require(found, f"{name} must be `async def`")
    return ", ".join(there)


def _of_type(bench: Bench, kind: OrderType) -> Order:
    """Return an order that rests, of any type but a market order."""
    fields: dict[str, object] = {"order_type": kind}
    if kind.needs_limit_price:
        fields["limit_price"] = bench.level(1)
    if kind.needs_stop_price:
        fields["stop_price"] = bench.level(10_000)
    return bench.order(1, **fields)


def _of_tif(bench: Bench, tif: TimeInForce) -> Order:
    fields: dict[str, object] = {"tif": tif}
    if tif is TimeInForce.GTD:
        fields["expires_at"] = bench.now + timedelta(hours=1)
    return bench.limit(1, 1, **fields)


@CAPABILITIES.card(
    205,
    "listed types are taken",
    purpose="an order is not refused for a type that was promised",
    source="VenueCard: order_types; FIX OrdType (40)",
    needs=(Need.CARD,),
)
async def listed_types_are_taken(bench: Bench) -> str:
    """Take an order of each type on the card."""
    kinds = _told(bench).order_types
    for kind in kinds:
        await bench.submit(_of_type(bench, kind))
    return ", ".join(kind.value for kind in kinds)


@CAPABILITIES.card(
    206,
    "listed lifetimes are taken",
    purpose="an order is not refused for a lifetime that was promised",
    source="VenueCard: tifs; FIX TimeInForce (59)",
    needs=(Need.CARD,),
)
async def listed_lifetimes_are_taken(bench: Bench) -> str:
    """Take an order of each lifetime on the card."""
    tifs = _told(bench).tifs
    for tif in tifs:
        await bench.submit(_of_tif(bench, tif))
    return ", ".join(tif.value for tif in tifs)


@CAPABILITIES.card(
    207,
    "other types are refused",
    purpose="a stop order does not go to the market as another order",
    source="17 CFR 240.15c3-5(c)(1)(ii): erroneous orders are prevented; FIX OrdRejReason 11",
    needs=(Need.CARD,),
)
async def other_types_are_refused(bench: Bench) -> str:
    """Refuse, with evidence, every type that is not on the card."""
    others = [kind for kind in OrderType if kind not in _told(bench).order_types]
    if not others:
        raise CardSkipped("the card lists every order type")
    for kind in others:
        order = _of_type(bench, kind)
        await bench.refused(order)
        require(not await bench.is_open(order), f"a refused {kind.value} order is open")
    return ", ".join(kind.value for kind in others)


@CAPABILITIES.card(
    208,
    "other lifetimes are refused",
    purpose="an order for now does not stay in the book for ever",
    source="FIX TimeInForce (59), OrdRejReason 11: unsupported order characteristic",
    needs=(Need.CARD,),
)
async def other_lifetimes_are_refused(bench: Bench) -> str:
    """Refuse, with evidence, every lifetime that is not on the card."""
    others = [tif for tif in TimeInForce if tif not in _told(bench).tifs]
    if not others:
        raise CardSkipped("the card lists every lifetime")
    for tif in others:
        order = _of_tif(bench, tif)
        await bench.refused(order)
        require(not await bench.is_open(order), f"a refused {tif.value} order is open")
    return ", ".join(tif.value for tif in others)
