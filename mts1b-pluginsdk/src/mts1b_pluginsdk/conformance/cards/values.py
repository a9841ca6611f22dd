"""Cards of the values that come back: exact, whole, and the caller's own."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mts1b_foundation import Fill, Order, Position

from mts1b_pluginsdk.conformance.bench import Bench
from mts1b_pluginsdk.conformance.card import Deck, Group
from mts1b_pluginsdk.conformance.needs import Need
from mts1b_pluginsdk.conformance.offers import history_of
from mts1b_pluginsdk.conformance.verdicts import require

__all__ = ["VALUES"]

VALUES = Deck(Group.VALUES)
_MARKET = (Need.MARKET, Need.MARKET_ORDERS)


async def _seen(bench: Bench) -> list[Order | Fill | Position]:
    """Return one of everything that the venue hands out."""
    order = bench.resting()
    taken = await bench.submit(order)
    fills = await bench.trade(bench.order(10))
    await bench.settle()
    positions = await bench.venue.get_positions()
    return [taken, *await bench.listed(), *fills, *positions]


@VALUES.card(
    1201,
    "types of ours",
    purpose="nothing is handed on that was not checked",
    source="BrokerProtocol: Order, Fill, Position; Pydantic: model_construct checks nothing",
    needs=_MARKET,
)
async def types_of_ours(bench: Bench) -> str:
    """Hand out orders, fills and positions that pass their own checks."""
    for one in await _seen(bench):
        kind = type(one)
        require(kind in (Order, Fill, Position), f"a {kind.__name__} was handed out")
        values: dict[str, Any] = {name: getattr(one, name) for name in kind.model_fields}
        again = kind.model_validate(values, strict=True)
        require(again == one, f"a {kind.__name__} differs from itself when it is checked")
    return "orders, fills and positions"


@VALUES.card(
    1202,
    "same after JSON",
    purpose="what goes into the record comes out of it",
    source="freqtrade #2076: 57.638000000000005 does not match 57.638",
    needs=_MARKET,
)
async def same_after_json(bench: Bench) -> str:
    """Hand out values that a round trip through JSON does not change."""
    seen = await _seen(bench)
    for one in seen:
        again = type(one).model_validate_json(one.model_dump_json())
        require(again == one, f"a {type(one).__name__} differs after JSON")
    return f"{len(seen)} values"


@VALUES.card(
    1203,
    "lists of the caller's own",
    purpose="a reader that sorts its list harms nobody",
    source="BrokerProtocol: list; aliasing",
    needs=(),
)
async def lists_of_the_callers_own(bench: Bench) -> str:
    """Hand out a new list each time."""
    order = bench.resting()
    await bench.submit(order)
    (await bench.listed()).clear()
    (await bench.venue.get_positions()).clear()
    require(await bench.is_open(order), "an order is gone after a caller emptied its list")
    return "emptied, and still listed"


@VALUES.card(
    1204,
    "open is not ended",
    purpose="no order is listed as working that has ended",
    source="FIX OrdStatus (39): working and ended states",
    needs=_MARKET,
)
async def open_is_not_ended(bench: Bench) -> str:
    """List as open only what has not ended."""
    await bench.trade(bench.order(10))
    cancelled = bench.resting()
    await bench.submit(cancelled)
    await bench.venue.cancel(cancelled.order_id)
    await bench.submit(bench.resting())
    listed = await bench.listed()
    ended = [f"{one.order_id} {one.status.value}" for one in listed if one.is_terminal]
    require(not ended, f"listed as open: {', '.join(ended)}")
    full = [one.order_id for one in listed if one.remaining_quantity == 0]
    require(not full, f"listed as open with nothing left: {', '.join(full)}")
    return f"{len(listed)} open"


@VALUES.card(
    1205,
    "yes and no",
    purpose="an answer that is neither is not read as yes",
    source="BrokerProtocol: cancel returns True only when confirmed",
)
async def yes_and_no(bench: Bench) -> str:
    """Answer a cancel with True or False, not with what looks like it."""
    order = bench.resting()
    await bench.submit(order)
    for order_id in (order.order_id, order.order_id, "no-such-order"):
        answer = await bench.venue.cancel(order_id)
        require(type(answer) is bool, f"cancel gave a {type(answer).__name__}: {answer!r}")
    return "true, false, false"


@VALUES.card(
    1206,
    "cursors are text",
    purpose="a cursor can be kept in any store",
    source="FillHistory: the new cursor",
    needs=(Need.HISTORY,),
)
async def cursors_are_text(bench: Bench) -> str:
    """Give a cursor that is text, and the same one while nothing happens."""
    first = (await history_of(bench.venue).fills_since(None))[1]
    second = (await history_of(bench.venue).fills_since(first))[1]
    require(type(first) is str, f"the cursor is a {type(first).__name__}")
    require(first == second, f"nothing happened, and the cursor went from {first} to {second}")
    return repr(first)


@VALUES.card(
    1207,
    "small prices are exact",
    purpose="a price is what was sent, to the last digit",
    source="freqtrade #2076, #1371; ccxt: precision",
    needs=(Need.LIMIT_ORDERS,),
)
async def small_prices_are_exact(bench: Bench) -> str:
    """Keep the digits of quantity and price, or refuse the order."""
    price, quantity = Decimal("0.1") + Decimal("0.2"), Decimal("12345678")
    order = bench.limit(1, quantity, limit_price=price)
    await bench.submit(order)
    listed = [one for one in await bench.listed() if one.order_id == order.order_id]
    require(len(listed) == 1, "the order is not listed")
    require(listed[0].limit_price == price, f"0.3 became {listed[0].limit_price}")
    require(listed[0].quantity == quantity, f"12345678 became {listed[0].quantity}")
    return "0.3 and 12345678"


@VALUES.card(
    1208,
    "filled as the fills say",
    purpose="two views of one order do not differ",
    source="FIX CumQty (14); nautilus_trader PR #3493",
    needs=(*_MARKET, Need.QUERY),
)
async def filled_as_the_fills_say(bench: Bench) -> str:
    """State on the order what its fills add up to."""
    order = bench.order(10)
    await bench.trade(order)
    seen = await bench.known(order)
    told = await bench.filled(order)
    stated = seen.filled_quantity if seen is not None else None
    require(stated == told, f"the fills say {told}, the order {stated}")
    return f"{told}"


@VALUES.card(
    1209,
    "times in order",
    purpose="an order is accepted after it was sent, and before it fills",
    source="RTS 24 (EU 2017/580): times of an order's life",
    needs=_MARKET,
)
async def times_in_order(bench: Bench) -> str:
    """Stamp created, submitted, accepted and filled in that order."""
    order = bench.order(10)
    taken = await bench.submit(order)
    await bench.advance()
    fills = await bench.fills_of(order)
    times = [taken.created_at, taken.submitted_at, taken.accepted_at, *(f.timestamp for f in fills)]
    known = [one for one in times if one is not None]
    require(known == sorted(known), f"times out of order: {[str(one) for one in known]}")
    require(bool(fills), "no fill came")
    return f"{len(known)} times"
