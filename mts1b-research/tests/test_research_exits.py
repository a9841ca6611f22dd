"""A halt that asks for it is followed by all that a strategy holds, whatever hinders it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mts1b_foundation import Order, Side, Symbol
from mts1b_foundation.commands import BookQuery, BookReply, SubmitOrder
from mts1b_foundation.positions import Position
from mts1b_platform.clock import VirtualClock
from mts1b_platform.logging import get_logger
from mts1b_research.errors import StrategyFailed
from mts1b_research.strategies.rule import RuleStrategy
from mts1b_research.strategy import StrategyBook
from mts1b_research.unwatched import UnwatchedPositions
from research_desk import START, Desk, Oms, OpenDesk, bar, day, halt, settings
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

CCC = Symbol("CCC")
MINUTE = timedelta(minutes=1)
BOTH = settings(kind="rule", symbols=["AAA", "BBB"], params={"long_when": "close > 0"})
ONLY_A = BOTH.model_copy(update={"symbols": ["AAA"]})


def sold(oms: Oms) -> dict[Symbol, tuple[Side, Decimal, bool]]:
    return {one.symbol: (one.side, one.quantity, one.reduce_only) for one in oms.calls}


def holding(*quantities: tuple[Symbol, str]) -> Oms:
    return Oms(positions={symbol: Decimal(quantity) for symbol, quantity in quantities})


async def halted(desk: Desk, number: int, *symbols: Symbol) -> int:
    """Let a bar of these symbols end while a halt asks to leave."""
    if not desk.halts:
        desk.halts.append(halt(reduce_only=True))
    await desk.bars(*(bar(symbol, number) for symbol in symbols))
    return await desk.runner.on_bar(day(number))


async def test_a_symbol_that_was_taken_from_the_configuration_is_left_too(
    open_desk: OpenDesk,
) -> None:
    oms = holding((AAA, "10"), (BBB, "-20"))
    desk = await open_desk(oms, BOTH)
    await desk.bars(bar(AAA, 0), bar(BBB, 0))
    desk = await open_desk(oms, ONLY_A)
    assert await halted(desk, 1, AAA) == 2
    assert sold(oms) == {AAA: (Side.SELL, 10, True), BBB: (Side.COVER, 20, True)}
    assert await halted(desk, 2, AAA) == 0


async def test_a_symbol_that_has_no_bars_any_more_keeps_no_other_from_being_left(
    open_desk: OpenDesk,
) -> None:
    oms = holding((AAA, "10"), (BBB, "20"))
    desk = await open_desk(oms, BOTH)
    await desk.bars(bar(AAA, 0), bar(BBB, 0))
    assert await halted(desk, 1, AAA) == 2
    assert sold(oms) == {AAA: (Side.SELL, 10, True), BBB: (Side.SELL, 20, True)}


async def test_a_symbol_that_never_had_a_bar_keeps_no_other_from_being_left(
    open_desk: OpenDesk,
) -> None:
    oms = holding((AAA, "10"))
    desk = await open_desk(oms, BOTH)
    assert await halted(desk, 0, AAA) == 1
    assert sold(oms) == {AAA: (Side.SELL, 10, True)}


async def test_without_a_halt_a_bar_that_some_symbol_lacks_leads_to_nothing(
    open_desk: OpenDesk,
) -> None:
    oms = holding((AAA, "10"), (CCC, "5"))
    desk = await open_desk(oms, BOTH)
    await desk.bars(bar(AAA, 0))
    assert await desk.runner.on_bar(day(0)) == 0
    desk.halts.append(halt(reduce_only=False))
    assert await desk.runner.on_bar(day(0)) == 0


async def test_a_halted_strategy_that_holds_nothing_is_not_asked_at_bars_of_others(
    open_desk: OpenDesk,
) -> None:
    oms = holding()
    desk = await open_desk(oms, BOTH)
    assert await halted(desk, 0, CCC) == 0
    assert await desk.plans() == []


@pytest.mark.parametrize("place", ["generate_intents", "is_due", "history"])
async def test_a_strategy_that_can_not_decide_leaves_all_the_same(
    open_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def fault(self: RuleStrategy, *given: Any) -> Any:
        raise OSError("a fault of the strategy")

    monkeypatch.setattr(RuleStrategy, place, property(fault) if place == "history" else fault)
    oms = holding((AAA, "10"))
    desk = await open_desk(oms, ONLY_A)
    await desk.bars(bar(AAA, 0))
    with pytest.raises(StrategyFailed, match="a fault of the strategy"):
        await desk.runner.on_bar(day(0))
    assert await halted(desk, 1, AAA) == 1
    assert sold(oms) == {AAA: (Side.SELL, 10, True)}


@pytest.mark.parametrize(
    ("working", "left"),
    [
        ([], 10),
        ([(Side.BUY, 5)], 10),  # the halt cancels it; 15 would be more than is held: denied
        ([(Side.SELL, 4)], 6),
        ([(Side.BUY, 5), (Side.SELL, 4)], 6),
        ([(Side.SELL, 10)], 0),
    ],
)
async def test_what_is_left_is_what_is_held_and_not_being_closed(
    open_desk: OpenDesk, working: list[tuple[Side, int]], left: int
) -> None:
    held = Position(symbol=AAA, quantity=Decimal(10))
    orders = [open_order(side, size, number) for number, (side, size) in enumerate(working)]
    book = StrategyBook.of("s1", BookReply(positions=(held,)), orders)

    class Working(Oms):
        async def read_book(self, fund_id: str, strategy_id: str) -> StrategyBook:
            return book

    oms = Working()
    desk = await open_desk(oms, ONLY_A)
    assert await halted(desk, 0, AAA) == (1 if left else 0)
    assert [order.quantity for order in oms.calls] == ([left] if left else [])


def open_order(side: Side, quantity: int, number: int) -> Order:
    return Order.model_validate(
        {
            "order_id": f"o{number}",
            "idempotency_key": f"o{number}",
            "symbol": "AAA",
            "side": side,
            "quantity": Decimal(quantity),
            "order_type": "market",
            "fund_id": "f1",
            "strategy_id": "s1",
            "broker": "paper",
            "actor": "test",
            "created_at": START,
        }
    )


class OmsThatHolds(OmsOnTheBus):
    """Hold 10 AAA and 20 BBB for strategy ``both``; refuse what is asked of a symbol."""

    refuses: str = ""

    async def book(self, data: bytes) -> bytes:
        reply = BookReply.model_validate_json(await super().book(data))
        held = tuple(
            Position(symbol=symbol, quantity=Decimal(quantity), last_price=Decimal(7))
            for symbol, quantity in ((AAA, 10), (BBB, 20))
        )
        return reply.model_copy(update={"positions": held}).model_dump_json().encode()

    refused: int = 0

    async def submit(self, data: bytes) -> bytes:
        if SubmitOrder.model_validate_json(data).order.symbol == self.refuses:
            self.refused += 1
            raise ValueError("not this one")
        return await super().submit(data)


LIVE = {
    "strategy_id": "both",
    "fund_id": "f1",
    "kind": "rule",
    "symbols": ["AAA", "BBB"],
    "interval": "1m",
    "params": {"long_when": "close > 0"},
}


async def live_halt(office: Office) -> None:
    """Put a halt in force, and let one bar of AAA end."""
    assert office.service is not None
    office.service._runner._halt_of = lambda fund, strategy: halt(reduce_only=True)
    at = NOW + MINUTE
    office.clock.advance_to(at + timedelta(seconds=1))
    office.oms.struck = at
    await office.publish("101", AAA, at=at)


async def test_live_a_symbol_without_bars_keeps_no_position_from_being_left(
    tmp_path: Path,
) -> None:
    oms = OmsThatHolds(strategy_id="both")
    async with open_office(tmp_path, fund_settings(LIVE), oms) as office:
        await live_halt(office)
        await eventually(lambda: len(oms.taken) == 2)
        left = {one.symbol: (one.quantity, one.reference_price) for one in oms.taken.values()}
        assert left == {AAA: (10, Decimal(101)), BBB: (20, Decimal(7))}


async def test_live_a_halt_is_followed_at_once_and_once(tmp_path: Path) -> None:
    """The strategy has acted on the newest bar already; the next one is a day away."""
    daily = LIVE | {"symbols": ["AAA"], "interval": "1d", "params": {"long_when": "close < 0"}}
    oms = OmsThatHolds(strategy_id="both")
    async with open_office(tmp_path, fund_settings(daily), oms) as office:
        await office.publish("101", AAA, interval="1d")
        await eventually(lambda: len(oms.taken) == 1)  # it wants to be flat in AAA
        oms.taken.clear()
        office.clock.advance_to(NOW + timedelta(hours=60))  # as over a weekend
        assert office.service is not None
        office.service._runner._halt_of = lambda fund, strategy: halt(reduce_only=True)
        await eventually(lambda: len(oms.taken) == 2)
        left = {one.symbol: (one.side, one.quantity) for one in oms.taken.values()}
        assert left == {AAA: (Side.SELL, 10), BBB: (Side.SELL, 20)}
        await asyncio.sleep(0.4)
        assert oms.asked == 3  # once
        await office.shut()
        office.clock.advance_to(NOW + timedelta(hours=61))
        await office.open()
        office.service._runner._halt_of = lambda fund, strategy: halt(reduce_only=True)
        await eventually(lambda: oms.asked == 5)
        assert len(oms.taken) == 2  # after a restart it is finished as it was


async def test_an_exit_that_the_oms_refuses_keeps_no_other_from_being_sent(
    tmp_path: Path,
) -> None:
    oms = OmsThatHolds(strategy_id="both")
    oms.refuses = "AAA"
    async with open_office(tmp_path, fund_settings(LIVE), oms) as office:
        await live_halt(office)
        await eventually(lambda: len(oms.taken) == 1)
        assert [one.symbol for one in oms.taken.values()] == [BBB]
        await asyncio.sleep(0.5)
        assert oms.refused == 1  # it is asked again, but not ten times a second
        oms.refuses = ""
        await eventually(lambda: len(oms.taken) == 2)


async def test_after_a_refusal_nothing_is_opened(tmp_path: Path) -> None:
    """A change through zero closes, then opens: without the close the rest is another position."""
    oms = OmsThatHolds(strategy_id="both")
    oms.refuses = "AAA"
    short = LIVE | {"params": {"short_when": "close > 0", "direction": "both"}}
    async with open_office(tmp_path, fund_settings(short), oms) as office:
        office.clock.advance_to(NOW + timedelta(seconds=1))
        await office.publish("100", AAA)
        await office.publish("100", BBB)
        await eventually(lambda: len(oms.taken) == 1)
        (order,) = oms.taken.values()
        assert (order.symbol, order.side, order.quantity) == (BBB, Side.SELL, 20)


class OmsOfMany(OmsOnTheBus):
    """Hold AAA for two strategies and for somebody else."""

    async def book(self, data: bytes) -> bytes:
        query = BookQuery.model_validate_json(data)
        self.strategy_id = query.strategy_id or self.strategy_id
        reply = BookReply.model_validate_json(await super().book(data))
        held = tuple(
            Position(symbol=symbol, quantity=Decimal(size), fund_id="f1", strategy_id=owner)
            for symbol, size, owner in ((AAA, 10, "both"), (BBB, -20, "both"), (AAA, 5, "by-hand"))
            if query.strategy_id in (None, owner)
        )
        held = tuple(one.with_(last_price=Decimal(7)) for one in held)
        return reply.model_copy(update={"positions": held}).model_dump_json().encode()


ONE_SYMBOL = LIVE | {"symbols": ["AAA"]}
OFF = LIVE | {"enabled": False}
OTHER = LIVE | {"strategy_id": "other"}


@pytest.mark.parametrize(
    ("configured", "unwatched"),
    [(LIVE, []), (ONE_SYMBOL, ["-20 BBB"]), (OFF, ["10 AAA", "-20 BBB"])],
)
async def test_a_position_that_no_strategy_watches_is_told(
    tmp_path: Path, configured: dict[str, Any], unwatched: list[str]
) -> None:
    settings = fund_settings(configured, OTHER)
    async with open_office(tmp_path, settings, OmsOfMany()) as office:
        assert office.service is not None
        assert office.service._unwatched is not None
        await office.service._unwatched.look()
        said = (await office.service.health())["positions"]
        assert (said == "ok") == (unwatched == [])
        assert all(f"{held} of f1/both, close with `mts oms submit" in said for held in unwatched)
        assert "by-hand" not in said
        if "BBB" in said:
            assert "--symbol BBB --side cover --quantity 20 --fund f1 --strategy both" in said


async def test_the_health_is_answered_before_the_start(tmp_path: Path) -> None:
    async with open_office(tmp_path, fund_settings(LIVE), OmsOfMany()) as office:
        assert office.service is not None
        young = type(office.service)(office.service.ctx)
        assert (await young.health())["bus"] == "ok"


async def test_a_strategy_in_two_funds_is_left_in_one_after_the_other() -> None:
    """The keys of its orders name the strategy alone: both at once would be one order."""
    unwatched = UnwatchedPositions(
        settings=fund_settings(LIVE),
        sleeves=[],
        ours={"both"},
        read_positions=held_by_f1_and_f2,
        clock=VirtualClock(NOW),
        report=get_logger("research"),
    )
    await unwatched.look()
    assert [one.fund_id for one in unwatched.found] == ["f1", "f2"]
    assert [one.fund_id for one in unwatched.retired] == ["f2"]
    unwatched.sleeves = unwatched.retired  # it trades for another fund now, and watches no symbol
    await unwatched.look()
    assert [one.fund_id for one in unwatched.found] == ["f1", "f2"]
    assert unwatched.retired == ()


async def held_by_f1_and_f2() -> list[Position]:
    held = Position(symbol=AAA, quantity=Decimal(1), strategy_id="both")
    return [held.with_(fund_id="f1"), held.with_(fund_id="f2")]


async def test_a_strategy_that_is_gone_and_traded_here_is_remembered(tmp_path: Path) -> None:
    oms = OmsOfMany()
    async with open_office(tmp_path, fund_settings(LIVE), oms) as office:
        assert office.service is not None
        await office.publish("100", AAA)
        await office.publish("100", BBB)
        await eventually(lambda: len(oms.taken) > 0)
        await office.shut()
        office.settings = fund_settings(OTHER)
        await office.open()
        assert office.service._unwatched is not None
        await office.service._unwatched.look()
        assert [str(one.symbol) for one in office.service._unwatched.found] == ["AAA", "BBB"]


async def test_a_halt_finds_the_positions_of_a_strategy_that_is_off(tmp_path: Path) -> None:
    oms = OmsOfMany()
    async with open_office(tmp_path, fund_settings(OFF), oms) as office:
        assert office.service is not None
        unwatched = office.service._unwatched
        assert unwatched is not None
        await eventually(lambda: unwatched.retired != ())
        await live_halt(office)
        await eventually(lambda: len(oms.taken) == 2)
        left = {one.symbol: (one.strategy_id, one.side) for one in oms.taken.values()}
        assert left == {AAA: ("both", Side.SELL), BBB: ("both", Side.COVER)}
