"""Cards of a connection: begin, look, end, and begin again."""

from __future__ import annotations

import asyncio

from mts1b_foundation import Fill, Order, Position
from mts1b_foundation.protocols import BrokerProtocol

from mts1b_pluginsdk.conformance.bench import Bench, total
from mts1b_pluginsdk.conformance.card import Deck, Group
from mts1b_pluginsdk.conformance.needs import Need
from mts1b_pluginsdk.conformance.verdicts import CardFailed, outcome, refusal, require

__all__ = ["SESSION"]

SESSION = Deck(Group.SESSION)
_MANY = 25


@SESSION.card(
    101,
    "lists before orders",
    purpose="a desk can look at its account before it sends anything",
    source="QuickFIX test/definitions 1a: a valid logon is answered; BrokerProtocol: queries",
)
async def answers_at_once(bench: Bench) -> str:
    """List orders and positions over a connection that has sent nothing."""
    orders = await bench.venue.get_open_orders()
    positions = await bench.venue.get_positions()
    require(type(orders) is list, f"get_open_orders gave a {type(orders).__name__}")
    require(type(positions) is list, f"get_positions gave a {type(positions).__name__}")
    require(all(isinstance(one, Order) for one in orders), "an open order is not an Order")
    require(all(isinstance(one, Position) for one in positions), "a position is not a Position")
    return f"{len(orders)} orders, {len(positions)} positions"


@SESSION.card(
    102,
    "reads change nothing",
    purpose="a monitor that asks every second moves no order and no money",
    source="nautilus_trader #3550: queries that read a stale cache",
)
async def reads_change_nothing(bench: Bench) -> str:
    """Give equal answers to equal questions, with an order open."""
    await bench.submit(bench.resting())
    seen = [(await bench.listed(), await bench.held()) for _ in range(3)]
    orders = [[(one.order_id, one.status) for one in orders] for orders, _ in seen]
    require(orders[0] == orders[1] == orders[2], "three looks at open orders differ")
    require(len({held for _, held in seen}) == 1, "three looks at the position differ")
    return "three looks agree"


@SESSION.card(
    103,
    "listing is complete",
    purpose="no order is taken for lost because it stood on a second page",
    source="ccxt #1786: an order is missing from the answer; Kraken: lists in pages of fifty",
)
async def listing_is_complete(bench: Bench) -> str:
    """List every open order once, also when they are many."""
    orders = [bench.resting(1) for _ in range(_MANY)]
    for order in orders:
        await bench.submit(order)
    listed = [one.order_id for one in await bench.listed()]
    lost = [one.order_id for one in orders if one.order_id not in listed]
    require(not lost, f"{len(lost)} of {_MANY} open orders are not listed")
    require(len(set(listed)) == len(listed), "an open order is listed twice")
    return f"{_MANY} of {_MANY} listed"


@SESSION.card(
    104,
    "questions at the same time",
    purpose="the supervisor's question does not wait for the order path, nor harm it",
    source="QuickFIX test/definitions 8: admin and application messages mixed",
)
async def questions_at_the_same_time(bench: Bench) -> str:
    """Answer orders, positions and a submission that come together."""
    order = bench.resting()
    taken, orders, positions = await asyncio.gather(
        bench.submit(order), bench.venue.get_open_orders(), bench.venue.get_positions()
    )
    require(taken.order_id == order.order_id, f"submit answered with order {taken.order_id}")
    require(isinstance(orders, list) and isinstance(positions, list), "an answer is no list")
    require(await bench.is_open(order), "the order is not listed afterwards")
    return "three answers, each to its question"


@SESSION.card(
    105,
    "closed takes nothing",
    purpose="an OMS that was shut down sends no order",
    source="hummingbot #720: a stopped connection sent orders; FIX: nothing follows a Logout",
    needs=(Need.CLOSE,),
)
async def closed_takes_nothing(bench: Bench) -> str:
    """Raise for an order over a closed connection; the account does not get it."""
    order = bench.resting()
    client = bench.venue
    await bench.reconnect()
    answer = await outcome(client.submit(order))
    told = isinstance(answer, BaseException) or refusal(answer) is not None
    require(told, "a closed client took an order")
    require(not await bench.is_open(order), "an order of a closed client reached the account")
    return "refused" if refusal(answer) else f"raised {type(answer).__name__}"


@SESSION.card(
    106,
    "close twice",
    purpose="a shutdown that is repeated ends as well as the first",
    source="QuickFIX test/definitions 13b: an unsolicited Logout is answered and ends",
    needs=(Need.CLOSE,),
)
async def close_twice(bench: Bench) -> str:
    """Close a connection twice without an error."""
    client = bench.venue
    await bench.reconnect()
    again = await outcome(client.close())  # type: ignore[attr-defined]
    require(not isinstance(again, BaseException), f"the second close raised {again!r}")
    return "the second close changed nothing"


@SESSION.card(
    107,
    "close ends streams",
    purpose="a shutdown is not held up by a reader of fills",
    source="BrokerProtocol: stream_fills; asyncio: a task that never ends blocks the shutdown",
    needs=(Need.CLOSE,),
)
async def close_ends_streams(bench: Bench) -> str:
    """End a stream that waits for fills when its client is closed."""
    reader = asyncio.create_task(_read(bench.venue))
    await asyncio.sleep(0)
    await bench.venue.get_open_orders()  # by now the reader has a connection, and waits
    await bench.reconnect()
    done, _ = await asyncio.wait([reader], timeout=bench.settings.patience_s)
    reader.cancel()
    require(bool(done), "a stream waits on after its client was closed")
    return "the stream ended"


async def _read(venue: BrokerProtocol) -> list[Fill]:
    return [fill async for fill in venue.stream_fills()]


@SESSION.card(
    108,
    "stream can be left",
    purpose="a reader that goes away holds up nothing",
    source="BrokerProtocol: stream_fills is an async iterator",
)
async def stream_can_be_left(bench: Bench) -> str:
    """Give up a reader that waits for a first fill, and go on."""
    reader = asyncio.create_task(_read(bench.venue))
    for _ in range(5):
        await asyncio.sleep(0)
    reader.cancel()
    await asyncio.wait([reader])
    order = bench.order(10)
    await bench.trade(order)
    heard = total(await bench.streamed(order))
    require(heard == 10, f"10 filled after a reader had left, the next one heard of {heard}")
    return "a reader left, the next one heard all"


@SESSION.card(
    109,
    "five connections",
    purpose="a link that flaps changes no order, fill or position",
    source="nautilus_trader #3046, #3878: each reconnection adjusted the book again",
)
async def five_connections(bench: Bench) -> str:
    """Show the same account over five connections, one after another."""
    await bench.trade(bench.order(10))
    await bench.submit(bench.resting())
    seen = []
    for _ in range(5):
        orders = sorted(one.order_id for one in await bench.listed())
        seen.append((orders, await bench.held()))
        await bench.reconnect()
    different = [one for one in seen if one != seen[0]]
    require(not different, f"{len(different)} of 5 connections show another account")
    return "five connections, one account"


@SESSION.card(
    110,
    "venue's own time",
    purpose="the record of when an order left is the venue's, not a guess",
    source="RTS 25 (EU 2017/574); FIX TransactTime (60)",
    needs=(Need.MARKET,),
)
async def venues_own_time(bench: Bench) -> str:
    """Stamp an order with the time that the venue was told."""
    taken = await bench.submit(bench.resting())
    stamped = taken.submitted_at
    if stamped is None:
        raise CardFailed("submit returned an order without submitted_at")
    off = abs((stamped - bench.now).total_seconds())
    require(off <= 1.0, f"submitted_at is {off:g} s away from the venue's time, allowed 1 s")
    return f"{off:g} s apart"
