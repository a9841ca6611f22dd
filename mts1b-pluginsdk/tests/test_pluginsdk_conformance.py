"""The broker kit fails a broker for what it does wrong, and for nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mts1b_platform.simulation import run
from mts1b_pluginsdk.conformance import (
    BROKER_CARDS,
    BROKER_DUTIES,
    BenchSettings,
    Card,
    Group,
    Verdict,
    check_broker,
)

QUICK = BenchSettings(patience_s=0.3)


def test_the_documented_example_fails_what_it_does_wrong(documented: Any) -> None:
    report = run(check_broker(documented), seed=0)
    verdicts = {one.number: one.verdict for one in report.results}
    assert {number for number, verdict in verdicts.items() if verdict is Verdict.FAILED} == {
        "B03",  # idempotent submit
        "B04",  # key names one order
        "B06",  # cancel confirmed, and the fill came
        "B11",  # replay
        "B12",  # restart
        "B13",  # positions
    }
    assert {number for number, verdict in verdicts.items() if verdict is Verdict.SKIPPED} == {
        "B09",  # no account_snapshot
        "B14",  # no get_order_by_key
    }
    details = {one.number: one.detail for one in report.failed}
    assert details["B03"].startswith("one key gave 3 orders")
    assert details["B06"] == "1 fill came after a confirmed cancel"
    assert details["B13"] == "the fills sum to 6, the position moved by 0"
    assert not report.passed


def test_the_documented_example_fails_the_cards_that_it_should(documented: Any) -> None:
    report = run(check_broker(documented, cards=BROKER_CARDS), seed=0)
    failed = {one.number: one.detail for one in report.failed}
    assert set(failed) == {
        *("B03", "B04", "B331"),  # takes a known key again
        *("B06", "B501", "B502", "B505", "B508"),  # cancel knows only its own ids, and fills after
        *("B333",),  # so a retry after a cancel trades
        *("B11", "B108"),  # a fill goes to one reader
        *("B12", "B109", "B701"),  # a restart loses all
        *("B13",),  # no fill moves a position
        *("B323",),  # a taken order is still `created`
        *("B328", "B329", "B330"),  # refuses nothing
    }
    passed = {one.number for one in report.results if one.verdict is Verdict.PASSED}
    assert passed == {
        *("B01", "B02", "B05", "B07", "B08", "B10"),
        *("B101", "B102", "B103", "B104", "B321", "B322", "B324"),
        *("B507", "B509", "B803", "B1203", "B1205", "B1207"),
    }
    skipped = [one for one in report.results if one.verdict is Verdict.SKIPPED]
    assert all(" does not offer " in one.detail for one in skipped)


def test_what_is_no_broker_fails_and_ends_nothing() -> None:
    report = asyncio.run(check_broker(object, settings=QUICK))
    assert not report.passed
    assert len(report.results) == len(BROKER_DUTIES)
    members = "name, submit, cancel, get_open_orders, get_positions, stream_fills"
    assert report.results[0].detail == f"object lacks {members} of BrokerProtocol"
    assert "AttributeError" in report.results[1].detail


class _Near:
    """A broker whose methods have the right names."""

    name = "near"

    async def submit(self, order: object) -> object:
        return order

    async def cancel(self, order_id: str) -> bool:
        return True

    async def get_open_orders(self) -> list[object]:
        return []

    async def get_positions(self) -> list[object]:
        return []

    async def stream_fills(self) -> AsyncIterator[object]:
        return
        yield


async def _no_order(self: object) -> None: ...


async def _in_account(self: object, account: str) -> list[object]:
    return [account]


def _at_once(self: object, order_id: str) -> bool:
    return bool(order_id)


@pytest.mark.parametrize(
    ("member", "value", "told"),
    [
        ("submit", _no_order, "submit can not be called with 1 values: too many positional"),
        ("get_positions", _in_account, "get_positions can not be called with 0 values: missing"),
        ("cancel", _at_once, "cancel must be `async def`"),
        ("cancel", None, "a member of BrokerProtocol is no method"),
    ],
)
def test_a_near_match_of_the_protocol_is_told(member: str, value: object, told: str) -> None:
    (shape,) = [card for card in BROKER_DUTIES if card.number == "B01"]
    near: Any = type("Near", (_Near,), {member: value})
    seen = asyncio.run(shape.run(_Near, settings=QUICK))  # type: ignore[arg-type]
    assert seen.verdict is Verdict.PASSED, seen.detail
    found = asyncio.run(shape.run(near, settings=QUICK))
    assert found.verdict is Verdict.FAILED
    assert found.detail.startswith(told)


def test_a_factory_that_can_not_connect_is_a_failure_with_its_reason() -> None:
    def connect() -> object:
        raise ConnectionRefusedError("nobody listens")

    report = asyncio.run(check_broker(connect, settings=QUICK))  # type: ignore[arg-type]
    assert {one.detail for one in report.results} == {
        "raised ConnectionRefusedError: nobody listens"
    }


def test_a_broker_that_never_answers_is_given_up(documented: Any) -> None:
    class Deaf(documented):  # type: ignore[misc]
        async def submit(self, order: object) -> object:
            return await asyncio.Event().wait()

    check = BROKER_DUTIES[4]
    result = asyncio.run(check.run(Deaf, settings=BenchSettings(patience_s=0.01)))
    assert result.verdict is Verdict.FAILED
    assert result.detail == "no answer within 1 s"


def test_checks_are_numbered_in_order_and_say_why() -> None:
    numbers = [check.number for check in BROKER_DUTIES]
    assert numbers == [f"B{place:02d}" for place in range(1, len(numbers) + 1)]
    duties = {check.source.split(":")[0] for check in BROKER_DUTIES}
    assert {f"MUST {row}" for row in range(1, 7)} <= duties


def test_cards_are_many_and_numbered_once() -> None:
    numbers = [int(card.number[1:]) for card in BROKER_CARDS]
    assert numbers == sorted(set(numbers))
    assert len({card.title for card in BROKER_CARDS}) == len(BROKER_CARDS) >= 100
    assert {card.group for card in BROKER_CARDS} == set(Group)


@pytest.mark.parametrize("card", BROKER_CARDS, ids=str)
def test_a_card_says_its_purpose_and_source(card: Card) -> None:
    assert card.purpose
    assert card.source
    assert card.body.__doc__
