"""A server of the public API that is cancelled lets go of its port."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI
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
