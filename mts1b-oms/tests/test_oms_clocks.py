"""Wall clocks that step: what was sent a moment ago stays sent a moment ago (I1)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mts1b_foundation.orders import Order, OrderStatus
from mts1b_oms.last_acts import LastActs
from mts1b_platform.clock import VirtualClock
from mts1b_platform.simulation import SkewedClock

LAG_S = 20.0
BEGAN = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize("step_s", [120.0, -120.0])
async def test_i1_a_wall_clock_that_steps_makes_no_order_absent(
    new_desk: Any, order: Any, step_s: float
) -> None:
    """The venue shows the order 20 s late; two minutes of a wrong clock are no minutes."""
    desk = await new_desk()
    desk.venue.lag_s = LAG_S
    clock = SkewedClock(desk.clock)
    desk.gateway._card = desk.venue.capabilities()
    desk.gateway._acts = LastActs(clock, lag_s=LAG_S)
    find, shown = desk.venue.paper.get_order_by_key, desk.venue.paper.get_open_orders

    async def nothing(key: str) -> None:
        return None

    async def none() -> list[Order]:
        return []

    desk.venue.script = [TimeoutError("504")]
    desk.venue.paper.get_order_by_key, desk.venue.paper.get_open_orders = nothing, none
    lost = await desk.orders.submit(order())
    clock.step(step_s)
    desk.clock.advance(5.0)
    assert (await desk.orders.carry_on(lost.order_id)).status is OrderStatus.UNKNOWN

    desk.venue.paper.get_order_by_key, desk.venue.paper.get_open_orders = find, shown
    desk.clock.advance(LAG_S)
    found = await desk.orders.carry_on(lost.order_id)
    assert found.status is OrderStatus.ACCEPTED, "nobody waits for a clock to catch up"
    assert len(desk.venue.submitted) == 1, "it was sent a second time"


@given(
    waits=st.lists(st.floats(0.0, 30.0), min_size=1, max_size=8),
    steps=st.lists(st.floats(-200.0, 200.0), min_size=8, max_size=8),
)
def test_i1_l1_no_sequence_of_steps_makes_time_pass_faster_or_slower(
    waits: list[float], steps: list[float]
) -> None:
    true = VirtualClock(BEGAN)
    clock = SkewedClock(true)
    acts = LastActs(clock, lag_s=LAG_S)
    true.advance(100.0)
    acts.note("o")
    for wait, step in zip(waits, steps, strict=False):
        clock.step(step)
        true.advance(wait)
        assert acts.quiet_s("o") == pytest.approx(true.monotonic() - 100.0)
    clock.set_right()
    assert acts.quiet_s("o") == pytest.approx(sum(waits), abs=1e-3)


def test_what_an_earlier_process_did_ended_when_this_one_began() -> None:
    true = VirtualClock(BEGAN)
    acts = LastActs(true, lag_s=LAG_S)
    true.advance(7.0)
    assert acts.quiet_s("o") == 7.0


def test_acts_that_nobody_needs_any_more_are_forgotten() -> None:
    true = VirtualClock(BEGAN)
    acts = LastActs(true, lag_s=1.0)
    for number in range(3000):
        acts.note(f"o-{number}")
        true.advance(0.01)
    assert len(acts._acts) < 1100
    assert acts.quiet_s("o-2999") == pytest.approx(0.01, abs=1e-6)


async def test_a10_an_answer_that_does_not_get_on_record_counts_from_the_answer(
    new_desk: Any, order: Any
) -> None:
    """Simulated seed 22047: the way took its time, and the order may be shown that much later."""
    desk = await new_desk()
    desk.gateway._acts = LastActs(desk.clock, lag_s=LAG_S)
    submit = desk.venue.submit

    async def slow(sent: Order) -> Order:
        desk.clock.advance(5.0)
        answer: Order = await submit(sent)
        return answer

    desk.venue.submit = slow
    sent = await desk.orders.submit(order())
    desk.clock.advance(3.0)
    assert desk.gateway._acts.quiet_s(sent.order_id) == 3.0
