"""A process that can die at any await, and come back from its store alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from mts1b_platform.config import Settings
from mts1b_platform.ids import SequentialIds
from mts1b_platform.rng import SeededRng
from mts1b_platform.service.base import Service, ServiceContext, StoreOpener
from mts1b_platform.simulation.net import SimNet
from mts1b_platform.store import Store
from mts1b_platform.supervision import TaskGroupSupervisor

__all__ = ["SimProcess"]


class SimProcess:
    """Run one service in the simulation.

    :param build: makes the service from its context, anew for each life.
    :param on_end: called when a life ends by itself: a task failed, or the start did.
    :param opener: opens the service's stores; they survive the process.
    """

    def __init__(
        self,
        name: str,
        net: SimNet,
        *,
        home: Path,
        settings: Settings,
        build: Callable[[ServiceContext], Service],
        on_end: Callable[[str, Exception], None],
        opener: StoreOpener,
    ) -> None:
        self.name = name
        self.lives = 0
        self.service: Service | None = None
        self._net = net
        self._home = home
        self._settings = settings
        self._build = build
        self._on_end = on_end
        self._opener = opener
        self._started = False

    @property
    def is_up(self) -> bool:
        """Return whether the service has started and not ended."""
        return self.service is not None and self._started

    def start(self) -> None:
        """Begin a life; it is up some time later."""
        self.lives += 1
        life, clock = self.lives, self._net.clock_of(self.name)
        self._net.trace.record(self._net.loop.time(), "start", self.name, life)
        self._stores: list[Store] = []
        self._tasks = TaskGroupSupervisor(lambda task, error: self._ended(life, error))
        self._bus = self._net.bus(self.name)
        ctx = ServiceContext(
            name=self.name,
            home=self._home,
            settings=self._settings,
            clock=clock,
            ids=SequentialIds(),
            rng=SeededRng(self._net.rng.integer(0, 1 << 60)),
            bus=self._bus,
            log=_silent(),
            tasks=self._tasks,
            system_clock=clock,
            stores=self._open,
            sockets=False,
        )
        self.service = self._build(ctx)
        self._started = False
        self._tasks.start(f"{self.name}.start", self._start(self.service))

    async def _open(self, *args: Any, **options: Any) -> Store:
        store = await self._opener(*args, **options)
        self._stores.append(store)
        return store

    async def _start(self, service: Service) -> None:
        await service.start()
        self._started = True

    def _ended(self, life: int, error: Exception) -> None:
        if life == self.lives and self.service is not None:
            self.kill()
            self._on_end(self.name, error)

    def kill(self) -> None:
        """Die now: every task ends at the await it is in, what was not committed is gone."""
        if self.service is None:
            return
        self._net.trace.record(self._net.loop.time(), "kill", self.name, self.lives)
        self._bus.kill()
        self._tasks.kill()
        for store in self._stores:
            store.abandon()
        service, self.service = self.service, None
        service.abandon()


def _silent() -> Any:
    return structlog.wrap_logger(None, processors=[_drop])


def _drop(logger: Any, method: str, event: Any) -> Any:
    raise structlog.DropEvent
