"""Lockstep: move every service tick by tick, so that a replay has one order of events.

The driver tells each service in turn to process a tick, with the stream positions that it must
have read first. A service that dies is asked again after its restart; it redoes only what its
store has not recorded.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa
from mts1b_foundation.nats import (
    advance_subject,
    digest_subject,
    position_subject,
)
from mts1b_foundation.replay import ReplayPosition, ReplayStep, ReplayStepDone, StateDigest

from mts1b_platform.clock import VirtualClock
from mts1b_platform.eventbus.port import EventBus, NoResponders, RequestTimeout
from mts1b_platform.pump import EventPump
from mts1b_platform.store.connection import AsyncConnection
from mts1b_platform.store.engine import Store
from mts1b_platform.store.outbox import OutboxRelay
from mts1b_platform.store.prepared import Prepared
from mts1b_platform.store.tables import lockstep
from mts1b_platform.store.types import UtcText

if TYPE_CHECKING:
    from mts1b_platform.service.base import ServiceContext

__all__ = [
    "DigestParts",
    "LockstepDriver",
    "LockstepError",
    "LockstepParticipant",
    "Mark",
    "digest_rows",
    "state_hash",
]

_LAST = Prepared(sa.select(lockstep).where(lockstep.c.service == sa.bindparam("segment")))
_MARK = Prepared(
    sa.text(
        "INSERT INTO lockstep (service, run_id, tick, as_of) "
        "VALUES (:service, :run_id, :tick, :as_of) ON CONFLICT (service) DO UPDATE "
        "SET run_id = excluded.run_id, tick = excluded.tick, as_of = excluded.as_of"
    ).bindparams(sa.bindparam("as_of", type_=UtcText))
)

Mark = Callable[[AsyncConnection], Awaitable[None]]
OnStep = Callable[[ReplayStep, Mark], Awaitable[None]]
DigestParts = tuple[str, dict[str, int]]


class LockstepError(Exception):
    """A service was asked for a tick that does not follow its last one, or of another run."""

    code = "LOCKSTEP"


class LockstepParticipant:
    """Serve the replay commands of one service.

    :param segment: the service's segment in subjects, e.g. ``oms`` or ``risk``.
    :param pump: drained up to ``step.upto`` before ``on_step``.
    :param on_step: does the tick's own work; it may call ``mark(tx)`` inside its last
        transaction, which saves a commit, and must be safe to repeat when it was interrupted.
    :param digest: returns (hex digest, row counts) of the economic state.
    :param lazy: record a tick together with what it read, as begun: the tick before it is done
        then, and this one is asked again after a crash. For a service whose ``on_step`` does
        not write at the end; it saves a commit.
    """

    def __init__(
        self,
        ctx: ServiceContext,
        store: Store,
        *,
        segment: str,
        pump: EventPump | None,
        relay: OutboxRelay | None,
        on_step: OnStep,
        digest: Callable[[], Awaitable[DigestParts]],
        lazy: bool = False,
    ) -> None:
        self._lazy = lazy
        self._ctx = ctx
        self._store = store
        self._segment = segment
        self._pump = pump
        self._relay = relay
        self._on_step = on_step
        self._digest = digest
        self._lock = asyncio.Lock()
        self._run_id = ""
        self._last = -1
        self._marked = -1
        self._begun = -1
        self._unsure = 0

    @property
    def last_tick(self) -> int:
        """Return the last tick that is done, -1 before the first."""
        return self._last

    async def start(self) -> None:
        """Restore tick and virtual time from the store, then serve."""
        async with self._store.read() as connection:
            row = (await _LAST.run(connection, {"segment": self._segment})).first()
        if row is not None:
            self._run_id, self._last = str(row.run_id), int(row.tick)
            self._unsure = int(self._lazy)
            self._move_clock(row.as_of)
        serve = self._ctx.serve
        await serve(advance_subject(self._segment), self._serve_advance)
        await serve(position_subject(self._segment), self._serve_position)
        await serve(digest_subject(self._segment), self._serve_digest)

    def _move_clock(self, moment: datetime) -> None:
        if isinstance(self._ctx.clock, VirtualClock):
            self._ctx.clock.advance_to(moment)

    async def _serve_advance(self, data: bytes) -> bytes:
        step = ReplayStep.model_validate_json(data)
        async with self._lock:
            await self.advance(step)
        return self._done(step).model_dump_json().encode()

    def _done(self, step: ReplayStep) -> ReplayStepDone:
        heads: dict[str, int] = {}
        if self._relay is not None:
            heads[self._relay.stream] = self._relay.head
        return ReplayStepDone(service=self._segment, tick=step.tick, heads=heads)

    async def advance(self, step: ReplayStep) -> None:
        """Process one tick; a tick that is done already changes nothing.

        :raises LockstepError: when the tick does not follow, or belongs to another run.
        """
        if self._run_id and step.run_id != self._run_id:
            raise LockstepError(
                f"{self._segment} holds run {self._run_id}, asked for run {step.run_id}; "
                "finish that run, or start with an empty MTS_HOME"
            )
        if step.tick > self._last:
            # Restored, a lazy service has begun one tick more than it knows to be done: asked
            # for the one after that, it learns that the driver had its answer.
            if step.tick not in (self._last + 1, self._last + 1 + self._unsure):
                raise LockstepError(
                    f"{self._segment} has done tick {self._last}, asked for {step.tick}"
                )
            with self._ctx.latency.stage(f"{self._segment}.tick"):
                await self._work(step)
        if self._relay is not None:
            await self._relay.flush()

    async def _work(self, step: ReplayStep) -> None:
        self._move_clock(step.as_of)
        if self._pump is not None:
            await self._pump.drain(step.upto, also=partial(self._enter, step))

        async def mark(tx: AsyncConnection) -> None:
            await self._mark(tx, step)

        await self._on_step(step, mark)
        begun = self._begun == step.tick and not step.final
        if self._marked != step.tick and not begun:
            async with self._store.transaction() as tx:
                await self._mark(tx, step)
        self._run_id, self._last, self._unsure = step.run_id, step.tick, 0

    async def _enter(self, step: ReplayStep, tx: AsyncConnection) -> None:
        """Record the tick as begun, with its time, in the transaction of what it read."""
        if self._lazy:
            await self._write(tx, step, step.tick - 1)
            self._begun = step.tick

    async def _mark(self, tx: AsyncConnection, step: ReplayStep) -> None:
        await self._write(tx, step, step.tick)
        self._marked = step.tick

    async def _write(self, tx: AsyncConnection, step: ReplayStep, done: int) -> None:
        await _MARK.run(
            tx,
            {
                "service": self._segment,
                "run_id": step.run_id,
                "tick": done,
                "as_of": step.as_of,
            },
        )

    async def _serve_position(self, data: bytes) -> bytes:
        position = ReplayPosition(service=self._segment, run_id=self._run_id, last_tick=self._last)
        return position.model_dump_json().encode()

    async def _serve_digest(self, data: bytes) -> bytes:
        async with self._lock:
            digest, counts = await self._digest()
        reply = StateDigest(
            service=self._segment, digest=digest, counts=counts, last_tick=self._last
        )
        return reply.model_dump_json().encode()


class LockstepDriver:
    """Move services through ticks, in one order, across their restarts.

    :param services: segments in the order in which they work on a tick.
    :param attempt_s: how long one request may take before it is asked again.
    :param patience_s: how long a service may stay away before the run stops with an error.
    """

    def __init__(
        self,
        bus: EventBus,
        *,
        run_id: str,
        services: Sequence[str],
        attempt_s: float = 3.0,
        patience_s: float = 90.0,
    ) -> None:
        self._bus = bus
        self._run_id = run_id
        self._services = tuple(services)
        self._attempt_s = attempt_s
        self._patience_s = patience_s
        self.heads: dict[str, int] = {}

    async def run_tick(
        self,
        tick: int,
        as_of: datetime,
        published: Mapping[str, int],
        *,
        final: bool = False,
        overlap: Callable[[], bool] = lambda: False,
    ) -> None:
        """Let every service process ``tick``, after what ``published`` says and what each said.

        :param overlap: asked before the last two services; when it says so they work at the same
            time. It must be true only while neither can see what the other does in this tick.
        :raises RequestTimeout: when a service stays away.
        :raises RemoteError: when a service refuses the tick.
        """
        self._merge(published)
        for service in self._services[:-2]:
            self._merge(await self._advance(service, tick, as_of, final))
        last = self._services[-2:]
        if overlap():
            answers = await asyncio.gather(
                *(self._advance(service, tick, as_of, final) for service in last)
            )
            for heads in answers:
                self._merge(heads)
        else:
            for service in last:
                self._merge(await self._advance(service, tick, as_of, final))

    async def _advance(
        self, service: str, tick: int, as_of: datetime, final: bool
    ) -> dict[str, int]:
        step = ReplayStep(run_id=self._run_id, tick=tick, as_of=as_of, upto=self.heads, final=final)
        reply = await self._ask(advance_subject(service), step.model_dump_json().encode())
        return ReplayStepDone.model_validate_json(reply).heads

    def _merge(self, heads: Mapping[str, int]) -> None:
        for stream, sequence in heads.items():
            self.heads[stream] = max(self.heads.get(stream, 0), sequence)

    async def positions(self) -> dict[str, ReplayPosition]:
        """Ask every service for its last tick."""
        found = {}
        for service in self._services:
            reply = await self._ask(position_subject(service), b"")
            found[service] = ReplayPosition.model_validate_json(reply)
        return found

    async def digests(self) -> dict[str, StateDigest]:
        """Ask every service for the digest of its state."""
        found = {}
        for service in self._services:
            reply = await self._ask(digest_subject(service), b"")
            found[service] = StateDigest.model_validate_json(reply)
        return found

    async def _ask(self, subject: str, data: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_s
        while True:
            try:
                return await self._bus.request(subject, data, timeout_s=self._attempt_s)
            except (NoResponders, RequestTimeout) as error:
                if loop.time() >= deadline:
                    raise RequestTimeout(
                        f"{subject}: no answer within {self._patience_s:.0f} s ({error}); "
                        "is the service running? see `mts status`"
                    ) from error
                await asyncio.sleep(0.05)


def state_hash(digests: Mapping[str, StateDigest]) -> str:
    """Return one SHA-256 over the digests of all services, by name."""
    text = "\n".join(f"{name}={digests[name].digest}" for name in sorted(digests))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> object:
    match value:
        case Decimal():
            text = f"{value:f}"
            return text.rstrip("0").rstrip(".") if "." in text else text
        case datetime():
            return value.isoformat()
        case Enum():
            return str(value.value)
        case bytes():
            return value.hex()
        case _:
            return value


def digest_rows(rows: Iterable[Sequence[object]]) -> str:
    """Return SHA-256 over rows in the order given; Decimals and times in canonical form."""
    digest = hashlib.sha256()
    for row in rows:
        line = json.dumps([_plain(value) for value in row], separators=(",", ":"))
        digest.update(line.encode())
        digest.update(b"\n")
    return digest.hexdigest()
