"""Tasks that end when their owner stops, before the service's supervisor ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from mts1b_platform.supervision import TaskGroupSupervisor

__all__ = ["OwnedTasks"]


class OwnedTasks:
    """Run tasks under a supervisor; :meth:`stop` ends them and waits, once and for all."""

    def __init__(self, supervisor: TaskGroupSupervisor) -> None:
        self._supervisor = supervisor
        self._stopping = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work``; what it raises goes to the supervisor."""
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        self._supervisor.start(name, self._watch(task))

    async def _watch(self, task: asyncio.Task[None]) -> None:
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if task.done() and not task.cancelled():
                task.result()
        finally:
            stopped.cancel()
            task.cancel()

    async def stop(self) -> None:
        """Cancel everything and return when it has ended."""
        self._stopping.set()
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
