"""The connections of a server of our own: none of them outlives it, and none keeps it from ending.

``asyncio.Server.wait_closed`` waits for every client since Python 3.12, and for none before.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from mts1b_platform.supervision import end_tasks

__all__ = ["Connections"]

_FINISH_S = 1.0
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Connections:
    """Serve each connection in a task. Give :meth:`accept` to ``asyncio.start_server``."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._tasks: dict[asyncio.Task[None], None] = {}

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one more."""
        task = asyncio.create_task(self._attend(reader, writer))
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError):  # a client that left needs no answer
                await self._serve(reader, writer)
                writer.close()
                await writer.wait_closed()
        finally:
            writer.transport.abort()

    async def end(self, server: asyncio.Server) -> None:
        """Stop listening; give what is being answered a moment, then hang up."""
        server.close()
        tasks = list(self._tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=_FINISH_S)
        await end_tasks(tasks)
        await server.wait_closed()
