"""Cards of executions: each one told, once, whole and in order."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from mts1b_foundation import Fill, Order, OrderStatus, Side

from mts1b_pluginsdk.conformance.bench import Bench, total
from mts1b_pluginsdk.conformance.card import Deck, Group
from mts1b_pluginsdk.conformance.needs import Need
from mts1b_pluginsdk.conformance.offers import history_of
from mts1b_pluginsdk.conformance.verdicts import CardFailed, outcome, require

__all__ = ["FILLS"]

FILLS = Deck(Group.FILLS)
_MARKET = (Need.MARKET, Need.MARKET_ORDERS)
_HISTORY = (*_MARKET, Need.HISTORY)


@FILLS.card(
    401,
    "fill names its order",
    purpose="no execution is without an owner",
    source="FIX ExecutionReport (8): ClOrdID, OrderID, ExecID, Side; nautilus_trader #4270",
    needs=_MARKET,
)
async def fill_names_its_order(bench: Bench) -> str:
    """State order, symbol and side on each fill, and the venue's id where there is a field."""
    order = bench.order(10, side=Side.SHORT)
    taken = await bench.submit(order)
    await bench.advance()
    fills = await bench.fills_of(order)
    require(bool(fills), "no fill names the client's order_id")
    for fill in fills:
        require(fill.symbol == order.symbol, f"a fill of {order.symbol} says {fill.symbol}")
        require(fill.side is order.side, f"a fill of a {order.side.value} says {fill.side.value}")
        known = fill.broker_order_id in (None, taken.broker_order_id)
        require(known, f"a fill of {taken.broker_order_id} says {fill.broker_order_id}")
    return f"{len(fills)} fill of {order.order_id}"


@FILLS.card(
    402,
    "never more than ordered",
    purpose="an order of ten does not become eleven",
    source="nautilus_trader docs, execution: overfills; SEC 34-70694: fills that were not counted",
    needs=_MARKET,
)
async def never_more_than_ordered(bench: Bench) -> str:
    """Fill ten of ten, however many bars follow."""
    order = bench.order(10)
    await bench.submit(order)
    for volume in (bench.settings.thin_volume, Decimal(1_000_000), Decimal(1_000_000)):
        await bench.advance(volume=volume)
    filled = await bench.filled(order)
    require(filled == 10, f"10 ordered, {filled} filled in three bars")
    return "10 of 10 in three bars"


@FILLS.card(
    403,
    "ids of their own",
    purpose="a fill is told from its copy",
    source="hummingbot #1663, nautilus_trader #3046: one fill booked twice",
    needs=_MARKET,
)
async def ids_of_their_own(bench: Bench) -> str:
    """Give the fills of six orders six ids and more, over two connections."""
    fills: list[Fill] = []
    for _ in range(2):
        for _ in range(3):
            fills += await bench.trade(bench.order(1))
        await bench.reconnect()
    ids = {fill.fill_id for fill in fills}
    require(len(ids) == len(fills), f"{len(fills)} fills have {len(ids)} ids")
    return f"{len(ids)} ids"


@FILLS.card(
    404,
    "time of the fill",
    purpose="fills stand in the record where they happened",
    source="FIX TransactTime (60); RTS 25 (EU 2017/574)",
    needs=_MARKET,
)
async def time_of_the_fill(bench: Bench) -> str:
    """Stamp a fill between the submission and now."""
    order = bench.order(10)
    sent = bench.now
    fills = await bench.trade(order)
    outside = [one.timestamp.isoformat() for one in fills if not sent <= one.timestamp <= bench.now]
    require(not outside, f"filled at {', '.join(outside)}, before the order or after now")
    return fills[0].timestamp.isoformat()


@FILLS.card(
    405,
    "oldest first",
    purpose="a book that is rebuilt from fills comes out the same",
    source="FillHistory: oldest first; nautilus_trader #3878: two runs, two results",
    needs=_HISTORY,
)
async def oldest_first(bench: Bench) -> str:
    """Tell the fills of three orders in the order in which they happened."""
    orders = [bench.order(number) for number in (1, 2, 3)]
    for order in orders:
        await bench.trade(order)
    fills, _ = await history_of(bench.venue).fills_since(None)
    times = [fill.timestamp for fill in fills]
    require(times == sorted(times), "the history is not in order of time")
    mine = {one.order_id for one in orders}
    told = list(dict.fromkeys(fill.order_id for fill in fills if fill.order_id in mine))
    require(told == [one.order_id for one in orders], "fills are told in another order")
    return f"{len(fills)} fills in order"


@FILLS.card(
    406,
    "no fill from before",
    purpose="no order trades at a price that was gone when it came",
    source="nautilus_trader #1537: fills inside the bar that made the signal",
    needs=(Need.MARKET, Need.LIMIT_ORDERS),
)
async def no_fill_from_before(bench: Bench) -> str:
    """Leave an order alone when a bar comes that opened before it arrived."""
    order = bench.limit(90)
    await bench.submit(order)
    await bench.elapse(30.0)
    await bench.show(bench.bar(80))
    filled = await bench.filled(order)
    require(filled == 0, f"{filled} filled by a bar that opened before the order arrived")
    return "a bar that opened 30 s before the order filled nothing"


@FILLS.card(
    407,
    "one bar, one effect",
    purpose="market data that is sent again trades nothing again",
    source="SimulatedVenue: the same bar twice does nothing; nautilus_trader #2564",
    needs=_MARKET,
)
async def one_bar_one_effect(bench: Bench) -> str:
    """Fill no more of an order by a bar that was shown before."""
    order = bench.order(10)
    first = await bench.partly(order)
    await bench.show_again()
    await bench.show_again()
    filled = await bench.filled(order)
    require(filled == first, f"a bar filled {first}; shown again, {filled} are filled")
    return f"{first} filled, and no more when it was shown again"


@FILLS.card(
    408,
    "part by part",
    purpose="the book follows an order that fills in parts",
    source="FIX OrdStatus 1, LeavesQty (151), CumQty (14)",
    needs=_MARKET,
)
async def part_by_part(bench: Bench) -> str:
    """Keep the rest of an order open, and fill it from later bars."""
    order = bench.order(10)
    first = await bench.partly(order)
    seen = await bench.known(order)
    if seen is None:
        raise CardFailed("an order that is filled in part is neither known nor open")
    require(seen.status is OrderStatus.PARTIALLY_FILLED, f"its state is {seen.status.value}")
    require(seen.filled_quantity == first, f"{first} filled, the order says {seen.filled_quantity}")
    await bench.advance()
    fills = await bench.fills_of(order)
    require(total(fills) == 10, f"10 ordered, {total(fills)} filled in the end")
    return f"{first}, then {10 - first}"


@FILLS.card(
    409,
    "average of the parts",
    purpose="the price that the fund paid is the price on its books",
    source="FIX AvgPx (6)",
    needs=(*_MARKET, Need.QUERY),
)
async def average_of_the_parts(bench: Bench) -> str:
    """State the mean price of the fills on the order, weighted by quantity."""
    order = bench.order(10)
    await bench.partly(order)
    await bench.advance(104)
    fills = await bench.fills_of(order)
    seen = await bench.known(order)
    if seen is None or seen.average_fill_price is None:
        raise CardFailed("a filled order has no average_fill_price")
    mean = sum((one.notional for one in fills), Decimal(0)) / total(fills)
    off = abs(seen.average_fill_price - mean)
    require(off < Decimal("0.000001"), f"mean {mean}, the order says {seen.average_fill_price}")
    return f"mean {mean:f}"


@FILLS.card(
    410,
    "filled is filled",
    purpose="no order that is done holds up a reservation",
    source="FIX OrdStatus 2",
    needs=_MARKET,
)
async def filled_is_filled(bench: Bench) -> str:
    """End an order that is filled, and list it no more."""
    order = bench.order(10)
    await bench.trade(order)
    require(not await bench.is_open(order), "a filled order is listed as open")
    if bench.can_look_up:
        seen = await bench.known(order)
        state = seen.status if seen is not None else None
        require(state is OrderStatus.FILLED, f"a filled order is {state}")
        require(seen is None or seen.filled_quantity == 10, "a filled order is not filled whole")
    return "filled, and not open"


@FILLS.card(
    411,
    "every cursor leads on",
    purpose="a reader goes on where it stood, whatever that was",
    source="MUST 6; QuickFIX test/definitions 2b: a gap is asked for again; LEAN IB #249",
    needs=_HISTORY,
)
async def every_cursor_leads_on(bench: Bench) -> str:
    """Tell from each cursor exactly what came after it."""
    venue = history_of(bench.venue)
    cursors = [(await venue.fills_since(None))[1]]
    parts: list[list[Fill]] = []
    for number in (1, 2, 3):
        parts.append(await bench.trade(bench.order(number)))
        cursors.append((await venue.fills_since(cursors[-1]))[1])
    for place, cursor in enumerate(cursors):
        told, end = await venue.fills_since(cursor)
        expected = [fill for part in parts[place:] for fill in part]
        require(
            told == expected, f"cursor {place} of 3 told {len(told)}, not {len(expected)} fills"
        )
        require(end == cursors[-1], f"cursor {place} ends elsewhere")
    return f"{len(cursors)} cursors"


@FILLS.card(
    412,
    "foreign cursor is refused",
    purpose="a store that was restored from another account is noticed",
    source="bytex #30: a history that ended early was taken for all of it",
    needs=(Need.HISTORY,),
)
async def foreign_cursor_is_refused(bench: Bench) -> str:
    """Raise for a cursor that the venue never gave; no answer is better than a wrong one."""
    answer = await outcome(history_of(bench.venue).fills_since("no-such-cursor"))
    raised = isinstance(answer, BaseException)
    require(raised, "a cursor that the venue never gave was taken")
    return f"raised {type(answer).__name__}"


@FILLS.card(
    413,
    "streams tell the same",
    purpose="the book and the monitor hear of the same trades",
    source="MUST 6; nautilus_trader #3493: two channels, two stories",
    needs=_HISTORY,
)
async def streams_tell_the_same(bench: Bench) -> str:
    """Tell two readers the same fills in the same order, and the history too."""
    orders = [bench.order(number) for number in (1, 2, 3)]
    for order in orders:
        await bench.trade(order)
    first, second = [await _read(bench, orders) for _ in range(2)]
    fills, _ = await history_of(bench.venue).fills_since(None)
    mine = {one.order_id for one in orders}
    require(first == second, "two streams tell different fills")
    require(first == [one for one in fills if one.order_id in mine], "the history tells others")
    return f"{len(first)} fills, three times the same"


async def _read(bench: Bench, orders: list[Order]) -> list[Fill]:
    mine, seen = {one.order_id for one in orders}, []
    wanted = sum((one.quantity for one in orders), Decimal(0))
    try:
        async with asyncio.timeout(bench.settings.patience_s), bench.stream() as stream:
            async for fill in stream:
                if fill.order_id in mine:
                    seen.append(fill)
                if total(seen) >= wanted:
                    break
    except TimeoutError:
        return seen
    return seen


@FILLS.card(
    414,
    "a reader that left",
    purpose="a monitor that ends takes no fill with it",
    source="MUST 6; asyncio.Queue: one reader's item is another's loss",
    needs=_MARKET,
)
async def a_reader_that_left(bench: Bench) -> str:
    """Tell all fills to the second reader, when the first left after one."""
    orders = [bench.order(1), bench.order(1)]
    for order in orders:
        await bench.trade(order)
    async with bench.stream() as stream:
        await asyncio.wait_for(anext(stream), bench.settings.patience_s)
    heard = await _read(bench, orders)
    require(total(heard) == 2, f"2 filled, the second reader heard of {total(heard)}")
    return "the second reader heard all"


@FILLS.card(
    415,
    "history within its limit",
    purpose="an outage shorter than the stated history loses no fill",
    source="VenueCard: fill_history_s; bytex #30: a venue returned 24 hours",
    needs=(*_HISTORY, Need.HISTORY_WINDOW),
)
async def history_within_its_limit(bench: Bench) -> str:
    """Tell a fill until nine tenths of the stated history."""
    stated = (bench.card.fill_history_s if bench.card is not None else None) or 0.0
    order = bench.order(10)
    await bench.trade(order)
    await bench.elapse(0.9 * stated)
    fills, _ = await history_of(bench.venue).fills_since(None)
    found = total([one for one in fills if one.order_id == order.order_id])
    require(found == 10, f"after {0.9 * stated:g} s of {stated:g} s, {found} of 10 are told")
    return f"told after {0.9 * stated:g} s"
