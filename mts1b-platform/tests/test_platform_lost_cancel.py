"""Stopping ends tasks also where a cancellation gets lost on the way, as ``wait_for`` loses one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from mts1b_foundation.nats import STREAMS
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.pump import EventPump
from mts1b_platform.store import Store
from mts1b_platform.supervision import OwnedTasks, TaskGroupSupervisor


def _supervisor() -> TaskGroupSupervisor:
    def failed(name: str, error: Exception) -> None:
        raise AssertionError(f"{name}: {error}")

    return TaskGroupSupervisor(failed)


class _Forgetful:
    """A consumer that forgets the first cancellation and comes back as if nothing had been."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.forgot = 0

    async def fetch(self, max_messages: int, *, timeout_s: float) -> list[Any]:
        self.asked.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if self.forgot:
                raise
            self.forgot += 1
        return []

    async def close(self) -> None:
        return


class _Bus(LocalBus):
    def __init__(self, reader: _Forgetful) -> None:
        super().__init__()
        self.reader = reader

    async def consumer(self, stream: str, durable: str, **options: Any) -> Any:
        return self.reader


async def test_a_task_that_forgets_a_cancellation_is_cancelled_again() -> None:
    reader = _Forgetful()

    async def work() -> None:
        while True:
            await reader.fetch(1, timeout_s=1.0)

    supervisor = _supervisor()
    tasks = OwnedTasks(supervisor)
    tasks.start("forgetful", work())
    await reader.asked.wait()
    async with asyncio.timeout(10):
        await tasks.stop()
        await supervisor.stop()
    assert reader.forgot == 1


async def test_a_pump_whose_bus_forgets_a_cancellation_ends(tmp_path: Path) -> None:
    bus = _Bus(_Forgetful())
    await bus.ensure_stream(STREAMS["OMS"])
    store = await Store.open(tmp_path / "a.sqlite", name="a")

    async def handle(tx: Any, event: Any) -> None:
        return

    pump = EventPump(bus, store, name="a", streams=["OMS"], handler=handle)
    await pump.start()
    tasks = OwnedTasks(_supervisor())
    tasks.start("pump", pump.run())
    await bus.reader.asked.wait()
    async with asyncio.timeout(10):
        await tasks.stop()
    assert bus.reader.forgot == 1
    await store.close()
    await bus.close()


class _Ends:
    """A consumer that waits for ever and notes when it is cancelled."""

    def __init__(self, stream: str, ended: list[str]) -> None:
        self._stream, self._ended = stream, ended

    async def fetch(self, max_messages: int, *, timeout_s: float) -> list[Any]:
        try:
            await asyncio.Event().wait()
        finally:
            self._ended.append(self._stream)
        return []

    async def close(self) -> None:
        return


class _EndsBus(LocalBus):
    def __init__(self) -> None:
        super().__init__()
        self.ended: list[str] = []

    async def consumer(self, stream: str, durable: str, **options: Any) -> Any:
        return _Ends(stream, self.ended)


async def test_readers_end_in_the_order_in_which_they_began(tmp_path: Path) -> None:
    """So that a simulated death is the same in each process that replays its seed."""
    store = await Store.open(tmp_path / "a.sqlite", name="a")

    async def handle(tx: Any, event: Any) -> None:
        return

    streams = list(STREAMS)
    for _ in range(5):
        bus = _EndsBus()
        for stream in streams:
            await bus.ensure_stream(STREAMS[stream])
        pump = EventPump(bus, store, name="a", streams=streams, handler=handle)
        await pump.start()
        supervisor = _supervisor()
        supervisor.start("pump", pump.run())
        await asyncio.sleep(0.01)
        supervisor.kill()
        await supervisor.stop()
        assert bus.ended == streams
        await bus.close()
    await store.close()
