"""A schedule that is late, as after a halt or an outage, is caught up with little by little."""

from __future__ import annotations

import asyncio
import gc
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation.orders import Order, OrderStatus, Side
from mts1b_oms_algos import algorithms
from mts1b_platform.clock import VirtualClock
from mts1b_platform.rng import SeededRng

START = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
SCHEDULED = ("twap", "vwap", "almgren_chriss", "is_")
EACH = pytest.mark.parametrize("name", SCHEDULED)


class Leaping(VirtualClock):
    """A clock that goes to the end of every sleep at once."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.advance(seconds)


def parent(quantity: int = 1000, **changes: Any) -> Order:
    fields: dict[str, Any] = {
        "order_id": "ord-parent",
        "idempotency_key": "alpha/AAPL/7",
        "symbol": "AAPL",
        "side": Side.SELL,
        "quantity": Decimal(quantity),
        "reference_price": Decimal("187.50"),
        "fund_id": "fund-1",
        "strategy_id": "alpha",
        "created_at": START,
    }
    return Order(**fields | changes)


async def times(
    name: str, *, held_after: int = 0, held_s: float = 0.0, count: int = 10, **options: Any
) -> tuple[list[float], list[Order]]:
    """Return when each child came, minutes after the start, where one of them held the consumer."""
    clock = Leaping(START)
    execute = algorithms(clock=clock, rng=SeededRng(7), **options)[name]
    window = "max_horizon_minutes" if name == "is_" else "horizon_minutes"
    params = {"start_at": START, "n_slices": count, window: count, "jitter_pct": 0.0}
    came, children = [], []
    async for child in execute(parent(), params=params):
        came.append((clock.now() - START).total_seconds() / 60.0)
        children.append(child)
        if len(came) == held_after:
            clock.advance(held_s)
    return came, children


async def test_what_is_overdue_is_spread_over_the_time_that_is_left() -> None:
    """All of it went at once: five slices in one moment."""
    came, _ = await times("twap", held_after=3, held_s=300.0)
    assert came[:3] == [0.0, 1.0, 2.0]
    assert came[3:] == pytest.approx([7.0 + 2.0 / 7.0 * number for number in range(1, 8)])


async def test_where_no_time_is_left_one_goes_at_a_time_at_a_bounded_pace() -> None:
    came, children = await times("twap", held_after=3, held_s=3_600.0)
    assert came[3:] == pytest.approx([62.0 + 0.25 * number for number in range(1, 8)])
    assert sum(child.quantity for child in children) == 1000
    last = START + timedelta(minutes=9)
    assert all(child.created_at <= last for child in children), "each says when it was due"


@EACH
async def test_one_slice_that_is_late_changes_no_other(name: str) -> None:
    on_time, _ = await times(name)
    came, _ = await times(name, held_after=4, held_s=30.0)
    assert came == on_time


@EACH
@settings(max_examples=25, deadline=None)
@given(after=st.integers(1, 12), held_s=st.floats(0.0, 5_000.0), count=st.integers(2, 12))
def test_a_late_schedule_loses_nothing_and_never_bursts(
    name: str, after: int, held_s: float, count: int
) -> None:
    on_time, _ = asyncio.run(times(name, count=count))
    came, children = asyncio.run(times(name, held_after=after, held_s=held_s, count=count))
    assert sum(child.quantity for child in children) == 1000
    for number in range(1, len(came)):
        planned = on_time[number] - on_time[number - 1]
        free = came[number - 1] + (held_s / 60.0 if number == after else 0.0)
        assert came[number] >= on_time[number] - 1e-6
        if free >= on_time[number]:
            assert came[number] - free >= planned / 4 - 1e-6


async def test_after_a_restart_what_is_on_record_comes_at_once_and_the_rest_is_spread() -> None:
    _, children = await times("twap")
    sent = {child.order_id: child.with_(status=OrderStatus.FILLED) for child in children[:3]}
    clock = Leaping(START + timedelta(minutes=7))

    async def look(order_id: str) -> Order | None:
        return sent.get(order_id)

    execute = algorithms(clock=clock, rng=SeededRng(7), look=look)["twap"]
    params = {"start_at": START, "n_slices": 10, "horizon_minutes": 10, "jitter_pct": 0.0}
    came = []
    async for _ in execute(parent(), params=params):
        came.append((clock.now() - START).total_seconds() / 60.0)
    assert came[:4] == [7.0] * 4
    assert came[4:] == pytest.approx([7.0 + 2.0 / 6.0 * number for number in range(1, 7)])


async def test_a_clock_that_leaps_from_bar_to_bar_has_no_time_between() -> None:
    """A replay of daily bars: a slice a day would be no thirty minutes."""
    came, _ = await times("twap", held_after=3, held_s=300.0, spreads=False)
    assert came[3:8] == [7.0] * 5


@EACH
async def test_a_closed_algorithm_leaves_nothing_to_the_collector_of_garbage(name: str) -> None:
    """What it left was closed some time later, in the midst of other work."""
    left: list[object] = []
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=hooks.firstiter, finalizer=left.append)
    try:
        stream = algorithms(clock=Leaping(START), rng=SeededRng(7))[name](parent(), params={})
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        del stream
        gc.collect()
    finally:
        sys.set_asyncgen_hooks(*hooks)
    assert left == []
