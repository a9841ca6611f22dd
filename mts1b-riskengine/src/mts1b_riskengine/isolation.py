"""Run foreign code in a task of its own, so that whatever it does becomes a value."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Answered", "Failed", "Outcome", "TimedOut", "isolate"]


@dataclass(frozen=True, slots=True)
class Answered:
    """It returned this value."""

    value: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """It raised, or was cancelled from within."""

    error: str


@dataclass(frozen=True, slots=True)
class TimedOut:
    """It had not answered when its time was up."""

    budget_s: float


Outcome = Answered | Failed | TimedOut


async def isolate(call: Callable[[], Awaitable[Any]], *, budget_s: float) -> Outcome:
    """Await ``call()`` for at most ``budget_s`` seconds and return what became of it.

    Code that never yields can not be interrupted; it delays its caller but its answer counts.
    """
    task = asyncio.ensure_future(_awaited(call))
    try:
        await asyncio.wait({task}, timeout=budget_s)
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(_swallow)
    if not task.done():
        await asyncio.sleep(0)
        return TimedOut(budget_s)
    if task.cancelled():
        return Failed("it cancelled itself")
    error = task.exception()
    if error is not None:
        return Failed(f"{type(error).__name__}: {error}")
    return Answered(task.result())


async def _awaited(call: Callable[[], Awaitable[Any]]) -> Any:
    return await call()


def _swallow(task: asyncio.Future[Any]) -> None:
    if not task.cancelled():
        task.exception()
