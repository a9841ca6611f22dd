"""By which names a server is called."""

from __future__ import annotations

import asyncio

import pytest
from mts1b_platform.hosts import is_own_host
from mts1b_platform.service.http import HealthServer


@pytest.mark.parametrize(
    ("given", "listens_on", "names", "known"),
    [
        ("localhost", "127.0.0.1", (), True),
        ("LocalHost.:8080", "127.0.0.1", (), True),
        ("127.0.0.1", "127.0.0.1", (), True),
        ("127.9.9.9:1", "127.0.0.1", (), True),
        ("[::1]:80", "127.0.0.1", (), True),
        ("10.0.0.7", "10.0.0.7", (), True),
        ("10.0.0.8", "10.0.0.7", (), False),
        ("10.0.0.8", "0.0.0.0", (), True),
        ("[2001:db8::1]:80", "::", (), True),
        ("desk.example", "0.0.0.0", (), False),
        ("Desk.Example:443", "127.0.0.1", ("desk.example",), True),
        ("desk.example", "127.0.0.1", ("DESK.example",), True),
        ("desk.example.evil.example", "127.0.0.1", ("desk.example",), False),
        ("localhost.evil.example", "127.0.0.1", (), False),
        ("evil.example@localhost", "127.0.0.1", (), False),
        ("localhost/evil.example", "127.0.0.1", (), False),
        ("localhost:80:80", "127.0.0.1", (), False),
        ("0x7f000001", "127.0.0.1", (), False),
        ("[::1", "127.0.0.1", (), False),
        ("", "127.0.0.1", (), False),
        (" ", "127.0.0.1", (), False),
    ],
)
def test_only_names_that_nobody_else_can_give_it(
    given: str, listens_on: str, names: tuple[str, ...], known: bool
) -> None:
    assert is_own_host(given, listens_on=listens_on, names=names) is known


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("Host: 127.0.0.1:1\r\n", 200),
        ("host:  localhost \r\n", 200),
        ("Host: evil.example\r\n", 421),
        ("Host: localhost\r\nHost: evil.example\r\n", 421),
        ("", 421),
    ],
)
async def test_health_and_metrics_are_told_to_who_calls_this_machine(
    head: str, status: int
) -> None:
    async def health() -> dict[str, dict[str, str]]:
        return {}

    server = HealthServer(0, health)
    port = await server.start()
    try:
        for path in ("/healthz", "/metrics"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
            answer = await reader.read()
            writer.close()
            assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    finally:
        await server.stop()
