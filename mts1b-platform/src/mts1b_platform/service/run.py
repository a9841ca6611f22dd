"""Run services in this process until they are told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mts1b_foundation.commands import Heartbeat
from mts1b_foundation.nats import PLATFORM_SERVICES_HEARTBEAT

from mts1b_platform.clock import Clock, SystemClock, VirtualClock
from mts1b_platform.config import Settings
from mts1b_platform.eventbus.connect import connect
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.eventbus.port import BusError, EventBus
from mts1b_platform.ids import SystemIds
from mts1b_platform.logging import get_logger
from mts1b_platform.metrics import process_metrics
from mts1b_platform.plugins import load_plugin
from mts1b_platform.rng import SystemRng
from mts1b_platform.service.base import Service, ServiceContext
from mts1b_platform.service.build import build_id, require_one_build
from mts1b_platform.service.http import HealthServer
from mts1b_platform.service.lock import only_one
from mts1b_platform.store.engine import StoreClosed
from mts1b_platform.supervision import TaskGroupSupervisor, end_tasks

__all__ = ["SERVICES", "run_services"]

SERVICES = ("operations", "riskengine", "oms", "research", "marketdata")
"""The five services in the order in which they start; they stop in reverse."""

_BREATH_S = 0.001
_NOT_READY = {"start": "not done"}
_LATE_BEATS, _LEAST_LATE_S = 3, 5.0
"""So many heartbeats that did not come make a service unhealthy, but not within five seconds."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ServiceHost:
    """Hold the services of one process."""

    def __init__(self, names: Sequence[str], home: Path, settings: Settings) -> None:
        self._names = tuple(names)
        self._home = home
        self._settings = settings
        self._stopping = asyncio.Event()
        self._failure: tuple[str, Exception] | None = None
        self._tasks = TaskGroupSupervisor(self._failed)
        self._ends = TaskGroupSupervisor(self._failed)
        self._services: list[Service] = []
        self._unsaved = False
        self._beaten: dict[str, float] = {}
        self._late_s = max(_LATE_BEATS * settings.service.heartbeat_s, _LEAST_LATE_S)
        self._begun: Service | None = None
        """The service whose start has not ended yet; it can not stop in order."""
        self._ending = False
        self._announced: list[Path] = []
        self.port = 0
        """Where the health is served, once it is."""
        self._buses: list[EventBus] = []
        self._log = get_logger("host")
        self._version = ""
        self._failing = process_metrics.gauge(
            "platform", "failing_checks", "count", "checks that are not ok", ["service"]
        )
        self._beat = process_metrics.gauge(
            "platform", "heartbeat", "timestamp_seconds", "time of the last heartbeat", ["service"]
        )

    def _failed(self, name: str, error: Exception) -> None:
        if self._ending and isinstance(error, StoreClosed):
            return  # a task that outlives its service by a moment
        self._log.error("task failed", task=name, error=repr(error), exc_info=error)
        self._failure = self._failure or (name, error)
        self._stopping.set()

    def stop(self) -> None:
        """Ask the host to stop."""
        self._stopping.set()

    async def run(self) -> None:
        """Start, wait for the end, stop.

        :raises BuildMismatch: when services of another build run on this home.
        :raises ServiceBusy: when one of the services runs on this home already.
        :raises Exception: what made a service fail, after the others have stopped.
        """
        self._version = build_id()
        require_one_build(self._home / "run", self._names, self._version)
        with only_one(self._home / "locks", self._names):
            await self._run()
        if self._failure is not None:
            raise self._failure[1]

    async def _run(self) -> None:
        http = HealthServer(self._settings.service.health_port, self._health)
        try:
            port = self.port = await http.start()
            if await self._start_unless_stopped():
                self._tell_ready(port)
                await self._stopping.wait()
        finally:
            await self._shutdown(http)

    def _tell_ready(self, port: int) -> None:
        for service in self._services:
            self._announce(service, port)
            self._tasks.start(f"{service.name}.heartbeat", self._heartbeat(service))
        gc.freeze()  # what start-up made stays: later collections need not look at it
        gc.set_threshold(20_000, 20, 20)
        self._log.info("ready", services=list(self._names), health_port=port)

    async def _start_unless_stopped(self) -> bool:
        """Start; a stop that comes meanwhile ends that where it waits. Return whether it is done.

        :raises Exception: what made the start fail.
        """
        starting = asyncio.create_task(self._start(), name="host.start")
        stopped = asyncio.create_task(_wait(self._stopping), name="host.stop")
        try:
            await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_tasks([starting, stopped])
        if starting.cancelled():
            self._log.info("stopped while starting", services=list(self._names))
            return False
        starting.result()
        return True

    async def _start(self) -> None:
        shared: EventBus | None = None
        if self._settings.bus.kind == "local":
            shared = LocalBus()
        for name in self._names:
            await asyncio.sleep(_BREATH_S)  # a start may wait for nothing, and a stop be unheard
            bus = shared or await connect(self._home, settings=self._settings, name=name, user=name)
            if bus not in self._buses:
                self._buses.append(bus)
            self._begun = self._build(name, bus)
            await self._begun.start()
            self._services.append(self._begun)
            self._begun = None

    def _build(self, name: str, bus: EventBus) -> Service:
        kind = load_plugin("mts1b.services", name)
        service: Service = kind(self._context(name, bus))
        return service

    def _context(self, name: str, bus: EventBus) -> ServiceContext:
        clock: Clock = VirtualClock(_EPOCH) if self._settings.replay.enabled else SystemClock()
        return ServiceContext(
            name=name,
            home=self._home,
            settings=self._settings,
            clock=clock,
            ids=SystemIds(),
            rng=SystemRng(),
            bus=bus,
            log=get_logger(name),
            tasks=self._tasks,
            replay=self._settings.replay.enabled,
        )

    def _announce(self, service: Service, port: int) -> None:
        path = self._home / "run" / f"{service.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        known = {"pid": os.getpid(), "health_port": port, "build": self._version}
        partial.write_text(json.dumps(known))
        os.replace(partial, path)
        self._announced.append(path)

    async def _health(self) -> dict[str, dict[str, str]]:
        known = {
            service.name: await service.health() | self._beats(service.name)
            for service in self._services
        }
        return {name: known.get(name, _NOT_READY) for name in self._names}

    def _beats(self, name: str) -> dict[str, str]:
        """Return the check of a heartbeat that should have come, if there is one."""
        now = asyncio.get_running_loop().time()
        silent_s = now - self._beaten.get(name, now)
        return {"heartbeat": f"none for {silent_s:.0f} s"} if silent_s > self._late_s else {}

    async def _heartbeat(self, service: Service) -> None:
        sequence = 0
        self._beaten[service.name] = asyncio.get_running_loop().time()
        while True:
            checks = await service.health()
            bad = [f"{key}: {value}" for key, value in checks.items() if value != "ok"]
            self._failing.labels(service.name).set(len(bad))
            self._beat.labels(service.name).set(SystemClock().now().timestamp())
            beat = Heartbeat(
                service=service.name,
                pid=os.getpid(),
                status="; ".join(bad) or "ok",
                sequence=sequence,
            )
            with contextlib.suppress(BusError):  # who listens notices a beat that is missing
                if service.ctx.bus.connected:
                    await service.ctx.bus.publish(
                        PLATFORM_SERVICES_HEARTBEAT, beat.model_dump_json().encode()
                    )
            sequence += 1
            self._beaten[service.name] = asyncio.get_running_loop().time()
            self._save_latency(service)
            await asyncio.sleep(self._settings.service.heartbeat_s)

    def _save_latency(self, service: Service) -> None:
        """Save the latencies where there is room: no service ends by a lack of its statistics."""
        try:
            service.ctx.latency.save(self._home / "run" / "latency" / f"{service.name}.json")
        except OSError as error:
            if not self._unsaved:
                self._log.warning("latencies are not saved", error=str(error))
            self._unsaved = True

    async def _shutdown(self, http: HealthServer) -> None:
        """Let go of everything, in order; what fails to end keeps nothing else from it."""
        self._ending = True
        if self._begun is not None:
            await self._end(f"{self._begun.name}.serving", self._begun.ctx.stop_serving())
            await self._end(f"{self._begun.name}.abandon", _abandon(self._begun))
        for service in reversed(self._services):
            await self._end(f"{service.name}.serving", service.ctx.stop_serving())
            await self._end(f"{service.name}.stop", service.stop())
            self._save_latency(service)
        await self._tasks.stop()
        if self._begun is not None:
            for store in self._begun.ctx.opened:
                store.abandon()
        for bus in self._buses:
            await self._end(f"{bus.name}.close", bus.close())
        await self._end("health.stop", http.stop())
        for path in self._announced:
            path.unlink(missing_ok=True)

    async def _end(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run the end of something; a failure is told, and becomes that of the host."""
        await asyncio.wait({self._ends.start(name, work)})


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def _abandon(service: Service) -> None:
    service.abandon()


async def _host(names: Sequence[str], home: Path, settings: Settings) -> None:
    host = ServiceHost(names, home, settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, host.stop)
    await host.run()


def run_services(names: Sequence[str], *, home: Path, settings: Settings) -> None:
    """Run the named services until SIGTERM or SIGINT.

    :raises Exception: what made a service fail.
    """
    try:
        import uvloop
    except ImportError:
        asyncio.run(_host(names, home, settings))
    else:
        uvloop.run(_host(names, home, settings))
