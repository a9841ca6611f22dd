"""Positions follow the OMS where they differ for good, and nowhere else."""

from __future__ import annotations

from decimal import Decimal

import pytest
from mts1b_foundation import Position, Symbol
from mts1b_foundation.commands import BookQuery, BookReply
from mts1b_platform.eventbus.port import NoResponders
from mts1b_platform.logging import get_logger
from mts1b_riskengine.position_agreement import PositionAgreement
from mts1b_riskengine.positions import UNASSIGNED
from riskengine_desk import AT, Desk, make_order

SPLIT = Symbol("SSS")
NAME = "alpha/trend/SSS"


class Comparison:
    """A desk whose OMS says what it holds of one symbol, or nothing."""

    def __init__(self, desk: Desk, quantity: str) -> None:
        self.desk, self.quantity = desk, Decimal(quantity)
        self.complete = self.has_read_all = True
        self.silent = False
        self.agreement = PositionAgreement(
            desk.engine, self.answer, has_read_all=self.read, log=get_logger("test")
        )

    async def answer(self, query: BookQuery) -> BookReply:
        if self.silent:
            raise NoResponders("nobody serves it")
        one = Position(
            symbol=SPLIT, quantity=self.quantity, fund_id="alpha", strategy_id="trend", as_of=AT
        )
        return BookReply(positions=(one,) if self.quantity else (), complete=self.complete)

    async def read(self) -> bool:
        return self.has_read_all

    async def look(self, times: int = 1) -> list[str]:
        return [name for _ in range(times) for name in await self.agreement.look()]

    @property
    def held(self) -> Decimal:
        return self.desk.book.positions.quantities().get(("alpha", "trend", SPLIT), Decimal(0))


async def fill(desk: Desk, quantity: str) -> None:
    await desk.fill(make_order(symbol=SPLIT, quantity=Decimal(100)), quantity)


async def test_a_position_that_stays_apart_follows_the_oms_for_good(desk: Desk) -> None:
    """A restored record forgot a split that the venue had taken back, and nobody told risk."""
    await fill(desk, "27")
    it = Comparison(desk, "54")
    assert await it.look(2) == []
    assert it.held == 27
    assert await it.look() == [NAME]
    assert it.held == 54
    async with desk.store.transaction() as tx:
        await desk.book.positions.load(tx)
    assert it.held == 54
    assert await it.look(5) == []


async def test_what_the_oms_does_not_hold_is_held_no_more(desk: Desk) -> None:
    await fill(desk, "27")
    it = Comparison(desk, "0")
    assert await it.look(3) == [NAME]
    assert it.held == 0


async def test_what_risk_never_heard_of_is_held(desk: Desk) -> None:
    it = Comparison(desk, "-5")
    assert await it.look(3) == [NAME]
    assert it.held == -5


@pytest.mark.parametrize("why", ["has_read_all", "silent"])
async def test_there_is_no_look_without_an_answer_or_with_events_unread(
    desk: Desk, why: str
) -> None:
    await fill(desk, "27")
    it = Comparison(desk, "54")
    await it.look(2)
    setattr(it, why, why == "silent")
    assert await it.look(5) == []
    assert it.held == 27
    setattr(it, why, why != "silent")
    assert await it.look() == [NAME]


async def test_books_that_say_nothing_begin_the_looks_anew(desk: Desk) -> None:
    await fill(desk, "27")
    it = Comparison(desk, "54")
    await it.look(2)
    it.complete = False
    assert await it.look(5) == []
    it.complete = True
    assert await it.look(2) == []
    assert await it.look() == [NAME]


async def test_a_difference_that_moves_is_an_event_on_its_way(desk: Desk) -> None:
    await fill(desk, "27")
    it = Comparison(desk, "37")
    await it.look(2)
    await fill(desk, "4")
    assert await it.look(2) == []
    await fill(desk, "6")
    assert await it.look(5) == []
    assert it.held == 37


async def test_what_changed_since_it_was_compared_is_left_alone(desk: Desk) -> None:
    await fill(desk, "27")
    taken = await desk.engine.agree_on_position(
        ("alpha", "trend"), SPLIT, held=Decimal(26), has=Decimal(54)
    )
    assert not taken
    assert Comparison(desk, "0").held == 27


async def test_a_fill_of_nobody_is_not_compared(desk: Desk) -> None:
    it = Comparison(desk, "0")
    async with desk.store.transaction() as tx:
        nobody = (UNASSIGNED, UNASSIGNED)
        await desk.book.positions.agree(tx, nobody, SPLIT, held=Decimal(0), has=Decimal(3))
    assert await it.look(5) == []
