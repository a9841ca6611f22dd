"""A store that runs for years stays small, and forgets nothing that is still needed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from mts1b_foundation import Bar, Symbol
from mts1b_foundation.nats import (
    MARKETDATA_BARS,
    OMS_ORDERS_CREATED,
    OPERATIONS_SIGNALS_RECEIVED,
    STREAMS,
    bars_subject,
    with_fund,
)
from mts1b_platform.clock import VirtualClock
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.pump import Event, EventPump
from mts1b_platform.store import OutboxRelay, Store, StorePruner
from mts1b_platform.store.days import ORIGIN, Origin
from mts1b_platform.store.outbox import Outbox
from platform_pruning import DATA, KEEP_DAYS, SUBJECT, World, count, tell
from sqlalchemy.ext.asyncio import AsyncConnection

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    target = str(tmp_path / "s.sqlite")
    if request.param == "postgresql":
        target = request.getfixturevalue("postgres_url")
    name = "p_" + "".join(c if c.isalnum() else "_" for c in request.node.name.lower())[:50]
    opened = await Store.open(target, name=name)
    yield opened
    await opened.close()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    await made.start()
    yield made
    await made.close()


async def ignore(tx: AsyncConnection, event: Event) -> None:
    """Have no effect."""


def pruner_of(store: Store, clock: VirtualClock, keep_days: int = KEEP_DAYS) -> StorePruner:
    return StorePruner(store, clock=clock, keep_days=keep_days, most=100, pause_s=0)


async def test_a_day_that_was_not_committed_has_not_begun(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        async with store.transaction() as tx:
            await store.outbox.begin_day(tx, 5)
            raise ZeroDivisionError
    async with store.transaction():
        pass  # what commits now has nothing to do with it
    for day in (5, 6):
        async with store.transaction() as tx:
            await store.outbox.begin_day(tx, day)
    async with store.read() as connection:
        on_record = await Outbox().days(connection)
        assert [mark.day for mark in on_record.marks] == [0, 5, 6]
        assert (await store.outbox.days(connection)).marks == on_record.marks


async def test_the_size_stays_bounded_over_a_long_run(store: Store) -> None:
    """One store that publishes to itself for 10 days, and ends each of them pruned."""
    clock, bus = VirtualClock(START), LocalBus()
    pruner = pruner_of(store, clock)
    await pruner.begin_day()
    relay = OutboxRelay(store, bus, STREAMS["OMS"])
    await relay.start()
    pump = EventPump(bus, store, name="reader", streams=["OMS"], handler=ignore)
    await pump.start()
    most = {"outbox": 0, "inbox": 0, "inbox_days": 0, "outbox_days": 0}
    for day in range(10):
        await tell(store, *(f"e{day}-{n}" for n in range(30)))
        await relay.flush()
        await pump.drain({"OMS": relay.head})
        await pruner.prune()
        for table in most:
            most[table] = max(most[table], await count(store, table))
        clock.advance(86_400)
    kept = (KEEP_DAYS + 1) * 30
    assert most == {"outbox": kept - 30, "inbox": kept, "inbox_days": kept, "outbox_days": 4}
    async with store.read() as connection:
        assert await store.inbox.consumed(connection) == 10 * 30  # forgotten ids are counted


async def test_what_is_not_acknowledged_is_never_pruned(store: Store) -> None:
    clock, bus = VirtualClock(START), LocalBus()
    pruner = pruner_of(store, clock)
    await pruner.begin_day()
    await tell(store, "a", "b", "c")
    for _ in range(20):
        clock.advance(86_400)
        assert await pruner.prune() == 0
    relay = OutboxRelay(store, bus, STREAMS["OMS"])
    await relay.start()
    assert await relay.flush() == 3
    assert await pruner.prune() == 2


async def test_the_numbers_of_events_go_on_after_all_went(store: Store) -> None:
    """A number that was used again would stand before what is published, and never go out."""
    clock, bus = VirtualClock(START), LocalBus()
    pruner = pruner_of(store, clock)
    await pruner.begin_day()
    relay = OutboxRelay(store, bus, STREAMS["OMS"])
    await relay.start()
    await tell(store, "a", "b", "c")
    await relay.flush()
    for _ in range(10):
        clock.advance(86_400)
        await pruner.prune()
    assert await count(store, "outbox") == 1
    await tell(store, "d")
    assert await relay.flush() == 1
    again = OutboxRelay(store, bus, STREAMS["OMS"])
    await again.start()
    await tell(store, "e")
    await again.flush()
    reader = await bus.consumer("OMS", "r")
    told = [m.message_id for m in await reader.fetch(10, timeout_s=1)]
    assert told == ["a", "b", "c", "d", "e"]


async def test_a_step_is_small(store: Store) -> None:
    clock, bus = VirtualClock(START), LocalBus()
    pruner = pruner_of(store, clock)
    await pruner.begin_day()
    relay = OutboxRelay(store, bus, STREAMS["OMS"])
    await relay.start()
    await tell(store, *(f"e{n}" for n in range(350)))
    await relay.flush()
    for _ in range(KEEP_DAYS):
        clock.advance(86_400)
        await pruner.begin_day()
    await pruner.keep()
    assert [await pruner.step() for _ in range(5)] == [100, 100, 100, 49, 0]


async def test_signals_from_outside_stay(store: Store) -> None:
    """Operations looks in its outbox which signal it has taken already."""
    clock, bus = VirtualClock(START), LocalBus()
    pruner = pruner_of(store, clock)
    await pruner.begin_day()
    relay = OutboxRelay(store, bus, STREAMS["OPERATIONS"])
    await relay.start()
    for subject in (OPERATIONS_SIGNALS_RECEIVED, with_fund(OPERATIONS_SIGNALS_RECEIVED, "f")):
        await bus.ensure_stream(STREAMS["OMS"])
        await tell(store, f"one of {subject}", "x" + subject, subject=subject, data=b"{}")
    await tell(store, "a", "b")
    await relay.flush()
    for _ in range(10):
        clock.advance(86_400)
        await pruner.prune()
    assert await count(store, "outbox") == 5
    bus.wipe("OPERATIONS")
    await relay._look_for_a_new_stream()
    assert await relay.flush() == 0  # they are not told again


async def test_a_clock_that_was_ahead_prunes_no_more_than_a_day(world: World) -> None:
    await tell(world.publisher, "a", "b")
    await world.flush()
    world.clock.advance(86_400)
    await world.pruners["publisher"].prune()
    world.clock.advance(400 * 86_400)
    await world.pruners["publisher"].prune()
    assert await count(world.publisher, "outbox") == 2
    behind = StorePruner(world.publisher, clock=VirtualClock(START), keep_days=KEEP_DAYS)
    await behind.begin_day()  # the clock was set right: days do not go back
    await tell(world.publisher, "c")
    async with world.publisher.read() as connection:
        days = await world.publisher.outbox.days(connection)
    origin = days.origin(3)
    assert origin is not None
    assert origin.day == (START + timedelta(days=401)).toordinal()


async def turn_days(world: World, days: int) -> None:
    """Let days pass with an event in each, all read, and prune both sides."""
    for day in range(days):
        await world.next_day()
        await tell(world.publisher, f"day{day}")
        await world.flush()
        await world.read()
        for pruner in world.pruners.values():
            await pruner.prune()


async def test_an_old_copy_of_a_publisher_tells_nothing_twice(world: World) -> None:
    await tell(world.publisher, "a", "b", "c")
    await world.flush()
    await world.read()
    world.back_up("publisher")
    await turn_days(world, KEEP_DAYS + 3)
    assert await count(world.reader, "inbox") < KEEP_DAYS + 3
    world.publisher.abandon()
    world.put_back("publisher")
    world.bus.wipe("OMS")
    await world.start_publisher()
    await tell(world.publisher, "new")
    await world.flush()
    await world.read()
    told = await world.told()
    assert told.count("a") == told.count("b") == told.count("c") == 1
    assert told[-1] == "new"


async def test_what_a_reader_can_read_no_more_is_told(world: World) -> None:
    await tell(world.publisher, "a")
    await world.flush()
    await world.read()
    await tell(world.publisher, "b", "c")  # the reader is away
    await world.flush()
    for _ in range(KEEP_DAYS + 1):
        await world.next_day()
        await tell(world.publisher, f"d{_}")
        await world.flush()
        await world.pruners["publisher"].prune()
    world.bus.wipe("OMS")
    await world.flush()
    await world.read()
    assert world.missed
    assert "event 1 of 2026-01-01" in world.missed[0]


async def test_a_reader_that_was_away_misses_nothing_while_its_stream_stands(world: World) -> None:
    for day in range(KEEP_DAYS + 3):
        await tell(world.publisher, f"d{day}")
        await world.flush()
        await world.next_day()
        await world.pruners["publisher"].prune()
    await world.read()
    assert await world.told() == [f"d{day}" for day in range(KEEP_DAYS + 3)]
    assert not world.missed


async def test_what_nobody_wants_takes_no_room(tmp_path: Path) -> None:
    bus, store = LocalBus(), await Store.open(tmp_path / "s.sqlite", name="s")
    await bus.ensure_stream(STREAMS["OMS"])
    for name in ("a", "b"):
        await bus.publish_durable(SUBJECT, DATA, message_id=name)
    wanted = frozenset({OMS_ORDERS_CREATED})
    pump = EventPump(bus, store, name="r", streams=["OMS"], handler=ignore, wanted=wanted)
    await pump.start()
    assert await pump.drain({"OMS": 2}) == 0
    assert await count(store, "inbox") == 0
    async with store.read() as connection:
        info = await bus.stream_info("OMS")
        assert await store.inbox.position(connection, "r", "OMS", info.incarnation) == 2
    await store.close()


async def test_ids_of_market_data_go_by_the_readers_own_days(tmp_path: Path) -> None:
    bus, store = LocalBus(), await Store.open(tmp_path / "s.sqlite", name="s")
    await bus.ensure_stream(STREAMS["MARKETDATA"])
    clock = VirtualClock(START)
    pruner = pruner_of(store, clock)
    wanted = frozenset({MARKETDATA_BARS})
    pump = EventPump(bus, store, name="r", streams=["MARKETDATA"], handler=ignore, wanted=wanted)
    await pump.start()
    for day in range(10):
        await pruner.prune()
        at = clock.now()
        bar = Bar(
            symbol=Symbol("AAA"),
            interval="1d",
            timestamp=at,
            open=1,
            high=1,
            low=1,
            close=1,
            volume=1,
        )
        await bus.publish_durable(
            bars_subject(Symbol("AAA"), "1d"), bar.model_dump_json().encode(), message_id=f"b{day}"
        )
        await pump.drain({"MARKETDATA": day + 1})
        clock.advance(86_400)
    await pruner.prune()
    assert await count(store, "inbox") == KEEP_DAYS - 1
    await store.close()


@pytest.mark.parametrize("header", [None, "", "1 2 3", "1 2 3 x", "1 2 3 -4", "1 2 3 4 5"])
def test_a_header_that_is_not_understood_says_nothing(header: str | None) -> None:
    assert Origin.of(header) is None


async def test_events_say_where_they_come_from(world: World) -> None:
    await tell(world.publisher, "a", "b")
    await world.flush()
    reader = await world.bus.consumer("OMS", "r")
    today = START.toordinal()
    headers = [m.headers[ORIGIN] for m in await reader.fetch(2, timeout_s=1)]
    assert headers == [f"1 {today} 0 0", f"2 {today} 0 0"]


async def test_what_was_there_before_days_were_known_is_published_and_pruned(
    tmp_path: Path,
) -> None:
    store, clock, bus = await Store.open(tmp_path / "s.sqlite"), VirtualClock(START), LocalBus()
    await tell(store, "a", "b")
    pruner = pruner_of(store, clock)
    await pruner.begin_day()
    relay = OutboxRelay(store, bus, STREAMS["OMS"])
    await relay.start()
    assert await relay.flush() == 2
    await tell(store, "c")
    await relay.flush()
    reader = await bus.consumer("OMS", "r")
    origins = [Origin.of(m.headers.get(ORIGIN)) for m in await reader.fetch(9, timeout_s=1)]
    assert [origin is None for origin in origins] == [True, True, False]
    for _ in range(KEEP_DAYS):
        clock.advance(86_400)
        await pruner.prune()
    async with store.read() as connection:
        rows = await connection.execute(sa.text("SELECT event_id FROM outbox"))
        assert [row.event_id for row in rows] == ["c"]
    await store.close()
