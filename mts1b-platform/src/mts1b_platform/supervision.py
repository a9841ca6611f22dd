"""The boundary around every task: what a handler or service raises ends here, and is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from mts1b_platform.eventbus.port import Message, MessageHandler, RemoteError, RequestHandler
from mts1b_platform.logging import get_logger

__all__ = ["OwnedTasks", "TaskGroupSupervisor", "answer", "end_tasks", "hand_over", "remote_code"]

_AGAIN_S = 2.0


def remote_code(error: BaseException) -> str:
    """Return the code that a requester sees for an exception."""
    code = getattr(error, "code", None)
    return code if isinstance(code, str) else type(error).__name__


async def answer(handler: RequestHandler, data: bytes) -> bytes:
    """Run a request handler as the far side of a wire does: what it raises travels as text.

    :raises RemoteError: for anything that the handler raised.
    """
    try:
        return await handler(data)
    except RemoteError:
        raise
    except Exception as error:
        raise RemoteError(remote_code(error), str(error)) from error


async def hand_over(handler: MessageHandler, message: Message) -> None:
    """Run the handler of a subscription; what it raises is told, and the next message comes."""
    try:
        await handler(message)
    except Exception as error:
        get_logger("bus").error(
            "handler failed", subject=message.subject, error=repr(error), exc_info=error
        )


class TaskGroupSupervisor:
    """Run named tasks; the first that fails is handed to ``on_failure``, once.

    Nothing is swallowed: a failed task stops the service, so that it restarts from its store.
    """

    def __init__(self, on_failure: Callable[[str, Exception], None]) -> None:
        self._on_failure = on_failure
        self._tasks: dict[asyncio.Task[None], None] = {}

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run ``work`` until it ends, fails or is stopped."""
        task = asyncio.create_task(work, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._on_failure(task.get_name(), error)

    def kill(self) -> None:
        """Cancel what still runs, the oldest first, and wait for nothing: a process dies."""
        for task in self._tasks:
            task.cancel()

    async def stop(self) -> None:
        """Cancel what still runs, and wait for it."""
        await end_tasks(list(self._tasks))


class OwnedTasks:
    """Run tasks under a supervisor; :meth:`stop` ends them and waits, once and for all.

    For tasks that must end when their owner stops, before the supervisor ends.
    """

    def __init__(self, supervisor: TaskGroupSupervisor) -> None:
        self._supervisor = supervisor
        self._stopped = False
        self._running: dict[asyncio.Task[None], None] = {}

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work``; what it raises goes to the supervisor. After the stop nothing starts."""
        if self._stopped:
            work.close()
            return
        task = self._supervisor.start(name, work)
        self._running[task] = None
        task.add_done_callback(self._running.pop)

    async def stop(self) -> None:
        """Cancel everything and return when it has ended."""
        self._stopped = True
        await end_tasks(list(self._running))


async def end_tasks(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks in their order until they have ended.

    One cancellation may get lost: before Python 3.12, ``asyncio.wait_for`` forgets it where what
    it waits for comes in the same moment.
    """
    left = set(tasks)
    while left:
        for task in tasks:
            if task in left:
                task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)
