"""The operations service: it hears every event, keeps the log, watches and halts."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from typing import ClassVar

from mts1b_foundation.commands import HaltReply, LeaseGrant, LeaseRequest
from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.nats import (
    CMD_HALT_LEASE,
    CMD_HALT_REQUEST,
    CMD_HALT_RESUME,
    MARKETDATA_BARS,
    MARKETDATA_QUOTES,
    OPERATIONS_AUDIT_APPENDED,
    AuditPayload,
)
from mts1b_foundation.replay import ReplayStep
from mts1b_foundation.risk import ActiveHalt, HaltRequest, ResumeRequest, WatchdogAlert
from mts1b_platform.eventbus.port import Message, Subscription
from mts1b_platform.lockstep import LockstepParticipant, Mark
from mts1b_platform.pump import Event, EventPump
from mts1b_platform.service import Service, ServiceContext
from mts1b_platform.store import OutboxRelay
from mts1b_platform.store.connection import AsyncConnection
from mts1b_platform.store.inline import transaction_of

from mts1b_operations.api import ApiServer, Board, PeerLimiter, create_app
from mts1b_operations.audit.chain import AuditRecord
from mts1b_operations.bus_log import BusLog
from mts1b_operations.digest import EconomicDigest
from mts1b_operations.events import AUDITED, record_of
from mts1b_operations.fill_times import FillTimes
from mts1b_operations.halt import HaltManager
from mts1b_operations.halt_record import active_halts, readable
from mts1b_operations.lease import LeaseOffice
from mts1b_operations.operator import ScriptedOperator
from mts1b_operations.parts import Parts
from mts1b_operations.places import STORE_NAME
from mts1b_operations.probes import poll_services
from mts1b_operations.pulse import AuditPulse
from mts1b_operations.signals import SignalRecord, intake_of
from mts1b_operations.store_probe import StoreLook
from mts1b_operations.tables import METADATA
from mts1b_operations.watchdogs.override_store import load_overrides
from mts1b_operations.watchdogs.runner import ALERT, WatchdogRunner
from mts1b_operations.watchdogs.settings import check_settings, watchdog_settings

__all__ = ["OperationsService"]

_STREAMS = ("RESEARCH", "RISK", "OMS")
"""In this order they are drained, so that the log has one order in every run."""

_OVERRIDES_EVERY = 20
_SETTLE_EVERY = 16
_BUS_LOG_EVERY_S = 1.0
_ACTOR = "mts1b-operations"
_LINGER_S = 0.05
"""The log may be this late: entries that come together share a commit, and the disk is free for
orders."""

Also = Callable[[AsyncConnection], Awaitable[None]]


class OperationsService(Service):
    """Wire the audit log, the watchdogs, the halts and the public API to the bus."""

    name: ClassVar[str] = "operations"

    def __init__(self, ctx: ServiceContext) -> None:
        super().__init__(ctx)
        self._board = Board()
        check_settings(ctx.settings)
        self._runner = WatchdogRunner(watchdog_settings(ctx.settings))
        self._parts: Parts
        self._fill_times: FillTimes
        self._manager: HaltManager
        self._leases: LeaseOffice
        self._operator: ScriptedOperator | None = None
        self._pulse: AuditPulse | None = None
        self._pump: EventPump
        self._relay: OutboxRelay
        self._bus_log: BusLog
        self._api: ApiServer
        self._told = 0
        self._heard: list[Subscription] = []
        self._collected: list[tuple[AuditRecord, list[WatchdogAlert]]] = []
        self._transaction: object | None = None

    async def start(self) -> None:
        """Open the store, agree with the halt record, remember the past, serve."""
        ctx = self.ctx
        store = await ctx.open_store(STORE_NAME, METADATA)
        self._parts = parts = Parts.on(store, ctx.home, ctx.clock)
        self._fill_times = FillTimes(parts.audit)
        self._manager = HaltManager(
            home=ctx.home,
            store=store,
            halt_store=parts.halts,
            audit=parts.audit,
            keyring=parts.keyring,
            clock=ctx.clock,
        )
        await self._manager.recover()
        await self._life("started")
        await self._catch_up(parts.audit.size)
        if ctx.settings.operator.script:
            self._operator = ScriptedOperator(
                parts,
                self._manager,
                name=ctx.settings.operator.name,
                after_sessions=ctx.settings.operator.resume_after_sessions,
            )
        self._relay = await ctx.relay(store, "OPERATIONS")
        self._pump = EventPump(
            ctx.bus,
            store,
            name=self.name,
            streams=_STREAMS,
            handler=self._on_event,
            at_end=self._write_collected,
            wanted=frozenset(AUDITED),
        )
        await self._pump.start()
        await self._serve()

    async def _serve(self) -> None:
        ctx = self.ctx
        self._leases = LeaseOffice(self._parts.halts, sound=self._audit_is_sound)
        await ctx.serve_model(CMD_HALT_LEASE, LeaseRequest, self._lease)
        await ctx.serve_model(CMD_HALT_REQUEST, HaltRequest, self._halt)
        await ctx.serve_model(CMD_HALT_RESUME, ResumeRequest, self._resume)
        self._heard = [
            await ctx.bus.subscribe(MARKETDATA_BARS, self._on_bar),
            await ctx.bus.subscribe(MARKETDATA_QUOTES, self._on_quote),
        ]
        self._start_api()
        if ctx.replay:
            participant = LockstepParticipant(
                ctx,
                self._parts.store,
                segment="operations",
                pump=self._pump,
                relay=self._relay,
                on_step=self._on_step,
                digest=self._digest,
                lazy=True,
            )
            await participant.start()
        else:
            ctx.tasks.start("operations.pump", self._pump.run(linger_s=_LINGER_S))
            ctx.tasks.start("operations.flush", self._flush_often())
            self._pulse = AuditPulse(
                self._parts.audit, clock=ctx.system_clock, actor=_ACTOR, report=ctx.log
            )
            ctx.tasks.start("operations.pulse", self._pulse.write())
            ctx.tasks.start("operations.pulse_watch", self._pulse.watch())
        ctx.tasks.start("operations.probes", self._probe_often())
        self._bus_log = BusLog(ctx.home, self._parts.store, ctx.system_clock)
        await self._bus_log.start()
        ctx.tasks.start("operations.bus_log", self._watch_the_bus())

    def _start_api(self) -> None:
        settings = self.ctx.settings.api
        app = create_app(
            board=self._board,
            halts=self._active_halts,
            health=self.health,
            limiter=PeerLimiter(self.ctx.system_clock),
            host=settings.host,
            names=settings.names,
            signals=intake_of(
                self.ctx.settings,
                self.ctx.home,
                SignalRecord(self._parts.store, self.ctx.system_clock, self._append),
                self.ctx.system_clock,
            ),
        )
        self._api = ApiServer(app, host=settings.host, port=settings.port)
        port = self._api.bind()
        path = self.ctx.home / "run" / "operations-api.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps({"host": settings.host, "port": port}))
        os.replace(partial, path)
        self.ctx.tasks.start("operations.api", self._api.run())

    async def stop(self) -> None:
        """Sign the log as it stands, and close."""
        await self.ctx.stop_serving()
        for subscription in self._heard:
            await subscription.unsubscribe()
        await self._api.stop()
        await self._pump.close()
        await self._life("stopped")
        await self._parts.audit.checkpoint()
        await self._parts.store.close()
        (self.ctx.home / "run" / "operations-api.json").unlink(missing_ok=True)

    async def health(self) -> dict[str, str]:
        """Return the bus check, and whether the halt record can be read."""
        checks = await super().health()
        written = {} if self._pulse is None else {"audit": self._pulse.state}
        record = "ok" if readable(self._parts.halts) else "unreadable"
        return checks | written | {"halt_record": record}

    def _audit_is_sound(self) -> bool:
        """Return whether the log is written to; a replay's clock says nothing of that."""
        return self._pulse is None or self._pulse.is_sound

    async def _active_halts(self) -> list[ActiveHalt]:
        return list(active_halts(self._parts.halts))

    async def _life(self, verb: str) -> None:
        await self._parts.audit.append(
            actor=_ACTOR,
            action=f"service.{verb}",
            subject_id=self.name,
            data={"pid": os.getpid()},
            timestamp=self.ctx.system_clock.now(),
        )

    async def _halt(self, request: HaltRequest) -> HaltReply:
        with self.ctx.latency.stage("operations.halt"):
            return await self._manager.request(request)

    async def _lease(self, request: LeaseRequest) -> LeaseGrant:
        return self._leases.grant(request)

    async def _resume(self, request: ResumeRequest) -> HaltReply:
        return await self._manager.resume_signed(request)

    async def _on_bar(self, message: Message) -> None:
        symbol, interval = message.subject.split(".")[4:6]
        self._board.put_bar(symbol, interval, message.data)

    async def _on_quote(self, message: Message) -> None:
        self._board.put_quote(message.subject.split(".")[4], message.data)

    async def _on_event(self, tx: AsyncConnection, event: Event) -> None:
        """Collect one event and what the watchdogs say of it, for the event's transaction."""
        transaction = transaction_of(tx)
        if self._transaction is not transaction:
            self._transaction = transaction
            self._collected = []
            size = await self._parts.audit.enter(tx)
            if self._runner.seen != size:
                await self._catch_up(size)
            self._runner.seen = (
                size + 1
            )  # ahead of the log until it is written, so also after a rollback
        if isinstance(event.payload, NavSnapshot):
            self._board.put_nav(event.payload)
        alerts = self._runner.observe(event.payload, wall=self.ctx.system_clock.now())
        record = record_of(event, filled_at=await self._fill_times.of(event))
        self._collected.append((record, alerts))

    async def _write_collected(self, tx: AsyncConnection) -> None:
        """Write what the events of one transaction gave, in their order."""
        collected, self._collected = self._collected, []
        records: list[AuditRecord] = []
        alerts: list[WatchdogAlert] = []
        for record, raised in collected:
            records += [record, *map(_alert_record, raised)]
            alerts += raised
        await self._write(tx, records, alerts)

    async def _write(
        self, tx: AsyncConnection, records: list[AuditRecord], alerts: list[WatchdogAlert]
    ) -> None:
        await self._parts.audit.add(tx, records)
        self._runner.seen = self._parts.audit.size
        await self._parts.store.outbox.add_many(
            tx,
            [
                (alert.alert_id, self._runner.subject_of(alert), alert.model_dump_json().encode())
                for alert in alerts
            ],
        )

    async def _catch_up(self, size: int) -> None:
        """Show the watchdogs what the log holds and they have not seen.

        A rolled back transaction leaves them ahead of the log: then they begin anew.
        """
        if self._runner.seen > size:
            self._runner = WatchdogRunner(watchdog_settings(self.ctx.settings))
        while entries := await self._parts.audit.watched(since=self._runner.seen):
            self._runner.remember(entries)
            await asyncio.sleep(0)  # a stop may come in between: a year of them takes a while
        self._runner.seen = size
        self._runner.apply(await load_overrides(self._parts.store))

    async def _on_step(self, step: ReplayStep, mark: Mark) -> None:
        if step.tick % _OVERRIDES_EVERY == 0:
            self._runner.apply(await load_overrides(self._parts.store))
        due: list[ResumeRequest] = []
        if self._operator and active_halts(self._parts.halts):
            async with self._parts.store.transaction() as tx:
                due = await self._operator.step(tx, step.as_of)
                await mark(tx)
        settles = bool(due) or step.final or step.tick % _SETTLE_EVERY == 0
        if settles:
            self._parts.audit.settle()
        for request in due:
            await self._manager.finish_resume(request)
        if step.final:
            await self._parts.audit.checkpoint()
        if settles:
            await self._tell()

    async def _tell(self) -> None:
        """Say where the log stands, to who listens."""
        head = self._parts.audit.last
        if head is None or head.sequence < self._told or not self.ctx.bus.connected:
            return
        self._told = head.sequence + 1
        payload = AuditPayload(
            sequence=head.sequence,
            hash=head.hash,
            actor=head.actor,
            action=head.action,
            subject_id=head.subject_id,
        )
        await self.ctx.bus.publish(OPERATIONS_AUDIT_APPENDED, payload.model_dump_json().encode())

    async def _flush_often(self) -> None:
        while True:
            await self.ctx.system_clock.sleep(1.0)
            async with self._parts.store.transaction() as tx:
                await self._parts.audit.enter(tx)
            self._parts.audit.settle()
            await self._tell()

    async def _probe_often(self) -> None:
        clock = self.ctx.system_clock
        look = StoreLook(self._parts.store, clock)
        while True:
            await clock.sleep(self.ctx.settings.service.heartbeat_s)
            seen = [
                *await poll_services(self.ctx.home, clock),
                await look.probe(),
            ]
            for observation in seen:
                alerts = self._runner.observe(observation, wall=clock.now())
                if alerts:
                    await self._raise(alerts)

    async def _watch_the_bus(self) -> None:
        """Make an alarm of what the bus refuses: nobody asks for that who is what it says."""
        clock = self.ctx.system_clock
        while True:
            await clock.sleep(_BUS_LOG_EVERY_S)
            looked = self._bus_log.look()
            alerts = [
                alert for seen in looked for alert in self._runner.observe(seen, wall=clock.now())
            ]
            refused = [seen for seen in looked if seen.count]
            for seen in refused:
                self.ctx.log.error(
                    "bus refused", user=seen.user, count=seen.count, first=seen.first
                )
            if refused:
                await self._raise(alerts, also=self._bus_log.remember)

    async def _append(self, tx: AsyncConnection, records: list[AuditRecord]) -> None:
        """Append to the log what no event of the bus tells."""
        size = await self._parts.audit.enter(tx)
        if self._runner.seen != size:
            await self._catch_up(size)
        await self._write(tx, records, [])

    async def _raise(self, alerts: list[WatchdogAlert], *, also: Also | None = None) -> None:
        async with self._parts.store.transaction() as tx:
            size = await self._parts.audit.enter(tx)
            if self._runner.seen != size:
                await self._catch_up(size)
            await self._write(tx, [*map(_alert_record, alerts)], alerts)
            if also is not None:
                await also(tx)
        self._parts.audit.settle()

    async def _digest(self) -> tuple[str, dict[str, int]]:
        digest, size = EconomicDigest(), 0
        while rows := await self._parts.audit.rows(size):
            digest.take(rows)
            size = rows[-1][0] + 1
        return digest.finish(await self._active_halts())


def _alert_record(alert: WatchdogAlert) -> AuditRecord:
    return AuditRecord(
        actor=_ACTOR,
        action=ALERT,
        subject_id=alert.scope,
        data=alert.model_dump(mode="json"),
        timestamp=alert.raised_at,
    )
