"""A child that is refused: what holds its algorithm back, and what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from mts1b_brokers.errors import BrokerRefused
from mts1b_foundation import DenyCode, Order, OrderStatus
from mts1b_foundation.commands import CancelOutcome
from mts1b_oms.parents import ALGORITHM_FAILED
from mts1b_oms.refusals import MOST_TRIES, PASSING
from mts1b_platform.ids import derive_id
from oms_works import Works, resting, with_iceberg

MOMENT = ("message_limit", DenyCode.MESSAGE_LIMIT)
SLICE = "parent/0"


@pytest.fixture
async def works(new_desk: Any) -> AsyncIterator[Works]:
    made = Works(await new_desk())
    yield made
    await made.dispatcher.stop()


def deny_tries(works: Works, key: str, tries: int, why: tuple[str, str] = MOMENT) -> None:
    """Let risk deny a slice so many times."""
    for number in range(tries):
        works.desk.risk.denials[f"{key}/try-{number}" if number else key] = why


async def ended(works: Works, parent: Order) -> Order:
    await works.until(lambda: not works.desk.record.open_orders, seconds=1000)
    found: Order = await works.desk.record.order(parent.order_id)
    return found


async def test_a_refusal_of_the_moment_holds_the_algorithm_and_the_slice_is_tried_again(
    works: Works, order: Any
) -> None:
    """One message too many in a second ended an algorithm of a whole day."""
    parent = await works.begin(resting(order, quantity=Decimal(8)))
    deny_tries(works, SLICE, 3)
    works.slices.due.put_nowait(4)
    works.slices.due.put_nowait(4)
    began = works.desk.clock.monotonic()
    await works.until(lambda: len(works.children()) == 2)
    assert works.desk.clock.monotonic() - began >= 1 + 2 + 4
    assert [child.idempotency_key for child in works.children()] == [
        "parent/0/try-3",
        "parent/1",
    ]
    held = works.children()[0].created_at
    assert held > parent.created_at
    assert works.children()[1].created_at >= held
    current = await works.desk.record.order(parent.order_id)
    assert current.status is OrderStatus.ACCEPTED


async def test_tries_are_bounded_and_far_apart_and_then_the_parent_tells_why(
    works: Works, order: Any
) -> None:
    parent = await works.begin(resting(order, quantity=Decimal(8)))
    deny_tries(works, SLICE, MOST_TRIES + 1)
    asked: list[float] = []
    works.desk.risk.after = lambda decision: (
        asked.append(works.desk.clock.monotonic()) or decision  # type: ignore[func-returns-value]
    )
    works.slices.due.put_nowait(4)
    over = await ended(works, parent)
    assert len(asked) == MOST_TRIES
    pauses = [later - one for one, later in pairwise(asked)]
    assert min(pauses) >= 1.0
    assert max(pauses) < 33.0
    assert 360.0 < asked[-1] - asked[0] < 500.0
    assert (over.status, over.rejected_code) == (OrderStatus.CANCELED, ALGORITHM_FAILED)
    assert f"refused, {MOST_TRIES} times: MESSAGE_LIMIT" in (over.rejected_reason or "")
    assert works.desk.venue.submitted == []


@pytest.mark.parametrize(
    "code",
    [
        DenyCode.FIRM_HALTED,
        DenyCode.STRATEGY_DISABLED,
        DenyCode.RESTRICTED,
        DenyCode.MANDATE_BUDGET,
        DenyCode.MAX_POSITION_USD,
        DenyCode.DAILY_LOSS,
        DenyCode.PRICE_COLLAR_SOFT,
        DenyCode.MAX_PARENT,
        DenyCode.PARENT_EXCEEDED,
        "of somebody's own gate",
    ],
)
async def test_a_refusal_for_good_ends_the_algorithm_at_once_and_is_told(
    works: Works, order: Any, code: str
) -> None:
    parent = await works.begin(resting(order, quantity=Decimal(8)))
    deny_tries(works, SLICE, 1, ("a_gate", code))
    works.slices.due.put_nowait(4)
    over = await ended(works, parent)
    assert works.desk.risk.asked == 1
    assert (over.status, over.rejected_code) == (OrderStatus.CANCELED, ALGORITHM_FAILED)
    assert f"{code}: a_gate: too much" in (over.rejected_reason or "")


async def test_the_word_of_a_venue_is_final_but_for_its_limit_on_messages(
    works: Works, order: Any
) -> None:
    parent = await works.begin(resting(order, quantity=Decimal(8)))
    works.desk.venue.script = [
        BrokerRefused("one too many", code="RATE_LIMITED"),
        BrokerRefused("not this one", code="VENUE_RISK"),
    ]
    works.slices.due.put_nowait(4)
    over = await ended(works, parent)
    assert works.desk.risk.asked == 2
    assert "refused, 2 times: VENUE_RISK" in (over.rejected_reason or "")


async def test_a_cancel_ends_a_parent_that_is_held_back(works: Works, order: Any) -> None:
    parent = await works.begin(resting(order, quantity=Decimal(8)))
    deny_tries(works, SLICE, MOST_TRIES)
    works.slices.due.put_nowait(4)
    await works.until(lambda: works.desk.risk.asked == 5)
    reply = await works.desk.canceller.cancel(parent.order_id, actor="operator:ann")
    assert reply.outcome is CancelOutcome.CONFIRMED
    await works.until(lambda: not works.dispatcher._running)
    over = await ended(works, parent)
    assert (over.status, over.rejected_code) == (OrderStatus.CANCELED, None)
    assert works.desk.risk.asked == 5


async def test_a_child_that_is_cancelled_while_risk_is_away_is_not_tried_again(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk(wait=True, pause=partial(asyncio.sleep, 0))
    works = Works(desk)
    await works.begin(resting(order, quantity=Decimal(8)))
    desk.risk.down = 10**9
    works.slices.due.put_nowait(4)
    await works.until(lambda: desk.risk.asked > 3)
    [child] = works.children()
    reply = await desk.canceller.cancel(child.order_id, actor="operator:ann")
    assert reply.outcome is CancelOutcome.CONFIRMED
    desk.risk.down = 0
    works.slices.due.put_nowait(4)
    await works.until(lambda: len(works.children()) == 1)
    assert [one.idempotency_key for one in works.children()] == ["parent/1"]
    await works.dispatcher.stop()


async def test_a_parent_that_expires_while_it_is_held_back_says_so(
    works: Works, order: Any
) -> None:
    until = works.desk.clock.now() + timedelta(seconds=60)
    parent = await works.begin(resting(order, quantity=Decimal(8), tif="gtd", expires_at=until))
    deny_tries(works, SLICE, MOST_TRIES)
    works.slices.due.put_nowait(4)
    over = await ended(works, parent)
    assert "expired" in (over.rejected_reason or "")
    assert works.desk.risk.asked < 10


async def test_a_restart_goes_on_with_the_try_that_is_due(works: Works, order: Any) -> None:
    parent = await works.begin(resting(order, quantity=Decimal(4)))
    deny_tries(works, SLICE, 6)
    works.slices.due.put_nowait(4)
    await works.until(lambda: works.desk.risk.asked == 4)
    await works.dispatcher.stop()
    again = Works(await works.desk.reopen())
    await again.dispatcher.resume()
    again.slices.due.put_nowait(4)
    await again.until(lambda: len(again.children()) == 1)
    assert again.desk.risk.asked == 7
    assert [child.idempotency_key for child in again.children()] == ["parent/0/try-6"]
    await again.fill(again.children()[0])
    over = await ended(again, parent)
    assert (over.status, over.filled_quantity) == (OrderStatus.FILLED, 4)
    await again.dispatcher.stop()


async def test_a_restart_after_the_last_try_ends_the_parent(works: Works, order: Any) -> None:
    parent = await works.begin(resting(order, quantity=Decimal(4)))
    deny_tries(works, SLICE, MOST_TRIES)
    works.slices.due.put_nowait(4)
    await works.until(lambda: works.desk.risk.asked == MOST_TRIES - 1, seconds=1000)
    await works.dispatcher.stop()
    again = Works(await works.desk.reopen())
    await again.dispatcher.resume()
    again.slices.due.put_nowait(4)
    over = await ended(again, parent)
    assert again.desk.risk.asked == MOST_TRIES
    assert "MESSAGE_LIMIT" in (over.rejected_reason or "")
    await again.dispatcher.stop()


async def test_an_iceberg_that_is_held_back_shows_every_slice_once_over_a_restart(
    new_desk: Any, order: Any
) -> None:
    """What it looks at is the last try: the first one, refused, would have ended it."""
    desk = await new_desk()
    works = with_iceberg(desk)
    parent = resting(order, quantity=Decimal(10))
    deny_tries(works, "parent/1", 5)
    await works.begin(parent, "iceberg", display_qty=4, refill_threshold=0)
    await works.until(lambda: len(works.children()) == 1)
    await works.fill(works.children()[0])
    await works.until(lambda: desk.risk.asked == 3)
    await works.dispatcher.stop()
    again = with_iceberg(await desk.reopen())
    await again.dispatcher.resume()
    sizes = []
    for _ in range(2):
        await again.until(lambda: len(again.children()) == 1)
        [child] = again.children()
        sizes.append((child.idempotency_key, child.quantity))
        await again.fill(child)
    over = await ended(again, parent)
    await again.dispatcher.stop()
    assert sizes == [("parent/1/try-5", 4), ("parent/2", 2)]
    assert (over.status, over.filled_quantity) == (OrderStatus.FILLED, 10)


@pytest.mark.parametrize("lost", ["parent/0", "parent/0/try-1", "parent/0/try-7", ""])
async def test_a_restored_record_sends_no_slice_that_left_under_the_key_of_another_try(
    works: Works, order: Any, lost: str
) -> None:
    """Simulated seeds 300002 and 300024: what left before the record was put back came twice."""
    desk = works.desk
    parent = resting(order, quantity=Decimal(8))
    if lost:
        await desk.venue.paper.submit(
            parent.with_(order_id=derive_id("ord", lost), idempotency_key=lost, quantity=Decimal(4))
        )
    desk.record.put_back("an hour of it", desk.record.fence + 1)
    await works.begin(parent)
    deny_tries(works, SLICE, 1)
    works.slices.due.put_nowait(4)
    if not lost:
        await works.until(lambda: len(works.children()) == 1)
        assert [child.idempotency_key for child in works.children()] == ["parent/0/try-1"]
        return
    over = await ended(works, parent)
    assert f"before the record was put back {lost} left" in (over.rejected_reason or "")
    assert desk.venue.submitted == []


async def test_a_lost_child_that_the_venue_shows_after_its_parent_has_ended_is_cancelled(
    works: Works, order: Any
) -> None:
    desk = works.desk
    parent = resting(order, quantity=Decimal(8))
    key = "parent/0/try-1"
    left = {"order_id": derive_id("ord", key), "idempotency_key": key, "quantity": Decimal(4)}
    await desk.venue.paper.submit(parent.with_(parent_order_id=parent.order_id, **left))
    desk.record.put_back("an hour of it", desk.record.fence + 1)
    await works.begin(parent)
    await works.dispatcher.resume()
    works.slices.due.put_nowait(4)
    over = await ended(works, parent)
    assert over.status is OrderStatus.CANCELED
    assert await desk.restoration.catch_up() == (left["order_id"],)
    [shown] = works.children()
    assert shown.status is OrderStatus.ACCEPTED
    await works.until(lambda: not desk.record.open_orders)
    assert await desk.venue.paper.get_open_orders() == []


def test_no_code_that_protects_is_one_that_passes() -> None:
    assert set(PASSING) - {code.value for code in DenyCode} == {"RATE_LIMITED"}
    ends = ("HALTED", "LOSS", "MANDATE", "RESTRICTED", "PERMITTED", "MAX_", "DISABLED", "SOFT")
    told = {code for code in PASSING if any(word in code for word in ends)}
    assert told == {DenyCode.INSTRUMENT_HALTED, DenyCode.MAX_DISPLAYED}
