"""Checks of what a broker says of fills, cash and positions."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from mts1b_foundation import Fill, Side
from mts1b_foundation.protocols import FillHistory

from mts1b_pluginsdk.conformance.bench import Bench
from mts1b_pluginsdk.conformance.verdicts import CardFailed, require

__all__ = [
    "cash_pays_price_and_fees",
    "fees_are_in_base_currency",
    "fills_are_read_again",
    "positions_equal_fills",
    "restart_loses_nothing",
    "stream_gives_each_fill_once",
]


async def fees_are_in_base_currency(bench: Bench) -> str:
    """State the fees of each fill, in the currency of the account."""
    fills = await bench.trade(bench.order(10))
    base = bench.settings.base_currency
    other = {fill.fee_currency for fill in fills} - {base}
    require(not other, f"fees in {', '.join(sorted(other))}; the account is in {base}")
    unlike = [fill.fill_id for fill in fills if fill.venue != bench.venue.name]
    require(not unlike, f"fills {', '.join(unlike)} name another venue than {bench.venue.name}")
    return f"{sum((fill.fees for fill in fills), Decimal(0))} {base} on 10"


async def cash_pays_price_and_fees(bench: Bench) -> str:
    """Move cash by quantity times price and the fees that the fills state, nothing else."""
    before = await bench.cash()
    fills = await bench.trade(bench.order(10))
    fills += await bench.trade(bench.order(4, side=Side.SELL))
    moved = await bench.cash() - before
    stated = sum((-fill.signed_quantity * fill.price - fill.fees for fill in fills), Decimal(0))
    require(moved == stated, f"cash moved by {moved}; price and fees of the fills say {stated}")
    return f"cash moved by {moved}"


async def stream_gives_each_fill_once(bench: Bench) -> str:
    """Deliver a fill to a listener, once."""
    order = bench.order(10)
    listener = asyncio.create_task(bench.streamed(order))
    try:
        await asyncio.sleep(0)
        await bench.venue.submit(order)
        await bench.advance()
        heard = await listener
    finally:
        listener.cancel()
    total = sum(fill.quantity for fill in heard)
    require(total == 10, f"10 ordered, a listener heard of {total}")
    _require_unique(heard)
    if isinstance(bench.venue, FillHistory):
        known = await bench.fills_of(order)
        require(heard == known, "the stream and fills_since tell different fills")
    return f"{len(heard)} fill heard"


async def fills_are_read_again(bench: Bench) -> str:
    """Tell a fill that nobody listened to, twice the same, and nothing before the cursor."""
    venue = bench.venue
    cursor = (await venue.fills_since(None))[1] if isinstance(venue, FillHistory) else None
    order = bench.order(10)
    first = await bench.trade(order)
    again = await bench.fills_of(order)
    require(first == again, f"read {len(first)} fills, then {len(again)}")
    _require_unique(first)
    if not isinstance(venue, FillHistory):
        return f"{len(first)} fill from two streams"
    tail, end = await venue.fills_since(cursor)
    require(
        tail == first, f"after the cursor came {len(tail)} fills, not the {len(first)} new ones"
    )
    rest, _ = await venue.fills_since(end)
    require(not rest, f"after the last cursor came {len(rest)} fills")
    return f"{len(first)} fill after the cursor, none after the last"


async def restart_loses_nothing(bench: Bench) -> str:
    """Show a new client the fills, orders and keys that an earlier one left."""
    filled, resting = bench.order(10), bench.resting()
    first = await bench.trade(filled)
    taken = await bench.venue.submit(resting)
    held = await bench.held()
    await bench.reconnect()
    require(await bench.fills_of(filled) == first, "a fill from before the restart is not told")
    require(await bench.is_open(resting), "an open order is not listed after the restart")
    if bench.keeps_keys:
        again = await bench.venue.submit(resting)
        same = again.broker_order_id == taken.broker_order_id
        require(same, "a key from before the restart gave a second order")
    after = await bench.held()
    require(after == held, f"the position was {held}, after the restart {after}")
    return "fills, open orders, keys and positions are there"


async def positions_equal_fills(bench: Bench) -> str:
    """Hold what the fills add up to, after a purchase and a sale."""
    before = await bench.held()
    fills = await bench.trade(bench.order(10))
    fills += await bench.trade(bench.order(4, side=Side.SELL))
    total = sum((fill.signed_quantity for fill in fills), Decimal(0))
    moved = await bench.held() - before
    require(moved == total, f"the fills sum to {total}, the position moved by {moved}")
    return f"{moved:+} {bench.settings.symbol}"


def _require_unique(fills: list[Fill]) -> None:
    if len({fill.fill_id for fill in fills}) != len(fills):
        raise CardFailed("two fills have one fill_id")
