"""The life of a process with services: stopped at any moment of its start, and failing anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mts1b_platform.config import Settings
from mts1b_platform.eventbus.port import EventBus, NoResponders, RequestTimeout
from mts1b_platform.service.base import Service, ServiceContext
from mts1b_platform.service.lock import ServiceBusy
from mts1b_platform.service.run import ServiceHost
from mts1b_platform.store import Store, StoreClosed, StoreError, StorePruner

SETTINGS = Settings.model_validate({"bus": {"kind": "local"}, "service": {"heartbeat_s": 0.05}})


class Part(Service):
    """A service that notes what happens to it, and does what the test wants at its start."""

    def __init__(self, ctx: ServiceContext, host: Host) -> None:
        super().__init__(ctx)
        self._host = host

    async def start(self) -> None:
        """Do what the test wants."""
        self._host.noted.append(f"start {self.ctx.name}")
        await self._host.at_start.get(self.ctx.name, _nothing)()

    async def stop(self) -> None:
        """Note it, or fail."""
        self._host.noted.append(f"stop {self.ctx.name}")
        await self._host.at_stop.get(self.ctx.name, _nothing)()

    def abandon(self) -> None:
        """Note it."""
        self._host.noted.append(f"abandon {self.ctx.name}")


async def _nothing() -> None:
    """Do nothing."""


async def for_ever() -> None:
    await asyncio.get_running_loop().create_future()


def fails(text: str) -> Callable[[], Awaitable[None]]:
    async def fail() -> None:
        raise ValueError(text)

    return fail


class Host(ServiceHost):
    """Three parts on one bus; ``made`` has what the parts were given."""

    def __init__(self, home: Path, names: tuple[str, ...] = ("one", "two", "three")) -> None:
        super().__init__(names, home, SETTINGS)
        self.noted: list[str] = []
        self.full = False
        self.at_start: dict[str, Callable[[], Awaitable[None]]] = {}
        self.at_stop: dict[str, Callable[[], Awaitable[None]]] = {}
        self.made: dict[str, ServiceContext] = {}

    def _build(self, name: str, bus: EventBus) -> Service:
        latency: Any = _Latency(self)
        self.made[name] = replace(self._context(name, bus), latency=latency)
        part = Part(self.made[name], self)
        part.name = name  # type: ignore[misc]
        return part

    async def until(self, what: str) -> None:
        """Return once something is noted."""
        async with asyncio.timeout(5):
            while what not in self.noted:  # noqa: ASYNC110 (nothing tells)
                await asyncio.sleep(0.005)


class _Latency:
    def __init__(self, host: Host) -> None:
        self._host = host

    def save(self, path: Path) -> None:
        """Note the first beat of each service."""
        if f"beat {path.stem}" not in self._host.noted:
            self._host.noted.append(f"beat {path.stem}")
        if self._host.full:
            self._host.noted.append(f"beat {path.stem} on a full disk")
            raise OSError(28, "No space left on device")


def without_beats(host: Host) -> list[str]:
    return [line for line in host.noted if not line.startswith("beat")]


async def ended(running: asyncio.Task[None]) -> None:
    async with asyncio.timeout(5):
        await running


async def test_services_stop_in_reverse_whatever_number_of_times_it_is_asked(
    tmp_path: Path,
) -> None:
    host = Host(tmp_path)
    running = asyncio.create_task(host.run())
    await host.until("beat three")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "one.json",
        "two.json",
        "three.json",
    }
    host.stop()
    host.stop()
    await ended(running)
    stops = [line for line in host.noted if line.startswith("stop")]
    assert stops == ["stop three", "stop two", "stop one"]
    assert list((tmp_path / "run").iterdir()) == []
    assert not host.made["one"].bus.connected


async def test_a_stop_ends_a_start_that_waits_for_ever(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.at_start["two"] = for_ever
    running = asyncio.create_task(host.run())
    await host.until("start two")
    host.stop()
    await ended(running)
    assert without_beats(host) == ["start one", "start two", "abandon two", "stop one"]
    assert not host.made["one"].bus.connected


async def test_a_stop_before_the_start_leaves_nothing_running(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.stop()
    await ended(asyncio.create_task(host.run()))
    lines = without_beats(host)
    begun = [line.removeprefix("start ") for line in lines if line.startswith("start")]
    gone = [line.split()[1] for line in lines if not line.startswith("start")]
    assert gone == begun[::-1]
    assert all(not given.bus.connected for given in host.made.values())


async def test_a_start_that_is_stopped_closes_the_store_that_it_has_opened(tmp_path: Path) -> None:
    class Waits(Service):
        """Opens its store, and waits for ever."""

        name = "waits"

        async def start(self) -> None:
            """Use the store without end."""
            self.ctx.tasks.start("waits.work", self._work(await self.ctx.open_store("waits")))
            await for_ever()

        async def _work(self, store: Store) -> None:
            while True:
                async with store.transaction():
                    begun.set()
                await asyncio.sleep(0)

        async def stop(self) -> None:
            """Do nothing."""

    class Plain(ServiceHost):
        """Runs this one service."""

        def _build(self, name: str, bus: EventBus) -> Service:
            made.append(Waits(self._context(name, bus)))
            return made[0]

    begun, made = asyncio.Event(), list[Waits]()
    host = Plain(("waits",), tmp_path, SETTINGS)
    running = asyncio.create_task(host.run())
    await begun.wait()
    host.stop()
    await ended(running)
    (store,) = made[0].ctx.opened
    with pytest.raises(StoreClosed):
        async with store.read():
            pass


async def test_what_made_a_start_fail_is_what_is_told(tmp_path: Path) -> None:
    """A service that is half started can not stop in order; its failure hid the first one."""
    host = Host(tmp_path)
    host.at_start["two"] = fails("the store is of a later version")
    host.at_stop["one"] = fails("and this fails too")
    with pytest.raises(ValueError, match="later version"):
        await ended(asyncio.create_task(host.run()))
    assert without_beats(host) == ["start one", "start two", "abandon two", "stop one"]
    assert not host.made["one"].bus.connected


async def test_a_stop_that_fails_keeps_nothing_else_from_ending(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.at_stop["three"] = fails("three does not end")
    running = asyncio.create_task(host.run())
    await host.until("beat three")
    host.stop()
    with pytest.raises(ValueError, match="three does not end"):
        await ended(running)
    assert without_beats(host)[-3:] == ["stop three", "stop two", "stop one"]
    assert list((tmp_path / "run").iterdir()) == []


async def test_a_second_process_does_not_remove_the_mark_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    mark = tmp_path / "run" / "one.json"
    mark.write_text(json.dumps({"pid": 1}))
    host = Host(tmp_path, ("one",))
    host.at_start["one"] = fails("another one has the lock")
    with pytest.raises(ValueError, match="has the lock"):
        await ended(asyncio.create_task(host.run()))
    assert json.loads(mark.read_text()) == {"pid": 1}


async def test_a_service_runs_once_on_a_home(tmp_path: Path) -> None:
    """The second would share the work, and know half of what the first knows."""
    first = Host(tmp_path)
    running = asyncio.create_task(first.run())
    await first.until("beat three")
    second = Host(tmp_path, ("four", "two"))
    with pytest.raises(ServiceBusy, match=f"process {os.getpid()} runs two on this home"):
        await ended(asyncio.create_task(second.run()))
    assert second.noted == []
    first.stop()
    await ended(running)
    third = Host(tmp_path, ("two",))
    running = asyncio.create_task(third.run())
    await third.until("beat two")
    third.stop()
    await ended(running)


async def test_a_task_that_fails_while_others_start_ends_the_start(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.at_start["three"] = for_ever

    async def begin() -> None:
        host._tasks.start("one.work", _raise_later())

    host.at_start["one"] = begin
    with pytest.raises(OSError, match="the disk is gone"):
        await ended(asyncio.create_task(host.run()))


async def _raise_later() -> None:
    await asyncio.sleep(0.05)
    raise OSError("the disk is gone")


async def test_a_task_that_outlives_the_store_of_its_service_is_no_failure(
    tmp_path: Path,
) -> None:
    host = Host(tmp_path)
    closed = asyncio.Event()

    async def use_the_store() -> None:
        await closed.wait()
        raise StoreClosed("store one is closed")

    async def begin() -> None:
        host._tasks.start("one.work", use_the_store())

    async def end() -> None:
        closed.set()
        await asyncio.sleep(0.05)

    host.at_start["one"], host.at_stop["one"] = begin, end
    running = asyncio.create_task(host.run())
    await host.until("beat three")
    host.stop()
    await ended(running)
    assert closed.is_set()


async def test_a_start_that_waits_for_nothing_hears_a_stop_between_services(
    tmp_path: Path,
) -> None:
    host = Host(tmp_path)

    async def stop() -> None:
        asyncio.get_running_loop().call_soon(host.stop)  # as a signal comes

    host.at_start["one"] = stop
    await ended(asyncio.create_task(host.run()))
    assert without_beats(host) == ["start one", "stop one"]


async def ask(host: Host, path: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body


async def test_a_process_is_healthy_once_all_of_it_has_started(tmp_path: Path) -> None:
    host = Host(tmp_path)
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    host.at_start["two"] = wait
    running = asyncio.create_task(host.run())
    await host.until("start two")
    status, body = await ask(host, "/healthz")
    assert status == 503
    assert json.loads(body)["services"]["two"] == {"start": "not done"}
    gate.set()
    await host.until("beat three")
    assert (await ask(host, "/healthz"))[0] == 200
    _, metrics = await ask(host, "/metrics")
    assert 'mts_platform_failing_checks_count{service="one"} 0.0' in metrics
    assert 'mts_platform_heartbeat_timestamp_seconds{service="three"}' in metrics
    host.stop()
    await ended(running)


async def test_a_service_whose_heart_does_not_beat_is_unhealthy(tmp_path: Path) -> None:
    class Stuck:
        """A bus on which nothing gets through."""

        connected = True

        async def publish(self, subject: str, data: bytes) -> None:
            await for_ever()

    host = Host(tmp_path)
    host._late_s = 0.1

    async def cut_off() -> None:
        host.made["two"].bus = Stuck()  # type: ignore[assignment]

    host.at_start["two"] = cut_off
    running = asyncio.create_task(host.run())
    await host.until("beat three")
    async with asyncio.timeout(5):
        while (await ask(host, "/healthz"))[0] == 200:
            pass
    services = json.loads((await ask(host, "/healthz"))[1])["services"]
    assert services["two"]["heartbeat"].startswith("none for ")
    host.stop()
    await ended(running)


async def test_a_disk_without_room_for_statistics_ends_no_service(tmp_path: Path) -> None:
    """Each heartbeat saves them: a full disk ended every service, and nobody could cancel."""
    host = Host(tmp_path)
    running = asyncio.create_task(host.run())
    await host.until("beat three")
    host.full = True
    for _ in range(2):
        host.noted.clear()
        await host.until("beat two on a full disk")
    assert not running.done()
    host.stop()
    await ended(running)


async def test_who_asks_while_a_service_stops_is_answered_or_finds_nobody(tmp_path: Path) -> None:
    """The store was closed while the service still answered: who asked was told of a defect."""
    host, asked, gate = Host(tmp_path, ("one",)), asyncio.Event(), asyncio.Event()

    async def begin() -> None:
        ctx = host.made["one"]
        store = await ctx.open_store("one")

        async def answer(data: bytes) -> bytes:
            asked.set()
            await gate.wait()
            async with store.transaction():
                return data.upper()

        async def close() -> None:
            await store.close()
            with pytest.raises(NoResponders):
                await ctx.bus.request("demo.shout", b"late", timeout_s=1)

        host.at_stop["one"] = close
        await ctx.serve("demo.shout", answer)

    host.at_start["one"] = begin
    running = asyncio.create_task(host.run())
    await host.until("beat one")
    bus = host.made["one"].bus
    early = asyncio.create_task(bus.request("demo.shout", b"early", timeout_s=5))
    await asked.wait()
    host.stop()
    with pytest.raises(NoResponders):
        while True:
            with contextlib.suppress(RequestTimeout):
                await bus.request("demo.shout", b"late", timeout_s=0.01)
    gate.set()
    assert await early == b"EARLY"
    await ended(running)
    assert without_beats(host) == ["start one", "stop one"]


async def test_pruning_ends_with_its_store(tmp_path: Path) -> None:
    """The store is closed before the tasks of its service end: that is no failure."""
    from mts1b_platform.clock import SystemClock

    store = await Store.open(tmp_path / "s.sqlite")
    pruner = StorePruner(store, clock=SystemClock(), keep_days=2)
    await pruner.begin_day()
    await store.close()
    async with asyncio.timeout(5):
        await pruner.run()
    with pytest.raises(StoreClosed):
        await pruner.begin_day()


async def test_f2_a_store_in_doubt_ends_its_service_at_once(tmp_path: Path) -> None:
    host = Host(tmp_path, ("one",))

    async def opens() -> None:
        store = await host._context("one", host.made["one"].bus).open_store("one")
        store.on_doubt(StoreError("a commit was cut off"))

    host.at_start["one"] = opens
    with pytest.raises(StoreError, match="a commit was cut off"):
        await ended(asyncio.create_task(host.run()))
    assert "stop one" in host.noted
