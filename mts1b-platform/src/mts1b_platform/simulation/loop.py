"""An event loop whose time is virtual and whose scheduling is a function of a seed.

Equal seeds run equal programs in the same order, whatever the machine does; other seeds try other
orders. Sleeping costs nothing: when no task can go on, time jumps to the next timer.

What stays outside: iteration over sets of objects (``asyncio.wait`` returns sets), threads and real
input or output. Threads and sockets are refused.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import math
import struct
from asyncio import base_events
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, TypeVar, TypeVarTuple, Unpack

from mts1b_platform.errors import MustStop
from mts1b_platform.rng import Rng, SeededRng

__all__ = ["Deadlock", "DeterministicLoop", "LoopClock", "RealWorldTouched", "run"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_EPOCH = datetime(1999, 12, 31, 23, 57, tzinfo=UTC)
"""A day, a month and a year begin while a run is under way."""
_BLOCK = 4096
_MANY_TIMERS = 100


class Deadlock(MustStop):
    """Every task waits for something that can not come."""


class RealWorldTouched(MustStop):
    """The program asked for a thread or a socket, which no seed can decide."""


class _Ready:
    """The ready queue: steps of different tasks change places, plain callbacks keep their order.

    asyncio promises that callbacks run in the order in which they were registered, and code may
    rely on that; nothing promises in which order two ready tasks go on. So all callbacks are one
    line and each task is one of its own, of a single step, as a task has no second step before it
    has made the first. The seed says which line moves. What asyncio's loop does with its queue is
    here and nothing else.
    """

    def __init__(self, rng: Rng) -> None:
        self._random = rng.random
        self._callbacks: deque[asyncio.Handle] = deque()
        self._steps: list[asyncio.Handle] = []
        self._choices: list[int] = []
        self._digest = hashlib.sha256()
        self.taken = 0

    def __len__(self) -> int:
        return len(self._steps) + len(self._callbacks)

    def append(self, handle: asyncio.Handle) -> None:
        callback = handle._callback  # type: ignore[attr-defined]
        if isinstance(getattr(callback, "__self__", None), asyncio.Task):
            self._steps.append(handle)
        else:
            self._callbacks.append(handle)

    def popleft(self) -> asyncio.Handle:
        steps = self._steps
        last = len(steps) - 1
        count = last + 2 if self._callbacks else last + 1
        index = int(self._random() * count) if count > 1 else 0
        self._choices += (index, count)
        if len(self._choices) >= _BLOCK:
            self._digest_choices()
        self.taken += 1
        if index > last:
            return self._callbacks.popleft()
        steps[index], steps[last] = steps[last], steps[index]
        return steps.pop()

    def clear(self) -> None:
        self._steps.clear()
        self._callbacks.clear()

    def _digest_choices(self) -> None:
        self._digest.update(struct.pack(f">{len(self._choices)}I", *self._choices))
        self._choices.clear()

    @property
    def fingerprint(self) -> str:
        """Return a digest of every choice so far, and among how many it was."""
        self._digest_choices()
        return self._digest.hexdigest()


class _NoSelector:
    """Where a real loop waits for the world, this one has nothing to wait for."""

    def close(self) -> None:
        """There is nothing to close."""


class DeterministicLoop(base_events.BaseEventLoop):
    """The loop. Use :func:`run`; make one directly to look at it afterwards.

    :param seed: decides the order in which ready tasks go on.
    """

    _stopping: bool
    _timer_cancelled_count: int

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._now = 0.0
        self._choices = _Ready(SeededRng(seed))
        self._ready = self._choices
        self._selector = _NoSelector()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._timers_made = 0
        self.clock = LoopClock(self)

    def time(self) -> float:
        """Return virtual seconds since the start."""
        return self._now

    @property
    def steps(self) -> int:
        """Return how many callbacks have run."""
        return self._choices.taken

    @property
    def fingerprint(self) -> str:
        """Return a digest of every scheduling choice so far: equal for equal runs."""
        return self._choices.fingerprint

    def call_soon(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Run ``callback`` as soon as its line is chosen."""
        handle = asyncio.Handle(callback, args, self, context)
        self._choices.append(handle)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run ``callback`` at ``when``; of equal times, what was asked for first is first due."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        timer._scheduled = True  # type: ignore[attr-defined]
        self._timers_made += 1
        heapq.heappush(self._timers, (when, self._timers_made, timer))
        return timer

    def _run_once(self) -> None:
        """Let the timers that are due fire, then run what is ready now.

        No timer fires before its time. Two tasks that look whether their deadline is over would
        wake each other for ever, as virtual time stands still meanwhile: for a timer that is due
        at once, time moves by the least that it can, as no real clock stands still between two
        looks either.
        """
        ready = self._choices
        timers = self._live_timers()
        if timers and timers[0][0] <= self._now:
            self._now = math.nextafter(self._now, math.inf)
            self._pass_on_due(ready.append)
        elif not ready and not self._stopping:
            if not timers:
                self.give_up()
            self._now = timers[0][0]
            self._pass_on_due(self._fire)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()

    def _pass_on_due(self, to: Callable[[asyncio.TimerHandle], None]) -> None:
        timers = self._timers
        while timers and timers[0][0] <= self._now:
            _, _, timer = heapq.heappop(timers)
            timer._scheduled = False  # type: ignore[attr-defined]
            to(timer)

    def _fire(self, timer: asyncio.TimerHandle) -> None:
        """Run a timer at once: nothing was ready that could have come before it."""
        self._choices.taken += 1
        if not timer.cancelled():
            timer._run()

    def _live_timers(self) -> list[tuple[float, int, asyncio.TimerHandle]]:
        """Return the timers without those that were cancelled and come first, or are many."""
        timers = self._timers
        if self._timer_cancelled_count > max(_MANY_TIMERS, len(timers) // 2):
            timers[:] = [entry for entry in timers if not entry[2].cancelled()]
            heapq.heapify(timers)
            self._timer_cancelled_count = 0
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
            self._timer_cancelled_count -= 1
        return timers

    def give_up(self) -> NoReturn:
        """Say which tasks wait for ever."""
        names = sorted(task.get_name() for task in asyncio.all_tasks(self) if not task.done())
        raise Deadlock(
            f"at {self._now:.6f} s nothing can happen any more; waiting: "
            f"{', '.join(names) or 'the main coroutine'}"
        )

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Refuse: a thread runs when the machine likes."""
        raise RealWorldTouched("a thread was asked for; give the simulation parts that need none")

    async def create_connection(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: a socket answers when the machine likes."""
        raise RealWorldTouched("a connection was asked for; use the local bus in a simulation")

    async def create_server(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: see :meth:`create_connection`."""
        raise RealWorldTouched("a server was asked for; use the local bus in a simulation")

    def _process_events(self, event_list: list[Any]) -> None:
        """There are no events of the outside world."""

    def _write_to_self(self) -> None:
        """Nobody waits in a selector, so nobody needs to be woken."""


class LoopClock:
    """The clock of a deterministic loop: sleeping and telling the time agree."""

    def __init__(self, loop: DeterministicLoop, start: datetime = _EPOCH) -> None:
        self._loop = loop
        self._start = start

    def now(self) -> datetime:
        """Return the virtual wall time (UTC)."""
        return self._start + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        """Return virtual seconds since the start."""
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds`` of virtual time."""
        await asyncio.sleep(seconds)


def run(
    main: Callable[[DeterministicLoop], Coroutine[Any, Any, T]] | Coroutine[Any, Any, T],
    *,
    seed: int,
) -> T:
    """Run a coroutine to its end in virtual time and return its result.

    :param main: a coroutine, or a function that makes one from the loop (for its clock).
    :raises Deadlock: when every task waits for something that can not come.
    """
    loop = DeterministicLoop(seed)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main(loop) if callable(main) else main)
