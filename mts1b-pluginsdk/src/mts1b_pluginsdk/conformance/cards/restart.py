"""Cards of a restart: the client was away, the account was not."""

from __future__ import annotations

from decimal import Decimal

from mts1b_foundation import Order

from mts1b_pluginsdk.conformance.bench import Bench, total
from mts1b_pluginsdk.conformance.card import Deck, Group
from mts1b_pluginsdk.conformance.needs import Need
from mts1b_pluginsdk.conformance.offers import history_of
from mts1b_pluginsdk.conformance.verdicts import outcome, require

__all__ = ["RESTART"]

RESTART = Deck(Group.RESTART)
_MARKET = (Need.MARKET, Need.MARKET_ORDERS)
_FIELDS = (
    *("order_id", "idempotency_key", "broker_order_id", "symbol", "side", "quantity"),
    *("order_type", "limit_price", "tif", "fund_id", "strategy_id", "status", "filled_quantity"),
)


def _view(orders: list[Order]) -> list[tuple[object, ...]]:
    rows = [tuple(getattr(one, name) for name in _FIELDS) for one in orders]
    return sorted(rows, key=str)


@RESTART.card(
    701,
    "open orders as they were",
    purpose="every working order is known after a crash",
    source="nautilus_trader #5000: fourteen live orders dropped at a restart",
)
async def open_orders_as_they_were(bench: Bench) -> str:
    """List the same orders with the same fields over a new connection."""
    for number in (1, 2, 3):
        await bench.submit(bench.limit(number, number, strategy_id=f"s-{number}"))
    before = _view(await bench.listed())
    await bench.reconnect()
    after = _view(await bench.listed())
    require(after == before, f"{len(before)} open orders, over a new connection they differ")
    return f"{len(after)} orders, field by field"


@RESTART.card(
    702,
    "fills while away",
    purpose="what traded during an outage is heard of afterwards",
    source="LEAN IB #249: fills during error 1100 were never asked for again",
    needs=(*_MARKET, Need.HISTORY),
)
async def fills_while_away(bench: Bench) -> str:
    """Tell from the old cursor what a later connection filled."""
    order = bench.order(10)
    await bench.submit(order)
    cursor = (await history_of(bench.venue).fills_since(None))[1]
    await bench.reconnect()
    await bench.advance()
    await bench.settle()
    told, _ = await history_of(bench.venue).fills_since(cursor)
    mine = total([one for one in told if one.order_id == order.order_id])
    require(mine == 10, f"10 filled while the reader was away, its cursor told {mine}")
    return "10 after the old cursor"


@RESTART.card(
    703,
    "position as it was",
    purpose="a warm restart trades nothing to correct itself",
    source="nautilus_trader #4736: a synthetic opposite fill at a warm restart",
    needs=_MARKET,
)
async def position_as_it_was(bench: Bench) -> str:
    """Hold the same quantity at the same average price over a new connection."""
    await bench.trade(bench.order(10))
    before = await _position(bench)
    await bench.reconnect()
    after = await _position(bench)
    require(after == before, f"held {before}, over a new connection {after}")
    return f"{after[0]} at {after[1]}"


async def _position(bench: Bench) -> tuple[Decimal, Decimal]:
    await bench.settle()
    found = [one for one in await bench.venue.get_positions() if one.symbol == _symbol(bench)]
    return (found[0].quantity, found[0].average_price) if found else (Decimal(0), Decimal(0))


def _symbol(bench: Bench) -> str:
    return bench.settings.symbol


@RESTART.card(
    704,
    "cash as it was",
    purpose="a restart neither earns nor loses money",
    source="nautilus_trader docs, live: invariants of reconciliation",
    needs=(*_MARKET, Need.ACCOUNT),
)
async def cash_as_it_was(bench: Bench) -> str:
    """State the same cash over a new connection."""
    await bench.trade(bench.order(10))
    before = await bench.cash()
    await bench.reconnect()
    after = await bench.cash()
    require(after == before, f"cash {before}, over a new connection {after}")
    return f"{after}"


@RESTART.card(
    705,
    "cancelled stays cancelled",
    purpose="a crash brings no cancelled order back",
    source="alpaca-backtrader-api #358: restarts act on old state",
    needs=(Need.MARKET, Need.LIMIT_ORDERS),
)
async def cancelled_stays_cancelled(bench: Bench) -> str:
    """Neither list nor fill a cancelled order over a new connection."""
    order = bench.limit(90)
    await bench.submit(order)
    await bench.venue.cancel(order.order_id)
    await bench.reconnect()
    require(not await bench.is_open(order), "a cancelled order is open after a restart")
    await bench.advance(80)
    filled = await bench.filled(order)
    require(filled == 0, f"{filled} filled of an order that was cancelled before a restart")
    return "stays cancelled"


@RESTART.card(
    706,
    "orders go on working",
    purpose="an order outlives the process that sent it",
    source="hummingbot #366, #3374: orders lived and the bot did not know",
    needs=(Need.MARKET, Need.LIMIT_ORDERS),
)
async def orders_go_on_working(bench: Bench) -> str:
    """Fill an order that an earlier connection sent."""
    order = bench.limit(90)
    await bench.submit(order)
    await bench.reconnect()
    await bench.advance(80)
    filled = await bench.filled(order)
    require(filled == 10, f"10 open before a restart, {filled} filled after it")
    return "10 filled after the restart"


@RESTART.card(
    707,
    "part filled as it was",
    purpose="the rest of an order is neither lost nor filled twice",
    source="LEAN IB #136; FIX LeavesQty (151) after a resend",
    needs=_MARKET,
)
async def part_filled_as_it_was(bench: Bench) -> str:
    """Go on with the rest of an order that was filled in part."""
    order = bench.order(10)
    first = await bench.partly(order)
    await bench.reconnect()
    kept = await bench.filled(order)
    require(kept == first, f"{first} filled, over a new connection {kept}")
    await bench.advance()
    await bench.advance()
    filled = await bench.filled(order)
    require(filled == 10, f"{first} filled before a restart, {filled} in the end")
    return f"{first}, then {10 - first}"


@RESTART.card(
    708,
    "one bar, one effect, after a restart",
    purpose="market data that is sent again after a crash trades nothing again",
    source="SimulatedVenue: the same bar twice does nothing; NATS JetStream redelivers",
    needs=_MARKET,
)
async def one_bar_after_a_restart(bench: Bench) -> str:
    """Fill no more of an order by a bar that an earlier connection had shown."""
    order = bench.order(10)
    first = await bench.partly(order)
    await bench.reconnect()
    await bench.show_again()
    filled = await bench.filled(order)
    require(filled == first, f"a bar filled {first}; shown after a restart, {filled} are filled")
    return f"{first} filled, and no more after the restart"


@RESTART.card(
    709,
    "five restarts",
    purpose="a process that crashes in a loop changes nothing",
    source="nautilus_trader #3046, #3878: each start adjusted the book again",
    needs=_MARKET,
)
async def five_restarts(bench: Bench) -> str:
    """Show the same fills over five connections."""
    order = bench.order(10)
    fills = await bench.trade(order)
    for number in range(5):
        await bench.reconnect()
        again = await bench.fills_of(order)
        require(again == fills, f"after restart {number + 1} the fills are told otherwise")
    return f"{len(fills)} fill, six times the same"


@RESTART.card(
    710,
    "keys survive",
    purpose="a redelivered intent does not trade again after a crash",
    source="MUST 2; NATS JetStream: redelivery after a restart",
    needs=(*_MARKET, Need.KEYS_AFTER_END),
)
async def keys_survive(bench: Bench) -> str:
    """Know the key of a filled order over a new connection."""
    order = bench.order(10)
    await bench.trade(order)
    await bench.reconnect()
    await outcome(bench.venue.submit(order))
    await bench.advance()
    filled = await bench.filled(order)
    require(filled == 10, f"10 filled before a restart, after a retry {filled}")
    return "still 10"


@RESTART.card(
    711,
    "streams begin at the beginning",
    purpose="a new reader hears of what happened before it",
    source="MUST 6: streaming is replay-safe",
    needs=_MARKET,
)
async def streams_begin_at_the_beginning(bench: Bench) -> str:
    """Tell a stream of a new connection the fills of an earlier one."""
    order = bench.order(10)
    await bench.trade(order)
    await bench.reconnect()
    heard = total(await bench.streamed(order))
    require(heard == 10, f"10 filled before a restart, a stream afterwards told {heard}")
    return "10 heard"


@RESTART.card(
    712,
    "ids do not begin again",
    purpose="an order after a restart does not take an old one's id",
    source="FIX OrderID (37); hummingbot #1663",
    needs=_MARKET,
)
async def ids_do_not_begin_again(bench: Bench) -> str:
    """Give new orders and fills new ids after a restart."""
    orders, fills = [], []
    for _ in range(2):
        for _ in range(2):
            order = bench.order(1)
            orders.append((await bench.submit(order)).broker_order_id)
            await bench.advance()
            fills += [one.fill_id for one in await bench.fills_of(order)]
        await bench.reconnect()
    require(len(set(orders)) == len(orders), "an order after the restart has an earlier one's id")
    require(len(set(fills)) == len(fills), "a fill after the restart has an earlier one's id")
    return f"{len(orders)} orders, {len(fills)} fills"
