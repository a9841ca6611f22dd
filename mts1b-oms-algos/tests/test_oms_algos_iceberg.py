"""An iceberg never shows more than it may, and refills when little is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation.orders import Order, OrderStatus, OrderType, Side, TimeInForce
from mts1b_oms_algos import (
    AlgoError,
    BadParameter,
    Iceberg,
    MissingLimitPrice,
    UnknownParameter,
    UnsliceableOrder,
    iceberg,
)
from mts1b_platform.clock import VirtualClock

START = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
D = Decimal


class Market(VirtualClock):
    """A clock and a book in one: every sleep is a chance to fill what is shown."""

    def __init__(self, fill: Callable[[list[Order]], list[Decimal]]) -> None:
        super().__init__(START)
        self.orders: dict[str, Order] = {}
        self.fill = fill
        self.sleeps = 0
        self.most_shown = D(0)

    async def look(self, order_id: str) -> Order | None:
        return self.orders.get(order_id)

    def take(self, order: Order) -> None:
        self.orders[order.order_id] = order.with_(status=OrderStatus.ACCEPTED)
        self.most_shown = max(self.most_shown, self.shown)

    @property
    def open(self) -> list[Order]:
        return [order for order in self.orders.values() if not order.is_terminal]

    @property
    def shown(self) -> Decimal:
        return sum((order.remaining_quantity for order in self.open), D(0))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.advance(seconds)
        self.sleeps += 1
        if self.sleeps > 1_500:
            raise AssertionError("the iceberg waits for ever")
        for order, size in zip(self.open, self.fill(self.open), strict=True):
            self.execute(order, size)

    def execute(self, order: Order, size: Decimal) -> None:
        filled = min(order.filled_quantity + size, order.quantity)
        status = OrderStatus.FILLED if filled == order.quantity else OrderStatus.PARTIALLY_FILLED
        if filled:
            self.orders[order.order_id] = order.with_(filled_quantity=filled, status=status)


def filling(size: int | Decimal) -> Callable[[list[Order]], list[Decimal]]:
    """Fill up to ``size``, the oldest first."""

    def fill(orders: list[Order]) -> list[Decimal]:
        left, sizes = D(size), []
        for order in orders:
            taken = min(left, order.remaining_quantity)
            left -= taken
            sizes.append(taken)
        return sizes

    return fill


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


def run(market: Market, order: Order, *, at_most: int = 10_000, **params: Any) -> list[Order]:
    async def work() -> list[Order]:
        stream = Iceberg(market, market.look).execute(order, params=params)
        children = []
        async for child in stream:
            children.append(child)
            market.take(child)
            if len(children) == at_most:
                break
        await stream.aclose()  # type: ignore[attr-defined]
        return children

    return asyncio.run(work())


@settings(max_examples=40, deadline=None)
@given(
    quantity=st.decimals("0.01", 3_000, places=2),
    display=st.integers(2, 500),
    threshold=st.integers(0, 499),
    lot=st.sampled_from([D("0.01"), D(1), D(2)]),
    speed=st.integers(5, 400),
)
def test_it_shows_at_most_the_display_size_and_sums_to_the_parent(
    quantity: Decimal, display: int, threshold: int, lot: Decimal, speed: int
) -> None:
    market = Market(filling(speed))
    children = run(
        market,
        parent(quantity=quantity),
        display_qty=display,
        refill_threshold=min(threshold, display - 1),
        lot_size=lot,
    )
    assert sum(child.quantity for child in children) == quantity
    assert market.most_shown <= display
    assert all(child.quantity % lot == 0 for child in children[:-1])
    assert len({child.order_id for child in children}) == len(children)
    assert [c.idempotency_key for c in children] == [
        f"alpha/AAPL/7/{number}" for number in range(len(children))
    ]
    times = [child.created_at for child in children]
    assert times == sorted(times)


def test_it_refills_at_the_threshold_and_not_before() -> None:
    market = Market(filling(30))
    children = run(market, parent(quantity=D(180)))
    assert [child.quantity for child in children] == [100, 60, 20]
    assert [(c.created_at - START).seconds for c in children] == [0, 2, 4]
    exact = run(Market(filling(25)), parent(quantity=D(150)))
    assert [(c.created_at - START).seconds for c in exact] == [0, 2], "at the threshold itself"


@settings(max_examples=20, deadline=None)
@given(speed=st.integers(10, 150), after=st.integers(1, 12))
def test_a_restart_goes_on_after_the_children_that_are_known(speed: int, after: int) -> None:
    market = Market(filling(speed))
    first = run(market, parent(), at_most=after)
    rest = run(market, parent())
    assert not {c.order_id for c in first} & {c.order_id for c in rest}
    assert sum(c.quantity for c in [*first, *rest]) == 1000
    assert market.most_shown <= 100


@settings(max_examples=20, deadline=None)
@given(speed=st.integers(10, 150), after=st.integers(1, 9))
def test_a_restart_from_a_checkpoint_repeats_no_child(speed: int, after: int) -> None:
    market = Market(filling(speed))
    first = run(market, parent(), at_most=after)
    done = sum((c.quantity for c in first), D(0))
    rest = run(market, parent(), start_slice=len(first), sent_quantity=done)
    assert not {c.order_id for c in first} & {c.order_id for c in rest}
    assert done + sum(c.quantity for c in rest) == 1000
    assert market.most_shown <= 100


def test_a_child_that_is_not_on_record_yet_counts_as_shown() -> None:
    async def work() -> None:
        market = Market(filling(0))
        stream = Iceberg(market, market.look).execute(parent(), params={})
        await anext(stream)
        waiting = asyncio.ensure_future(anext(stream))
        for _ in range(50):
            await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(work())


@pytest.mark.parametrize(
    "status", [OrderStatus.PENDING_CANCEL, OrderStatus.CANCELED, OrderStatus.EXPIRED]
)
def test_no_child_after_the_parent_is_cancelled_or_over(status: OrderStatus) -> None:
    market = Market(filling(100))
    order = parent()
    run(market, order, at_most=3)
    market.orders[order.order_id] = order.with_(status=status)
    assert run(market, order) == []


def test_no_child_after_one_ended_unfilled() -> None:
    market = Market(filling(40))
    (child,) = run(market, parent(), at_most=1)
    market.orders[child.order_id] = child.with_(status=OrderStatus.CANCELED)
    assert run(market, parent()) == []


def test_no_child_after_the_parent_expired() -> None:
    market = Market(filling(10))
    order = parent(tif=TimeInForce.GTD, expires_at=START + timedelta(seconds=12))
    children = run(market, order)
    assert [child.quantity for child in children] == [100, 50, 50]
    assert children[-1].created_at < START + timedelta(seconds=12)


def test_children_carry_the_limit_price() -> None:
    (child,) = run(Market(filling(9)), parent(quantity=D(5)), limit_price="187.25")
    assert (child.order_type, child.limit_price) == (OrderType.LIMIT, D("187.25"))
    own = parent(quantity=D(5), order_type=OrderType.LIMIT, limit_price=D(190))
    (child,) = run(Market(filling(9)), own, limit_price="189")
    assert child.limit_price == 189
    with pytest.raises(BadParameter, match="above the limit 190"):
        run(Market(filling(9)), own, limit_price="190.01")
    with pytest.raises(BadParameter, match="below the limit 190"):
        run(Market(filling(9)), own.with_(side=Side.SELL), limit_price="189.99")


def test_it_begins_at_its_start() -> None:
    later = START + timedelta(seconds=90)
    (child,) = run(Market(filling(9)), parent(quantity=D(5)), start_at=later)
    assert child.created_at == later


@pytest.mark.parametrize(
    ("changes", "params", "error"),
    [
        ({}, {"display": 10}, UnknownParameter),
        ({}, {"display_qty": 0}, BadParameter),
        ({}, {"display_qty": 50}, BadParameter),
        ({}, {"refill_threshold": -1}, BadParameter),
        ({}, {"lot_size": 101}, BadParameter),
        ({}, {"child_order_type": "market"}, BadParameter),
        ({}, {"limit_price": "NaN"}, BadParameter),
        ({}, {"sent_quantity": 1001}, BadParameter),
        ({"reference_price": None}, {}, MissingLimitPrice),
        ({"tif": TimeInForce.FOK}, {}, UnsliceableOrder),
    ],
)
def test_what_can_not_be_sliced_is_refused(
    changes: dict[str, Any], params: dict[str, Any], error: type[AlgoError]
) -> None:
    with pytest.raises(error):
        run(Market(filling(1)), parent(**changes), **params)


def test_the_module_shows_the_next_child_when_it_is_asked_for() -> None:
    async def work() -> list[Decimal]:
        return [c.quantity async for c in iceberg.execute(parent(quantity=D(250)), params={})]

    assert asyncio.run(work()) == [100, 100, 50]
