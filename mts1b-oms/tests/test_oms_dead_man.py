"""H7: what rests at a venue is cancelled there when nobody renews its timer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mts1b_brokers.errors import BrokerError
from mts1b_brokers.paper import PaperClient, VenueProfile
from mts1b_foundation import Order
from mts1b_oms.dead_man import DeadManSwitch
from mts1b_platform.clock import VirtualClock
from mts1b_platform.logging import get_logger

START = datetime(2020, 1, 2, 21, tzinfo=UTC)
SECONDS = 30.0


@pytest.fixture
async def venue(tmp_path: Path, order: Callable[..., Order]) -> Any:
    clock = VirtualClock(START)
    profile = VenueProfile(dead_man_max_s=60.0)
    client = PaperClient(profile=profile, home=tmp_path, clock=clock)
    await client.submit(order("k", order_type="limit", limit_price=Decimal(50), tif="gtc"))
    yield client, clock
    await client.close()


def switch(venue: Any, clock: VirtualClock) -> DeadManSwitch:
    return DeadManSwitch(venue, seconds=SECONDS, clock=clock, log=get_logger("test"))


async def test_h7_a_renewed_timer_cancels_nothing_and_a_forgotten_one_everything(
    venue: Any,
) -> None:
    client, clock = venue
    armed = switch(client, clock)
    for _ in range(6):
        await armed.renew()
        clock.advance(SECONDS / 2)
    assert len(await client.get_open_orders()) == 1

    clock.advance(SECONDS)
    assert await client.get_open_orders() == []


async def test_it_renews_at_half_of_its_time(venue: Any) -> None:
    client, _ = venue
    waits: list[float] = []

    class Enough(Exception):
        pass

    class Short(VirtualClock):
        async def sleep(self, seconds: float) -> None:
            waits.append(seconds)
            raise Enough

    with pytest.raises(Enough):
        await switch(client, Short(START)).run()
    assert waits == [SECONDS / 2]


async def test_a_venue_that_does_not_answer_is_told_of_and_asked_again(venue: Any) -> None:
    _, clock = venue
    answers: list[Exception | None] = [TimeoutError("late"), BrokerError("no"), None]

    class Deaf:
        name = "paper"

        async def cancel_all_after(self, seconds: float) -> None:
            error = answers.pop(0)
            if error is not None:
                raise error

    armed = switch(Deaf(), clock)
    told = []
    for _ in range(3):
        await armed.renew()
        told.append(armed.failing)
    assert told == ["TimeoutError: late", "BrokerError: no", ""]


def test_a_venue_without_a_timer_can_not_be_asked_for_one() -> None:
    class Plain:
        name = "plain"

    with pytest.raises(ValueError, match="plain has no dead-man timer"):
        switch(Plain(), VirtualClock(START))
