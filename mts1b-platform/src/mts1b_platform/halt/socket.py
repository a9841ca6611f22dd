"""Reach a sender on this machine without any bus: one line of JSON in, one line out."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mts1b_platform.connections import Connections
from mts1b_platform.errors import RetryLater

__all__ = ["HaltSocket", "SocketSilent", "ask", "sockets_of"]

_LIMIT = 1 << 22
_ADDRESS = 100
Handler = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


class SocketSilent(RetryLater):
    """Nobody answers on the socket: the sender is gone, or frozen."""


class HaltSocket:
    """Serve ``<folder>/halt-<name>.sock`` for this user alone."""

    def __init__(self, folder: Path, name: str, handler: Handler) -> None:
        self.path = folder / f"halt-{name}.sock"
        self._handler = handler
        self._connections = Connections(self._serve)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; a socket that a dead predecessor left is replaced."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            with _reachable(self.path) as path:
                self._server = await asyncio.start_unix_server(
                    self._connections.accept, path=path, limit=_LIMIT
                )
        finally:
            os.umask(before)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            reply = await self._answer(await reader.readline())
        except ValueError:
            reply = {"error": "a line that does not end"}
        writer.write(json.dumps(reply).encode() + b"\n")
        await writer.drain()

    async def _answer(self, line: bytes) -> Mapping[str, Any]:
        try:
            request = json.loads(line)
        except ValueError:
            return {"error": "not one line of JSON"}
        if not isinstance(request, dict):
            return {"error": "not a JSON object"}
        return await self._handler(request)

    async def close(self) -> None:
        """Stop listening and take the socket away."""
        if self._server is not None:
            server, self._server = self._server, None
            await self._connections.end(server)
        self.path.unlink(missing_ok=True)


@contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """Yield a name of the socket that fits into an address, which has room for about 100 bytes."""
    if len(os.fsencode(path)) < _ADDRESS or not Path("/proc/self/fd").is_dir():
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def sockets_of(folder: Path) -> list[Path]:
    """Return the halt sockets of a machine's senders, by name."""
    return sorted(folder.glob("halt-*.sock"))


async def ask(path: Path, request: Mapping[str, Any], *, timeout_s: float) -> Mapping[str, Any]:
    """Send one request and return the reply.

    :raises SocketSilent: when nobody answers in time.
    """
    try:
        async with asyncio.timeout(timeout_s):
            with _reachable(path) as reachable:
                reader, writer = await asyncio.open_unix_connection(reachable, limit=_LIMIT)
            try:
                writer.write(json.dumps(request).encode() + b"\n")
                await writer.drain()
                line = await reader.readline()
            finally:
                writer.close()
        reply = json.loads(line)
    except (OSError, ValueError, TimeoutError) as error:
        detail = f"{type(error).__name__}: {error}".rstrip(": ")
        raise SocketSilent(f"{path.name} does not answer ({detail})") from error
    if not isinstance(reply, dict):
        raise SocketSilent(f"{path.name} answers {line[:80]!r}")
    return reply
