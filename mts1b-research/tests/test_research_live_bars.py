"""Strategies act on bars as they come: once, on all of their symbols, on a book that knows them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mts1b_foundation import Side
from mts1b_platform.config import Settings
from mts1b_research.errors import StrategyConfigError
from mts1b_research.live_bars import interval_of
from research_office import (
    AAA,
    BBB,
    NOW,
    Office,
    OmsOnTheBus,
    eventually,
    fund_settings,
    open_office,
)

MINUTE = timedelta(minutes=1)
PAIR: dict[str, Any] = {
    "strategy_id": "pair",
    "fund_id": "f1",
    "kind": "rule",
    "symbols": ["AAA", "BBB"],
    "interval": "1m",
    "params": {"long_when": "close > lag(close, 1)"},
}
SETTINGS = fund_settings(PAIR)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(tmp_path, SETTINGS, OmsOnTheBus(strategy_id="pair")) as made:
        yield made


async def minute(office: Office, number: int, a: str, b: str | None) -> None:
    """Let a minute end, with a bar of AAA and perhaps one of BBB."""
    at = NOW + number * MINUTE
    office.clock.advance_to(at + timedelta(seconds=1))
    office.oms.struck = at
    await office.publish(a, AAA, at=at)
    if b is not None:
        await office.publish(b, BBB, at=at)


async def quiet(office: Office) -> None:
    """Give the service time to do what it should not do."""
    await asyncio.sleep(0.4)


async def test_a_strategy_acts_on_bars_once_all_of_its_symbols_have_one(office: Office) -> None:
    await minute(office, 0, "100", "50")
    await minute(office, 1, "101", None)
    await quiet(office)
    assert office.oms.asked == 0
    await office.publish("49", BBB, at=NOW + MINUTE)
    await eventually(lambda: office.oms.asked == 1)
    (order,) = office.oms.taken.values()
    assert (order.symbol, order.side, order.created_at) == (AAA, Side.BUY, NOW + MINUTE)
    await quiet(office)
    assert office.oms.asked == 1  # the same bars again lead to nothing


async def test_it_waits_until_the_oms_has_struck_a_nav_at_these_bars(office: Office) -> None:
    await minute(office, 0, "100", "50")
    await minute(office, 1, "101", "51")
    office.oms.struck = NOW
    await quiet(office)
    assert office.oms.asked == 0
    office.oms.struck = NOW + MINUTE
    await eventually(lambda: office.oms.asked == 2)


async def test_bars_that_ended_long_ago_are_left_alone(office: Office) -> None:
    await minute(office, 0, "100", "50")
    office.clock.advance_to(NOW + 2 * MINUTE + timedelta(seconds=1))
    office.oms.struck = NOW + MINUTE
    for symbol, close in ((AAA, "101"), (BBB, "51")):
        await office.publish(close, symbol, at=NOW + MINUTE)
    await quiet(office)
    assert office.oms.asked == 0
    await minute(office, 2, "99", "49")
    await minute(office, 3, "102", "52")
    await eventually(lambda: office.oms.asked == 2)


async def test_a_plan_that_was_half_sent_is_finished_after_a_restart(office: Office) -> None:
    office.oms.away = True
    await minute(office, 0, "100", "50")
    await minute(office, 1, "101", "51")
    await eventually(lambda: office.oms.asked >= 1)
    await office.shut()
    office.oms.away = False
    await office.open()
    await eventually(lambda: len(office.oms.taken) == 2)
    assert {order.created_at for order in office.oms.taken.values()} == {NOW + MINUTE}


async def test_bars_stamped_ahead_of_the_clock_hold_up_none_before_them(office: Office) -> None:
    for symbol in (AAA, BBB):
        await office.publish("500", symbol, at=NOW + timedelta(days=1))
    await minute(office, 0, "100", "50")
    await quiet(office)
    await minute(office, 1, "101", "51")
    await eventually(lambda: office.oms.asked == 2)
    assert {order.reference_price for order in office.oms.taken.values()} == {101, 51}


async def test_bars_of_another_interval_are_left_alone(office: Office) -> None:
    await minute(office, 0, "100", "50")
    at = NOW + MINUTE
    office.clock.advance_to(at + timedelta(seconds=1))
    office.oms.struck = at
    for symbol, close in ((AAA, "101"), (BBB, "51")):
        await office.publish(close, symbol, at=at, interval="1h")
    await quiet(office)
    assert office.oms.asked == 0


async def test_bars_of_the_interval_of_before_are_forgotten(office: Office) -> None:
    """The average of the last bars would be of minutes and of hours."""
    await minute(office, 0, "100", "50")
    await minute(office, 1, "101", "51")
    await eventually(lambda: office.oms.asked == 2)
    for interval, kept in (("1m", True), ("5m", False), ("5m", False)):
        await office.shut()
        office.settings = fund_settings(PAIR | {"interval": interval})
        await office.open()
        assert office.service is not None
        assert office.service._history.knows(AAA) is kept


@pytest.mark.parametrize(
    ("settings", "interval"),
    [
        (SETTINGS, "1m"),
        (fund_settings(PAIR | {"enabled": False}), None),
        (fund_settings(PAIR | {"kind": "webhook", "params": {}}), None),
    ],
)
def test_the_interval_is_that_of_the_strategies_that_act_on_bars(
    settings: Settings, interval: str | None
) -> None:
    assert interval_of(settings) == interval


def test_two_intervals_in_one_home_are_refused() -> None:
    other = PAIR | {"strategy_id": "slow", "interval": "1d"}
    with pytest.raises(StrategyConfigError, match="slow reads 1d, pair reads 1m"):
        interval_of(fund_settings(PAIR, other))
