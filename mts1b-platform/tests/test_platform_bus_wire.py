"""A connection that breaks with messages on it, and messages that are gone from a stream."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.nats import OMS_NAV_UPDATED, STREAMS, with_fund
from mts1b_platform.eventbus import nats_messages
from mts1b_platform.eventbus.nats import NatsBus
from mts1b_platform.eventbus.server import NatsAddress, NatsServer
from mts1b_platform.pump import Event, EventPump
from mts1b_platform.store import Store
from mts1b_platform.supervision import end_tasks
from sqlalchemy.ext.asyncio import AsyncConnection

SUBJECT = with_fund(OMS_NAV_UPDATED, "f")
NAV = NavSnapshot(
    fund_id="f", as_of=datetime(2026, 1, 2, tzinfo=UTC), nav_usd=Decimal(1), cash_usd=Decimal(0)
)
DATA = NAV.model_dump_json().encode()


class Wire:
    """Stand between a client and its server; lose what the server says, and break."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ends: list[asyncio.StreamWriter] = []
        self._loses = False
        self.connections = 0

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to_client: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if not (to_client and self._loses):
                    writer.write(data)
        writer.close()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up, down = await asyncio.open_connection("127.0.0.1", self._port)
        self._ends = [writer, down]
        self.connections += 1
        await asyncio.gather(self._pass(reader, down, False), self._pass(up, writer, True))

    def lose(self) -> None:
        self._loses = True

    def break_off(self) -> None:
        self._loses = False
        for end in self._ends:
            end.close()


@asynccontextmanager
async def two_buses(home: Path) -> AsyncIterator[tuple[NatsBus, NatsBus, Wire]]:
    """Yield a bus, another one behind a wire, and the wire."""
    server = NatsServer(home)
    address = await server.start()
    wire = Wire(int(address.url.rsplit(":", 1)[1]))
    proxy = await asyncio.start_server(wire.connect, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    behind = NatsAddress(f"nats://127.0.0.1:{port}", address.token)
    near = await NatsBus.connect(lambda: address)
    far = await NatsBus.connect(lambda: behind)
    try:
        yield near, far, wire
    finally:
        await far.close()
        await near.close()
        proxy.close()
        await server.stop()


async def tell(bus: NatsBus, *names: str) -> None:
    for name in names:
        await bus.publish_durable(SUBJECT, DATA, message_id=name)


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not what():  # noqa: ASYNC110 (nothing tells)
            await asyncio.sleep(0.02)


@asynccontextmanager
async def a_reader(bus: NatsBus, home: Path, linger_s: float = 0.0) -> AsyncIterator[list[str]]:
    """Yield the ids of what a running pump has taken."""
    seen: list[str] = []

    async def note(tx: AsyncConnection, event: Event) -> None:
        seen.append(event.message_id)

    store = await Store.open(home / "reader.sqlite", name="reader")
    pump = EventPump(bus, store, name="reader", streams=["OMS"], handler=note)
    await pump.start()
    task = asyncio.create_task(pump.run(idle_s=0.2, linger_s=linger_s))
    try:
        yield seen
    finally:
        await end_tasks([task])
        await pump.close()
        await store.close()


async def test_what_was_on_the_wire_when_it_broke_is_read_again(tmp_path: Path) -> None:
    async with two_buses(tmp_path) as (near, far, wire):
        await near.ensure_stream(STREAMS["OMS"])
        async with a_reader(far, tmp_path, linger_s=1.0) as seen:  # "a" and "d" in one batch
            await tell(near, "a")
            await asyncio.sleep(0.1)
            wire.lose()
            await tell(near, "b", "c")
            await asyncio.sleep(0.1)
            wire.break_off()
            await until(lambda: wire.connections == 2 and far.connected)
            await tell(near, "d")
            await until(lambda: len(seen) == 4)
    assert seen == ["a", "b", "c", "d"]


async def test_a_follower_ends_before_what_it_lacks(tmp_path: Path) -> None:
    async with two_buses(tmp_path) as (near, far, wire):
        await near.ensure_stream(STREAMS["OMS"])
        follower = await far.consumer("OMS", "r", start_sequence=1, acknowledge=False)
        await tell(near, "a")
        await asyncio.sleep(0.2)
        wire.lose()
        await tell(near, "b")
        await asyncio.sleep(0.2)
        wire.break_off()
        await until(lambda: wire.connections == 2 and far.connected)
        await tell(near, "c")
        await asyncio.sleep(0.3)
        taken = [m.message_id for m in await follower.fetch(10, timeout_s=1)]
        assert taken == ["a"]  # one after the gap would say that all before it is read
        assert await follower.fetch(10, timeout_s=1) == []


async def test_a_reader_passes_over_messages_that_were_removed(tmp_path: Path) -> None:
    async with two_buses(tmp_path) as (near, _, _):
        await near.ensure_stream(STREAMS["OMS"])
        await tell(near, "a")
        async with a_reader(near, tmp_path) as seen:
            await until(lambda: seen == ["a"])
        await tell(near, "b", "c", "d")
        for sequence in (2, 3):
            await near._stream_api.delete_msg("OMS", sequence)
        async with a_reader(near, tmp_path) as seen:
            await until(lambda: seen == ["d"])
            await tell(near, "e", "f")
            await until(lambda: len(seen) == 3)
            assert seen == ["d", "e", "f"]


async def test_a_reader_that_is_far_behind_has_little_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest stays in the stream until it has caught up, and comes in its order."""
    monkeypatch.setattr(nats_messages, "_MOST_MESSAGES", 10)
    names = [f"n{number}" for number in range(35)]
    async with two_buses(tmp_path) as (near, far, _):
        await near.ensure_stream(STREAMS["OMS"])
        await tell(near, *names)
        follower = await far.consumer("OMS", "r", start_sequence=1, acknowledge=False)
        await asyncio.sleep(0.3)
        fetched = [m.message_id for _ in range(2) for m in await follower.fetch(50, timeout_s=1)]
        assert fetched == names[:10]
        async with a_reader(far, tmp_path) as seen:
            await until(lambda: len(seen) == len(names))
            assert seen == names


async def test_large_messages_do_not_wait_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_messages, "_MOST_BYTES", 3 * len(DATA))
    async with two_buses(tmp_path) as (near, far, _):
        await near.ensure_stream(STREAMS["OMS"])
        await tell(near, "a", "b", "c", "d")
        follower = await far.consumer("OMS", "r", start_sequence=1, acknowledge=False)
        await asyncio.sleep(0.3)
        assert len(await follower.fetch(50, timeout_s=1)) == 3
