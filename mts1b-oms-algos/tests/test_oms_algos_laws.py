"""What holds for all six algorithms, whatever the parent: sums, lots, windows, cancel, restart."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import mts1b_oms_algos
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation.orders import Order, OrderStatus, Side
from mts1b_foundation.symbology import Symbol
from mts1b_oms_algos import Algorithm, UnknownParameter, UnsliceableOrder, algorithms
from mts1b_oms_algos.parameters import (
    AlmgrenChrissParameters,
    IcebergParameters,
    PovParameters,
    ShortfallParameters,
    TwapParameters,
    VwapParameters,
)
from mts1b_platform.clock import VirtualClock
from mts1b_platform.rng import SeededRng

START = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
D = Decimal
NAMES = ("twap", "vwap", "pov", "iceberg", "almgren_chriss", "is_")
SCHEDULED = ("twap", "vwap", "almgren_chriss", "is_")
EVERY = settings(max_examples=8, deadline=None)
EACH = pytest.mark.parametrize("name", NAMES)  # drawn, one of the six may never come
PARENTS = {
    "quantity": st.decimals("0.01", 4_000, places=2),
    "lot": st.sampled_from([D("0.01"), D(1), D(100)]),
}


class Exchange(VirtualClock):
    """A clock that leaps, a market that trades evenly, a book that fills what is shown."""

    def __init__(self, start: datetime = START, *, per_minute: int = 6_000) -> None:
        super().__init__(start)
        self.per_minute = per_minute
        self.orders: dict[str, Order] = {}

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.advance(seconds)
        for order in self.orders.values():
            filled = order.with_(filled_quantity=order.quantity, status=OrderStatus.FILLED)
            self.orders[order.order_id] = filled

    def volume(self, symbol: Symbol, *, start: datetime, end: datetime) -> Decimal:
        return D((end - start) // timedelta(seconds=1)) * self.per_minute / 60

    async def look(self, order_id: str) -> Order | None:
        return self.orders.get(order_id)

    def algorithm(self, name: str, *, seed: int = 7) -> Algorithm:
        return algorithms(clock=self, rng=SeededRng(seed), volume=self, look=self.look)[name]

    async def work(
        self, name: str, order: Order, params: dict[str, Any], *, most: int = 10**6, seed: int = 7
    ) -> list[Order]:
        """Take the children, at most so many; then cancel."""
        taken: list[Order] = []
        stream = self.algorithm(name, seed=seed)(order, params=params)
        async for child in stream:
            taken.append(child)
            self.orders[child.order_id] = child.with_(status=OrderStatus.ACCEPTED)
            if len(taken) >= most:
                break
        await stream.aclose()  # type: ignore[attr-defined]
        return taken


def parent(quantity: Decimal = D(1000), **changes: Any) -> Order:
    fields: dict[str, Any] = {
        "order_id": "ord-parent",
        "idempotency_key": "alpha/AAPL/7",
        "symbol": "AAPL",
        "side": Side.SELL,
        "quantity": quantity,
        "reference_price": D("187.50"),
        "fund_id": "fund-1",
        "strategy_id": "alpha",
        "created_at": START,
    }
    return Order(**fields | changes)


def window(name: str) -> timedelta:
    """Return the longest time that an algorithm takes by default; an iceberg has none."""
    return timedelta(minutes={"pov": 120, "is_": 120, "iceberg": 10**6}.get(name, 30))


def params_of(name: str, lot: Decimal) -> dict[str, Any]:
    params: dict[str, Any] = {"lot_size": lot, "start_at": START}
    if name == "iceberg":
        params |= {"display_qty": D(300), "refill_threshold": D(20)}
    return params


def number_of(child: Order) -> int:
    return int(child.idempotency_key.rpartition("/")[2])


@EACH
@EVERY
@given(**PARENTS)
def test_children_sum_to_the_parent_in_lots_and_in_time(
    name: str, quantity: Decimal, lot: Decimal
) -> None:
    order = parent(quantity)
    children = asyncio.run(Exchange().work(name, order, params_of(name, lot)))
    assert sum(child.quantity for child in children) == quantity
    assert all(child.quantity % lot == 0 for child in children[:-1])
    times = [child.created_at for child in children]
    assert times == sorted(times)
    assert times[0] >= START
    assert times[-1] <= START + window(name)
    numbers = [number_of(child) for child in children]
    assert numbers == sorted(set(numbers))
    assert {child.parent_order_id for child in children} == {order.order_id}


@EACH
@EVERY
@given(**PARENTS, most=st.integers(1, 20))
def test_nothing_comes_after_a_cancel_and_a_restart_repeats_nothing(
    name: str, quantity: Decimal, lot: Decimal, most: int
) -> None:
    order, params = parent(quantity), params_of(name, lot)
    whole = asyncio.run(Exchange().work(name, order, params))
    market = Exchange()
    first = asyncio.run(market.work(name, order, params, most=most))
    assert [c.order_id for c in first] == [c.order_id for c in whole[:most]]
    checkpoint: dict[str, Any] = {"start_slice": number_of(first[-1]) + 1}
    if name not in SCHEDULED:
        checkpoint["sent_quantity"] = sum(child.quantity for child in first)
    rest = asyncio.run(market.work(name, order, params | checkpoint))
    assert not {c.order_id for c in first} & {c.order_id for c in rest}
    assert sum(child.quantity for child in [*first, *rest]) == quantity
    if name in SCHEDULED:
        assert [*first, *rest] == whole


@EACH
@EVERY
@given(after=st.integers(0, 5))
def test_a_task_that_is_cancelled_while_it_waits_sends_no_more(name: str, after: int) -> None:
    async def work() -> tuple[int, int]:
        clock = VirtualClock(START)
        market = Exchange()
        algorithm = algorithms(clock=clock, rng=SeededRng(7), volume=market, look=market.look)[name]
        taken: list[Order] = []

        async def take() -> None:
            async for child in algorithm(parent(), params={"start_at": START}):
                taken.append(child)
                market.orders[child.order_id] = child.with_(
                    filled_quantity=child.quantity, status=OrderStatus.FILLED
                )

        task = asyncio.ensure_future(take())
        for _ in range(after):
            for _ in range(20):
                await asyncio.sleep(0)
            clock.advance(60)
        for _ in range(20):
            await asyncio.sleep(0)
        before = len(taken)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        clock.advance(86_400)
        for _ in range(20):
            await asyncio.sleep(0)
        return before, len(taken)

    before, later = asyncio.run(work())
    assert before == later


@pytest.mark.parametrize("name", NAMES)
def test_the_clock_and_the_seed_decide_all(name: str) -> None:
    params = params_of(name, D(1))
    one = asyncio.run(Exchange().work(name, parent(), params))
    assert asyncio.run(Exchange().work(name, parent(), params)) == one
    other = asyncio.run(Exchange().work(name, parent(), params, seed=8))
    assert [(c.order_id, c.quantity) for c in other] == [(c.order_id, c.quantity) for c in one]
    assert (other == one) is (name != "twap"), "only TWAP moves its slices unless told to"


@pytest.mark.parametrize("name", NAMES)
def test_a_large_parent_never_gets_smaller_slices_from_a_larger_one(name: str) -> None:
    """The part that is sent by any time does not shrink when the parent grows."""
    small = asyncio.run(Exchange().work(name, parent(D(1000)), params_of(name, D(1))))
    large = asyncio.run(Exchange().work(name, parent(D(2000)), params_of(name, D(1))))
    for minute in range(120):
        until = START + timedelta(minutes=minute)
        sent = [sum(c.quantity for c in found if c.created_at <= until) for found in (small, large)]
        assert sent[0] <= sent[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_key_that_leaves_no_room_for_its_children_is_refused_before_the_first(name: str) -> None:
    """With 198 characters the eleventh child could not be built, and the rest was never sent."""
    params = {"display_qty": 1, "refill_threshold": 0} if name == "iceberg" else {}
    long = parent(idempotency_key="k" * 181)
    with pytest.raises(UnsliceableOrder, match="180 at most"):
        asyncio.run(Exchange().work(name, long, params, most=1))
    longest = parent(idempotency_key="k" * 180)
    assert asyncio.run(Exchange().work(name, longest, params, most=20))


@pytest.mark.parametrize("name", NAMES)
def test_unknown_parameters_are_refused_by_all(name: str) -> None:
    with pytest.raises(UnknownParameter, match="horizn"):
        asyncio.run(Exchange().work(name, parent(), {"horizn": 1}))


DOCUMENTED = {
    VwapParameters: {
        "horizon_minutes": 30,
        "volume_profile": "intraday_estimated",
        "max_participation": 0.10,
        "child_order_type": "limit",
    },
    TwapParameters: {
        "horizon_minutes": 30,
        "n_slices": 30,
        "jitter_pct": 0.2,
        "child_order_type": "limit",
    },
    PovParameters: {
        "target_participation": D("0.15"),
        "max_horizon_minutes": 120,
        "volume_lookback_minutes": 5,
    },
    IcebergParameters: {"display_qty": 100, "refill_threshold": 50, "limit_price": None},
    AlmgrenChrissParameters: {
        "horizon_minutes": 30,
        "risk_aversion": 1.0,
        "volatility": 0.18,
        "permanent_impact": 0.1,
        "temporary_impact": 5.0,
    },
    ShortfallParameters: {"arrival_price": None, "risk_aversion": 1.0, "max_horizon_minutes": 120},
}


@pytest.mark.parametrize("model", DOCUMENTED, ids=lambda model: model.__name__)
def test_parameters_have_their_documented_names_and_defaults(model: Any) -> None:
    defaults = {name: getattr(model(), name) for name in DOCUMENTED[model]}
    assert defaults == DOCUMENTED[model]
    assert model.model_validate(defaults) == model(), "and are read back"


def test_the_six_are_there_by_name_and_as_modules() -> None:
    assert tuple(algorithms(clock=Exchange(), rng=SeededRng(1))) == NAMES
    for name in NAMES:
        module = __import__(f"mts1b_oms_algos.{name}", fromlist=["execute"])
        assert callable(module.execute)
    for name in mts1b_oms_algos.__all__:
        assert getattr(mts1b_oms_algos, name) is not None
