"""A decision is made once, written down, and then sent until it is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mts1b_foundation import Side
from research_desk import AAA, BBB, Crash, Desk, Oms, OpenDesk, bar, day, halt, settings

PARITY = settings(
    kind="risk_parity", symbols=["AAA", "BBB"], params={"window": 10, "rebalance_every": 12}
)
SECOND = PARITY.model_copy(update={"strategy_id": "s2"})
TREND = settings()  # needs 6 bars, acts on every second one


async def rising(desk: Desk, first: int, count: int) -> None:
    """Add bars of two symbols that rise, by turns more and less."""
    for number in range(first, first + count):
        await desk.bars(
            bar(AAA, number, 100 + number + number % 2),
            bar(BBB, number, 50 + number + (number // 2) % 2),
        )


async def run(desk: Desk, first: int, count: int) -> list[int]:
    """Let bars come one at a time; return how many orders each led to."""
    sent = []
    for number in range(first, first + count):
        await rising(desk, number, 1)
        sent.append(await desk.runner.on_bar(day(number)))
    return sent


async def test_a_strategy_acts_when_it_is_due(open_desk: OpenDesk) -> None:
    oms = Oms()
    desk = await open_desk(oms, TREND)
    assert (await run(desk, 0, 6))[:5] == [0, 0, 0, 0, 0]
    assert [order.side for order in oms.calls] == [Side.BUY]
    assert [plan.as_of for plan in await desk.plans()] == [day(5)]
    subjects = sorted(event.subject for event in await desk.events())
    assert subjects == [
        "mts.v1.research.intents.decided.fund.f1",
        "mts.v1.research.signals.published.fund.f1",
    ]


async def test_the_plan_is_committed_before_the_first_order(open_desk: OpenDesk) -> None:
    oms = Oms()
    desk = await open_desk(oms, PARITY)
    assert (await run(desk, 0, 12))[-1] == 2
    assert oms.plans_at_first_call == 1


async def test_a_bar_that_some_symbol_lacks_leads_to_nothing(open_desk: OpenDesk) -> None:
    oms = Oms()
    desk = await open_desk(oms, PARITY)
    await run(desk, 0, 11)
    await desk.bars(bar(AAA, 11))
    assert await desk.runner.on_bar(day(11)) == 0
    assert await desk.plans() == []


@pytest.mark.parametrize("dies_at", [1, 2])
async def test_a_half_sent_plan_is_sent_again_as_it_was(open_desk: OpenDesk, dies_at: int) -> None:
    oms = Oms(dies_at=dies_at)
    desk = await open_desk(oms, PARITY)
    await run(desk, 0, 11)
    await rising(desk, 11, 1)
    with pytest.raises(Crash):
        await desk.runner.on_bar(day(11))
    (planned,) = await desk.plans()
    before = list(oms.calls)
    assert len(before) == dies_at - 1

    oms.dies_at = None
    desk = await open_desk(oms, PARITY)  # the book has changed: deciding anew would differ
    assert await desk.runner.on_bar(day(11)) == 2
    assert await desk.plans() == [planned]
    assert oms.calls[len(before) :][: len(before)] == before
    assert [order.symbol for order in oms.taken.values()] == [AAA, BBB]


async def test_an_exit_that_was_half_sent_is_finished_after_the_halt_was_lifted(
    open_desk: OpenDesk,
) -> None:
    oms = Oms()
    desk = await open_desk(oms, PARITY)
    await run(desk, 0, 12)
    oms.dies_at = 4  # the second of two exits
    desk.halts.append(halt(reduce_only=True))
    await rising(desk, 12, 1)
    with pytest.raises(Crash):
        await desk.runner.on_bar(day(12))
    oms.dies_at = None
    desk = await open_desk(oms, PARITY)
    assert await desk.runner.on_bar(day(12)) == 2
    assert set(oms.positions.values()) == {0}
    assert await run(desk, 13, 1) == [0]


async def test_asked_again_the_same_bar_leads_to_the_same_orders(open_desk: OpenDesk) -> None:
    oms = Oms()
    desk = await open_desk(oms, PARITY)
    await run(desk, 0, 12)
    first = list(oms.calls)
    await desk.runner.on_bar(day(11))
    assert oms.calls == [*first, *first]
    assert len(await desk.plans()) == 1


async def test_a_halted_fund_leaves_once_and_then_asks_risk(open_desk: OpenDesk) -> None:
    oms = Oms()
    desk = await open_desk(oms, TREND)
    await run(desk, 0, 6)
    desk.halts.append(halt(reduce_only=True))
    assert await run(desk, 6, 1) == [1]  # not due, but halted
    exit_order = oms.calls[-1]
    assert (exit_order.side, exit_order.reduce_only) == (Side.SELL, True)
    assert oms.positions[AAA] == 0

    oms.denies = True
    before = len(oms.calls)
    assert await run(desk, 7, 4) == [1, 0, 1, 0]  # only when due, and not leaving again
    assert [order.side for order in oms.calls[before:]] == [Side.BUY, Side.BUY]
    assert oms.positions[AAA] == 0


async def test_a_halt_that_lets_nothing_pass_is_for_risk_to_deny(open_desk: OpenDesk) -> None:
    oms = Oms(denies=True)
    desk = await open_desk(oms, TREND)
    desk.halts.append(halt(reduce_only=False))
    assert await run(desk, 0, 8) == [0, 0, 0, 0, 0, 1, 0, 1]
    assert [(order.side, order.reduce_only) for order in oms.calls] == [(Side.BUY, False)] * 2


async def test_two_runs_plan_the_same(tmp_path: Path) -> None:
    runs = []
    for name in ("one", "two"):
        desk = await Desk.open(tmp_path / f"{name}.sqlite", Oms(), TREND, SECOND)
        await run(desk, 0, 14)
        runs.append(([tuple(row) for row in await desk.plans()], await desk.events()))
        await desk.store.close()
    assert runs[0] == runs[1]
    assert {row.strategy_id for row in await _reopened(tmp_path / "one.sqlite")} == {"s1", "s2"}


async def _reopened(path: Path) -> list[Any]:
    desk = await Desk.open(path, Oms())
    found = await desk.plans()
    await desk.store.close()
    return found
