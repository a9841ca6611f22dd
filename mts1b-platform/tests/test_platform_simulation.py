"""The deterministic loop: equal seeds run alike, time is free, deadlocks are found."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_platform.clock import Clock
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.ids import SequentialIds
from mts1b_platform.simulation import (
    Deadlock,
    DeterministicLoop,
    LoopClock,
    RealWorldTouched,
    run,
)

Trace = list[tuple[str, int, float]]


def traced(seed: int, *, workers: int = 4) -> tuple[Trace, str]:
    """Run workers that race for a queue, a lock and timers; return what happened when."""
    trace: Trace = []

    async def main(loop: DeterministicLoop) -> str:
        lock = asyncio.Lock()
        queue: asyncio.Queue[int] = asyncio.Queue()

        async def work(name: str) -> None:
            for item in range(3):
                async with lock:
                    trace.append((name, item, loop.time()))
                    await asyncio.sleep(0.25)
                await queue.put(item)
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            for number in range(workers):
                group.create_task(work(f"w{number}"))
        return loop.fingerprint

    fingerprint = run(main, seed=seed)
    return trace, fingerprint


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(min_value=0, max_value=2**63))
def test_equal_seeds_give_equal_traces(seed: int) -> None:
    assert traced(seed) == traced(seed)


def test_other_seeds_try_other_orders() -> None:
    orders = {tuple(name for name, _, _ in traced(seed)[0]) for seed in range(20)}
    assert len(orders) > 5
    assert len({traced(seed)[1] for seed in range(20)}) == 20


def test_plain_callbacks_keep_their_order() -> None:
    async def main(loop: DeterministicLoop) -> list[int]:
        seen: list[int] = []
        for number in range(50):
            loop.call_soon(seen.append, number)
        await asyncio.sleep(0.1)
        return seen

    for seed in range(10):
        assert run(main, seed=seed) == list(range(50))


def test_a_year_of_sleep_is_free_and_the_clock_agrees() -> None:
    async def main(loop: DeterministicLoop) -> tuple[datetime, float]:
        await loop.clock.sleep(86_400 * 365)
        return loop.clock.now(), loop.clock.monotonic()

    moment, seconds = run(main, seed=1)
    assert moment == datetime(1999, 12, 31, 23, 57, tzinfo=UTC) + timedelta(days=365)
    assert seconds == 86_400 * 365


def test_the_loop_clock_is_a_clock() -> None:
    loop = DeterministicLoop(1)
    try:
        assert isinstance(LoopClock(loop), Clock)
    finally:
        loop.close()


def test_a_deadlock_names_who_waits() -> None:
    async def main() -> None:
        await asyncio.create_task(asyncio.Event().wait(), name="waits-for-godot")

    with pytest.raises(Deadlock, match="waits-for-godot"):
        run(main(), seed=1)


def test_what_a_task_raises_comes_out() -> None:
    async def main() -> None:
        await asyncio.sleep(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(main(), seed=1)


def test_a_timeout_is_virtual() -> None:
    async def main(loop: DeterministicLoop) -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.sleep(7200)
        return loop.time()

    assert run(main, seed=1) == 3600


async def _thread() -> None:
    await asyncio.to_thread(len, "x")


async def _socket() -> None:
    await asyncio.open_connection("127.0.0.1", 1)


async def _server() -> None:
    await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)


@pytest.mark.parametrize("reach", [_thread, _socket, _server])
def test_the_real_world_is_refused(reach: object) -> None:
    with pytest.raises(RealWorldTouched):
        run(reach(), seed=1)  # type: ignore[operator]


def test_a_bus_runs_in_it() -> None:
    async def main(loop: DeterministicLoop) -> list[bytes]:
        bus = LocalBus(clock=loop.clock, ids=SequentialIds())
        seen: list[bytes] = []

        async def slow(data: bytes) -> bytes:
            await asyncio.sleep(30)
            return data.upper()

        await bus.serve("shout", slow)
        replies = await asyncio.gather(
            *(bus.request("shout", name, timeout_s=60) for name in (b"a", b"b", b"c"))
        )
        seen.extend(replies)
        await bus.close()
        return seen

    assert run(main, seed=7) == [b"A", b"B", b"C"]


def test_a_timer_that_is_due_at_once_moves_time() -> None:
    """A rate limiter that waits for less than the clock can tell did so for ever."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        while loop.time() <= begin:
            done = asyncio.Event()
            loop.call_at(begin, done.set)
            await done.wait()
        return loop.time() - begin

    assert 0.0 < run(main(), seed=1) < 1e-12
