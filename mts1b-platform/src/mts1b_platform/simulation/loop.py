"""An event loop whose time is virtual and whose scheduling is a function of a seed.

Equal seeds run equal programs in the same order, whatever the machine does; other seeds try other
orders. Sleeping costs nothing: when no task can go on, time jumps to the next timer.

What stays outside: iteration over sets of objects (``asyncio.wait`` returns sets), threads and real
input or output. Threads and sockets are refused.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from asyncio import base_events
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, TypeVar, TypeVarTuple, Unpack

from mts1b_platform.errors import MustStop
from mts1b_platform.rng import Rng, SeededRng

__all__ = ["Deadlock", "DeterministicLoop", "LoopClock", "RealWorldTouched", "run"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class Deadlock(MustStop):
    """Every task waits for something that can not come."""


class RealWorldTouched(MustStop):
    """The program asked for a thread or a socket, which no seed can decide."""


class _Ready:
    """The ready queue: steps of different tasks change places, plain callbacks keep their order.

    asyncio promises that callbacks run in the order in which they were registered, and code may
    rely on that; nothing promises in which order two ready tasks go on. So each task is a line of
    its own, all callbacks are one, and the seed says which line moves. What asyncio's loop does
    with its queue is here and nothing else.
    """

    def __init__(self, rng: Rng) -> None:
        self._rng = rng
        self._lines: list[tuple[object, deque[asyncio.Handle]]] = []
        self._line_of: dict[object, deque[asyncio.Handle]] = {}
        self._length = 0
        self.choices = hashlib.sha256()
        self.taken = 0

    def __len__(self) -> int:
        return self._length

    def append(self, handle: asyncio.Handle) -> None:
        owner = _task_of(handle)
        line = self._line_of.get(owner)
        if line is None:
            line = self._line_of[owner] = deque()
            self._lines.append((owner, line))
        line.append(handle)
        self._length += 1

    def popleft(self) -> asyncio.Handle:
        lines = self._lines
        count = len(lines)
        index = self._rng.integer(0, count - 1) if count > 1 else 0
        self.choices.update(index.to_bytes(4, "big") + count.to_bytes(4, "big"))
        self.taken += 1
        self._length -= 1
        owner, line = lines[index]
        chosen = line.popleft()
        if not line:
            last = lines.pop()
            if index < count - 1:
                lines[index] = last
            del self._line_of[owner]
        return chosen

    def clear(self) -> None:
        self._lines.clear()
        self._line_of.clear()
        self._length = 0


def _task_of(handle: asyncio.Handle) -> asyncio.Task[Any] | None:
    owner = getattr(getattr(handle, "_callback", None), "__self__", None)
    return owner if isinstance(owner, asyncio.Task) else None


class _VirtualSelector:
    """Where a real loop would wait for the world, this one moves its time."""

    def __init__(self, loop: DeterministicLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            self._loop.give_up()
        elif timeout > 0:
            self._loop.jump(timeout)
        return []

    def close(self) -> None:
        """There is nothing to close."""


class DeterministicLoop(base_events.BaseEventLoop):
    """The loop. Use :func:`run`; make one directly to look at it afterwards.

    :param seed: decides the order in which ready tasks go on.
    """

    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._now = 0.0
        self._clock_resolution = 2.0 * math.ulp(1.0)
        self._choices = _Ready(SeededRng(seed))
        self._ready = self._choices
        self._selector = _VirtualSelector(self)
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
        return self._choices.choices.hexdigest()

    def jump(self, seconds: float) -> None:
        """Move virtual time to the next timer."""
        self._now += seconds
        self._clock_resolution = 2.0 * math.ulp(max(self._now, 1.0))

    def _run_once(self) -> None:
        """Let no timer fire before its time, not even by the clock's resolution.

        Two tasks that look whether their deadline is over would wake each other for ever, as
        virtual time stands still meanwhile. For a timer that is due at once, time moves by the
        least that it can: no real clock stands still between two looks either.
        """
        timers = self._scheduled
        if timers and timers[0].when() <= self._now:
            self._now = math.nextafter(self._now, math.inf)
        elif timers and self._now < timers[0].when() <= self._now + self._clock_resolution:
            self._now = timers[0].when()
        super()._run_once()  # type: ignore[misc]

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
