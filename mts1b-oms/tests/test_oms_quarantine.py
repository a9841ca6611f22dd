"""Halts that odd executions are due: each is asked for, whatever comes while one is on its way."""

from __future__ import annotations

from typing import Any

from mts1b_foundation.risk import HaltRequest
from mts1b_oms.quarantine import Quarantine
from mts1b_platform.logging import get_logger

ALPHA = ("alpha", "trend")


class Operations:
    """Confirms every halt, and lets something happen before its answer arrives."""

    log = get_logger("test")

    def __init__(self, desk: Any) -> None:
        self.asked: list[HaltRequest] = []
        self.odd = ["fill-2"]
        self._desk = desk

    async def call(self, subject: str, request: HaltRequest, reply: type) -> None:
        self.asked.append(request)
        while self.odd:
            await odd(self._desk, self.odd.pop())


async def odd(desk: Any, fill_id: str) -> None:
    async with desk.record.unit() as unit:
        unit.quarantine(ALPHA, fill_id, f"{fill_id} is odd")


async def test_an_odd_execution_that_comes_while_a_halt_is_asked_for_is_due_a_halt_too(
    new_desk: Any,
) -> None:
    desk = await new_desk()
    operations = Operations(desk)
    quarantine = Quarantine(operations, desk.record)  # type: ignore[arg-type]
    await odd(desk, "fill-1")
    assert await quarantine.enforce() == (ALPHA,), "nobody was told of the second"
    assert await quarantine.enforce() == ()
    assert [halt.reason for halt in operations.asked] == ["fill-1 is odd", "fill-2 is odd"]
    desk = await desk.reopen()
    assert desk.record.unhalted == set()
