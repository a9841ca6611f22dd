"""A server that comes back with an older copy of its disk: what was published since is gone."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from mts1b_foundation.nats import STREAMS
from mts1b_platform.clock import VirtualClock
from mts1b_platform.eventbus.nats import NatsBus
from mts1b_platform.eventbus.server import NatsServer, read_address
from mts1b_platform.pump import Event, EventPump
from mts1b_platform.store import OutboxRelay, Store, StorePruner, outbox
from mts1b_platform.supervision import end_tasks
from platform_pruning import START, tell
from sqlalchemy.ext.asyncio import AsyncConnection


class Rig:
    """A server whose disk can be copied and put back, a publisher and a reader."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.seen: list[str] = []
        self.server: NatsServer
        self.bus: NatsBus
        self.publisher: Store
        self.reader: Store

    async def start(self) -> None:
        self.server = NatsServer(self.home)
        await self.server.start()
        self.bus = await NatsBus.connect(lambda: read_address(self.home, {}))
        self.publisher = await Store.open(self.home / "p.sqlite", name="p")
        self.reader = await Store.open(self.home / "r.sqlite", name="r")
        pruner = StorePruner(self.publisher, clock=VirtualClock(START), keep_days=9)
        await pruner.begin_day()

    async def kill(self) -> None:
        os.kill(self.server.pid or 0, signal.SIGKILL)
        await self.server.wait()
        await self.server.stop()

    async def back_up(self) -> None:
        await self.kill()
        shutil.copytree(self.home / "nats" / "js", self.home / "copy")
        await self.again()

    async def put_back(self) -> None:
        await self.kill()
        shutil.rmtree(self.home / "nats" / "js")
        shutil.copytree(self.home / "copy", self.home / "nats" / "js")
        await self.again()

    async def again(self) -> None:
        self.server = NatsServer(self.home)
        await self.server.start()
        await until(lambda: self.bus.connected)

    async def note(self, tx: AsyncConnection, event: Event) -> None:
        self.seen.append(event.message_id)

    async def services(self) -> list[asyncio.Task[None]]:
        relay = OutboxRelay(self.publisher, self.bus, STREAMS["OMS"])
        await relay.start()
        pump = EventPump(self.bus, self.reader, name="r", streams=["OMS"], handler=self.note)
        await pump.start()
        return [asyncio.create_task(relay.run()), asyncio.create_task(pump.run(idle_s=0.3))]

    async def told_to_a_new_reader(self, count: int) -> list[str]:
        """Return what a reader is told that comes now, once it has heard of ``count`` events."""
        seen: list[str] = []

        async def note(tx: AsyncConnection, event: Event) -> None:
            seen.append(event.message_id)

        store = await Store.open(self.home / "new.sqlite", name="new")
        pump = EventPump(self.bus, store, name="new", streams=["OMS"], handler=note)
        await pump.start()
        reading = asyncio.create_task(pump.run(idle_s=0.3))
        try:
            await until(lambda: len(seen) >= count)
        finally:
            await end_tasks([reading])
            await store.close()
        return sorted(seen)

    async def close(self) -> None:
        await self.bus.close()
        await self.publisher.close()
        await self.reader.close()
        await self.server.stop()


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not what():  # noqa: ASYNC110 (nothing tells)
            await asyncio.sleep(0.02)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = Rig(tmp_path)
    await made.start()
    yield made
    await made.close()


async def test_events_of_after_the_copy_are_read_by_running_services(rig: Rig) -> None:
    tasks = await rig.services()
    await tell(rig.publisher, "a", "b")
    await until(lambda: len(rig.seen) == 2)
    await rig.back_up()
    await tell(rig.publisher, "c", "d", "e")
    await until(lambda: len(rig.seen) == 5)
    await rig.put_back()
    await tell(rig.publisher, "f", "g", "h", "i")
    await until(lambda: len(rig.seen) == 9)
    await end_tasks(tasks)
    assert sorted(rig.seen) == list("abcdefghi")


async def test_events_of_after_the_copy_are_read_by_services_that_start(rig: Rig) -> None:
    tasks = await rig.services()
    await tell(rig.publisher, "a", "b")
    await until(lambda: len(rig.seen) == 2)
    await rig.back_up()
    await tell(rig.publisher, "c", "d", "e")
    await until(lambda: len(rig.seen) == 5)
    await end_tasks(tasks)
    await rig.publisher.close()  # what is published is on record now
    rig.publisher = await Store.open(rig.home / "p.sqlite", name="p")
    await rig.put_back()
    await tell(rig.publisher, "f", "g", "h", "i")
    relay = OutboxRelay(rig.publisher, rig.bus, STREAMS["OMS"])
    await relay.start()
    await relay.flush()  # before its reader looks
    tasks = await rig.services()
    await until(lambda: len(rig.seen) == 9)
    await end_tasks(tasks)
    assert sorted(rig.seen) == list("abcdefghi")
    assert await rig.told_to_a_new_reader(9) == list("abcdefghi")


async def test_what_the_copy_lacks_comes_again_although_nothing_new_happens(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_LOOK_EVERY_S", 0.2)
    tasks = await rig.services()
    await tell(rig.publisher, "a", "b")
    await until(lambda: len(rig.seen) == 2)
    await rig.back_up()
    await tell(rig.publisher, "c", "d", "e")
    await until(lambda: len(rig.seen) == 5)
    await rig.put_back()
    assert await rig.told_to_a_new_reader(5) == list("abcde")
    await end_tasks(tasks)
