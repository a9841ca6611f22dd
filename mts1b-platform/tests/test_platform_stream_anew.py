"""A stream that was made anew while nobody looked: its numbers say nothing of the one before."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mts1b_foundation.nats import STREAMS
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.pump import Event, EventPump
from mts1b_platform.store import OutboxRelay, Store
from platform_pruning import DATA, SUBJECT
from sqlalchemy.ext.asyncio import AsyncConnection


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "s.sqlite")
    yield opened
    await opened.close()


async def a_bus(*names: str) -> LocalBus:
    bus = LocalBus()
    await bus.ensure_stream(STREAMS["OMS"])
    for name in names:
        await bus.publish_durable(SUBJECT, DATA, message_id=name)
    return bus


async def test_a_relay_goes_by_which_stream_it_is_and_not_by_its_length(store: Store) -> None:
    first = OutboxRelay(store, await a_bus(), STREAMS["OMS"])
    await first.start()
    async with store.transaction() as tx:
        await store.outbox.add(tx, event_id="e", subject=SUBJECT, payload=DATA)
    await first.flush()
    async with store.transaction():
        pass  # how far it got is on record
    again = OutboxRelay(store, await a_bus("x", "y"), STREAMS["OMS"])
    await again.start()
    assert await again.flush() == 1


async def test_a_reader_begins_anew_on_a_stream_that_is_already_longer(store: Store) -> None:
    seen: list[str] = []

    async def note(tx: AsyncConnection, event: Event) -> None:
        seen.append(event.message_id)

    for names in (("a", "b"), ("c", "d", "e")):
        pump = EventPump(await a_bus(*names), store, name="r", streams=["OMS"], handler=note)
        await pump.start()
        await pump.drain({"OMS": len(names)})
    assert seen == list("abcde")
