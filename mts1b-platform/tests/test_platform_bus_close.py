"""A bus whose server is gone can be closed: a service ends in order while NATS is down."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mts1b_platform import supervision
from mts1b_platform.errors import FixConfiguration
from mts1b_platform.eventbus import nats, nats_client
from mts1b_platform.eventbus import server as server_module
from mts1b_platform.eventbus.nats import NatsBus, NatsUnavailable
from mts1b_platform.eventbus.port import BusError, Message, RequestTimeout
from mts1b_platform.eventbus.server import NatsAddress, NatsServer, NatsServerFailed
from mts1b_platform.supervision import end_tasks
from nats.aio.client import Client

LOOPS = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


def run(loop: str, work: Coroutine[Any, Any, None]) -> None:
    runner = asyncio.run if loop == "asyncio" else pytest.importorskip("uvloop").run
    runner(work)


async def forget(message: Message) -> None:
    """Hear it and do nothing."""


@asynccontextmanager
async def closed_in_time(home: Path) -> AsyncIterator[tuple[NatsServer, NatsBus]]:
    """Yield a bus that listens; then it closes soon, and nothing of it is left."""
    server = NatsServer(home)
    address = await server.start()
    bus = await NatsBus.connect(lambda: address)
    await bus.serve("echo", lambda data: asyncio.sleep(0, data))
    await bus.subscribe("y", forget)
    pid = server.pid or 0
    try:
        yield server, bus
        async with asyncio.timeout(8):
            await bus.close()
            while any("nats" in repr(task) for task in asyncio.all_tasks()):  # noqa: ASYNC110 (nothing tells)
                await asyncio.sleep(0.01)
        with pytest.raises(BusError):
            await bus.subscribe("y", forget)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        await server.stop()


@LOOPS
def test_close_while_the_server_is_away(tmp_path: Path, loop: str) -> None:
    async def work() -> None:
        async with closed_in_time(tmp_path) as (server, bus):
            os.kill(server.pid or 0, signal.SIGKILL)
            await server.wait()
            with pytest.raises(RequestTimeout):
                await bus.request("echo", b"", timeout_s=0.5)

    run(loop, work())


@LOOPS
def test_close_while_the_server_is_frozen_and_much_is_unsaid(tmp_path: Path, loop: str) -> None:
    async def work() -> None:
        async with closed_in_time(tmp_path) as (server, bus):
            os.kill(server.pid or 0, signal.SIGSTOP)
            for _ in range(60):
                await bus.publish("y", b"x" * 100_000)
        assert not bus.connected

    run(loop, work())


async def test_what_was_said_before_the_close_arrives(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    address = await server.start()
    heard: list[bytes] = []

    async def hear(message: Message) -> None:
        heard.append(message.data)

    listener = await NatsBus.connect(lambda: address)
    await listener.subscribe("y", hear)
    speaker = await NatsBus.connect(lambda: address)
    for number in range(60):
        await speaker.publish("y", f"{number} ".encode() * 30_000)
    await speaker.close()
    async with asyncio.timeout(5):
        while len(heard) < 60:  # noqa: ASYNC110 (nothing tells)
            await asyncio.sleep(0.02)
    assert [int(data.split()[0]) for data in heard] == list(range(60))
    await listener.close()
    await server.stop()


async def test_no_handler_of_a_request_outlives_its_bus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats, "_REPLIES_S", 0.1)
    server = NatsServer(tmp_path)
    address = await server.start()
    served, asks = [await NatsBus.connect(lambda: address) for _ in range(2)]
    begun, ended = asyncio.Event(), asyncio.Event()

    async def slow(data: bytes) -> bytes:
        begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()
        return b""

    await served.serve("slow", slow)
    asked = asyncio.create_task(asks.request("slow", b"", timeout_s=5))
    await begun.wait()
    await served.close()
    assert ended.is_set()
    await end_tasks([asked])
    await asks.close()
    await server.stop()


async def test_a_cancellation_as_it_has_connected_leaves_no_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    did: list[str] = []

    class Prompt(Client):
        """Connects at once, and is cancelled in this moment."""

        async def connect(self, *servers: Any, **options: Any) -> None:
            did.append("connect")
            self._status = Client.CONNECTED
            connecting.cancel()

        async def close(self) -> None:
            did.append("close")

    monkeypatch.setattr(nats_client, "Client", Prompt)
    address = NatsAddress("nats://127.0.0.1:1")
    connecting = asyncio.create_task(NatsBus.connect(lambda: address))
    with pytest.raises(asyncio.CancelledError):
        await connecting
    assert did == ["connect", "close"]


class Stubborn(Client):
    """A client that loses a cancellation, as ``asyncio.wait_for`` may before Python 3.12."""

    async def connect(self, *servers: Any, **options: Any) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()
        await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """Close what never opened."""


async def test_a_connection_that_loses_its_cancellation_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nats_client, "Client", Stubborn)
    monkeypatch.setattr(nats_client, "_CONNECT_S", 0.05)
    monkeypatch.setattr(supervision, "_AGAIN_S", 0.05)
    async with asyncio.timeout(5):
        with pytest.raises(NatsUnavailable, match="TimeoutError"):
            await NatsBus.connect(lambda: NatsAddress("nats://127.0.0.1:1"), patience_s=0.0)


async def test_a_client_comes_back_although_it_could_not_read_where_the_server_is(
    tmp_path: Path,
) -> None:
    """The folder of users is there before all of them are, while a server starts with none."""
    server = NatsServer(tmp_path)
    address = await server.start()
    asked = 0

    def locate() -> NatsAddress:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise FixConfiguration("the bus knows no such user")
        return address

    bus = await NatsBus.connect(locate)
    os.kill(server.pid or 0, signal.SIGKILL)
    await server.wait()
    async with asyncio.timeout(10):
        while asked < 2:  # noqa: ASYNC110 (nothing tells)
            await asyncio.sleep(0.02)
        await server.stop()
        await server.start()
        while not bus.connected:  # noqa: ASYNC110 (nothing tells)
            await asyncio.sleep(0.02)
    assert asked >= 2, "it was told that nobody knows where the server is"
    await bus.close()
    await server.stop()


async def test_another_program_that_took_the_port_and_is_silent_ends_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_START_S", 0.5)
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexec sleep 30\n")
    silent.chmod(0o755)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    (tmp_path / "nats").mkdir()
    (tmp_path / "nats" / "server.log").touch()
    server = NatsServer(tmp_path, environ={"MTS_NATS_SERVER_BIN": str(silent)})
    monkeypatch.setattr(server, "_free_port", lambda: port)
    with listener:
        async with asyncio.timeout(5):
            with pytest.raises(NatsServerFailed, match=f"did not come up on port {port}"):
                await server.start()
    assert server.pid is None
