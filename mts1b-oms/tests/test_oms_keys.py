"""The locks of keys: one task at a time on each, in the order of asking; nothing is left over."""

from __future__ import annotations

import asyncio
import random

import pytest
from mts1b_oms.locks import KeyedLocks


async def test_a_key_is_held_by_one_task_at_a_time_in_the_order_of_asking() -> None:
    keys, seen = KeyedLocks(), []

    async def work(number: int) -> None:
        async with keys.hold("one"):
            seen.append(("in", number))
            await asyncio.sleep(0)
            seen.append(("out", number))

    await asyncio.gather(*(work(number) for number in range(4)))
    assert seen == [(what, number) for number in range(4) for what in ("in", "out")]


async def test_different_keys_do_not_wait_for_each_other() -> None:
    keys, seen = KeyedLocks(), list[str]()

    async def work() -> None:
        async with keys.hold("other"):
            seen.append("other")

    async with keys.hold("one"):
        await asyncio.wait_for(work(), 1)
        assert seen == ["other"], "while the first is still held"


async def test_one_who_gives_up_waiting_takes_nobodys_turn() -> None:
    keys, seen = KeyedLocks(), []

    async def work(number: int) -> None:
        async with keys.hold("one"):
            seen.append(number)

    async with keys.hold("one"):
        waiting = [asyncio.create_task(work(number)) for number in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        assert seen == []
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    await asyncio.gather(*waiting[1:])
    assert seen == [1, 2]


@pytest.mark.parametrize("seed", range(20))
async def test_whoever_is_cancelled_whenever_no_key_is_held_twice_or_for_ever(seed: int) -> None:
    keys, rng = KeyedLocks(), random.Random(seed)
    inside: set[str] = set()
    done = 0

    async def work(key: str) -> None:
        nonlocal done
        async with keys.hold(key):
            assert key not in inside
            inside.add(key)
            try:
                for _ in range(rng.randrange(3)):
                    await asyncio.sleep(0)
            finally:
                inside.remove(key)
        done += 1

    tasks = []
    for _ in range(60):
        tasks.append(asyncio.create_task(work(rng.choice("ab"))))
        if rng.random() < 0.4:
            rng.choice(tasks).cancel()
        if rng.random() < 0.5:
            await asyncio.sleep(0)
    async with asyncio.timeout(5):
        results = await asyncio.gather(*tasks, return_exceptions=True)
    failed = [one for one in results if one is not None]
    assert all(isinstance(one, asyncio.CancelledError) for one in failed)
    assert done == len(tasks) - len(failed)
    async with asyncio.timeout(1), keys.hold("a"), keys.hold("b"):
        pass
    assert not keys.held
