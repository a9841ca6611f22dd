"""Histories share only the bars that every symbol has, live and after a restart."""

from __future__ import annotations

import random

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from mts1b_foundation import Symbol
from mts1b_research.history import EVERY_BAR, BarHistory
from mts1b_research.tables import bars
from research_desk import AAA, BBB, Oms, OpenDesk, bar, day, settings

CCC = Symbol("CCC")


async def test_holes_are_skipped(open_desk: OpenDesk) -> None:
    desk = await open_desk(Oms(), settings())
    for number in range(6):
        if number != 2:
            await desk.bars(bar(AAA, number, 100 + number))
        if number not in (3, 5):
            await desk.bars(bar(BBB, number, 200 + number))
    history = desk.history
    seen = [history.bars_seen([AAA, BBB], day(n)) for n in range(6)]
    assert seen == [1, 2, 0, 0, 3, 0]
    view = history.view([AAA, BBB], day(4), last=2)
    assert [list(row) for row in view.panel.close] == [[101.0, 201.0], [104.0, 204.0]]
    assert (view.bars_seen, view.last_prices) == (3, {"AAA": 104.0, "BBB": 204.0})


async def test_a_view_ends_at_its_time_whatever_came_later(open_desk: OpenDesk) -> None:
    desk = await open_desk(Oms(), settings())
    await desk.bars(*(bar(AAA, n, 100 + n) for n in range(5)))
    view = desk.history.view([AAA], day(2), last=10)
    assert list(view.panel.close[:, 0]) == [100.0, 101.0, 102.0]
    assert (view.bars_seen, desk.history.bars_seen([AAA], day(2))) == (3, 3)


async def test_a_restart_sees_what_the_living_process_saw(open_desk: OpenDesk) -> None:
    oms = Oms()
    desk = await open_desk(oms, settings())
    await desk.bars(*(bar(AAA, n, 100 + n / 7) for n in range(9)))
    await desk.bars(*(bar(BBB, n, 50 + n / 3) for n in range(3, 9) if n != 5))
    live = desk.history.view([AAA, BBB], day(8), last=4)
    desk = await open_desk(oms, settings())
    again = desk.history.view([AAA, BBB], day(8), last=4)
    assert again.bars_seen == live.bars_seen == 5
    assert (again.panel.close == live.panel.close).all()
    assert list(again.panel.dates) == list(live.panel.dates)


async def test_the_same_bar_again_changes_nothing(open_desk: OpenDesk) -> None:
    desk = await open_desk(Oms(), settings())
    await desk.bars(bar(AAA, 0), bar(AAA, 1))
    await desk.bars(bar(AAA, 1), bar(AAA, 0))
    assert desk.history.bars_seen([AAA], day(1)) == 2


async def test_a_bar_that_says_something_else_is_told_and_the_first_one_kept(
    open_desk: OpenDesk,
) -> None:
    desk = await open_desk(Oms(), settings())
    first = bar(AAA, 0)
    other = first.with_(close=first.close + 1, high=first.high + 1)
    async with desk.store.transaction() as tx:
        told = [await desk.history.add(tx, one) for one in (first, first, other)]
    assert told == [True, True, False]
    assert desk.history.last_close(AAA, day(0)) == float(first.close)


async def test_a_bar_that_was_rolled_back_is_stored_when_it_comes_again(
    open_desk: OpenDesk,
) -> None:
    desk = await open_desk(Oms(), settings())
    with pytest.raises(RuntimeError):
        async with desk.store.transaction() as tx:
            await desk.history.add(tx, bar(AAA, 0))
            raise RuntimeError("the transaction fails")
    await desk.bars(bar(AAA, 0))
    assert desk.history.bars_seen([AAA], day(0)) == 1
    async with desk.store.read() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(bars)) == 1


@examples(max_examples=50, deadline=None)
@given(
    held=st.lists(st.sets(st.integers(0, 11)), min_size=3, max_size=3),
    shuffle=st.one_of(st.none(), st.integers(0, 99)),
)
def test_the_shared_bars_are_the_intersection(held: list[set[int]], shuffle: int | None) -> None:
    symbols = (AAA, BBB, CCC)
    arrivals = sorted((n, s) for s, days in zip(symbols, held, strict=True) for n in days)
    if shuffle is not None:
        random.Random(shuffle).shuffle(arrivals)
    history = BarHistory()
    for number, symbol in arrivals:
        history._keep(symbol, day(number), (1.0, 1.0, 1.0, 1.0, 1.0))
        history.bars_seen(symbols, day(number))  # reading as it grows changes nothing
    common = sorted(held[0] & held[1] & held[2])
    assert [n for n in range(12) if history.bars_seen(symbols, day(n))] == common
    assert [history.bars_seen(symbols, day(n)) for n in common] == [*range(1, len(common) + 1)]


async def test_a_view_of_every_bar_is_a_window_that_nobody_can_change(open_desk: OpenDesk) -> None:
    desk = await open_desk(Oms(), settings())
    for number in range(70):
        if number != 40:
            await desk.bars(bar(AAA, number, 100 + number), bar(BBB, number, 200 + number))
        every = desk.history.view([AAA, BBB], day(number), last=EVERY_BAR)
        few = desk.history.view([AAA, BBB], day(number), last=5)
        assert every.panel.close[-5:].tolist() == few.panel.close.tolist()
        assert every.panel.dates[-5:] == few.panel.dates
    assert len(every.panel.dates) == every.bars_seen == 69
    assert list(every.panel.dates) == [day(n) for n in range(70) if n != 40]
    with pytest.raises(ValueError, match="read-only"):
        every.panel.close[0, 0] = 1.0
    await desk.bars(bar(AAA, 40), bar(BBB, 40))
    late = desk.history.view([AAA, BBB], day(69), last=EVERY_BAR)
    assert list(late.panel.dates) == [day(n) for n in range(70)]
    assert late.panel.close[40].tolist() == [100.0, 100.0]
    assert every.panel.close[40].tolist() == [141.0, 241.0]
