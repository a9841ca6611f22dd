"""Serve ``/healthz`` and ``/metrics`` of a process, on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from mts1b_platform.connections import Connections
from mts1b_platform.hosts import is_own_host

__all__ = ["HealthServer", "PortInUse"]

Health = Callable[[], Awaitable[dict[str, dict[str, str]]]]

_LIMIT = 8192
_PATIENCE_S = 5.0
_REASONS = {
    200: "OK",
    404: "Not Found",
    405: "Method Not Allowed",
    421: "Misdirected Request",
    503: "Service Unavailable",
}
_LOOPBACK = "127.0.0.1"


class PortInUse(OSError):
    """Another process listens on the port."""


class HealthServer:
    """A GET-only server for two paths.

    :param port: 0 for any free port.
    :param health: returns for each service its named checks.
    """

    def __init__(self, port: int, health: Health) -> None:
        self._port = port
        self._health = health
        self._connections = Connections(self._serve)
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen; return the port.

        :raises PortInUse: when the port is taken.
        """
        try:
            self._server = await asyncio.start_server(
                self._connections.accept, _LOOPBACK, self._port, limit=_LIMIT
            )
        except OSError as error:
            raise PortInUse(
                f"port {self._port} is in use; set service.health_port to a free port, or to 0 "
                "for any"
            ) from error
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Stop listening, and hang up."""
        if self._server is not None:
            server, self._server = self._server, None
            await self._connections.end(server)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                head = await reader.readuntil(b"\r\n\r\n")
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return  # a client that speaks no HTTP needs no answer
        status, kind, body = await self._respond(head)
        reply = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(reply.encode() + body)
        await writer.drain()

    async def _respond(self, head: bytes) -> tuple[int, str, bytes]:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, _, rest = first.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        hosts = [line[5:] for line in lines if line[:5].lower() == "host:"]
        if len(hosts) != 1 or not is_own_host(hosts[0], listens_on=_LOOPBACK):
            return 421, "text/plain", b"call this machine by localhost or 127.0.0.1\n"
        if method != "GET":
            return 405, "text/plain", b"only GET\n"
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest()
        if path == "/healthz":
            services = await self._health()
            good = all(value == "ok" for checks in services.values() for value in checks.values())
            body = {"status": "ok" if good else "failing", "services": services}
            return (200 if good else 503), "application/json", json.dumps(body).encode()
        return 404, "text/plain", b"see /healthz and /metrics\n"
