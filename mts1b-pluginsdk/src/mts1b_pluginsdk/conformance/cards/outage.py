"""Cards of a wire that fails: silence is no answer, and no answer is not an empty one."""

from __future__ import annotations

from collections.abc import Awaitable

from mts1b_pluginsdk.conformance.bench import Bench
from mts1b_pluginsdk.conformance.card import Deck, Group
from mts1b_pluginsdk.conformance.needs import Need
from mts1b_pluginsdk.conformance.offers import account_of, history_of, mass_cancel_of, query_of
from mts1b_pluginsdk.conformance.sandbox import Wire
from mts1b_pluginsdk.conformance.verdicts import CardFailed, outcome, refusal, require

__all__ = ["OUTAGE"]

OUTAGE = Deck(Group.AMBIGUITY)


def _wire(bench: Bench) -> Wire:
    if isinstance(bench.sandbox, Wire):
        return bench.sandbox
    raise CardFailed("the sandbox has no wire")


async def _silent(bench: Bench, call: Awaitable[object]) -> str:
    """Require that a call raises what says nothing of the order; return its name."""
    answer = await outcome(call)
    if not isinstance(answer, BaseException):
        raise CardFailed(f"without the venue's answer the client answered {answer!r}")
    told = refusal(answer)
    require(told is None, f"without the venue's answer the client said refused: {told}")
    return type(answer).__name__


@OUTAGE.card(
    811,
    "answer lost",
    purpose="silence is not taken for a rejection",
    source="Binance -1007: execution status unknown; ccxt #2599",
    needs=(Need.WIRE, Need.QUERY),
)
async def answer_lost(bench: Bench) -> str:
    """Raise, when the venue took the order and its answer was lost; find it by key."""
    order = bench.resting()
    _wire(bench).lose_answer()
    raised = await _silent(bench, bench.venue.submit(order))
    found = await bench.known(order)
    require(found is not None, "an order that was taken is not found by its key")
    require(await bench.is_open(order), "an order that was taken is not open")
    return f"raised {raised}; found by key"


@OUTAGE.card(
    812,
    "request lost",
    purpose="an order that never arrived can be sent again",
    source="binance-java-api #55: no answer, and no order",
    needs=(Need.WIRE, Need.QUERY),
)
async def request_lost(bench: Bench) -> str:
    """Raise, when the order never reached the venue; find nothing, then take it once."""
    order = bench.resting()
    _wire(bench).lose_request()
    raised = await _silent(bench, bench.venue.submit(order))
    require(await bench.known(order) is None, "an order that never arrived is known")
    await bench.submit(order)
    listed = [one for one in await bench.listed() if one.order_id == order.order_id]
    require(len(listed) == 1, f"sent again, the order is listed {len(listed)} times")
    return f"raised {raised}; sent again, one order"


@OUTAGE.card(
    813,
    "retry after the lost answer",
    purpose="a retry after a time-out buys once",
    source="MUST 2; nautilus_trader #4215",
    needs=(Need.WIRE, Need.KEYS, Need.MARKET, Need.MARKET_ORDERS),
)
async def retry_after_the_lost_answer(bench: Bench) -> str:
    """Fill once what was sent twice, because the first answer was lost."""
    order = bench.order(10)
    _wire(bench).lose_answer()
    await _silent(bench, bench.venue.submit(order))
    await bench.submit(order)
    await bench.advance()
    filled = await bench.filled(order)
    require(filled == 10, f"10 ordered, sent again after a lost answer, {filled} filled")
    return "10 filled"


@OUTAGE.card(
    814,
    "cancel's answer lost",
    purpose="an order is not held for alive or dead because nobody answered",
    source="freqtrade #3647; BrokerProtocol: True only when confirmed",
    needs=(Need.WIRE,),
)
async def cancels_answer_lost(bench: Bench) -> str:
    """Raise, when a cancel was carried out and its answer was lost."""
    order = bench.resting()
    await bench.submit(order)
    _wire(bench).lose_answer()
    raised = await _silent(bench, bench.venue.cancel(order.order_id))
    require(not await bench.is_open(order), "a cancel that was carried out left the order open")
    return f"raised {raised}"


@OUTAGE.card(
    815,
    "cancel's request lost",
    purpose="an order that lives is not held for cancelled",
    source="FIX: no OrderCancelReject (9) is no confirmation",
    needs=(Need.WIRE,),
)
async def cancels_request_lost(bench: Bench) -> str:
    """Raise, when a cancel never arrived; the order is open."""
    order = bench.resting()
    await bench.submit(order)
    _wire(bench).lose_request()
    raised = await _silent(bench, bench.venue.cancel(order.order_id))
    require(await bench.is_open(order), "a cancel that never arrived ended the order")
    return f"raised {raised}; still open"


@OUTAGE.card(
    821,
    "no list is not an empty list",
    purpose="an outage does not look like an account without orders",
    source="TorchTrade PR #422: [] read as no orders; trading #4018: an empty reply cleared a halt",
    needs=(Need.WIRE,),
)
async def no_list_is_not_empty(bench: Bench) -> str:
    """Raise for open orders while the venue can not be reached."""
    await bench.submit(bench.resting())
    return await _unreachable(bench, bench.venue.get_open_orders())


async def _unreachable(bench: Bench, call: Awaitable[object]) -> str:
    _wire(bench).cut()
    raised = await _silent(bench, call)
    _wire(bench).mend()
    return f"raised {raised}"


@OUTAGE.card(
    822,
    "no report is not flat",
    purpose="an outage does not look like an account without positions",
    source="nautilus_trader docs, live: a failed position report is not flat",
    needs=(Need.WIRE,),
)
async def no_report_is_not_flat(bench: Bench) -> str:
    """Raise for positions while the venue can not be reached."""
    return await _unreachable(bench, bench.venue.get_positions())


@OUTAGE.card(
    823,
    "no answer is not unknown",
    purpose="an order is not sent again because the venue could not be asked",
    source="hummingbot #8457: six accepted sells were taken for failed in an outage",
    needs=(Need.WIRE, Need.QUERY),
)
async def no_answer_is_not_unknown(bench: Bench) -> str:
    """Raise for a key while the venue can not be reached; None would be certain."""
    order = bench.resting()
    await bench.submit(order)
    return await _unreachable(bench, query_of(bench.venue).get_order_by_key(order.idempotency_key))


@OUTAGE.card(
    824,
    "no history is not its end",
    purpose="a cursor does not move past fills that were not told",
    source="LEAN IB #249; nautilus_trader #4772: reconciliation succeeded without the records",
    needs=(Need.WIRE, Need.HISTORY),
)
async def no_history_is_not_its_end(bench: Bench) -> str:
    """Raise for fills while the venue can not be reached."""
    return await _unreachable(bench, history_of(bench.venue).fills_since(None))


@OUTAGE.card(
    825,
    "no statement is not zero",
    purpose="an outage does not look like a loss of all cash",
    source="Forven PR #92: one bad tick of equity latched a halt",
    needs=(Need.WIRE, Need.ACCOUNT),
)
async def no_statement_is_not_zero(bench: Bench) -> str:
    """Raise for the account while the venue can not be reached."""
    return await _unreachable(bench, account_of(bench.venue).account_snapshot())


@OUTAGE.card(
    826,
    "nobody cancelled is not all cancelled",
    purpose="a halt knows that it did not reach the venue",
    source="hummingbot #2534: the kill switch raised, the bot traded on",
    needs=(Need.WIRE, Need.CANCEL_ALL),
)
async def nobody_cancelled(bench: Bench) -> str:
    """Raise for a cancel of all while the venue can not be reached."""
    await bench.submit(bench.resting())
    return await _unreachable(bench, mass_cancel_of(bench.venue).cancel_all())


@OUTAGE.card(
    827,
    "no order in an outage",
    purpose="an order that could not be sent is not kept back and sent later",
    source="hummingbot #720: sent after the reconnection; FIX PossResend (97)",
    needs=(Need.WIRE,),
)
async def no_order_in_an_outage(bench: Bench) -> str:
    """Raise for an order while the venue can not be reached, and send it never."""
    order = bench.resting()
    told = await _unreachable(bench, bench.venue.submit(order))
    require(not await bench.is_open(order), "an order of the outage was sent afterwards")
    return told


@OUTAGE.card(
    828,
    "after the outage as before",
    purpose="the desk goes on when the venue is back",
    source="QuickFIX test/definitions 20: resend requests on both sides; CME AutoCert+: gaps",
    needs=(Need.WIRE, Need.MARKET, Need.MARKET_ORDERS),
)
async def after_the_outage(bench: Bench) -> str:
    """Know every order and fill of before, and take a new order."""
    done, resting = bench.order(10), bench.resting()
    fills = await bench.trade(done)
    await bench.submit(resting)
    await _unreachable(bench, bench.venue.get_open_orders())
    require(await bench.fills_of(done) == fills, "fills from before the outage are told otherwise")
    require(await bench.is_open(resting), "an order from before the outage is not listed")
    await bench.trade(bench.order(1))
    return "fills and orders kept; a new order filled"
