"""A service that dies while it answers its health check is unhealthy, and nothing worse."""

from __future__ import annotations

import asyncio

import pytest
from mts1b_operations.probes import health_of


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1", b"HTTP/1.1 20", b"HTTP/1.1 2x0 OK\r\n\r\n"])
async def test_an_answer_that_was_cut_off_is_no_health(answer: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    healthy, detail = await health_of(server.sockets[0].getsockname()[1])
    assert (healthy, "no answer" in detail) == (False, True)
    server.close()
    await server.wait_closed()
