"""POV takes its share of what traded, never more, and says where it can not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mts1b_foundation.market_data import Bar
from mts1b_foundation.orders import Order, OrderType, Side, TimeInForce
from mts1b_foundation.symbology import Symbol
from mts1b_oms_algos import (
    AlgoError,
    BadParameter,
    MissingVolume,
    Pov,
    UnknownParameter,
    UnsliceableOrder,
    VolumeTape,
    pov,
)
from mts1b_platform.clock import VirtualClock

START = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AAPL = Symbol("AAPL")
D = Decimal


class LeapingClock(VirtualClock):
    """A virtual clock that goes to the end of every sleep at once."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.advance(seconds)


def bar(minute: int, volume: Decimal | int, *, interval: str = "1m", symbol: str = "AAPL") -> Bar:
    return Bar(
        symbol=symbol,
        interval=interval,
        open=D(100),
        high=D(100),
        low=D(100),
        close=D(100),
        volume=D(volume),
        timestamp=START + minute * MINUTE,
    )


def tape_of(volumes: list[int]) -> VolumeTape:
    tape = VolumeTape()
    for minute, volume in enumerate(volumes, start=1):
        tape.see(bar(minute, volume))
    return tape


def parent(**changes: Any) -> Order:
    fields: dict[str, Any] = {
        "order_id": "ord-parent",
        "idempotency_key": "alpha/AAPL/7",
        "symbol": "AAPL",
        "side": Side.BUY,
        "quantity": D(1000),
        "reference_price": D("187.50"),
        "fund_id": "fund-1",
        "strategy_id": "alpha",
        "created_at": START,
    }
    return Order(**fields | changes)


def run(algorithm: Pov, order: Order, **params: Any) -> list[Order]:
    async def work() -> list[Order]:
        return [child async for child in algorithm.execute(order, params=params)]

    return asyncio.run(work())


def sent(algorithm: Pov, order: Order, **params: Any) -> list[tuple[int, Decimal]]:
    """Return the minute after the start and the size of every child."""
    return [
        ((child.created_at - START) // MINUTE, child.quantity)
        for child in run(algorithm, order, **params)
    ]


@example(volumes=[17, 310, 211, 213, 0], quantity=D("382.64"), rate=D("0.51"), lot=D(1), lookback=2)
@settings(max_examples=40, deadline=None)
@given(
    volumes=st.lists(st.integers(0, 20_000), min_size=1, max_size=30),
    quantity=st.decimals("0.01", 5_000, places=2),
    rate=st.decimals("0.01", 1, places=2),
    lot=st.sampled_from([D("0.01"), D(1), D(100)]),
    lookback=st.integers(1, 10),
)
def test_children_never_exceed_the_share_of_the_observed_volume_nor_the_parent(
    volumes: list[int], quantity: Decimal, rate: Decimal, lot: Decimal, lookback: int
) -> None:
    order = parent(quantity=quantity)
    children = sent(
        Pov(LeapingClock(START), tape_of(volumes)),
        order,
        target_participation=rate,
        lot_size=lot,
        max_horizon_minutes=len(volumes),
        volume_lookback_minutes=lookback,
    )
    total = D(0)
    for minute, size in children:
        total += size
        assert 1 <= minute <= len(volumes)
        assert total <= rate * sum(volumes[:minute])
        before = sum((s for m, s in children if minute - lookback < m < minute), D(0))
        share = rate * sum(volumes[max(0, minute - lookback) : minute])
        assert size <= max(share - before, lot)
        assert size % lot == 0 or total == quantity
    assert total <= quantity


@settings(max_examples=30, deadline=None)
@given(
    volumes=st.lists(st.integers(0, 9_000), min_size=2, max_size=20),
    cut=st.integers(0, 20),
)
def test_a_restart_from_a_checkpoint_repeats_no_child_and_keeps_the_share(
    volumes: list[int], cut: int
) -> None:
    order = parent(quantity=D(1_000_000))
    cut = min(cut, len(volumes))
    params: dict[str, Any] = {"max_horizon_minutes": len(volumes), "start_at": START}
    whole = run(Pov(LeapingClock(START), tape_of(volumes)), order, **params)
    before = [c for c in whole if c.created_at <= START + cut * MINUTE]
    done = sum((c.quantity for c in before), D(0))
    clock = LeapingClock(START + cut * MINUTE)
    rest = run(Pov(clock, tape_of(volumes)), order, **params, start_slice=cut, sent_quantity=done)
    assert not {c.order_id for c in before} & {c.order_id for c in rest}
    total = done
    for child in rest:
        total += child.quantity
        minutes = (child.created_at - START) // MINUTE
        assert total <= D("0.15") * sum(volumes[:minutes])
    assert total <= order.quantity


@dataclass
class Book:
    """The orders of an OMS, by id."""

    orders: dict[str, Order] = field(default_factory=dict)

    async def look(self, order_id: str) -> Order | None:
        return self.orders.get(order_id)


def test_a_restart_that_can_look_goes_on_after_its_last_child_with_an_empty_tape() -> None:
    volumes = [1_000] * 10
    whole = run(Pov(LeapingClock(START), tape_of(volumes)), parent(), start_at=START)
    assert [c.quantity for c in whole] == [150, 150, 150, 150, 150, 150, 100]
    book = Book({c.order_id: c for c in whole[:4]})
    forgetful = VolumeTape()
    for minute in range(5, 11):
        forgetful.see(bar(minute, 1_000))
    restarted = Pov(LeapingClock(START + 4.5 * MINUTE), forgetful, book.look)
    assert run(restarted, parent(), start_at=START) == whole[4:]


@pytest.mark.parametrize("minutes_back", [1, 3, 4])
def test_a_clock_set_back_repeats_no_child_and_sends_no_more_than_the_parent(
    minutes_back: int,
) -> None:
    volumes = [0, 0, *[1_000] * 8]
    whole = run(Pov(LeapingClock(START), tape_of(volumes)), parent(), start_at=START)
    book = Book({child.order_id: child for child in whole[:4]})
    clock = LeapingClock(whole[3].created_at - minutes_back * MINUTE)
    # The first two minutes, in which nothing was sent, show volume now.
    tape = tape_of([1_000] * 10)
    again = run(Pov(clock, tape, book.look), parent(), start_at=START)
    assert not {child.order_id for child in again} & set(book.orders)
    assert sum(child.quantity for child in (*whole[:4], *again)) == 1_000
    assert [child.created_at for child in again] == [START + (7 + n) * MINUTE for n in range(3)]


def test_it_follows_the_volume_and_ends_when_all_is_sent() -> None:
    children = sent(Pov(LeapingClock(START), tape_of([1000, 0, 3000, 2000, 900])), parent())
    assert children == [(1, D(150)), (3, D(450)), (4, D(300)), (5, D(100))]


@dataclass
class LateFeed:
    """A tape that nobody could read before the sixth minute."""

    clock: LeapingClock
    tape: VolumeTape

    def volume(self, symbol: Symbol, *, start: datetime, end: datetime) -> Decimal:
        known = self.clock.now() >= START + 6 * MINUTE
        return self.tape.volume(symbol, start=start, end=end) if known else D(0)


def test_volume_that_passed_unused_long_ago_is_not_made_up_for_but_by_single_lots() -> None:
    clock = LeapingClock(START)
    children = sent(
        Pov(clock, LateFeed(clock, tape_of([10_000] * 6))),
        parent(quantity=D(100_000)),
        lot_size=100,
        max_horizon_minutes=10,
        volume_lookback_minutes=2,
    )
    assert children == [(6, D(3000)), *((minute, D(100)) for minute in (7, 8, 9, 10))]


def test_what_the_volume_does_not_allow_is_not_sent() -> None:
    assert sent(Pov(LeapingClock(START), VolumeTape()), parent()) == []
    children = sent(Pov(LeapingClock(START), tape_of([100] * 200)), parent(), max_horizon_minutes=5)
    assert sum(size for _, size in children) == 75


def test_odd_lots_ride_with_the_last_child() -> None:
    tape = tape_of([1000] * 9)
    children = sent(Pov(LeapingClock(START), tape), parent(quantity=D("250.5")), lot_size=100)
    assert children == [(1, D(100)), (2, D("150.5"))]


def test_without_a_feed_it_takes_part_in_the_expected_volume() -> None:
    params = {
        "average_daily_volume": 390_000,
        "max_horizon_minutes": 390,
        "interval_minutes": 30,
        "volume_lookback_minutes": 30,
    }
    children = sent(Pov(LeapingClock(START)), parent(quantity=D(100_000)), **params)
    assert len(children) == 13
    assert sum(size for _, size in children) == pytest.approx(D(58_500), abs=13)
    assert children[0][1] > children[6][1] < children[-1][1]
    with pytest.raises(MissingVolume, match="average_daily_volume"):
        run(Pov(LeapingClock(START)), parent())


@pytest.mark.parametrize(
    ("changes", "params", "error"),
    [
        ({}, {"participation": 0.1}, UnknownParameter),
        ({}, {"target_participation": 0}, BadParameter),
        ({}, {"target_participation": "1.01"}, BadParameter),
        ({}, {"target_participation": "NaN"}, BadParameter),
        ({}, {"max_horizon_minutes": 0.5}, BadParameter),
        ({}, {"volume_lookback_minutes": 0}, BadParameter),
        ({}, {"start_slice": 121}, BadParameter),
        ({}, {"sent_quantity": 1001}, BadParameter),
        ({"tif": TimeInForce.FOK}, {}, UnsliceableOrder),
        ({"order_type": OrderType.STOP, "stop_price": D(1)}, {}, UnsliceableOrder),
        (
            {"tif": TimeInForce.GTD, "expires_at": START + timedelta(minutes=5)},
            {},
            UnsliceableOrder,
        ),
    ],
)
def test_what_can_not_be_sliced_is_refused(
    changes: dict[str, Any], params: dict[str, Any], error: type[AlgoError]
) -> None:
    with pytest.raises(error):
        run(Pov(LeapingClock(START), tape_of([1000])), parent(**changes), **params)


@pytest.mark.parametrize("volume", [D("-1"), D("NaN"), D("Infinity")])
def test_a_feed_that_tells_nonsense_is_refused(volume: Decimal) -> None:
    class Feed:
        def volume(self, symbol: Symbol, *, start: datetime, end: datetime) -> Decimal:
            return volume

    with pytest.raises(BadParameter, match="volume of AAPL"):
        run(Pov(LeapingClock(START), Feed()), parent())


def test_the_module_runs_on_the_machines_clock() -> None:
    async def first() -> Order:
        stream = pov.execute(
            parent(symbol="BTC-USD"),
            params={
                "average_daily_volume": 10**12,
                "interval_minutes": 1 / 600,
                "max_horizon_minutes": 1,
            },
        )
        child = await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        return child

    assert asyncio.run(first()).quantity == 1000


class TestVolumeTape:
    """What counts as observed."""

    def test_a_bar_counts_once_and_where_it_lies_inside_as_a_whole(self) -> None:
        tape = tape_of([10, 20, 40])
        tape.see(bar(2, 20))
        assert tape.volume(AAPL, start=START, end=START + 3 * MINUTE) == 70
        assert tape.volume(AAPL, start=START + MINUTE / 2, end=START + 3 * MINUTE) == 60
        assert tape.volume(AAPL, start=START, end=START + 2.9 * MINUTE) == 30
        assert tape.volume(AAPL, start=START, end=START) == 0
        assert tape.volume(Symbol("MSFT"), start=START, end=START + MINUTE) == 0
        with pytest.raises(BadParameter, match="after end"):
            tape.volume(AAPL, start=START + MINUTE, end=START)

    def test_only_the_shortest_interval_counts(self) -> None:
        tape = VolumeTape()
        tape.see(bar(5, 500, interval="5m"))
        assert tape.volume(AAPL, start=START, end=START + 5 * MINUTE) == 500
        tape.see(bar(5, 80))
        tape.see(bar(5, 500, interval="5m"))
        assert tape.volume(AAPL, start=START, end=START + 5 * MINUTE) == 80

    def test_bars_in_any_order_and_forgotten_after_a_while(self) -> None:
        tape = VolumeTape(keep=3 * MINUTE)
        for minute in (3, 1, 2, 5):
            tape.see(bar(minute, minute))
        assert tape.volume(AAPL, start=START, end=START + 9 * MINUTE) == 8

    @settings(max_examples=30, deadline=None)
    @given(
        volumes=st.lists(st.integers(0, 10**6), min_size=1, max_size=20),
        data=st.data(),
    )
    def test_a_tape_counts_every_bar_of_the_time_whatever_their_order(
        self, volumes: list[int], data: st.DataObject
    ) -> None:
        tape = VolumeTape()
        bars = [bar(minute, volume) for minute, volume in enumerate(volumes, start=1)]
        for one in data.draw(st.permutations(bars)):
            tape.see(one)
        first = data.draw(st.integers(0, len(volumes)))
        last = data.draw(st.integers(first, len(volumes)))
        seen = tape.volume(AAPL, start=START + first * MINUTE, end=START + last * MINUTE)
        assert seen == sum(volumes[first:last])
