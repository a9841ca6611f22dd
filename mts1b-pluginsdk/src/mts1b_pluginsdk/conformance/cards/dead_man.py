"""Cards of the dead-man timer: it cancels when nobody is there, and only then."""

from __future__ import annotations

from mts1b_pluginsdk.conformance.bench import Bench
from mts1b_pluginsdk.conformance.card import Deck, Group
from mts1b_pluginsdk.conformance.needs import Need
from mts1b_pluginsdk.conformance.offers import timer_of
from mts1b_pluginsdk.conformance.verdicts import CardFailed, CardSkipped, outcome, require

__all__ = ["DEAD_MAN"]

DEAD_MAN = Deck(Group.DEAD_MAN)
_NEEDS = (Need.DEAD_MAN, Need.MARKET)
_KRAKEN = "Kraken cancel_all_orders_after"


def _seconds(bench: Bench) -> float:
    """Return a time that the timer takes, and that is longer than the venue's lag.

    :raises CardSkipped: when the lag hides what the timer does.
    """
    wanted = max(60.0, 4.0 * bench.lag_s)
    longest = bench.card.dead_man_max_s if bench.card is not None else None
    seconds = min(longest or wanted, wanted)
    if seconds < 2.0 * bench.lag_s:
        raise CardSkipped(f"a lag of {bench.lag_s:g} s hides what a timer of {seconds:g} s does")
    return seconds


async def _arm(bench: Bench, seconds: float) -> None:
    await timer_of(bench.venue).cancel_all_after(seconds)


@DEAD_MAN.card(
    1001,
    "fires",
    purpose="orders of a dead host do not stay in the market",
    source=f"{_KRAKEN}: all orders are cancelled when the timer ends",
    needs=_NEEDS,
)
async def fires(bench: Bench) -> str:
    """Cancel every open order when the time is over."""
    orders = [bench.resting(number) for number in (1, 2, 3)]
    for order in orders:
        await bench.submit(order)
    await _arm(bench, _seconds(bench))
    await bench.elapse(_seconds(bench) + 1.0)
    left = [one.order_id for one in await bench.listed()]
    require(not left, f"{len(left)} orders are open after the timer ended")
    return f"3 cancelled after {_seconds(bench):g} s"


@DEAD_MAN.card(
    1002,
    "does not fire early",
    purpose="a slow heartbeat costs no order",
    source=f"{_KRAKEN}: not before its time",
    needs=_NEEDS,
)
async def does_not_fire_early(bench: Bench) -> str:
    """Leave orders alone until nine tenths of the time."""
    order = bench.resting()
    await bench.submit(order)
    await _arm(bench, _seconds(bench))
    await bench.elapse(0.9 * _seconds(bench) - bench.lag_s)
    require(await bench.is_open(order), "the order was cancelled before the timer ended")
    return f"open after {0.9 * _seconds(bench):g} s"


@DEAD_MAN.card(
    1003,
    "renewed",
    purpose="a living host keeps its orders",
    source=f"{_KRAKEN}: renew every 15 to 30 s",
    needs=_NEEDS,
)
async def renewed(bench: Bench) -> str:
    """Begin again with each call."""
    order = bench.resting()
    await bench.submit(order)
    for _ in range(4):
        await _arm(bench, _seconds(bench))
        await bench.elapse(0.5 * _seconds(bench))
    await _arm(bench, _seconds(bench))
    require(await bench.is_open(order), "the order was cancelled though the timer was renewed")
    return "open after four renewals"


@DEAD_MAN.card(
    1004,
    "fires after the last renewal",
    purpose="the timer of a host that died later still ends",
    source=f"{_KRAKEN}: the last call counts",
    needs=_NEEDS,
)
async def fires_after_the_last(bench: Bench) -> str:
    """End by the last call, not by the first."""
    order = bench.resting()
    await bench.submit(order)
    await _arm(bench, _seconds(bench))
    await bench.elapse(0.5 * _seconds(bench))
    await _arm(bench, _seconds(bench))
    await bench.elapse(_seconds(bench) + 1.0)
    require(not await bench.is_open(order), "the order is open after the last renewal ended")
    return "cancelled after the last"


@DEAD_MAN.card(
    1005,
    "zero disarms",
    purpose="an orderly shutdown keeps orders that should rest",
    source=f"{_KRAKEN}: 0 deactivates",
    needs=_NEEDS,
)
async def zero_disarms(bench: Bench) -> str:
    """Cancel nothing after the timer was disarmed."""
    order = bench.resting()
    await bench.submit(order)
    await _arm(bench, _seconds(bench))
    await _arm(bench, 0.0)
    await bench.elapse(3.0 * _seconds(bench))
    require(await bench.is_open(order), "the order was cancelled though the timer was disarmed")
    return "open"


@DEAD_MAN.card(
    1006,
    "nothing fills afterwards",
    purpose="what the timer cancelled does not trade",
    source="MUST 4; RTS 6 (EU 2017/589) Art. 12",
    needs=(*_NEEDS, Need.LIMIT_ORDERS),
)
async def nothing_fills_afterwards(bench: Bench) -> str:
    """Fill nothing when the price comes after the timer ended."""
    order = bench.limit(90)
    await bench.submit(order)
    await _arm(bench, _seconds(bench))
    await bench.elapse(_seconds(bench) + 1.0)
    await bench.advance(80)
    filled = await bench.filled(order)
    require(filled == 0, f"{filled} filled after the timer ended")
    return "nothing filled"


@DEAD_MAN.card(
    1007,
    "outlives the client",
    purpose="the timer is the venue's, for the host that set it is the one that dies",
    source=f"{_KRAKEN}; go-trader #1462: resting orders outlived the process",
    needs=(*_NEEDS, Need.LIMIT_ORDERS),
)
async def outlives_the_client(bench: Bench) -> str:
    """Cancel though the client that set the timer is gone."""
    order = bench.limit(90)
    await bench.submit(order)
    await _arm(bench, _seconds(bench))
    await bench.reconnect()
    await bench.elapse(_seconds(bench) + 1.0)
    require(not await bench.is_open(order), "the order outlived the client and its timer")
    await bench.advance(80)
    filled = await bench.filled(order)
    require(filled == 0, f"{filled} filled after the timer ended")
    return "cancelled without the client"


@DEAD_MAN.card(
    1008,
    "too long is refused",
    purpose="nobody relies on a timer that the venue does not keep",
    source="VenueCard: dead_man_max_s",
    needs=(*_NEEDS, Need.CARD),
)
async def too_long_is_refused(bench: Bench) -> str:
    """Raise for a time beyond the stated one."""
    longest = bench.card.dead_man_max_s if bench.card is not None else None
    if longest is None:
        raise CardFailed("the card states no longest time")
    answer = await outcome(timer_of(bench.venue).cancel_all_after(2.0 * longest))
    require(isinstance(answer, BaseException), f"{2 * longest:g} s, twice the most, was taken")
    return f"raised {type(answer).__name__}"


@DEAD_MAN.card(
    1009,
    "below zero is refused",
    purpose="a wrong sign does not disarm the timer, nor fire it",
    source="DeadManTimer: seconds from now; 0 disarms",
    needs=_NEEDS,
)
async def below_zero_is_refused(bench: Bench) -> str:
    """Raise for a negative time, and leave the timer as it was."""
    order = bench.resting()
    await bench.submit(order)
    await _arm(bench, _seconds(bench))
    answer = await outcome(timer_of(bench.venue).cancel_all_after(-1.0))
    require(isinstance(answer, BaseException), "-1 s was taken")
    require(await bench.is_open(order), "-1 s cancelled the order")
    await bench.elapse(_seconds(bench) + 1.0)
    require(not await bench.is_open(order), "-1 s disarmed the timer")
    return f"raised {type(answer).__name__}"


@DEAD_MAN.card(
    1010,
    "goes on afterwards",
    purpose="trading resumes when the host is back",
    source=f"{_KRAKEN}: the timer ends once",
    needs=_NEEDS,
)
async def goes_on_afterwards(bench: Bench) -> str:
    """Take orders after the timer ended, and leave them alone."""
    await bench.submit(bench.resting())
    await _arm(bench, _seconds(bench))
    await bench.elapse(_seconds(bench) + 1.0)
    order = bench.resting()
    await bench.submit(order)
    await bench.elapse(3.0 * _seconds(bench))
    require(await bench.is_open(order), "an order after the timer ended was cancelled too")
    return "a new order stays open"


@DEAD_MAN.card(
    1011,
    "positions stay",
    purpose="a timer cancels orders; it does not trade",
    source="DeadManTimer: cancel all open orders",
    needs=(*_NEEDS, Need.MARKET_ORDERS),
)
async def positions_stay(bench: Bench) -> str:
    """Leave positions and fills as they were."""
    done = bench.order(10)
    fills = await bench.trade(done)
    before = await bench.held()
    await _arm(bench, _seconds(bench))
    await bench.elapse(_seconds(bench) + 1.0)
    after = await bench.held()
    require(after == before, f"held {before}, after the timer ended {after}")
    require(await bench.fills_of(done) == fills, "fills differ after the timer ended")
    return f"still {after}"
