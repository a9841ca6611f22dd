"""Cards of the replace: one order before, one order after, and never two."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from mts1b_foundation import Order, OrderStatus

from mts1b_pluginsdk.conformance.bench import Bench, total
from mts1b_pluginsdk.conformance.card import Deck, Group
from mts1b_pluginsdk.conformance.needs import Need
from mts1b_pluginsdk.conformance.offers import query_of, replace_of
from mts1b_pluginsdk.conformance.verdicts import outcome, refusal, require

__all__ = ["REPLACE"]

REPLACE = Deck(Group.REPLACE)
_NEEDS = (Need.REPLACE, Need.LIMIT_ORDERS)
_MARKET = (Need.REPLACE, Need.LIMIT_ORDERS, Need.MARKET)
_PARTS = (*_MARKET, Need.MARKET_ORDERS)


async def _replace(bench: Bench, order: Order, quantity: int, percent: int | None) -> Order:
    price = None if percent is None else bench.level(percent)
    venue = replace_of(bench.venue)
    return await venue.replace(order.order_id, quantity=Decimal(quantity), limit_price=price)


async def _resting(bench: Bench, percent: int = 50, quantity: int = 10) -> Order:
    order = bench.limit(percent, quantity)
    await bench.submit(order)
    await bench.settle()
    return order


async def _require_refused(bench: Bench, order: Order, quantity: int, percent: int) -> None:
    answer = await outcome(_replace(bench, order, quantity, percent))
    told = isinstance(answer, BaseException) or refusal(answer) is not None
    require(told, f"a replace that can not be was answered with {answer!r}")


@REPLACE.card(
    601,
    "new price trades",
    purpose="the price that was asked last is the price that trades",
    source="FIX OrderCancelReplaceRequest (G)",
    needs=_MARKET,
)
async def new_price_trades(bench: Bench) -> str:
    """Fill at the new limit."""
    order = await _resting(bench)
    changed = await _replace(bench, order, 10, 90)
    require(changed.limit_price == bench.level(90), f"the answer says {changed.limit_price}")
    await bench.advance(85)
    filled = await bench.filled(order)
    require(filled == 10, f"limit raised to 90, the market at 85 filled {filled} of 10")
    return "10 at the new limit"


@REPLACE.card(
    602,
    "old price is gone",
    purpose="the price that was taken back does not trade",
    source="FIX OrderCancelReplaceRequest (G); nautilus_trader PR #4288",
    needs=_MARKET,
)
async def old_price_is_gone(bench: Bench) -> str:
    """Fill nothing at the old limit."""
    order = await _resting(bench, 90)
    await _replace(bench, order, 10, 50)
    await bench.advance(85)
    filled = await bench.filled(order)
    require(filled == 0, f"limit lowered to 50, the market at 85 filled {filled}")
    require(await bench.is_open(order), "the replaced order is not open")
    return "nothing at the old limit"


@REPLACE.card(
    603,
    "more",
    purpose="an order grows to what was asked, not by it",
    source="FIX OrderQty (38) of a replace is the total",
    needs=_MARKET,
)
async def more(bench: Bench) -> str:
    """Fill the new, larger quantity whole."""
    order = await _resting(bench)
    await _replace(bench, order, 15, 50)
    await bench.advance(45)
    filled = await bench.filled(order)
    require(filled == 15, f"10 replaced by 15, {filled} filled")
    return "15 filled"


@REPLACE.card(
    604,
    "less",
    purpose="an order shrinks when risk asks it to",
    source="FIX OrderQty (38) of a replace is the total",
    needs=_MARKET,
)
async def less(bench: Bench) -> str:
    """Fill the new, smaller quantity and no more."""
    order = await _resting(bench)
    await _replace(bench, order, 4, 50)
    await bench.advance(45)
    await bench.advance(45)
    filled = await bench.filled(order)
    require(filled == 4, f"10 replaced by 4, {filled} filled")
    return "4 filled"


@REPLACE.card(
    605,
    "total counts what is filled",
    purpose="a replace that crosses a fill buys no more than was meant",
    source="nautilus_trader #3972; TradeStation #84 of LEAN: a fill during a modify",
    needs=_PARTS,
)
async def total_counts_what_is_filled(bench: Bench) -> str:
    """Take the new quantity as the total, what is filled included."""
    order = bench.limit(100)
    first = await bench.partly(order)
    changed = await _replace(bench, order, 8, 100)
    require(changed.quantity == 8, f"replaced by 8, the answer says {changed.quantity}")
    require(changed.filled_quantity == first, f"{first} filled, it says {changed.filled_quantity}")
    await bench.advance()
    filled = await bench.filled(order)
    require(filled == 8, f"{first} had filled, the total was set to 8, {filled} are filled")
    return f"{first}, then {8 - first}"


@REPLACE.card(
    606,
    "never below the filled",
    purpose="no order has filled more than it is for",
    source="FIX CxlRejReason; nautilus_trader #3972",
    needs=_PARTS,
)
async def never_below_the_filled(bench: Bench) -> str:
    """Refuse a total below what is filled, and leave the order as it was."""
    order = bench.limit(100)
    first = await bench.partly(order)
    await _require_refused(bench, order, 1, 100)
    await bench.advance()
    filled = await bench.filled(order)
    require(filled == 10, f"a refused replace left {filled} of 10 to be filled")
    return f"refused at {first} filled; the rest filled"


@REPLACE.card(
    607,
    "unknown is refused",
    purpose="a replace that leads nowhere opens no order",
    source="FIX CxlRejReason 1: unknown order",
    needs=_NEEDS,
)
async def unknown_is_refused(bench: Bench) -> str:
    """Refuse to replace an order that was never sent."""
    order = bench.limit(50)
    await _require_refused(bench, order, 10, 60)
    require(not await bench.is_open(order), "a replace of an unknown order opened one")
    return "refused"


@REPLACE.card(
    608,
    "filled is not replaced",
    purpose="a replace that comes too late trades nothing more",
    source="FIX CxlRejReason 0: too late",
    needs=_PARTS,
)
async def filled_is_not_replaced(bench: Bench) -> str:
    """Refuse to replace an order that is filled."""
    order = bench.limit(100)
    await bench.trade(order)
    await _require_refused(bench, order, 20, 100)
    await bench.advance()
    filled = await bench.filled(order)
    require(filled == 10, f"10 filled, after a late replace {filled}")
    return "refused; still 10"


@REPLACE.card(
    609,
    "cancelled is not replaced",
    purpose="a replace brings no cancelled order back",
    source="FIX CxlRejReason 0: too late; nautilus_trader PR #4288",
    needs=_NEEDS,
)
async def cancelled_is_not_replaced(bench: Bench) -> str:
    """Refuse to replace an order that is cancelled."""
    order = await _resting(bench)
    await bench.venue.cancel(order.order_id)
    await _require_refused(bench, order, 10, 60)
    require(not await bench.is_open(order), "a cancelled order is open after a replace")
    return "refused; stays cancelled"


@REPLACE.card(
    610,
    "one leg",
    purpose="a replace never leaves two live orders",
    source="nautilus_trader PR #4288: four double exposures in twelve minutes",
    needs=_NEEDS,
)
async def one_leg(bench: Bench) -> str:
    """List one order after a replace, with the new terms."""
    before = {one.broker_order_id for one in await bench.listed()}
    order = await _resting(bench)
    await _replace(bench, order, 12, 60)
    listed = [one for one in await bench.listed() if one.broker_order_id not in before]
    require(len(listed) == 1, f"after a replace {len(listed)} orders are open")
    terms = (listed[0].order_id, listed[0].quantity, listed[0].limit_price)
    wanted = (order.order_id, Decimal(12), bench.level(60))
    require(terms == wanted, f"asked for {wanted}, listed {terms}")
    return "one order with the new terms"


@REPLACE.card(
    611,
    "id as stated",
    purpose="fills after a replace find their order",
    source="VenueCard: replace_changes_id; nautilus_trader #4270",
    needs=_NEEDS,
)
async def id_as_stated(bench: Bench) -> str:
    """Change the venue's id, or keep it, as the card says; list the one that counts."""
    order = bench.limit(50)
    taken = await bench.submit(order)
    changed = await _replace(bench, order, 10, 60)
    changes = bench.card is not None and bench.card.replace_changes_id
    differs = changed.broker_order_id != taken.broker_order_id
    if bench.card is not None:
        says = "changes" if changes else "stays"
        ids = f"{taken.broker_order_id} and {changed.broker_order_id}"
        require(differs == changes, f"the card says that the id {says}; it was {ids}")
    listed = [one for one in await bench.listed() if one.order_id == order.order_id]
    same = [one.broker_order_id for one in listed] == [changed.broker_order_id]
    require(same, "the list shows another id than the answer")
    return f"{taken.broker_order_id}, then {changed.broker_order_id}"


@REPLACE.card(
    612,
    "cancel after replace",
    purpose="what was replaced can be taken back",
    source="FIX OrigClOrdID (41): the chain of ids",
    needs=_NEEDS,
)
async def cancel_after_replace(bench: Bench) -> str:
    """Confirm the cancel of a replaced order by the client's id."""
    order = await _resting(bench)
    await _replace(bench, order, 12, 60)
    confirmed = await bench.venue.cancel(order.order_id)
    require(confirmed is True, f"the cancel of a replaced order gave {confirmed!r}")
    left = await bench.is_open(order)
    require(not left, "a replaced order is open after its cancel")
    return "confirmed"


@REPLACE.card(
    613,
    "fills keep the client's id",
    purpose="a fill of the new leg is not an orphan",
    source="nautilus_trader #4270, #3972: a fill on the new id",
    needs=_MARKET,
)
async def fills_keep_the_id(bench: Bench) -> str:
    """Name the client's order, and the venue's new id, on a fill after a replace."""
    order = await _resting(bench)
    changed = await _replace(bench, order, 10, 90)
    await bench.advance(85)
    fills = await bench.fills_of(order)
    require(total(fills) == 10, f"fills of {total(fills)} name the order, 10 were filled")
    ids = {one.broker_order_id for one in fills} - {None, changed.broker_order_id}
    require(not ids, f"the fill names {', '.join(map(str, ids))}, not {changed.broker_order_id}")
    return f"{order.order_id}, {changed.broker_order_id}"


@REPLACE.card(
    614,
    "key leads to the replaced",
    purpose="a look-up after a lost answer shows the order as it is",
    source="OrderQuery; nautilus_trader PR #4288: the cancelled half was returned",
    needs=(*_NEEDS, Need.QUERY),
)
async def key_leads_to_the_replaced(bench: Bench) -> str:
    """Find the replaced order, open and with its new terms, by the first key."""
    order = await _resting(bench)
    changed = await _replace(bench, order, 12, 60)
    await bench.settle()
    found = await query_of(bench.venue).get_order_by_key(order.idempotency_key)
    require(found is not None, "the key of a replaced order leads nowhere")
    if found is not None:
        terms = (found.broker_order_id, found.quantity, found.limit_price)
        wanted = (changed.broker_order_id, changed.quantity, changed.limit_price)
        require(terms == wanted, f"the answer said {wanted}, the look-up {terms}")
        require(found.status is not OrderStatus.CANCELED, "the look-up says cancelled")
    return "the new terms"


@REPLACE.card(
    615,
    "retry after replace",
    purpose="a retry of the first submission does not undo the replace or double it",
    source="MUST 2; nautilus_trader #4215",
    needs=(*_NEEDS, Need.KEYS),
)
async def retry_after_replace(bench: Bench) -> str:
    """Keep one order with the new terms, when the first submission is repeated."""
    order = await _resting(bench)
    await _replace(bench, order, 12, 60)
    await outcome(bench.venue.submit(order))
    listed = [one for one in await bench.listed() if one.idempotency_key == order.idempotency_key]
    require(len(listed) == 1, f"one key has {len(listed)} open orders")
    require(listed[0].quantity == 12, f"replaced by 12, after a retry {listed[0].quantity}")
    return "one order for 12"


@REPLACE.card(
    616,
    "replace crosses a fill",
    purpose="no race buys more than the larger of both totals",
    source="nautilus_trader #3972, TradeStation #84 of LEAN",
    needs=_MARKET,
)
async def replace_crosses_a_fill(bench: Bench) -> str:
    """Fill exactly what the answer says, when a replace runs beside the market."""
    order = bench.limit(100)
    await bench.submit(order)
    await bench.elapse(120.0)
    answer, _ = await asyncio.gather(
        outcome(_replace(bench, order, 15, 100)), bench.show(bench.bar(100))
    )
    await bench.advance()
    filled = await bench.filled(order)
    taken = isinstance(answer, Order) and refusal(answer) is None
    wanted = 15 if taken else 10
    require(filled == wanted, f"the replace was {'taken' if taken else 'refused'}, {filled} filled")
    return f"{'taken' if taken else 'refused'}, {filled} filled"


@REPLACE.card(
    617,
    "replaced terms survive",
    purpose="after a crash the order is what it was replaced by",
    source="TC-E group replace of nautilus_trader's spec_exec_testing; MUST 6",
    needs=_NEEDS,
)
async def replaced_terms_survive(bench: Bench) -> str:
    """List the new terms over a new connection."""
    order = await _resting(bench)
    changed = await _replace(bench, order, 12, 60)
    await bench.reconnect()
    listed = [one for one in await bench.listed() if one.order_id == order.order_id]
    require(len(listed) == 1, f"over a new connection {len(listed)} such orders are open")
    terms = (listed[0].quantity, listed[0].limit_price, listed[0].broker_order_id)
    wanted = (changed.quantity, changed.limit_price, changed.broker_order_id)
    require(terms == wanted, f"was {wanted}, is {terms}")
    return "the new terms"


@REPLACE.card(
    618,
    "owner and side stay",
    purpose="a replace changes what it names and nothing else",
    source="FIX OrderCancelReplaceRequest (G): side and symbol must match",
    needs=_NEEDS,
)
async def owner_and_side_stay(bench: Bench) -> str:
    """Keep symbol, side, type, lifetime, key and owner."""
    order = bench.limit(50, fund_id="fund-a", strategy_id="strategy-b")
    await bench.submit(order)
    changed = await _replace(bench, order, 12, 60)
    kept = ("order_id", "idempotency_key", "symbol", "side", "order_type", "tif")
    fields = (*kept, "fund_id", "strategy_id")
    names = [one for one in fields if getattr(changed, one) != getattr(order, one)]
    require(not names, f"a replace changed {', '.join(names)}")
    return "eight fields kept"


@REPLACE.card(
    619,
    "three times",
    purpose="an order that follows the market stays one order",
    source="nautilus_trader #4270: a chain of ids",
    needs=_MARKET,
)
async def three_times(bench: Bench) -> str:
    """Follow three replaces, and fill the last."""
    order = await _resting(bench, 50)
    for quantity, percent in ((11, 55), (12, 60), (13, 65)):
        await _replace(bench, order, quantity, percent)
        await bench.elapse(1.0)
    await bench.advance(63)
    filled = await bench.filled(order)
    require(filled == 13, f"replaced by 11, 12 and 13; {filled} filled")
    return "13 filled"
