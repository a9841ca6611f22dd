"""A stream that was made anew while nobody looked: its numbers say nothing of the one before."""

from pathlib import Path

from mts1b_foundation.nats import STREAMS
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.pump import Event, EventPump
from mts1b_platform.store import OutboxRelay, Store
from platform_pruning import DATA, SUBJECT
from sqlalchemy.ext.asyncio import AsyncConnection


async def a_bus(*names: str) -> LocalBus:
    bus = LocalBus()
    await bus.ensure_stream(STREAMS["OMS"])
    for name in names:
        await bus.publish_durable(SUBJECT, DATA, message_id=name)
    return bus


async def test_a_relay_goes_by_which_stream_it_is_and_not_by_its_length(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "s.sqlite")
    first = OutboxRelay(store, await a_bus(), STREAMS["OMS"])
    await first.start()
    async with store.transaction() as tx:
        await store.outbox.add(tx, event_id="e", subject=SUBJECT, payload=DATA)
    await first.flush()
    await store.close()  # how far it got is on record
    store = await Store.open(tmp_path / "s.sqlite")
    again = OutboxRelay(store, await a_bus("x", "y"), STREAMS["OMS"])
    await again.start()
    assert await again.flush() == 1
    await store.close()


async def test_a_reader_begins_anew_on_a_stream_that_is_already_longer(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "s.sqlite")
    seen: list[str] = []

    async def note(tx: AsyncConnection, event: Event) -> None:
        seen.append(event.message_id)

    for names in (("a", "b"), ("c", "d", "e")):
        pump = EventPump(await a_bus(*names), store, name="r", streams=["OMS"], handler=note)
        await pump.start()
        await pump.drain({"OMS": len(names)})
    await store.close()
    assert seen == list("abcde")
