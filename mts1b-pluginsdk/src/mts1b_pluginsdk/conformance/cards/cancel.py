"""Cards of the cancel: true when it says so, and without effect otherwise."""

from __future__ import annotations

import asyncio

from mts1b_foundation import OrderStatus

from mts1b_pluginsdk.conformance.bench import Bench
from mts1b_pluginsdk.conformance.card import Deck, Group
from mts1b_pluginsdk.conformance.needs import Need
from mts1b_pluginsdk.conformance.offers import mass_cancel_of
from mts1b_pluginsdk.conformance.verdicts import CardFailed, outcome, require

__all__ = ["CANCEL"]

CANCEL = Deck(Group.CANCEL)


@CANCEL.card(
    501,
    "cancel again",
    purpose="a cancel that is retried harms nothing",
    source="nautilus_trader docs, spec_exec_testing TC-E44: cancel of a cancelled order",
)
async def cancel_again(bench: Bench) -> str:
    """Say False to the cancel of what is cancelled, without an error."""
    order = bench.resting()
    await bench.submit(order)
    first = await bench.venue.cancel(order.order_id)
    second = await outcome(bench.venue.cancel(order.order_id))
    require(first is True, f"the cancel of an open order gave {first!r}")
    require(second is False, f"the second cancel gave {second!r}")
    require(not await bench.is_open(order), "a cancelled order is open")
    return "true, then false"


@CANCEL.card(
    502,
    "two cancels at once",
    purpose="a halt and a strategy cancel the same order, and both are answered",
    source="FIX CxlRejReason 3: already in pending cancel",
)
async def two_cancels_at_once(bench: Bench) -> str:
    """Confirm one of two cancels that come together, and deny the other."""
    order = bench.resting()
    await bench.submit(order)
    cancel = bench.venue.cancel
    both = await asyncio.gather(cancel(order.order_id), cancel(order.order_id))
    require(sorted(both) == [False, True], f"two cancels of one order gave {both}")
    return "one true, one false"


@CANCEL.card(
    503,
    "cancelled is known as cancelled",
    purpose="a lost answer to a cancel can be made good by asking",
    source="freqtrade #3647: a cancel whose answer was lost; FIX OrdStatus 4",
    needs=(Need.QUERY,),
)
async def cancelled_is_known(bench: Bench) -> str:
    """Show a cancelled order by its key, as cancelled."""
    order = bench.resting()
    await bench.submit(order)
    await bench.venue.cancel(order.order_id)
    seen = await bench.known(order)
    if seen is None:
        raise CardFailed("a cancelled order is not found by its key")
    require(seen.status is OrderStatus.CANCELED, f"a cancelled order is {seen.status.value}")
    require(seen.filled_quantity == 0, f"nothing filled, it says {seen.filled_quantity}")
    return seen.status.value


@CANCEL.card(
    504,
    "cancel crosses a fill",
    purpose="no order is both cancelled and filled whole",
    source="passivbot #514: the order had filled, and was sent again",
    needs=(Need.MARKET, Need.MARKET_ORDERS),
)
async def cancel_crosses_a_fill(bench: Bench) -> str:
    """Confirm a cancel that runs beside the market only when no fill came."""
    order = bench.order(10)
    await bench.submit(order)
    await bench.elapse(120.0)
    confirmed, _ = await asyncio.gather(
        bench.venue.cancel(order.order_id), bench.show(bench.bar(100))
    )
    await bench.advance()
    filled = await bench.filled(order)
    require(filled in (0, 10), f"{filled} of 10 filled in deep volume")
    agrees = confirmed == (filled == 0)
    require(agrees, f"the cancel said {confirmed}, and {filled} of 10 were filled")
    return f"{confirmed}, {filled} filled"


@CANCEL.card(
    505,
    "others stay",
    purpose="a cancel hits the order that it names",
    source="FIX OrigClOrdID (41); BrokerProtocol: cancel(order_id)",
)
async def others_stay(bench: Bench) -> str:
    """Leave every other order as it was."""
    orders = [bench.resting(number) for number in (1, 2, 3)]
    for order in orders:
        await bench.submit(order)
    await bench.venue.cancel(orders[1].order_id)
    seen = [await bench.is_open(order) for order in orders]
    require(seen == [True, False, True], f"the second of three was cancelled; open are {seen}")
    return "two of three stay"


@CANCEL.card(
    506,
    "part filled, then cancelled",
    purpose="what had traded stays on the books",
    source="ccxt #3851: the filled part of a cancelled order was lost",
    needs=(Need.MARKET, Need.MARKET_ORDERS),
)
async def part_filled_then_cancelled(bench: Bench) -> str:
    """Keep the filled part, end the rest."""
    order = bench.order(10)
    before = await bench.held()
    first = await bench.partly(order)
    require(await bench.venue.cancel(order.order_id), "the open rest was not cancelled")
    await bench.advance()
    filled = await bench.filled(order)
    require(filled == first, f"{first} had filled, after the cancel {filled} are")
    moved = await bench.held() - before
    require(moved == first, f"{first} filled, the position moved by {moved}")
    if bench.can_look_up:
        seen = await bench.known(order)
        kept = seen is not None and seen.filled_quantity == first
        require(kept, "the cancelled order has lost its filled quantity")
    return f"{first} kept, {10 - first} cancelled"


@CANCEL.card(
    507,
    "any text to cancel",
    purpose="a cancel with a broken id ends in False, not in a dead loop",
    source="FIX CxlRejReason 1: unknown order",
)
async def any_text_to_cancel(bench: Bench) -> str:
    """Say False to ids that lead nowhere, and leave the open order."""
    order = bench.resting()
    await bench.submit(order)
    for text in ("", " ", "*", "%", order.order_id[:-1], order.order_id + "0", "'; --"):
        answer = await outcome(bench.venue.cancel(text))
        require(answer is False, f"the cancel of {text!r} gave {answer!r}")
    require(await bench.is_open(order), "an order was cancelled by an id that is not its own")
    return "seven times false"


@CANCEL.card(
    508,
    "cancel over a new connection",
    purpose="orders can be taken back after a crash",
    source="go-trader #1462: resting orders outlived the process",
)
async def cancel_over_a_new_connection(bench: Bench) -> str:
    """Confirm the cancel of an order that an earlier connection sent."""
    order = bench.resting()
    await bench.submit(order)
    await bench.reconnect()
    confirmed = await bench.venue.cancel(order.order_id)
    require(confirmed is True, f"over a new connection the cancel gave {confirmed!r}")
    require(not await bench.is_open(order), "a cancelled order is open")
    return "confirmed"


@CANCEL.card(
    509,
    "cancel moves nothing",
    purpose="a cancel is no trade",
    source="BrokerProtocol: cancel; reconciliation of positions",
)
async def cancel_moves_nothing(bench: Bench) -> str:
    """Leave the position as it was, when an order is cancelled."""
    await bench.trade(bench.order(10))
    before = await bench.held()
    order = bench.resting()
    await bench.submit(order)
    await bench.venue.cancel(order.order_id)
    after = await bench.held()
    require(after == before, f"a cancel moved the position from {before} to {after}")
    return f"the position stayed {after}"


@CANCEL.card(
    521,
    "cancel all",
    purpose="a halt takes back everything in one act",
    source="RTS 6 (EU 2017/589) Art. 12: kill functionality; go-trader #1462",
    needs=(Need.CANCEL_ALL,),
)
async def cancel_all(bench: Bench) -> str:
    """Cancel all orders and name each by the client's id."""
    orders = [bench.resting(number) for number in (1, 2, 3)]
    for order in orders:
        await bench.submit(order)
    named = await mass_cancel_of(bench.venue).cancel_all()
    lost = [one.order_id for one in orders if one.order_id not in named]
    require(not lost, f"cancel_all did not name {len(lost)} of 3 orders")
    require(len(set(named)) == len(named), "cancel_all named an order twice")
    left = [one.order_id for one in await bench.listed()]
    require(not left, f"after cancel_all {len(left)} orders are open")
    return f"{len(named)} named, none open"


@CANCEL.card(
    522,
    "cancel all of nothing",
    purpose="a second halt is not a failure",
    source="CancelAllOrders: the ids that are confirmed cancelled",
    needs=(Need.CANCEL_ALL,),
)
async def cancel_all_of_nothing(bench: Bench) -> str:
    """Name nothing when nothing is open."""
    venue = mass_cancel_of(bench.venue)
    await bench.submit(bench.resting())
    await venue.cancel_all()
    named = await venue.cancel_all()
    require(named == [], f"with nothing open, cancel_all named {named}")
    return "an empty list"


@CANCEL.card(
    523,
    "cancel all names the cancelled",
    purpose="the halt's report is true to the order",
    source="CancelAllOrders: confirmed cancelled; hummingbot #2534",
    needs=(Need.CANCEL_ALL, Need.MARKET, Need.MARKET_ORDERS),
)
async def cancel_all_names_the_cancelled(bench: Bench) -> str:
    """Name no order that had ended; fill none that is named."""
    done, resting = bench.order(10), bench.limit(90)
    await bench.trade(done)
    await bench.submit(resting)
    named = await mass_cancel_of(bench.venue).cancel_all()
    require(done.order_id not in named, "cancel_all named an order that was filled")
    require(resting.order_id in named, "cancel_all did not name the open order")
    await bench.advance(80)
    late = await bench.filled(resting)
    require(late == 0, f"{late} filled after cancel_all had named the order")
    return "the open one named, nothing filled afterwards"


@CANCEL.card(
    524,
    "after cancel all, go on",
    purpose="trading can resume after a halt",
    source="hummingbot #620: no way to resume",
    needs=(Need.CANCEL_ALL,),
)
async def after_cancel_all_go_on(bench: Bench) -> str:
    """Take a new order after all were cancelled."""
    await mass_cancel_of(bench.venue).cancel_all()
    order = bench.resting()
    await bench.submit(order)
    require(await bench.is_open(order), "an order after cancel_all is not open")
    return "a new order is open"
