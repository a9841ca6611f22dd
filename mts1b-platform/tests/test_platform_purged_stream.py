"""A stream that an administrator empties, or deletes, while the services run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.nats import OMS_NAV_UPDATED, STREAMS, with_fund
from mts1b_platform.eventbus.nats import NatsBus
from mts1b_platform.eventbus.server import NatsServer
from mts1b_platform.pump import Event, EventPump
from mts1b_platform.store import OutboxRelay, Store
from mts1b_platform.store import outbox as outbox_module
from mts1b_platform.supervision import end_tasks
from sqlalchemy.ext.asyncio import AsyncConnection

SUBJECT = with_fund(OMS_NAV_UPDATED, "f")
AT = datetime(2026, 1, 2, 21, tzinfo=UTC)


@asynccontextmanager
async def a_bus(home: Path) -> AsyncIterator[NatsBus]:
    server = NatsServer(home)
    address = await server.start()
    bus = await NatsBus.connect(lambda: address)
    try:
        yield bus
    finally:
        await bus.close()
        await server.stop()


async def tell(store: Store, *names: str) -> None:
    nav = NavSnapshot(fund_id="f", as_of=AT, nav_usd=Decimal(1), cash_usd=Decimal(0))
    data = nav.model_dump_json().encode()
    async with store.transaction() as tx:
        await store.outbox.add_many(tx, [(name, SUBJECT, data) for name in names])


@pytest.mark.parametrize("how", ["purge", "delete"])
async def test_every_event_arrives_although_the_stream_was_emptied(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "_LOOK_EVERY_S", 0.2)
    seen: list[str] = []

    async def note(tx: AsyncConnection, event: Event) -> None:
        seen.append(event.message_id)

    store = await Store.open(tmp_path / "publisher.sqlite", name="publisher")
    reader = await Store.open(tmp_path / "reader.sqlite", name="reader")
    async with a_bus(tmp_path) as bus:
        await bus.ensure_stream(STREAMS["OMS"], duplicate_window_s=1.0)
        relay = OutboxRelay(store, bus, STREAMS["OMS"])
        await relay.start()
        pump = EventPump(bus, reader, name="reader", streams=["OMS"], handler=note)
        await pump.start()
        await tell(store, "a", "b")
        await relay.flush()
        await pump.drain({"OMS": 2})
        await pump.close()
        await tell(store, "c", "d")  # the reader is down
        await relay.flush()
        api = bus._stream_api
        await (api.purge_stream("OMS") if how == "purge" else api.delete_stream("OMS"))
        again = EventPump(bus, reader, name="reader", streams=["OMS"], handler=note)
        await again.start()
        tasks = [asyncio.create_task(relay.run()), asyncio.create_task(again.run(idle_s=0.2))]
        await tell(store, "e")
        try:
            async with asyncio.timeout(8):
                while len(seen) < 5:  # noqa: ASYNC110 (nothing tells)
                    await asyncio.sleep(0.02)
        finally:
            await end_tasks(tasks)
            await again.close()
    assert seen[:2] == ["a", "b"]
    assert sorted(seen) == ["a", "b", "c", "d", "e"]  # what is published anew may be overtaken
    await store.close()
    await reader.close()


async def test_a_relay_without_readers_makes_its_stream_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "_LOOK_EVERY_S", 0.2)
    store = await Store.open(tmp_path / "publisher.sqlite", name="publisher")
    async with a_bus(tmp_path) as bus:
        relay = OutboxRelay(store, bus, STREAMS["OMS"])
        await relay.start()
        await tell(store, "a")
        await relay.flush()
        await bus._stream_api.delete_stream("OMS")
        await tell(store, "b")
        task = asyncio.create_task(relay.run())
        try:
            async with asyncio.timeout(8):
                while relay.head < 2 or relay.waits_for is not None:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        finally:
            await end_tasks([task])
        assert (await bus.stream_info("OMS")).last_sequence == 2
    await store.close()
