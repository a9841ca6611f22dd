"""What a service is, and what it is given."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, cast

import sqlalchemy as sa
from mts1b_foundation.model import FrozenModel
from mts1b_foundation.nats import STREAMS

from mts1b_platform.clock import Clock, SystemClock
from mts1b_platform.config import Settings
from mts1b_platform.eventbus.port import (
    EventBus,
    NoResponders,
    RequestHandler,
    RequestTimeout,
    Subscription,
)
from mts1b_platform.ids import Ids
from mts1b_platform.latency import StageLatency
from mts1b_platform.rng import Rng
from mts1b_platform.store.engine import Store, StoreError
from mts1b_platform.store.outbox import OutboxRelay
from mts1b_platform.store.pruning import StorePruner
from mts1b_platform.supervision import TaskGroupSupervisor

__all__ = ["Service", "ServiceContext", "StoreOpener"]

Req = TypeVar("Req", bound=FrozenModel)
Rep = TypeVar("Rep", bound=FrozenModel)

_ANSWER_S = 2.0


async def _raise(error: StoreError) -> None:
    raise error


class StoreOpener(Protocol):
    """Open a service's store somewhere else than under MTS_HOME."""

    async def __call__(
        self, name: str, metadata: sa.MetaData | None = None, *, version: int = 1
    ) -> Store:
        """Return the open store."""
        ...


@dataclass(slots=True)
class ServiceContext:
    """Everything that a service may touch: no service reaches for more than this.

    ``clock`` is virtual in a replay; ``system_clock`` is always the machine's, for time-outs,
    heartbeats and latencies only. ``stores`` opens the stores elsewhere and ``sockets`` is off
    where the world outside may not be touched, as in a simulation.
    """

    name: str
    home: Path
    settings: Settings
    clock: Clock
    ids: Ids
    rng: Rng
    bus: EventBus
    log: Any
    tasks: TaskGroupSupervisor
    latency: StageLatency = field(default_factory=StageLatency)
    system_clock: Clock = field(default_factory=SystemClock)
    replay: bool = False
    stores: StoreOpener | None = None
    sockets: bool = True
    relays: list[OutboxRelay] = field(default_factory=list)
    """What :meth:`relay` has made."""
    opened: list[Store] = field(default_factory=list)
    """What :meth:`open_store` has opened; the service closes them."""
    served: list[Subscription] = field(default_factory=list)
    """What :meth:`serve` answers to."""
    answering: dict[asyncio.Task[Any], None] = field(default_factory=dict)
    """Who is being answered."""

    async def open_store(
        self, name: str, metadata: sa.MetaData | None = None, *, version: int = 1
    ) -> Store:
        """Open the store ``name``: a file under MTS_HOME/db, or a schema of the database that
        ``store.url_template`` names."""
        if self.stores is not None:
            store = await self.stores(name, metadata, version=version)
        else:
            template = self.settings.store.url_template
            target = template.format(name=name) if template else self.home / "db" / f"{name}.sqlite"
            store = await Store.open(target, metadata=metadata, name=name, version=version)
        self.opened.append(store)
        store.on_doubt = partial(self._end_by, name)
        pruner = self._pruner(store)
        if pruner is not None:
            await pruner.begin_day()
        return store

    def _end_by(self, store: str, error: StoreError) -> None:
        """End the service at once: it would act on what its record may contradict."""
        self.tasks.start(f"{self.name}.{store}.doubt", _raise(error))

    def _pruner(self, store: Store) -> StorePruner | None:
        """Return what keeps the store small; a replay ends, and keeps everything."""
        keep_days = self.settings.store.keep_days
        if self.replay or not store.keeps or keep_days is None:
            return None
        return StorePruner(store, clock=self.system_clock, keep_days=keep_days)

    async def relay(self, store: Store, stream: str) -> OutboxRelay:
        """Return a started relay; outside of a replay it also publishes on its own, and the
        store is pruned."""
        relay = OutboxRelay(store, self.bus, STREAMS[stream], self.log)
        await relay.start()
        self.relays.append(relay)
        if not self.replay:
            self.tasks.start(f"{self.name}.relay", relay.run())
        pruner = self._pruner(store)
        if pruner is not None:
            self.tasks.start(f"{self.name}.pruning", pruner.run())
        return relay

    async def serve(
        self, subject: str, handler: RequestHandler, *, queue: str | None = None
    ) -> None:
        """Answer requests until :meth:`stop_serving`."""

        async def answer(data: bytes) -> bytes:
            task = cast("asyncio.Task[Any]", asyncio.current_task())
            self.answering[task] = None
            try:
                return await handler(data)
            finally:
                del self.answering[task]

        self.served.append(await self.bus.serve(subject, answer, queue=queue))

    async def stop_serving(self, patience_s: float = _ANSWER_S) -> None:
        """Take no more requests, and finish those that are begun: a store is closed after that.

        Who asks later learns that nobody is there, and not that something failed.
        """
        while self.served:
            await self.served.pop().unsubscribe()
        if self.answering:
            await asyncio.wait(list(self.answering), timeout=patience_s)

    async def serve_model(
        self,
        subject: str,
        request: type[Req],
        handler: Callable[[Req], Awaitable[FrozenModel]],
    ) -> None:
        """Serve a command whose request and reply are models, until :meth:`stop_serving`."""

        async def answer(data: bytes) -> bytes:
            return (await handler(request.model_validate_json(data))).model_dump_json().encode()

        await self.serve(subject, answer, queue=self.name)

    async def call(
        self,
        subject: str,
        request: FrozenModel,
        reply: type[Rep],
        *,
        attempt_s: float = 3.0,
        patience_s: float = 0.0,
    ) -> Rep:
        """Send a command and return its reply; it must be safe to send twice.

        :param attempt_s: how long one attempt may take.
        :param patience_s: how long to go on asking when nobody answers.
        :raises NoResponders, RequestTimeout: when nobody answered in time.
        :raises RemoteError: when the other side refused.
        """
        data = request.model_dump_json().encode()
        deadline = self.system_clock.monotonic() + patience_s
        while True:
            try:
                answer = await self.bus.request(subject, data, timeout_s=attempt_s)
                return reply.model_validate_json(answer)
            except (NoResponders, RequestTimeout):
                if self.system_clock.monotonic() >= deadline:
                    raise
                await asyncio.sleep(0.05)


class Service(ABC):
    """One of the processes of the system (or one of several in a process)."""

    name: ClassVar[str]

    def __init__(self, ctx: ServiceContext) -> None:
        self.ctx = ctx

    @abstractmethod
    async def start(self) -> None:
        """Open stores, recover, subscribe. The service is ready when this returns."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop taking work, finish what is begun, close stores."""

    def abandon(self) -> None:  # noqa: B027  (most services hold nothing of the kind)
        """Let go of what outlives a task, such as a lock, when the process dies under it."""

    async def health(self) -> dict[str, str]:
        """Return named checks, each ``ok`` or what is wrong."""
        checks = {"bus": "ok" if self.ctx.bus.connected else "disconnected"}
        for relay in self.ctx.relays:
            waits = relay.waits_for
            checks["outbox"] = "ok" if waits is None else f"not published: {waits}"
        return checks
