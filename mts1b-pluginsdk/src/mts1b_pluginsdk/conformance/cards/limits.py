"""Cards of a rate limit: stated, kept, and never in the way of a cancel."""

from __future__ import annotations

from mts1b_foundation import Order
from mts1b_foundation.protocols import OrderQuery

from mts1b_pluginsdk.conformance.bench import Bench
from mts1b_pluginsdk.conformance.card import Deck, Group
from mts1b_pluginsdk.conformance.needs import Need
from mts1b_pluginsdk.conformance.offers import mass_cancel_of
from mts1b_pluginsdk.conformance.verdicts import CardFailed, outcome, refusal, require

__all__ = ["LIMITS"]

LIMITS = Deck(Group.LIMITS)
_NEEDS = (Need.RATE, Need.MARKET)
_MOST = 2_000
"""Messages at one moment after which the kit holds that there is no limit."""


def _rate(bench: Bench) -> float:
    rate = bench.card.orders_per_s if bench.card is not None else None
    if rate is None:
        raise CardFailed("the card states no rate")
    return rate


async def _exhaust(bench: Bench) -> tuple[list[Order], Order, str]:
    """Send orders at one moment until one is refused; return the taken, the refused, the reason.

    :raises CardFailed: when none is refused, or the refusal is no evidence.
    """
    taken: list[Order] = []
    most = min(_MOST, int(_rate(bench) * 20) + 20)
    for _ in range(most):
        order = bench.resting(1)
        answer = await outcome(bench.venue.submit(order))
        reason = refusal(answer)
        if reason is not None:
            require(bool(taken), "the first order of a quiet day was refused")
            return taken, order, reason
        if isinstance(answer, BaseException):
            raise CardFailed(f"beyond the rate came {type(answer).__name__}, which refuses nothing")
        taken.append(order)
    raise CardFailed(f"{most} orders at one moment, {_rate(bench):g} a second stated, none refused")


@LIMITS.card(
    901,
    "limit holds",
    purpose="the OMS plans by the rate that the venue enforces",
    source="VenueCard: orders_per_s; RTS 6 (EU 2017/589) Art. 15(1)(d): message limits",
    needs=_NEEDS,
)
async def limit_holds(bench: Bench) -> str:
    """Refuse orders beyond the rate, with evidence."""
    taken, _, reason = await _exhaust(bench)
    return f"{len(taken)} taken at one moment, then: {reason}"


@LIMITS.card(
    902,
    "limit is named",
    purpose="the OMS waits and sends again, instead of giving up the order",
    source="HTTP 429 (RFC 6585); FIX BusinessRejectReason",
    needs=_NEEDS,
)
async def limit_is_named(bench: Bench) -> str:
    """Name the rate in the code or the reason."""
    _, _, reason = await _exhaust(bench)
    require("RATE" in reason.upper(), f"beyond the rate the reason is: {reason}")
    return reason


@LIMITS.card(
    903,
    "nothing of the refused",
    purpose="an order that was refused for its rate does not trade",
    source="nautilus_trader #4958: taken for rejected, and alive",
    needs=_NEEDS,
)
async def nothing_of_the_refused(bench: Bench) -> str:
    """Neither list nor know an order that was refused for the rate."""
    _, order, _ = await _exhaust(bench)
    await bench.elapse(1.0)
    require(not await bench.is_open(order), "an order refused for the rate is open")
    venue = bench.venue
    if isinstance(venue, OrderQuery):
        found = await venue.get_order_by_key(order.idempotency_key)
        gone = found is None or refusal(found) is not None
        require(gone, "an order refused for the rate is known as taken")
    return "nothing is left"


@LIMITS.card(
    904,
    "key is not spent",
    purpose="the same intent goes out a second later",
    source="MUST 2: a key belongs to an order that was taken",
    needs=_NEEDS,
)
async def key_is_not_spent(bench: Bench) -> str:
    """Take the refused order by the same key, once there is room."""
    _, order, _ = await _exhaust(bench)
    await bench.elapse(2.0)
    await bench.submit(order)
    require(await bench.is_open(order), "the order is not open when it is sent again")
    return "taken after two seconds"


@LIMITS.card(
    905,
    "cancels pass",
    purpose="a storm of orders does not lock the way out",
    source="RTS 6 (EU 2017/589) Art. 12: kill functionality at any time",
    needs=_NEEDS,
)
async def cancels_pass(bench: Bench) -> str:
    """Confirm cancels while new orders are refused for the rate."""
    taken, _, _ = await _exhaust(bench)
    order = taken[0]
    answer = await outcome(bench.venue.cancel(order.order_id))
    require(answer is True, f"with the rate spent, a cancel gave {answer!r}")
    require(not await bench.is_open(order), "the cancelled order is open")
    return "confirmed with the rate spent"


@LIMITS.card(
    906,
    "cancel all passes",
    purpose="a halt works in a storm of orders",
    source="RTS 6 (EU 2017/589) Art. 12; go-trader #1462",
    needs=(*_NEEDS, Need.CANCEL_ALL),
)
async def cancel_all_passes(bench: Bench) -> str:
    """Cancel all while new orders are refused for the rate."""
    taken, _, _ = await _exhaust(bench)
    answer = await outcome(mass_cancel_of(bench.venue).cancel_all())
    if not isinstance(answer, list):
        raise CardFailed(f"with the rate spent, cancel_all gave {answer!r}")
    lost = [one.order_id for one in taken if one.order_id not in answer]
    require(not lost, f"cancel_all left out {len(lost)} of {len(taken)} orders")
    left = await bench.listed()
    require(not left, f"after cancel_all {len(left)} orders are open")
    return f"{len(answer)} cancelled with the rate spent"


@LIMITS.card(
    907,
    "questions pass",
    purpose="a desk that sent too much still sees what it has",
    source="Kraken: counters of queries and of orders are apart",
    needs=_NEEDS,
)
async def questions_pass(bench: Bench) -> str:
    """Answer for orders and positions while new orders are refused for the rate."""
    taken, _, _ = await _exhaust(bench)
    orders = await outcome(bench.venue.get_open_orders())
    positions = await outcome(bench.venue.get_positions())
    require(isinstance(orders, list), f"with the rate spent, get_open_orders gave {orders!r}")
    require(isinstance(positions, list), f"with the rate spent, get_positions gave {positions!r}")
    return f"answered after {len(taken)} orders"


@LIMITS.card(
    908,
    "rate is served",
    purpose="the rate that was stated can be used",
    source="VenueCard: orders_per_s",
    needs=_NEEDS,
)
async def rate_is_served(bench: Bench) -> str:
    """Take orders at the stated rate, evenly spaced, for three seconds."""
    rate = _rate(bench)
    count = max(3, min(int(3 * rate), 300))
    for place in range(count):
        answer = await outcome(bench.venue.submit(bench.resting(1)))
        reason = refusal(answer)
        require(reason is None, f"order {place + 1} at {rate:g} a second was refused: {reason}")
        await bench.elapse(1.0 / rate)
    return f"{count} orders at {rate:g} a second"
