"""TWAP and VWAP on a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation.orders import Order, OrderStatus, OrderType, Side, TimeInForce
from mts1b_oms_algos import (
    AlgoError,
    AlmgrenChriss,
    BadParameter,
    ImplementationShortfall,
    MissingLimitPrice,
    ParticipationExceeded,
    Twap,
    UnknownParameter,
    UnsliceableOrder,
    Vwap,
    almgren_chriss,
    is_,
    twap,
    vwap,
)
from mts1b_platform.clock import VirtualClock
from mts1b_platform.rng import SeededRng

NEW_YORK_OPEN = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
Params = dict[str, Any]


class LeapingClock(VirtualClock):
    """A virtual clock that goes to the end of every sleep at once."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.advance(seconds)


def parent(**changes: Any) -> Order:
    fields: dict[str, Any] = {
        "order_id": "ord-parent",
        "idempotency_key": "alpha/AAPL/7",
        "symbol": "AAPL",
        "side": Side.BUY,
        "quantity": Decimal(1000),
        "reference_price": Decimal("187.50"),
        "fund_id": "fund-1",
        "strategy_id": "alpha",
        "created_at": NEW_YORK_OPEN,
    }
    return Order(**fields | changes)


KINDS = (Twap, Vwap, AlmgrenChriss, ImplementationShortfall)
Algorithm = Twap | Vwap | AlmgrenChriss | ImplementationShortfall


def algorithms(seed: int = 7) -> list[Algorithm]:
    return [kind(LeapingClock(NEW_YORK_OPEN), SeededRng(seed)) for kind in KINDS]


async def children(algorithm: Algorithm, order: Order, **params: Any) -> list[Order]:
    return [child async for child in algorithm.execute(order, params=params)]


def run(algorithm: Algorithm, order: Order, **params: Any) -> list[Order]:
    return asyncio.run(children(algorithm, order, **params))


@settings(max_examples=30, deadline=None)
@given(
    quantity=st.decimals("0.01", 50_000, places=2),
    minutes=st.integers(1, 300),
    slices=st.integers(1, 40),
    jitter=st.floats(0, 0.5),
    lot=st.sampled_from([Decimal("0.01"), Decimal(1), Decimal(100)]),
    profile=st.sampled_from(["intraday_estimated", "uniform"]),
    which=st.integers(0, 3),
)
def test_children_sum_to_the_parent_inside_its_window(
    quantity: Decimal,
    minutes: int,
    slices: int,
    jitter: float,
    lot: Decimal,
    profile: str,
    which: int,
) -> None:
    order = parent(quantity=quantity)
    params: Params = {
        "horizon_minutes": minutes,
        "n_slices": slices,
        "jitter_pct": jitter,
        "lot_size": lot,
    }
    if which == 1:
        params["volume_profile"] = profile
    if which == 3:
        params["max_horizon_minutes"] = minutes
    sent = run(algorithms()[which], order, **params)
    assert sum(child.quantity for child in sent) == quantity
    assert len(sent) <= slices
    times = [child.created_at for child in sent]
    assert times == sorted(times)
    assert times[0] >= NEW_YORK_OPEN
    assert times[-1] <= NEW_YORK_OPEN + timedelta(minutes=minutes)
    assert len({child.order_id for child in sent}) == len(sent)
    for child in sent:
        key, _, number = child.idempotency_key.rpartition("/")
        assert key == order.idempotency_key
        assert 0 <= int(number) < slices


@pytest.mark.parametrize("which", [0, 1, 2, 3])
@pytest.mark.parametrize("done", [0, 1, 13, 29, 30])
def test_a_restart_repeats_no_child_and_skips_none(which: int, done: int) -> None:
    whole = run(algorithms()[which], parent(quantity=Decimal(77)))
    rest = run(algorithms()[which], parent(quantity=Decimal(77)), start_slice=done)
    assert [(c.order_id, c.quantity) for c in rest] == [
        (c.order_id, c.quantity) for c in whole if int(c.idempotency_key.rpartition("/")[2]) >= done
    ]


async def test_a_restart_with_its_start_keeps_the_times() -> None:
    start = NEW_YORK_OPEN.isoformat()
    for first, second in zip(algorithms(), algorithms(), strict=True):
        whole = await children(first, parent(), start_at=start)
        second.clock.advance(600)  # type: ignore[attr-defined]
        rest = await children(second, parent(), start_at=start, start_slice=12)
        assert rest == [c for c in whole if int(c.idempotency_key.rpartition("/")[2]) >= 12]


async def test_a_restart_without_its_start_keeps_the_distances() -> None:
    clock = LeapingClock(NEW_YORK_OPEN + timedelta(hours=2))
    rest = await children(
        Twap(clock, SeededRng(1)), parent(), n_slices=10, jitter_pct=0, start_slice=4
    )
    assert [(c.created_at - rest[0].created_at).seconds for c in rest] == [
        180 * i for i in range(6)
    ]
    assert rest[0].created_at == NEW_YORK_OPEN + timedelta(hours=2)


async def test_children_come_when_they_are_due_and_not_before() -> None:
    clock = VirtualClock(NEW_YORK_OPEN)
    stream = Twap(clock, SeededRng(1)).execute(
        parent(), params={"n_slices": 3, "horizon_minutes": 30, "jitter_pct": 0}
    )
    first = await anext(stream)
    assert first.created_at == NEW_YORK_OPEN
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    clock.advance(599)
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.advance(1)
    assert (await waiting).created_at == NEW_YORK_OPEN + timedelta(minutes=10)
    clock.advance(3600)
    overdue = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    clock.advance(149)
    await asyncio.sleep(0)
    assert not overdue.done(), "a quarter of ten minutes after whoever was late asks for it"
    clock.advance(1)
    late = await overdue
    assert late.created_at == NEW_YORK_OPEN + timedelta(minutes=20)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_a_child_is_its_parents_in_all_but_size_and_price() -> None:
    order = parent(
        order_type=OrderType.LIMIT,
        limit_price=Decimal("190"),
        side=Side.COVER,
        reduce_only=True,
        status=OrderStatus.ACCEPTED,
        accepted_at=NEW_YORK_OPEN,
        broker_order_id="x",
        version=4,
    )
    for algorithm in algorithms():
        for child in await children(algorithm, order, child_order_type="marketable_limit"):
            assert child.parent_order_id == order.order_id
            assert (child.symbol, child.side, child.fund_id) == ("AAPL", Side.COVER, "fund-1")
            assert child.reduce_only
            assert child.order_type is OrderType.MARKETABLE_LIMIT
            assert child.limit_price == Decimal("190")
            assert (child.status, child.version) == (OrderStatus.CREATED, 0)
            assert child.accepted_at is None
            assert child.broker_order_id is None


async def test_prices_of_children() -> None:
    limited = await children(algorithms()[0], parent(), n_slices=1)
    assert (limited[0].order_type, limited[0].limit_price) == (OrderType.LIMIT, Decimal("187.50"))
    market = await children(algorithms()[0], parent(), n_slices=1, child_order_type="market")
    assert (market[0].order_type, market[0].limit_price) == (OrderType.MARKET, None)


@pytest.mark.parametrize(
    ("changes", "params", "error"),
    [
        ({}, {"slices": 3}, UnknownParameter),
        ({}, {"horizon_minutes": -1}, BadParameter),
        ({}, {"jitter_pct": 0.6}, BadParameter),
        ({}, {"child_order_type": "stop"}, BadParameter),
        ({}, {"lot_size": "0"}, BadParameter),
        ({}, {"start_slice": 31}, BadParameter),
        ({}, {"start_at": "2026-03-02T14:30:00"}, BadParameter),
        ({"reference_price": None}, {}, MissingLimitPrice),
        ({"tif": TimeInForce.FOK}, {}, UnsliceableOrder),
        ({"order_type": OrderType.STOP, "stop_price": Decimal(1)}, {}, UnsliceableOrder),
        (
            {"tif": TimeInForce.GTD, "expires_at": NEW_YORK_OPEN + timedelta(minutes=5)},
            {},
            UnsliceableOrder,
        ),
        (
            {"order_type": OrderType.LIMIT, "limit_price": Decimal(1)},
            {"child_order_type": "market"},
            BadParameter,
        ),
    ],
)
async def test_what_can_not_be_sliced_is_refused_before_the_first_child(
    changes: Params, params: Params, error: type[AlgoError]
) -> None:
    for algorithm in algorithms():
        with pytest.raises(error):
            await anext(algorithm.execute(parent(**changes), params=params))


async def test_vwap_follows_the_u_shape_of_the_session() -> None:
    sent = await children(
        algorithms()[1], parent(quantity=Decimal(39_000)), horizon_minutes=390, n_slices=13
    )
    sizes = [int(child.quantity) for child in sent]
    assert sizes == sizes[::-1]
    assert sizes[0] > sizes[3] > sizes[6]
    assert sizes[0] == pytest.approx(3 * sizes[6], rel=0.2)
    half_hour = 1 / 13  # of the curve u + (x^3 - x) / 4 with x = 2u - 1
    x = 2 * half_hour - 1
    assert sizes[0] == pytest.approx(39_000 * (half_hour + (x**3 - x) / 4), abs=1)


async def test_vwap_sends_nothing_after_the_close() -> None:
    late = parent(created_at=NEW_YORK_OPEN + timedelta(minutes=375))
    clock = LeapingClock(late.created_at)
    sent = await children(Vwap(clock, SeededRng(1)), late, horizon_minutes=30)
    assert sum(child.quantity for child in sent) == 1000
    assert sent[-1].created_at < NEW_YORK_OPEN + timedelta(minutes=390)


async def test_vwap_is_flat_for_pairs_and_outside_the_session() -> None:
    night = parent(created_at=NEW_YORK_OPEN - timedelta(hours=6))
    for order in (parent(symbol="BTC-USD"), night):
        clock = LeapingClock(order.created_at)
        sent = await children(Vwap(clock, SeededRng(1)), order, n_slices=4)
        assert [child.quantity for child in sent] == [250, 250, 250, 250]


async def test_vwap_takes_a_profile_of_numbers() -> None:
    profile = [1, 0, 3]
    sent = await children(algorithms()[1], parent(), n_slices=3, volume_profile=profile)
    assert [child.quantity for child in sent] == [250, 750]
    for wrong in ([1, 2], [0, 0, 0], [1, -1, 1]):
        with pytest.raises(BadParameter):
            await children(algorithms()[1], parent(), n_slices=3, volume_profile=wrong)


async def test_vwap_holds_the_parent_to_its_share_of_the_expected_volume() -> None:
    flat: Params = {"volume_profile": "uniform", "horizon_minutes": 39}
    whole: Params = {
        "session_open": NEW_YORK_OPEN,
        "session_close": NEW_YORK_OPEN + timedelta(minutes=390),
    }
    share = Vwap(LeapingClock(NEW_YORK_OPEN), SeededRng(1))
    session = {"horizon_minutes": 390, "n_slices": 5, **whole}
    sent = await children(share, parent(), average_daily_volume=10_000, **session)
    assert sum(child.quantity for child in sent) == 1000
    with pytest.raises(ParticipationExceeded, match="lengthen"):
        await children(algorithms()[1], parent(), average_daily_volume=9_999, **session)
    with pytest.raises(ParticipationExceeded):
        await children(algorithms()[1], parent(), average_daily_volume=50_000, **flat)
    with pytest.raises(BadParameter, match="together"):
        await children(algorithms()[1], parent(), session_open=NEW_YORK_OPEN)


@pytest.mark.parametrize("module", [twap, vwap, almgren_chriss, is_])
async def test_the_modules_run_on_the_machines_clock(module: Any) -> None:
    window = "max_horizon_minutes" if module is is_ else "horizon_minutes"
    stream: AsyncIterator[Order] = module.execute(parent(), params={window: 0})
    sent = [child async for child in stream]
    assert sum(child.quantity for child in sent) == 1000


class TestOptimalLiquidation:
    """Almgren-Chriss and implementation shortfall between their two limits."""

    @pytest.mark.parametrize("which", [2, 3])
    async def test_without_risk_aversion_it_is_twap(self, which: int) -> None:
        sent = await children(algorithms()[which], parent(), n_slices=10, risk_aversion=0.0)
        assert [child.quantity for child in sent] == [Decimal(100)] * 10

    @pytest.mark.parametrize("which", [2, 3])
    async def test_with_much_risk_aversion_it_is_one_slice(self, which: int) -> None:
        sent = await children(algorithms()[which], parent(), n_slices=10, risk_aversion=1e12)
        assert [child.quantity for child in sent] == [Decimal(1000)]

    async def test_more_risk_aversion_trades_earlier(self) -> None:
        halves = []
        for aversion in (0.0, 300.0, 3_000.0):
            sent = await children(
                algorithms()[2], parent(), n_slices=10, risk_aversion=aversion, volatility=0.5
            )
            assert [c.quantity for c in sent] == sorted((c.quantity for c in sent), reverse=True)
            halves.append(sum(c.quantity for c in sent if c.created_at < _minutes(15)))
        assert halves == sorted(halves)
        assert halves[0] < halves[-1]

    async def test_the_window_follows_from_the_half_life(self) -> None:
        params = {"n_slices": 6, "risk_aversion": 20_000.0, "volatility": 0.5}
        sent = await children(algorithms()[3], parent(quantity=Decimal(10**6)), **params)
        last = sent[-1].created_at
        assert NEW_YORK_OPEN < last < _minutes(60)
        patient = await children(
            algorithms()[3], parent(), n_slices=6, risk_aversion=0.0, max_horizon_minutes=90
        )
        assert patient[-1].created_at == _minutes(75)

    async def test_children_carry_the_arrival_price(self) -> None:
        sent = await children(
            algorithms()[3], parent(reference_price=None), n_slices=2, arrival_price="181.25"
        )
        assert {child.limit_price for child in sent} == {Decimal("181.25")}
        with pytest.raises(MissingLimitPrice):
            await children(algorithms()[3], parent(reference_price=None), n_slices=2)

    async def test_a_market_that_pays_for_trading_is_refused(self) -> None:
        with pytest.raises(BadParameter, match="temporary_impact"):
            await children(algorithms()[2], parent(), permanent_impact=900.0)


def _minutes(count: float) -> datetime:
    return NEW_YORK_OPEN + timedelta(minutes=count)
