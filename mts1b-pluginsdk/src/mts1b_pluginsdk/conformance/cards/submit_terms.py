"""Cards of an order's terms: at what price it may trade, and until when."""

from __future__ import annotations

from datetime import timedelta

from mts1b_foundation import Fill, OrderType, Side, TimeInForce

from mts1b_pluginsdk.conformance.bench import Bench, total
from mts1b_pluginsdk.conformance.card import Deck, Group
from mts1b_pluginsdk.conformance.needs import Need
from mts1b_pluginsdk.conformance.verdicts import outcome, require

__all__ = ["TERMS"]

TERMS = Deck(Group.SUBMIT)
_DAY_S = 86_400.0


def _require_whole(fills: list[Fill], what: str) -> None:
    require(total(fills) == 10, f"10 ordered, {what} filled {total(fills)}")


@TERMS.card(
    301,
    "market order at the market",
    purpose="a market order trades at the price that is there",
    source="FIX OrdType 1; nautilus_trader #1537: fills at a price that nobody could have had",
    needs=(Need.MARKET, Need.MARKET_ORDERS),
)
async def market_order_at_the_market(bench: Bench) -> str:
    """Fill a market order whole, within one per cent of the price."""
    fills = await bench.trade(bench.order(10))
    _require_whole(fills, "a market order")
    far = [one.price for one in fills if not bench.level(99) <= one.price <= bench.level(101)]
    require(not far, f"the market is at {bench.price}, filled at {far}")
    return f"10 at {fills[0].price}"


@TERMS.card(
    302,
    "limit to buy",
    purpose="the fund pays no more than it said",
    source="FIX OrdType 2; QuickFIX OrderMatch: a limit is never passed",
    needs=(Need.MARKET, Need.LIMIT_ORDERS),
)
async def limit_to_buy(bench: Bench) -> str:
    """Fill a limit order to buy once the market is there, never above the limit."""
    return await _limit(bench, Side.BUY, wait=100, come=80)


@TERMS.card(
    303,
    "limit to sell",
    purpose="the fund gets no less than it said",
    source="FIX OrdType 2; QuickFIX OrderMatch: a limit is never passed",
    needs=(Need.MARKET, Need.LIMIT_ORDERS),
)
async def limit_to_sell(bench: Bench) -> str:
    """Fill a limit order to sell once the market is there, never below the limit."""
    return await _limit(bench, Side.SELL, wait=80, come=100)


async def _limit(bench: Bench, side: Side, *, wait: int, come: int) -> str:
    order = bench.limit(90, side=side)
    await bench.submit(order)
    await bench.advance(wait)
    early = await bench.fills_of(order)
    require(
        not early, f"limit {order.limit_price}, filled while the market was {bench.level(wait)}"
    )
    await bench.advance(come)
    fills = await bench.fills_of(order)
    _require_whole(fills, "a limit order whose price came")
    worse = [one.price for one in fills if (one.price - bench.level(90)) * side.sign > 0]
    require(not worse, f"limit {order.limit_price}, filled at {worse}")
    return f"limit {order.limit_price}, filled at {fills[0].price}"


@TERMS.card(
    304,
    "stop waits",
    purpose="a stop does not sell a fund out of a quiet market",
    source="FIX OrdType 3, StopPx (99)",
    needs=(Need.MARKET, Need.STOP_ORDERS),
)
async def stop_waits(bench: Bench) -> str:
    """Fill a stop order only after its stop was reached."""
    order = bench.order(10, order_type=OrderType.STOP, stop_price=bench.level(110))
    await bench.submit(order)
    await bench.advance(100)
    require(not await bench.fills_of(order), "a stop at 110 filled while the market was at 100")
    require(await bench.is_open(order), "a stop that was not reached is not open")
    await bench.advance(120)
    _require_whole(await bench.fills_of(order), "a stop that was reached")
    return "waited at 100, filled at 120"


@TERMS.card(
    305,
    "stop-limit keeps its limit",
    purpose="a stop in a gap pays no price beyond its limit",
    source="FIX OrdType 4, StopPx (99) and Price (44)",
    needs=(Need.MARKET, Need.STOP_LIMIT_ORDERS),
)
async def stop_limit_keeps_its_limit(bench: Bench) -> str:
    """Trigger at the stop and fill within the limit alone."""
    order = bench.order(
        10,
        order_type=OrderType.STOP_LIMIT,
        stop_price=bench.level(110),
        limit_price=bench.level(115),
    )
    await bench.submit(order)
    await bench.advance(100)
    require(not await bench.fills_of(order), "a stop at 110 filled while the market was at 100")
    await bench.advance(120)
    require(not await bench.fills_of(order), "a limit of 115 filled while the market was at 120")
    await bench.advance(112)
    fills = await bench.fills_of(order)
    _require_whole(fills, "a triggered stop-limit within its limit")
    require(all(one.price <= bench.level(115) for one in fills), "filled above the limit")
    return f"triggered at 120, filled at {fills[0].price}"


@TERMS.card(
    306,
    "marketable limit keeps its limit",
    purpose="a limit that is there to be crossed still caps the price",
    source="17 CFR 240.15c3-5(c)(1)(ii): price parameters of each order",
    needs=(Need.MARKET, Need.MARKETABLE_LIMIT_ORDERS),
)
async def marketable_limit_keeps_its_limit(bench: Bench) -> str:
    """Fill a marketable limit at the market, never above its limit."""
    kind = OrderType.MARKETABLE_LIMIT
    order = bench.order(10, order_type=kind, limit_price=bench.level(105))
    await bench.submit(order)
    await bench.advance(110)
    require(not await bench.fills_of(order), "a limit of 105 filled while the market was at 110")
    await bench.advance(100)
    fills = await bench.fills_of(order)
    _require_whole(fills, "a marketable limit order at the market")
    require(all(one.price <= bench.level(105) for one in fills), "filled above the limit")
    return f"10 at {fills[0].price}"


@TERMS.card(
    307,
    "reduce-only closes, and opens nothing",
    purpose="an order to get flat does so and makes no new position; MTS1B leaves by no other",
    source="Binance reduceOnly; nautilus_trader PR #4761: flatten under a halt",
    needs=(Need.MARKET,),
)
async def reduce_only_closes_and_opens_nothing(bench: Bench) -> str:
    """Fill a reduce-only order against what is held; refuse one with nothing to reduce."""
    before = await bench.held()
    side = Side.SELL if before <= 0 else Side.BUY
    order = bench.order(10, side=side, reduce_only=True)
    await outcome(bench.venue.submit(order))
    await bench.advance()
    after = await bench.held()
    require(after == before, f"reduce-only moved the position from {before} to {after}")
    await outcome(bench.venue.cancel(order.order_id))  # where it works on, it would close first
    opening, closing = (Side.BUY, Side.SELL) if before >= 0 else (Side.SELL, Side.BUY)
    opened = bench.order(10, side=opening)
    await bench.submit(opened)
    await bench.advance()
    require(await bench.filled(opened) == 10, "a market order for 10 did not fill")
    closed = bench.order(10, side=closing, reduce_only=True)
    await bench.submit(closed)
    await bench.advance()
    filled = await bench.filled(closed)
    require(filled == 10, f"a reduce-only order for the 10 that were held filled {filled}")
    return f"the position stayed {before}, and 10 more were closed"


@TERMS.card(
    308,
    "immediate or cancel",
    purpose="an order for now is gone when now is over",
    source="FIX TimeInForce 3",
    needs=(Need.MARKET, Need.IOC),
)
async def immediate_or_cancel(bench: Bench) -> str:
    """End an IOC order that could not trade, and never fill it later."""
    return await _ends(bench, TimeInForce.IOC)


@TERMS.card(
    309,
    "fill or kill",
    purpose="an order that must fill whole leaves no part",
    source="FIX TimeInForce 4",
    needs=(Need.MARKET, Need.FOK),
)
async def fill_or_kill(bench: Bench) -> str:
    """Fill a FOK order whole or not at all, and end it."""
    order = bench.order(10, tif=TimeInForce.FOK)
    await bench.submit(order)
    await bench.advance(volume=bench.settings.thin_volume)
    filled = await bench.filled(order)
    require(filled in (0, 10), f"a fill-or-kill order for 10 filled {filled}")
    require(not await bench.is_open(order), "a fill-or-kill order stayed open")
    return f"{filled} of 10, and ended"


@TERMS.card(
    310,
    "day order",
    purpose="yesterday's price does not trade today",
    source="FIX TimeInForce 0",
    needs=(Need.MARKET, Need.DAY),
)
async def day_order(bench: Bench) -> str:
    """End a day order with its day, and never fill it later."""
    return await _ends(bench, TimeInForce.DAY, after_s=_DAY_S)


@TERMS.card(
    311,
    "until cancelled",
    purpose="an order that should stay over night does",
    source="FIX TimeInForce 1",
    needs=(Need.MARKET, Need.GTC),
)
async def until_cancelled(bench: Bench) -> str:
    """Keep a GTC order over three days, then fill it."""
    order = bench.limit(90, tif=TimeInForce.GTC)
    await bench.submit(order)
    for _ in range(3):
        await bench.advance(100)
        await bench.elapse(_DAY_S)
    require(await bench.is_open(order), "an order until cancelled is gone after three days")
    await bench.advance(80)
    _require_whole(await bench.fills_of(order), "an order until cancelled after three days")
    return "open after three days, then filled"


@TERMS.card(
    312,
    "until a date",
    purpose="an order ends when the client said",
    source="FIX TimeInForce 6, ExpireTime (126)",
    needs=(Need.MARKET, Need.GTD),
)
async def until_a_date(bench: Bench) -> str:
    """End a GTD order at its expiry, and never fill it later."""
    return await _ends(bench, TimeInForce.GTD, after_s=7200.0)


@TERMS.card(
    313,
    "at the open",
    purpose="an order for the auction does not trade in the afternoon",
    source="FIX TimeInForce 2",
    needs=(Need.MARKET, Need.OPG),
)
async def at_the_open(bench: Bench) -> str:
    """End an order for the open that could not trade there."""
    return await _ends(bench, TimeInForce.OPG)


async def _ends(bench: Bench, tif: TimeInForce, *, after_s: float = 0.0) -> str:
    """See an order that can not trade end by its lifetime, and fill nothing afterwards."""
    expires = bench.now + timedelta(hours=1) if tif is TimeInForce.GTD else None
    order = bench.limit(90, tif=tif, expires_at=expires)
    await bench.submit(order)
    await bench.advance(100)
    await bench.elapse(after_s)
    await bench.advance(100 if after_s == 0.0 else 80)
    require(not await bench.is_open(order), f"a {tif.value} order stayed open")
    await bench.advance(80)
    late = await bench.filled(order)
    require(late == 0, f"a {tif.value} order filled {late} after its time")
    return "ended, and nothing filled afterwards"
