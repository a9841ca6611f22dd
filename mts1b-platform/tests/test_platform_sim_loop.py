"""What the deterministic loop keeps of asyncio's promises, and what waits in it without a poll."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mts1b_foundation.nats import OMS_ORDERS_ACCEPTED, STREAMS
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.ids import SequentialIds
from mts1b_platform.simulation import DeterministicLoop, run
from mts1b_platform.store import OutboxRelay, Store


def test_timers_of_one_moment_fire_as_they_were_asked_for() -> None:
    fired: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for number in range(50):
            loop.call_at(1.0 + number % 2, fired.append, number)
        await asyncio.sleep(3.0)

    run(main(), seed=1)
    assert fired == [*range(0, 50, 2), *range(1, 50, 2)]


def test_a_timer_that_was_cancelled_neither_fires_nor_is_waited_for() -> None:
    fired: list[str] = []

    async def main(loop: DeterministicLoop) -> float:
        loop.call_later(5.0, fired.append, "late")
        loop.call_later(9.0, fired.append, "never").cancel()
        for _ in range(1000):
            loop.call_later(3600.0, fired.append, "never").cancel()
        await asyncio.sleep(6.0)
        assert len(loop._timers) < 500
        return loop.time()

    assert run(main, seed=1) == 6.0
    assert fired == ["late"]


def test_a_timer_may_cancel_another_of_the_same_moment() -> None:
    fired: list[str] = []

    async def main(loop: DeterministicLoop) -> None:
        second: asyncio.TimerHandle | None = None

        def first() -> None:
            fired.append("first")
            if second is not None:
                second.cancel()

        loop.call_at(1.0, first)
        second = loop.call_at(1.0, fired.append, "second")
        await asyncio.sleep(2.0)

    run(main, seed=1)
    assert fired == ["first"]


def test_the_fingerprint_tells_every_choice() -> None:
    def fingerprint(seed: int, steps: int) -> str:
        async def spin() -> None:
            for _ in range(steps):
                await asyncio.sleep(0)

        async def main(loop: DeterministicLoop) -> str:
            await asyncio.gather(spin(), spin())
            assert loop.steps > 2 * steps
            first = loop.fingerprint
            assert loop.fingerprint == first  # looking changes nothing
            return first

        return run(main, seed=seed)

    assert fingerprint(1, 3000) == fingerprint(1, 3000)
    assert len({fingerprint(seed, steps) for seed in range(5) for steps in (3, 4, 3000)}) == 15


def test_every_reader_that_waits_hears_of_a_message_at_its_moment() -> None:
    async def main(loop: DeterministicLoop) -> list[tuple[float, int]]:
        bus = LocalBus(clock=loop.clock, ids=SequentialIds())
        await bus.ensure_stream(STREAMS["OMS"])
        seen: list[tuple[float, int]] = []

        async def read(name: str) -> None:
            consumer = await bus.consumer("OMS", name, start_sequence=1, acknowledge=False)
            assert await consumer.fetch(10, timeout_s=2.0) == []
            found = await consumer.fetch(10, timeout_s=60.0)
            seen.append((loop.time(), len(found)))

        readers = [asyncio.create_task(read(f"r{number}")) for number in range(3)]
        await asyncio.sleep(7.0)
        await bus.publish_durable(OMS_ORDERS_ACCEPTED, b"{}", message_id="m")
        await asyncio.gather(*readers)
        return seen

    assert run(main, seed=3) == [(7.0, 1)] * 3


def test_a_reader_that_is_cancelled_leaves_nothing_behind() -> None:
    async def main(loop: DeterministicLoop) -> float:
        bus = LocalBus(clock=loop.clock, ids=SequentialIds())
        await bus.ensure_stream(STREAMS["OMS"])
        consumer = await bus.consumer("OMS", "r", start_sequence=1, acknowledge=False)
        task = asyncio.create_task(consumer.fetch(1, timeout_s=1000.0))
        await asyncio.sleep(1.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await bus.publish_durable(OMS_ORDERS_ACCEPTED, b"{}", message_id="m")
        assert len(await consumer.fetch(1, timeout_s=1.0)) == 1
        return loop.time()

    assert run(main, seed=1) == 1.0


def test_what_several_commits_add_in_a_moment_is_read_and_published_together(
    tmp_path: Path,
) -> None:
    async def main(loop: DeterministicLoop) -> tuple[int, int]:
        store = await Store.open(tmp_path / "s.sqlite")
        bus = LocalBus(clock=loop.clock, ids=SequentialIds())
        relay = OutboxRelay(store, bus, STREAMS["OMS"])
        await relay.start()
        task = asyncio.create_task(relay.run())
        await asyncio.sleep(1.0)
        batches = 0
        publish = relay._publish_batch

        async def counted() -> tuple[int, bool]:
            nonlocal batches
            sent, more = await publish()
            batches += bool(sent)
            return sent, more

        relay._publish_batch = counted  # type: ignore[method-assign]
        for number in range(4):
            async with store.transaction() as tx:
                await store.outbox.add(
                    tx, event_id=f"e{number}", subject=OMS_ORDERS_ACCEPTED, payload=b"{}"
                )
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.close()
        return batches, (await bus.stream_info("OMS")).last_sequence

    assert run(main, seed=1) == (1, 4)
