"""A pump whose bus goes away while it reads for a tick."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mts1b_foundation.nats import STREAMS
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.eventbus.port import BusError, StreamInfo
from mts1b_platform.pump import Event, EventPump
from mts1b_platform.store import Store
from platform_pruning import DATA, SUBJECT
from sqlalchemy.ext.asyncio import AsyncConnection


class Flickering(LocalBus):
    """A bus that is away for the first questions once it is told so."""

    away = 0

    async def stream_info(self, stream: str) -> StreamInfo:
        """Answer, or be away."""
        if self.away:
            self.away -= 1
            await self.publish_durable(SUBJECT, DATA, message_id="a")
            raise BusError(f"stream {stream}: no answer")
        return await super().stream_info(stream)


async def test_a_tick_waits_for_a_bus_that_is_away_for_a_moment(tmp_path: Path) -> None:
    bus = Flickering()
    await bus.ensure_stream(STREAMS["OMS"])
    store = await Store.open(tmp_path / "r.sqlite", name="r")
    seen: list[str] = []

    async def note(tx: AsyncConnection, event: Event) -> None:
        seen.append(event.message_id)

    pump = EventPump(bus, store, name="r", streams=["OMS"], handler=note)
    await pump.start()
    bus.away = 2
    async with asyncio.timeout(10):
        assert await pump.drain({"OMS": 1}) == 1
    assert seen == ["a"]
    await pump.close()
    await store.close()
    await bus.close()
