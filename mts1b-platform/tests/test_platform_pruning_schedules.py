"""Any order of crashes, lost streams, restored copies and pruning gives each event one effect."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from platform_pruning import Dies, World, count, tell

STEPS = 120


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    await made.start()
    yield made
    await made.close()


class Schedule:
    """Draw what happens, and know which events must have had their effect at the end."""

    def __init__(self, world: World, seed: int, *, reads_daily: bool, restores: bool) -> None:
        self._world = world
        self._rng = random.Random(seed)
        self._reads_daily = reads_daily
        self._restores = restores
        self._number = 0
        self._copied: set[str] | None = None
        self._reader_copied = False
        self.alive: set[str] = set()
        self.happened: Counter[str] = Counter()

    async def run(self) -> None:
        events = ["add"] * 6 + ["flush"] * 5 + ["read"] * 4 + ["prune"] * 6 + ["day"] * 3
        events += ["crash_publisher", "crash_reader", "die", "wipe", "lose_end", "lose", "twice"]
        if self._restores:
            events += ["copy_publisher", "restore_publisher", "copy_reader", "restore_reader"]
        for _ in range(STEPS):
            await self._do(self._rng.choice(events))
        world = self._world
        world.bus.lose = world.bus.twice = 0
        await self._catch_up()

    async def _catch_up(self) -> None:
        for _ in range(2):  # the first looks for a stream made anew
            await self._world.flush()
        await self._world.read()

    async def _do(self, what: str) -> None:
        self.happened[what] += 1
        world = self._world
        match what:
            case "add":
                names = [f"e{self._number + n}" for n in range(self._rng.randint(1, 8))]
                self._number += len(names)
                self.alive |= set(names)
                await tell(world.publisher, *names)
            case "flush" | "read":
                await getattr(world, what)()
            case "prune":
                await self._prune()
            case "day":
                if self._reads_daily:
                    world.bus.lose = world.bus.twice = 0
                    await self._catch_up()
                await world.next_day()
            case "crash_publisher" | "crash_reader":
                await getattr(world, what)()
            case "die":
                await self._die()
            case "wipe":
                world.bus.wipe("OMS")
            case "lose_end":
                held = (await world.bus.stream_info("OMS")).last_sequence
                world.bus.lose_end("OMS", self._rng.randint(0, min(held, 20)))
            case "lose" | "twice":
                setattr(world.bus, what, self._rng.choice([0, 2, 3, 7]))
            case _:
                await self._copy(what)

    async def _prune(self) -> None:
        pruner = self._world.pruners[self._rng.choice(["publisher", "reader"])]
        await pruner.keep()
        for _ in range(self._rng.randint(0, 12)):
            gone = await pruner.step()
            assert gone <= 5, "a step is bounded"
            self.happened["pruned"] += gone

    async def _die(self) -> None:
        """Let the reader die in the midst of a batch."""
        self._world.die_at = f"e{max(self._number - self._rng.randint(1, 6), 0)}"
        try:
            await self._world.read()
        except Dies:
            await self._world.crash_reader()
        self._world.die_at = ""

    async def _copy(self, what: str) -> None:
        world = self._world
        side = what.rpartition("_")[2]
        if what == "copy_publisher":
            world.back_up(side)
            self._copied = set(self.alive)
        elif what == "copy_reader":
            world.back_up(side)
            self._reader_copied = True
        elif what == "restore_publisher" and self._copied is not None:
            world.publisher.abandon()
            world.put_back(side)
            self.alive = set(self._copied)
            await world.start_publisher()
        elif what == "restore_reader" and self._reader_copied:
            world.reader.abandon()
            world.put_back(side)
            await world.start_reader()


@pytest.mark.parametrize("seed", range(4))
async def test_each_event_has_one_effect(world: World, seed: int) -> None:
    schedule = Schedule(world, seed, reads_daily=True, restores=False)
    await schedule.run()
    told = await world.told()
    assert len(told) == len(set(told)), "an effect twice"
    assert set(told) == schedule.alive, "an effect is missing"
    assert not world.missed


@pytest.mark.parametrize("seed", range(4))
async def test_what_a_reader_missed_is_told_and_nothing_is_doubled(world: World, seed: int) -> None:
    """A reader that stays away longer than events are kept, and stores that are put back."""
    schedule = Schedule(world, seed, reads_daily=False, restores=True)
    await schedule.run()
    told = await world.told()
    assert len(told) == len(set(told)), "an effect twice"
    if not world.missed:
        assert schedule.alive <= set(told), "an effect is missing, and nobody said so"


async def test_the_schedules_prune_and_lose_streams(world: World) -> None:
    schedule = Schedule(world, 99, reads_daily=True, restores=False)
    await schedule.run()
    for pruner in world.pruners.values():
        while await pruner.step():
            schedule.happened["pruned"] += 1
    assert schedule.happened["pruned"] > 50
    assert schedule.happened["wipe"] > 1
    assert schedule.happened["lose_end"] > 1
    assert await count(world.publisher, "outbox") < len(schedule.alive) / 2
    assert await count(world.reader, "inbox") < len(schedule.alive) / 2
