"""Checks of what a broker does with orders."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from decimal import Decimal

from mts1b_foundation import Order, OrderStatus
from mts1b_foundation.protocols import BrokerProtocol

from mts1b_pluginsdk.conformance.bench import Bench
from mts1b_pluginsdk.conformance.offers import query_of
from mts1b_pluginsdk.conformance.verdicts import CardFailed, require

__all__ = [
    "cancel_is_false_otherwise",
    "cancel_is_true",
    "found_by_key",
    "key_reuse_makes_no_order",
    "name_is_stable",
    "shape_fits",
    "submit_is_idempotent",
    "submit_stamps_the_order",
]

_AWAITED = {"submit": 1, "cancel": 1, "get_open_orders": 0, "get_positions": 0}
"""The methods that the OMS awaits, each with how many values it gives."""
_MEMBERS = ("name", *_AWAITED, "stream_fills")
_KEPT = ("order_id", "idempotency_key", "symbol", "side", "quantity", "fund_id", "strategy_id")


async def shape_fits(bench: Bench) -> str:
    """Match the protocol; every method is a coroutine, the stream an async generator."""
    venue = bench.venue
    absent = [name for name in _MEMBERS if not hasattr(venue, name)]
    require(not absent, f"{type(venue).__name__} lacks {', '.join(absent)} of BrokerProtocol")
    require(isinstance(venue, BrokerProtocol), "a member of BrokerProtocol is no method")
    for name, values in _AWAITED.items():
        method = getattr(venue, name)
        require(inspect.iscoroutinefunction(method), f"{name} must be `async def`")
        _require_callable(name, method, values)
    stream = venue.stream_fills
    require(inspect.isasyncgenfunction(stream), "stream_fills must be `async def` with `yield`")
    _require_callable("stream_fills", stream, 0)
    return f"{type(venue).__name__} has the six members"


def _require_callable(name: str, method: Callable[..., object], values: int) -> None:
    try:
        inspect.signature(method).bind(*[None] * values)
    except TypeError as error:
        raise CardFailed(f"{name} can not be called with {values} values: {error}") from error


async def name_is_stable(bench: Bench) -> str:
    """Say one name before and after an order, and over a new connection."""
    first = bench.venue.name
    require(isinstance(first, str) and bool(first.strip()), f"name is {first!r}")
    await bench.venue.submit(bench.resting())
    seen = [bench.venue.name, (await bench.reconnect()).name]
    require(seen == [first, first], f"name was {first!r}, then {seen[0]!r} and {seen[1]!r}")
    return repr(first)


async def submit_is_idempotent(bench: Bench) -> str:
    """Take one key once, also when two calls run at the same time."""
    order = bench.order(10)
    before = await bench.held()
    first, second = await asyncio.gather(bench.venue.submit(order), bench.venue.submit(order))
    third = await bench.venue.submit(order)
    ids = {one.broker_order_id for one in (first, second, third)}
    require(
        len(ids) == 1,
        f"one key gave {len(ids)} orders: {', '.join(map(str, sorted(ids, key=str)))}",
    )
    await bench.advance()
    if bench.keeps_ended_keys:
        await bench.venue.submit(order)
    await bench.advance()
    filled = sum(fill.quantity for fill in await bench.fills_of(order))
    require(filled == 10, f"10 ordered by one key, {filled} filled")
    moved = await bench.held() - before
    require(moved == 10, f"10 ordered by one key, the position moved by {moved}")
    return f"one key, one order {first.broker_order_id}, 10 filled"


async def key_reuse_makes_no_order(bench: Bench) -> str:
    """Reject a known key with another quantity, or give the first order; never take a second."""
    order = bench.order(10)
    first = await bench.venue.submit(order)
    changed = order.with_(quantity=order.quantity + 1)
    (answer,) = await asyncio.gather(bench.venue.submit(changed), return_exceptions=True)
    taken = isinstance(answer, Order) and answer.status is not OrderStatus.REJECTED
    if isinstance(answer, Order) and taken:
        same = answer.broker_order_id == first.broker_order_id and answer.quantity == 10
        require(same, f"a known key with 11 instead of 10 gave an order of {answer.quantity}")
    await bench.advance()
    filled = sum(fill.quantity for fill in await bench.fills_of(order))
    require(filled == 10, f"10 ordered first, 11 by the same key, {filled} filled")
    return f"the first order stands; the second was {'it' if taken else 'refused'}"


async def submit_stamps_the_order(bench: Bench) -> str:
    """Return the client's order with the time of submission and the venue's id."""
    order = bench.resting()
    taken = await bench.venue.submit(order)
    if taken.submitted_at is None:
        raise CardFailed("submit returned an order without submitted_at")
    require(taken.submitted_at.tzinfo is not None, "submitted_at has no time zone")
    require(bool(taken.broker_order_id), "submit returned an order without broker_order_id")
    lost = [name for name in _KEPT if getattr(taken, name) != getattr(order, name)]
    require(not lost, f"submit changed {', '.join(lost)}")
    require(await bench.is_open(order), "the order rests and get_open_orders does not list it")
    return f"submitted_at {taken.submitted_at.isoformat()}"


async def cancel_is_true(bench: Bench) -> str:
    """Confirm the cancel of an open order; no fill follows, even when the price comes."""
    order = bench.resting()
    taken = await bench.venue.submit(order)
    by_client = await bench.venue.cancel(order.order_id)
    confirmed = by_client or await bench.venue.cancel(taken.broker_order_id or "")
    require(confirmed is True, "an open order was not cancelled")
    require(not await bench.is_open(order), "after a confirmed cancel the order is still open")
    await bench.advance(Decimal("0.5"))
    late = await bench.fills_of(order)
    require(not late, f"{len(late)} fill came after a confirmed cancel")
    require(by_client is True, "cancel did not know the client's order_id, only the broker's")
    return "confirmed; no fill when the market came through the limit"


async def cancel_is_false_otherwise(bench: Bench) -> str:
    """Deny the cancel of an unknown order and of one that is filled."""
    unknown = await bench.venue.cancel("no-such-order")
    require(unknown is False, f"cancel of an unknown order gave {unknown!r}")
    order = bench.order(1)
    await bench.trade(order)
    filled = await bench.venue.cancel(order.order_id)
    require(filled is False, f"cancel of a filled order gave {filled!r}")
    return "false for an unknown and for a filled order"


async def found_by_key(bench: Bench) -> str:
    """Find an order by its key, and say None for a key never seen."""
    venue = query_of(bench.venue)
    order = bench.resting()
    require(await venue.get_order_by_key(order.idempotency_key) is None, "a new key is known")
    taken = await bench.submit(order)
    await bench.settle()
    found = await venue.get_order_by_key(order.idempotency_key)
    if found is None:
        raise CardFailed("an order that was taken is not found by its key")
    require(found.broker_order_id == taken.broker_order_id, "the key leads to another order")
    return f"{order.idempotency_key} is {found.broker_order_id}"
