"""A server of ours ends whatever its clients do, and nothing of it lives on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mts1b_platform import connections
from mts1b_platform.halt import HaltSocket, ask
from mts1b_platform.service.http import HealthServer


@asynccontextmanager
async def nothing_left(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Ask for an end within a while, after which no task is left."""
    monkeypatch.setattr(connections, "_FINISH_S", 0.2)
    async with asyncio.timeout(4):
        yield
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def hung_up(reader: asyncio.StreamReader) -> bool:
    """Return whether the other side has ended the connection, whatever it sent before."""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(2):
            while await reader.read(65536):
                pass
    return reader.at_eof() or reader.exception() is not None


async def yes(request: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"ok": True}


async def test_a_client_of_the_halt_socket_that_says_nothing_keeps_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = HaltSocket(tmp_path, "oms", yes)
    await socket.start()
    reader, writer = await asyncio.open_unix_connection(str(socket.path))
    await ask(socket.path, {}, timeout_s=2)
    async with nothing_left(monkeypatch):
        await socket.close()
    assert await hung_up(reader)
    writer.close()


async def test_a_halt_that_is_being_answered_is_answered_to_its_end(tmp_path: Path) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: Mapping[str, Any]) -> Mapping[str, Any]:
        begun.set()
        await go_on.wait()
        return {"left": 0}

    socket = HaltSocket(tmp_path, "oms", slow)
    await socket.start()
    asked = asyncio.create_task(ask(socket.path, {"do": "halt"}, timeout_s=5))
    await begun.wait()
    closing = asyncio.create_task(socket.close())
    await asyncio.sleep(0.05)
    go_on.set()
    assert await asked == {"left": 0}
    await closing


async def test_a_line_of_the_halt_socket_that_does_not_end_is_answered(tmp_path: Path) -> None:
    socket = HaltSocket(tmp_path, "oms", yes)
    await socket.start()
    reader, writer = await asyncio.open_unix_connection(str(socket.path))
    writer.write(b"x" * (5 << 20))
    assert b"error" in await reader.readline()
    writer.close()
    await socket.close()


async def healthy() -> dict[str, dict[str, str]]:
    return {}


async def long() -> dict[str, dict[str, str]]:
    return {"one": {"bus": "x" * 50_000_000}}


@pytest.mark.parametrize(
    ("health", "said"), [(healthy, b""), (long, b"GET /healthz HTTP/1.1\r\n\r\n")]
)
async def test_a_client_of_the_health_keeps_nobody(
    monkeypatch: pytest.MonkeyPatch,
    health: Callable[[], Awaitable[dict[str, dict[str, str]]]],
    said: bytes,
) -> None:
    """One says nothing, the other does not read what it asked for."""
    server = HealthServer(0, health)
    port = await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    await asyncio.sleep(0.3)
    async with nothing_left(monkeypatch):
        await server.stop()
    assert await hung_up(reader)
    writer.close()
