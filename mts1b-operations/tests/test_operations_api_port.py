"""The server of the public API: it lets go of its port, and of peers that never end a request."""

from __future__ import annotations

import asyncio

import pytest
from fastapi import FastAPI, Request
from mts1b_operations.api import server as api_server
from mts1b_operations.api.server import ApiServer


async def test_a_cancelled_server_gives_its_port_back() -> None:
    server = ApiServer(FastAPI(), host="127.0.0.1", port=0)
    port = server.bind()
    running = asyncio.create_task(server.run())
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"404" in await reader.readline()  # so it has started
    writer.close()
    running.cancel()
    await asyncio.wait({running})
    again = ApiServer(FastAPI(), host="127.0.0.1", port=port)
    assert again.bind() == port
    await again.stop()


def _app() -> FastAPI:
    app = FastAPI()

    @app.post("/slow")
    async def slow(request: Request) -> str:
        body = await request.body()
        await asyncio.sleep(float(body))
        return "done"

    return app


STUCK = {
    "nothing": b"",
    "half a head": b"GET /v1/fu",
    "half a body": b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n0",
    "half a second head": b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /",
}


@pytest.mark.parametrize("name", STUCK)
async def test_a_peer_that_never_ends_its_request_is_let_go(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_server, "_PATIENCE_S", 0.1)
    server = ApiServer(_app(), host="127.0.0.1", port=0)
    port = server.bind()
    running = asyncio.create_task(server.run())
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(STUCK[name])
    await asyncio.wait_for(reader.read(), 5)
    assert reader.at_eof(), "only the server can end it"
    writer.close()
    await server.stop()
    await running


async def test_an_answer_that_takes_its_time_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_server, "_PATIENCE_S", 0.1)
    server = ApiServer(_app(), host="127.0.0.1", port=0)
    port = server.bind()
    running = asyncio.create_task(server.run())
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n0.5")
    assert b"done" in await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await server.stop()
    await running
