"""Cards of calls whose end is unknown: the caller gave up, or the venue shows nothing yet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from mts1b_foundation import Order, OrderStatus

from mts1b_pluginsdk.conformance.bench import Bench
from mts1b_pluginsdk.conformance.card import Deck, Group
from mts1b_pluginsdk.conformance.needs import Need
from mts1b_pluginsdk.conformance.offers import history_of, query_of
from mts1b_pluginsdk.conformance.verdicts import outcome, refusal, require

__all__ = ["AMBIGUITY"]

AMBIGUITY = Deck(Group.AMBIGUITY)
_STEPS = 8
"""After how many turns of the event loop a caller gives up, at the most."""


async def _given_up(call: Awaitable[object], steps: int) -> None:
    """Begin a call and give up after some turns of the event loop."""
    task = asyncio.ensure_future(call)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])


@AMBIGUITY.card(
    801,
    "submit given up",
    purpose="an order whose caller died is one order or none",
    source="hummingbot #366; TigerBeetle docs: reliable transaction submission",
    needs=(Need.MARKET, Need.MARKET_ORDERS, Need.KEYS),
)
async def submit_given_up(bench: Bench) -> str:
    """Take an order once, when its first submission was given up at any moment."""
    for steps in range(_STEPS):
        order = bench.order(10)
        await _given_up(bench.venue.submit(order), steps)
        await bench.submit(order)
        await bench.advance()
        filled = await bench.filled(order)
        require(filled == 10, f"given up after {steps} turns and sent again: {filled} of 10 filled")
    return f"{_STEPS} moments, one order each"


@AMBIGUITY.card(
    802,
    "cancel given up",
    purpose="a cancel whose caller died can be asked again",
    source="freqtrade #3647: a cancel whose answer was lost",
    needs=(Need.MARKET, Need.LIMIT_ORDERS),
)
async def cancel_given_up(bench: Bench) -> str:
    """End an order by a second cancel, when the first was given up at any moment."""
    for steps in range(_STEPS):
        order = bench.limit(90)
        await bench.submit(order)
        await _given_up(bench.venue.cancel(order.order_id), steps)
        was_open = await bench.is_open(order)
        again = await bench.venue.cancel(order.order_id)
        require(again == was_open, f"the order was {_open(was_open)}, the cancel said {again}")
        await bench.advance(80)
        filled = await bench.filled(order)
        require(filled == 0, f"given up after {steps} turns: {filled} filled after the cancel")
        await bench.advance(100)
    return f"{_STEPS} moments, cancelled each time"


def _open(there: bool) -> str:
    return "open" if there else "gone"


@AMBIGUITY.card(
    803,
    "nothing hangs",
    purpose="one caller that gave up does not stop the desk",
    source="asyncio: a cancelled task that held a lock",
)
async def nothing_hangs(bench: Bench) -> str:
    """Answer every other call, after callers gave up in the middle."""
    for steps in range(_STEPS):
        await _given_up(bench.venue.submit(bench.resting()), steps)
        await _given_up(bench.venue.get_open_orders(), steps)
        await _given_up(bench.venue.get_positions(), steps)
    order = bench.resting()
    await bench.submit(order)
    require(await bench.is_open(order), "an order after given-up calls is not open")
    return f"{3 * _STEPS} calls given up, then an order"


@AMBIGUITY.card(
    804,
    "given up and known",
    purpose="what became of an order can be asked by its key",
    source="hummingbot #3374; ccxt #2599: the order was there after a time-out",
    needs=(Need.QUERY,),
)
async def given_up_and_known(bench: Bench) -> str:
    """Show an order by key exactly when it is open, when its submission was given up."""
    for steps in range(_STEPS):
        order = bench.resting()
        await _given_up(bench.venue.submit(order), steps)
        found = await bench.known(order)
        there = await bench.is_open(order)
        known = found is not None and not found.is_terminal
        require(known == there, f"by its key the order is {_open(known)}, listed {_open(there)}")
    return f"{_STEPS} moments, key and list agree"


@AMBIGUITY.card(
    831,
    "shown after the lag",
    purpose="the OMS may hold an order for absent once the lag is over",
    source="VenueCard: visibility_lag_s; freqtrade #4403, ccxt #1786: shown seconds later",
    needs=(Need.LAG, Need.QUERY),
)
async def shown_after_the_lag(bench: Bench) -> str:
    """Show an order by key and in the list, once the stated lag is over."""
    order = bench.resting()
    await bench.submit(order)
    await bench.elapse(bench.lag_s)
    found = await query_of(bench.venue).get_order_by_key(order.idempotency_key)
    require(found is not None, f"not found by key {bench.lag_s:g} s after it was taken")
    listed = [one.order_id for one in await bench.venue.get_open_orders()]
    require(order.order_id in listed, f"not listed {bench.lag_s:g} s after it was taken")
    return f"shown after {bench.lag_s:g} s"


@AMBIGUITY.card(
    832,
    "retry within the lag",
    purpose="an order that is not shown yet is not taken twice",
    source="freqtrade #4403; MUST 2",
    needs=(Need.LAG, Need.KEYS),
)
async def retry_within_the_lag(bench: Bench) -> str:
    """Know a key before the order is shown."""
    order = bench.resting()
    first = await bench.venue.submit(order)
    again = await outcome(bench.venue.submit(order))
    same = isinstance(again, Order) and again.broker_order_id == first.broker_order_id
    require(same or refusal(again) is not None, f"a retry within the lag gave {again!r}")
    listed = [one for one in await bench.listed() if one.order_id == order.order_id]
    require(len(listed) == 1, f"after the lag {len(listed)} such orders are listed")
    return "one order"


@AMBIGUITY.card(
    833,
    "fills told after the lag",
    purpose="evidence is complete once the lag is over",
    source="VenueCard: visibility_lag_s; nautilus_trader PR #3493",
    needs=(Need.LAG, Need.MARKET, Need.MARKET_ORDERS, Need.HISTORY),
)
async def fills_told_after_the_lag(bench: Bench) -> str:
    """Tell a fill once the stated lag is over, from a cursor taken within it."""
    order = bench.order(10)
    await bench.submit(order)
    await bench.advance()
    early, cursor = await history_of(bench.venue).fills_since(None)
    await bench.elapse(bench.lag_s)
    late, _ = await history_of(bench.venue).fills_since(cursor)
    told = [one for one in (*early, *late) if one.order_id == order.order_id]
    ids = {one.fill_id for one in told}
    filled = sum(one.quantity for one in told)
    require(filled == 10, f"10 filled, {filled} told by a reader that went on from its cursor")
    require(len(ids) == len(told), "a fill was told on both sides of the cursor")
    return f"{len(early)} at once, {len(late)} after"


@AMBIGUITY.card(
    834,
    "cancelled within the lag",
    purpose="a halt reaches orders that are not shown yet",
    source="go-trader #1462; freqtrade #4403",
    needs=(Need.LAG,),
)
async def cancelled_within_the_lag(bench: Bench) -> str:
    """Confirm the cancel of an order before it is shown, and never show it as open."""
    order = bench.resting()
    await bench.venue.submit(order)
    confirmed = await bench.venue.cancel(order.order_id)
    require(confirmed is True, f"the cancel of a new order gave {confirmed!r}")
    require(not await bench.is_open(order), "a cancelled order is listed after the lag")
    if bench.can_look_up:
        found = await bench.known(order)
        ended = found is None or found.status is OrderStatus.CANCELED
        require(ended, "a cancelled order is known as another than cancelled")
    return "confirmed"
