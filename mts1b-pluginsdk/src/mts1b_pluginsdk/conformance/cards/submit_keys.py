"""Cards of what is taken and what is refused: identity, keys, and terms that are kept."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from mts1b_foundation import ExecutionMode, Order, OrderStatus, OrderType, Side
from mts1b_foundation.protocols import OrderQuery

from mts1b_pluginsdk.conformance.bench import Bench
from mts1b_pluginsdk.conformance.card import Deck, Group
from mts1b_pluginsdk.conformance.needs import Need
from mts1b_pluginsdk.conformance.offers import query_of
from mts1b_pluginsdk.conformance.verdicts import CardFailed, outcome, refusal, require

__all__ = ["KEYS"]

KEYS = Deck(Group.SUBMIT)
_TERMS = ("symbol", "side", "quantity", "order_type", "limit_price", "stop_price", "tif")
_OWNER = ("order_id", "idempotency_key", "fund_id", "strategy_id", "mode", "reduce_only")
_WORKING = (
    OrderStatus.SUBMITTED,
    OrderStatus.ACCEPTED,
    OrderStatus.PARTIALLY_FILLED,
    OrderStatus.FILLED,
)


@KEYS.card(
    321,
    "terms are kept",
    purpose="what trades is what risk approved",
    source="17 CFR 240.15c3-5(c)(1); nautilus_trader #4011: a check passed by accident",
    needs=(Need.LIMIT_ORDERS,),
)
async def terms_are_kept(bench: Bench) -> str:
    """List an order with every term and owner that it was given."""
    order = bench.limit(2, Decimal(7), fund_id="fund-a", strategy_id="strategy-b")
    taken = await bench.submit(order)
    listed = [one for one in await bench.listed() if one.order_id == order.order_id]
    require(len(listed) == 1, f"the order is listed {len(listed)} times")
    for where, seen in (("submit", taken), ("get_open_orders", listed[0])):
        names = [name for name in (*_TERMS, *_OWNER) if getattr(seen, name) != getattr(order, name)]
        require(not names, f"{where} changed {', '.join(names)}")
    return f"{len(_TERMS) + len(_OWNER)} fields kept"


@KEYS.card(
    322,
    "own id for each order",
    purpose="the venue's id leads to one order",
    source="FIX OrderID (37): unique for each chain of orders",
)
async def own_id_for_each_order(bench: Bench) -> str:
    """Give five orders five ids."""
    taken = [await bench.submit(bench.resting()) for _ in range(5)]
    ids = {one.broker_order_id for one in taken}
    require(None not in ids and "" not in ids, "an order has no broker_order_id")
    require(len(ids) == 5, f"five orders have {len(ids)} ids")
    return ", ".join(sorted(str(one) for one in ids))


@KEYS.card(
    323,
    "taken is working",
    purpose="the OMS knows that an order lives from the moment it does",
    source="FIX OrdStatus (39) 0; nautilus_trader #4215: a retry after the order was accepted",
)
async def taken_is_working(bench: Bench) -> str:
    """Return a taken order in a state that says so."""
    taken = await bench.submit(bench.resting())
    require(taken.status in _WORKING, f"a taken order is {taken.status.value}")
    require(taken.filled_quantity == 0, f"an order far from the market has {taken.filled_quantity}")
    return taken.status.value


@KEYS.card(
    324,
    "orders at the same time",
    purpose="two strategies that fire together get two orders",
    source="FIX ClOrdID (11): an answer names the order that it is for",
)
async def orders_at_the_same_time(bench: Bench) -> str:
    """Take three orders that come at one moment, each for itself."""
    orders = [bench.resting(number) for number in (1, 2, 3)]
    taken = await asyncio.gather(*(bench.venue.submit(one) for one in orders))
    for order, answer in zip(orders, taken, strict=True):
        require(answer.order_id == order.order_id, "an answer is of another order")
        require(answer.quantity == order.quantity, "an answer has another order's quantity")
    listed = {one.order_id for one in await bench.listed()}
    lost = [one.order_id for one in orders if one.order_id not in listed]
    require(not lost, f"{len(lost)} of 3 orders are not open")
    return "three orders"


@KEYS.card(
    325,
    "fractions are exact",
    purpose="a quantity is neither rounded up past the limit nor away",
    source="freqtrade #2076; hummingbot PR #5807: rounded up past the balance",
    needs=(Need.MARKET, Need.MARKET_ORDERS),
)
async def fractions_are_exact(bench: Bench) -> str:
    """Fill a fraction exactly, or refuse it."""
    order = bench.order(Decimal("0.3"))
    answer = await outcome(bench.venue.submit(order))
    reason = refusal(answer)
    if reason is not None:
        return f"fractions are refused: {reason}"
    if not isinstance(answer, Order):
        raise CardFailed(f"raised {answer!r}")
    require(answer.quantity == order.quantity, f"0.3 became {answer.quantity}")
    await bench.advance()
    filled = await bench.filled(order)
    require(filled == order.quantity, f"0.3 ordered, {filled} filled")
    return "0.3 filled"


@KEYS.card(
    326,
    "four sides",
    purpose="the book's sign is the venue's sign",
    source="FIX Side (54) 1, 2, 5; LEAN IB #156: the account was short and nobody knew",
    needs=(Need.MARKET, Need.MARKET_ORDERS),
)
async def four_sides(bench: Bench) -> str:
    """Fill each side as that side, and move the position its way."""
    for side in (Side.BUY, Side.SELL, Side.SHORT, Side.COVER):
        before = await bench.held()
        order = bench.order(10, side=side)
        fills = await bench.trade(order)
        wrong = [one.side.value for one in fills if one.side is not side]
        require(not wrong, f"fills of a {side.value} order say {', '.join(wrong)}")
        moved = await bench.held() - before
        require(moved == 10 * side.sign, f"{side.value} 10 moved the position by {moved}")
    return "buy, sell, short, cover"


@KEYS.card(
    327,
    "no live orders in a simulation",
    purpose="a live order is not taken for filled because a simulation filled it",
    source="RTS 6 (EU 2017/589) Art. 7: testing is apart from trading",
    needs=(Need.MARKET,),
)
async def no_live_orders(bench: Bench) -> str:
    """Refuse a live order where bars drive the market."""
    order = bench.resting().with_(mode=ExecutionMode.LIVE)
    reason = await bench.refused(order)
    require(not await bench.is_open(order), "a refused order is open")
    return reason


@KEYS.card(
    328,
    "ended orders are not taken",
    purpose="a replayed record does not trade again",
    source="QuickFIX test/definitions 19a: PossResend of what was sent; jesse #371",
)
async def ended_orders_are_not_taken(bench: Bench) -> str:
    """Refuse an order that says that it has ended."""
    order = bench.resting().with_(status=OrderStatus.CANCELED)
    reason = await bench.refused(order)
    require(not await bench.is_open(order), "a refused order is open")
    return reason


@KEYS.card(
    329,
    "one key for one id",
    purpose="a fill leads to one order of ours",
    source="FIX ClOrdID (11): unique; OrdRejReason 6: duplicate order",
)
async def one_key_for_one_id(bench: Bench) -> str:
    """Refuse an order id that lives with another key."""
    order = bench.resting()
    await bench.submit(order)
    other = order.with_(idempotency_key=f"{order.idempotency_key}-other")
    reason = await bench.refused(other)
    listed = [one for one in await bench.listed() if one.order_id == order.order_id]
    require(len(listed) == 1, f"one order id is listed {len(listed)} times")
    return reason


@KEYS.card(
    330,
    "refused leaves nothing",
    purpose="what was refused does not trade after all",
    source="nautilus_trader #4958: an order taken for rejected was alive",
)
async def refused_leaves_nothing(bench: Bench) -> str:
    """Neither list nor fill what was refused, and know it as rejected or not at all."""
    order = bench.limit(90).with_(status=OrderStatus.CANCELED)
    await bench.refused(order)
    await bench.advance(80)
    require(not await bench.is_open(order), "a refused order is open")
    require(await bench.filled(order) == 0, "a refused order was filled")
    venue = bench.venue
    if isinstance(venue, OrderQuery):
        found = await venue.get_order_by_key(order.idempotency_key)
        rejected = found is None or found.status is OrderStatus.REJECTED
        require(rejected, "a refused order is known by its key as another than rejected")
    return "nothing is left"


@KEYS.card(
    331,
    "key with other terms",
    purpose="a mistake with a key is refused, not traded",
    source="MUST 2; Stripe idempotency: same key, other parameters is an error",
    needs=(Need.KEYS, Need.LIMIT_ORDERS),
)
async def key_with_other_terms(bench: Bench) -> str:
    """Take no second order by a known key, whatever term differs."""
    order = bench.limit(2)
    first = await bench.submit(order)
    changes: list[dict[str, object]] = [
        {"side": Side.SELL, "limit_price": bench.level(9_900)},
        {"limit_price": bench.level(3)},
        {"order_type": OrderType.MARKET, "limit_price": None},
        {"strategy_id": "another"},
    ]
    for change in changes:
        answer = await outcome(bench.venue.submit(order.with_(**change)))
        same = isinstance(answer, Order) and answer.broker_order_id == first.broker_order_id
        told = same or refusal(answer) is not None
        require(told, f"a known key with another {next(iter(change))} was not refused")
    listed = [one for one in await bench.listed() if one.idempotency_key == order.idempotency_key]
    require(len(listed) == 1, f"one key has {len(listed)} open orders")
    kept = all(getattr(listed[0], name) == getattr(order, name) for name in _TERMS)
    require(kept, "the first order's terms were changed by a second use of its key")
    return f"{len(changes)} changes, one order"


@KEYS.card(
    332,
    "key after the fill",
    purpose="a late retry of a filled order does not buy again",
    source="Kraken cl_ord_id, WhiteBIT clientOrderId: only open orders are compared",
    needs=(Need.MARKET, Need.MARKET_ORDERS, Need.KEYS_AFTER_END),
)
async def key_after_the_fill(bench: Bench) -> str:
    """Give the filled order for its key, and fill nothing more."""
    order = bench.order(10)
    await bench.trade(order)
    again = await outcome(bench.venue.submit(order))
    await bench.advance()
    filled = await bench.filled(order)
    require(filled == 10, f"10 ordered by one key, {filled} filled after a late retry")
    return f"still 10; the retry was {'answered' if isinstance(again, Order) else 'refused'}"


@KEYS.card(
    333,
    "key after the cancel",
    purpose="a late retry does not bring a cancelled order back",
    source="passivbot #514: bought again after a cancel",
    needs=(Need.KEYS_AFTER_END,),
)
async def key_after_the_cancel(bench: Bench) -> str:
    """Give the cancelled order for its key, and open nothing."""
    order = bench.resting()
    await bench.submit(order)
    require(await bench.venue.cancel(order.order_id), "an open order was not cancelled")
    await outcome(bench.venue.submit(order))
    require(not await bench.is_open(order), "a retry by the key of a cancelled order is open")
    return "stays cancelled"


@KEYS.card(
    334,
    "key for ever",
    purpose="an intent that is redelivered a month later does not trade again",
    source="MUST 2; Binance newClientOrderId: free again once its order is filled",
    needs=(Need.MARKET, Need.MARKET_ORDERS, Need.KEYS_FOR_EVER),
)
async def key_for_ever(bench: Bench) -> str:
    """Know a key after thirty days."""
    order = bench.order(10)
    await bench.trade(order)
    await bench.elapse(30 * 86_400.0)
    await outcome(bench.venue.submit(order))
    await bench.advance()
    filled = await bench.filled(order)
    require(filled == 10, f"10 ordered by one key, {filled} filled after thirty days")
    return "known after thirty days"


@KEYS.card(
    335,
    "key within its window",
    purpose="the OMS may rely on the window that the venue states, to its end",
    source="VenueCard: dedupe_window_s; Longbridge client_request_id: ten minutes",
    needs=(Need.MARKET, Need.MARKET_ORDERS, Need.KEY_WINDOW),
)
async def key_within_its_window(bench: Bench) -> str:
    """Know a key until nine tenths of the stated window."""
    window = (bench.card.dedupe_window_s if bench.card is not None else None) or 0.0
    order = bench.order(10)
    await bench.submit(order)
    began = bench.now
    await bench.advance()
    used = (bench.now - began).total_seconds()
    await bench.elapse(max(0.0, 0.9 * window - used))
    await outcome(bench.venue.submit(order))
    await bench.advance()
    filled = await bench.filled(order)
    require(filled == 10, f"10 ordered by one key, {filled} filled within {window:g} s")
    return f"known after {0.9 * window:g} s of {window:g} s"


@KEYS.card(
    336,
    "any text as key",
    purpose="a key made of an intent's id works whatever is in it",
    source="Kraken cl_ord_id (18 characters), Binance newClientOrderId (36): a cut joins keys",
    needs=(Need.QUERY,),
)
async def any_text_as_key(bench: Bench) -> str:
    """Tell long keys apart that differ in the last character, and in case."""
    stem = f"{bench.order().idempotency_key}/é:".ljust(199, "k")
    keys = [stem + "a", stem + "A", stem + "b"]
    taken = [await bench.submit(bench.resting().with_(idempotency_key=key)) for key in keys]
    ids = {one.broker_order_id for one in taken}
    require(len(ids) == 3, f"three long keys gave {len(ids)} orders")
    await bench.settle()
    for key, order in zip(keys, taken, strict=True):
        found = await query_of(bench.venue).get_order_by_key(key)
        same = found is not None and found.broker_order_id == order.broker_order_id
        require(same, "a key of 200 characters does not lead to its order")
    return "three keys of 200 characters"
