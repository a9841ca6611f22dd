"""Everything that goes wrong at a venue is found by a card: each fault of the faulty venue."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from mts1b_brokers import PaperClient, VenueProfile
from mts1b_brokers.faulty import FaultyVenue, VenueFaults
from mts1b_platform.clock import VirtualClock
from mts1b_platform.rng import SeededRng
from mts1b_pluginsdk.conformance import BROKER_CARDS, BenchSettings, check_broker

NOW = datetime(2024, 1, 2, tzinfo=UTC)
PROFILE = VenueProfile(dead_man_max_s=60.0, replace_changes_id=True)
QUICK = BenchSettings(patience_s=0.5)
FINDERS = {
    "timeout": "B05",
    "reset": "B05",
    "malformed": "B05",
    "cancel_lost": "B501",
    "replace_lost": "B601",
    "query_lost": "B101",
    "deaf": "B101",
    "reject_later": "B303",
    "fill_before_ack": "B406",
    "cancel_crosses_fill": "B503",
    "replace_crosses_fill": "B605",
    "replace_kills": "B606",
    "fill_on_new_id": "B602",
    "old_half": "B610",
    "late_fill": "B10",
    "repeat": "B411",
    "two_ids": "B402",
    "uncharged": "B09",
    "overfill": "B402",
    "late_execution": "B06",
    "bust": "B13",
    "amend": "B409",
    "bust_unseen": "B10",
    "external": "B1109",
    "page_missing": "B103",
    "duplicate_rows": "B103",
    "stale": "B1113",
}
"""One card that finds it, for each fault; most are found by more."""


class TimedFaulty(FaultyVenue):
    """A faulty venue whose clock is the cards' time."""

    clock: VirtualClock

    def set_time(self, now: datetime) -> None:
        self.clock.advance_to(now)
        super().set_time(now)


class FaultySandbox:
    """A new account behind a connection that does one thing wrong, always."""

    def __init__(self, fault: str = "") -> None:
        clock = VirtualClock(NOW)
        self._paper = PaperClient(profile=PROFILE)
        self._client = TimedFaulty(
            self._paper,
            rng=SeededRng(7),
            clock=clock,
            faults=VenueFaults(answer_s=0.0, **({fault: 1.0} if fault else {})),
            counters=lambda name: None,
        )
        self._client.clock = clock

    def connect(self) -> FaultyVenue:
        return self._client

    async def close(self) -> None:
        await self._paper.close()


def test_without_a_fault_the_faulty_venue_is_as_the_venue() -> None:
    report = asyncio.run(check_broker(FaultySandbox, cards=BROKER_CARDS, settings=QUICK))
    assert [(one.number, one.detail) for one in report.failed] == []
    assert report.counts["passed"] > 140


def test_every_fault_has_a_finder() -> None:
    assert set(FINDERS) == set(VenueFaults.names())


@pytest.mark.parametrize("fault", FINDERS)
def test_a_fault_is_found(fault: str) -> None:
    (card,) = [card for card in BROKER_CARDS if card.number == FINDERS[fault]]
    result = asyncio.run(check_broker(lambda: FaultySandbox(fault), cards=[card], settings=QUICK))
    assert not result.passed
