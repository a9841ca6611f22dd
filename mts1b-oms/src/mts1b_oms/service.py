"""The OMS as a service: what is built of what, and what is served."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Protocol, runtime_checkable

from mts1b_brokers.registry import create_venue
from mts1b_foundation.adjustments import AdjustBooks
from mts1b_foundation.commands import (
    BookQuery,
    BookReply,
    CancelAll,
    CancelAllReply,
    CancelOrder,
    CancelReply,
    LeaseGrant,
    OrdersQuery,
    OrdersReply,
    ReplaceOrder,
    ResolveOrder,
    ResolveReply,
    SubmitOrder,
    SubmitReply,
)
from mts1b_foundation.market_data import Bar
from mts1b_foundation.nats import (
    CMD_HALT_LEASE,
    CMD_OMS_ADJUST,
    CMD_OMS_BOOK,
    CMD_OMS_CANCEL,
    CMD_OMS_CANCEL_ALL,
    CMD_OMS_ORDERS,
    CMD_OMS_REPLACE,
    CMD_OMS_RESOLVE,
    CMD_OMS_SUBMIT,
    MARKETDATA_BARS,
)
from mts1b_foundation.protocols import BrokerProtocol
from mts1b_foundation.replay import ReplayStep
from mts1b_foundation.risk import ActiveHalt
from mts1b_oms_algos import VolumeTape, algorithms
from mts1b_platform.halt import (
    HaltSocket,
    HaltStateUnreadable,
    HaltStore,
    LeaseKeeper,
    SendLease,
)
from mts1b_platform.lockstep import LockstepParticipant, Mark
from mts1b_platform.pump import Event, EventPump
from mts1b_platform.service.base import Service, ServiceContext
from mts1b_platform.service.lock import LockHeld, ProcessLock
from mts1b_platform.signing import KeyRing, Verifier
from mts1b_platform.store import OutboxRelay, Store
from mts1b_platform.store.connection import AsyncConnection
from mts1b_platform.supervision import OwnedTasks
from mts1b_riskengine.client import RiskEngineClient
from mts1b_riskengine.service import APPROVAL_KEY
from pydantic import ValidationError

from mts1b_oms.adjuster import Adjuster
from mts1b_oms.cancels import Canceller
from mts1b_oms.capital import split_capital
from mts1b_oms.dead_man import DeadManSwitch
from mts1b_oms.digest import state_digest
from mts1b_oms.dispatch import Dispatcher
from mts1b_oms.doubt import DoubtWork
from mts1b_oms.errors import OmsError, WriterFenced
from mts1b_oms.gate import ReconciliationGate
from mts1b_oms.gateway import Gateway
from mts1b_oms.intake import Intake
from mts1b_oms.live import LiveWork
from mts1b_oms.load import Load
from mts1b_oms.orders import OrderService
from mts1b_oms.quarantine import Quarantine
from mts1b_oms.reconcile import Reconciler
from mts1b_oms.record import OmsRecord
from mts1b_oms.recovery import Recovery, restore_clock
from mts1b_oms.refusals import last_try
from mts1b_oms.replaces import Replacer
from mts1b_oms.resolve import Resolver
from mts1b_oms.restored import Restoration
from mts1b_oms.risk import RemoteRisk
from mts1b_oms.router import RoutingTable
from mts1b_oms.tables.store import metadata
from mts1b_oms.tick import BarWork
from mts1b_oms.venue_sync import VenueSync
from mts1b_oms.witness import Witness

__all__ = ["OmsService"]

_RISK_RETRY_S = 0.1


@runtime_checkable
class _Closable(Protocol):
    async def close(self) -> None: ...


class OmsService(Service):
    """Own orders, positions, cash and NAV; the only process that talks to the venue."""

    name: ClassVar[str] = "oms"

    def __init__(self, ctx: ServiceContext, *, venue: BrokerProtocol | None = None) -> None:
        super().__init__(ctx)
        self._given_venue = venue
        self._lock = ProcessLock(ctx.home / "db" / "oms.lock")
        self.gate = ReconciliationGate()
        self._dead_man: DeadManSwitch | None = None

    async def start(self) -> None:
        """Open the record and the venue, recover, then serve."""
        ctx, settings = self.ctx, self.ctx.settings
        self._take_store()
        self._store: Store = await ctx.open_store("oms", metadata)
        self._venue: BrokerProtocol = self._given_venue or create_venue(
            settings, home=ctx.home, clock=ctx.clock, ids=ctx.ids
        )
        self.record = await OmsRecord.open(
            self._store,
            ctx.clock,
            venue=self._venue.name,
            capital=split_capital([entry.fund for entry in settings.funds], settings.strategies),
            store_id=ctx.ids.new("oms-store"),
        )
        self._build()
        self._relay: OutboxRelay = await ctx.relay(self._store, "OMS")
        await self._pump.start()
        self._participant = LockstepParticipant(
            ctx,
            self._store,
            segment="oms",
            pump=self._pump,
            relay=self._relay,
            on_step=self._step,
            digest=lambda: state_digest(self.record),
        )
        await restore_clock(self._store, ctx.clock)
        await self._restoration.detect()
        await self._start_lease()  # before what recovery goes on with, which may not leave without
        report = await self._recovery.run()
        ctx.log.info("recovered", report=str(report), gate=self.gate.reason or "open")
        await self._dispatcher.resume()
        self._arm_dead_man()
        await self._serve()
        if ctx.sockets:
            await self._socket.start()
        await self._participant.start()
        if not ctx.replay:
            self._live.start()

    def _build(self) -> None:
        self._build_orders()
        self._build_recovery()
        self._build_work()

    def _build_orders(self) -> None:
        """Build what takes orders to the venue and changes them there."""
        ctx, settings = self.ctx, self.ctx.settings
        self._gateway = Gateway(
            venue=self._venue,
            verifier=self._verifier(),
            halts=HaltStore(ctx.home / "halt"),
            clock=ctx.clock,
            mode=settings.mode,
            lease=self._new_lease(),
            fills_from=lambda: self.record.cursor,
        )
        self.orders = OrderService(
            record=self.record,
            gateway=self._gateway,
            risk=RemoteRisk(RiskEngineClient(bus=ctx.bus, timeout_s=settings.risk.timeout_s)),
            intake=self._intake(),
            gate=self.gate,
            latency=ctx.latency,
            risk_pause=self._risk_pause if settings.risk.unavailable == "wait" else None,
            load=Load(settings.orders.max_in_progress),
        )
        self._sync = VenueSync(self.record, self._venue, self._gateway)
        self._canceller = Canceller(service=self.orders, gateway=self._gateway, sync=self._sync)
        self._replacer = Replacer(service=self.orders, gateway=self._gateway, sync=self._sync)
        self._restoration = Restoration(
            self.record, self._gateway, Witness(ctx.home / "witness"), log=ctx.log
        )
        self.orders.before_send = self._restoration.note_ahead
        self._tape = VolumeTape()
        look = partial(last_try, self.record)
        self._dispatcher = Dispatcher(
            self.orders,
            cancel=self._canceller.cancel,
            tasks=OwnedTasks(ctx.tasks),
            clock=ctx.clock,
            restoration=self._restoration,
            algorithms=algorithms(
                clock=ctx.clock,
                rng=ctx.rng,
                volume=self._tape,
                look=look,
                spreads=not ctx.replay,  # between two bars of a replay there is no time
            ),
        )

    def _build_recovery(self) -> None:
        """Build what compares the record with the venue, at the start and ever after."""
        ctx = self.ctx
        self._reconciler = Reconciler(
            record=self.record,
            venue=self._venue,
            sync=self._sync,
            gate=self.gate,
            restoration=self._restoration,
            gateway=self._gateway,
        )
        self._recovery = Recovery(
            record=self.record,
            service=self.orders,
            replacer=self._replacer,
            reconciler=self._reconciler,
            gate=self.gate,
            waits_for_risk=ctx.replay,
        )

    def _build_work(self) -> None:
        """Build what goes on by itself, and the ways in for operators."""
        ctx = self.ctx
        self._bars = BarWork(
            record=self.record, venue=self._venue, sync=self._sync, latency=ctx.latency
        )
        self._quarantine = Quarantine(ctx, self.record)
        self._doubt = DoubtWork(
            self.orders,
            self._replacer,
            self._canceller,
            clock=ctx.system_clock,
            log=ctx.log,
        )
        operators = KeyRing(ctx.home / "keys", ctx.rng)
        self._resolver = Resolver(self.orders, operators)
        self._adjuster = Adjuster(self.record, self._reconciler, operators, self._venue)
        self._socket = HaltSocket(ctx.home / "run", "oms", self._answer_socket)
        self._tasks = OwnedTasks(ctx.tasks)
        self._pump = EventPump(
            ctx.bus,
            self._store,
            name="oms",
            streams=["MARKETDATA"],
            handler=self._see_bar,
            wanted=frozenset({MARKETDATA_BARS}),
        )
        self._live = LiveWork(
            ctx=ctx,
            record=self.record,
            venue=self._venue,
            pump=self._pump,
            bars=self._bars,
            sync=self._sync,
            reconciler=self._reconciler,
            restoration=self._restoration,
            quarantine=self._quarantine,
            doubt=self._doubt,
        )

    async def _see_bar(self, tx: AsyncConnection, event: Event) -> None:
        """Keep a bar to work through, and its volume for algorithms that follow it."""
        if isinstance(event.payload, Bar):
            self._tape.see(event.payload)
        await self._bars.keep(tx, event)
        self._live.see_bar()

    def _new_lease(self) -> SendLease:
        """Return the lease; a replay, whose clock is not the machine's, needs none."""
        if self.ctx.replay or self.ctx.settings.halt.lease == "off":
            return SendLease.unlimited()
        return SendLease(self.ctx.system_clock)

    async def _start_lease(self) -> None:
        ctx = self.ctx
        if ctx.replay or ctx.settings.halt.lease == "off":
            return
        keeper = LeaseKeeper(
            lambda request: ctx.call(CMD_HALT_LEASE, request, LeaseGrant, attempt_s=1.0),
            self._gateway.lease,
            HaltStore(ctx.home / "halt"),
            clock=ctx.system_clock,
            holder="oms",
            incarnation=f"{self.record.fence:012d}",
            log=ctx.log,
            every_s=ctx.settings.halt.renew_s,
        )
        await keeper.renew()
        self._tasks.start("oms.lease", keeper.run())

    def _arm_dead_man(self) -> None:
        ctx, seconds = self.ctx, self.ctx.settings.venue.dead_man_s
        if seconds is None or ctx.replay:
            return
        self._dead_man = DeadManSwitch(
            self._venue, seconds=seconds, clock=ctx.system_clock, log=ctx.log
        )
        self._tasks.start("oms.dead_man", self._dead_man.run())

    async def _answer_socket(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer an operator on this machine, whatever became of the bus."""
        match request.get("do"):
            case "halt":
                halts = HaltStore(self.ctx.home / "halt")
                try:
                    state = halts.apply(ActiveHalt.model_validate(request.get("halt")))
                except HaltStateUnreadable as error:
                    return {"halted": True, "reason": str(error)}
                except ValidationError as error:
                    return {"error": f"no halt: {error}"}
                return {"halted": True, "epoch": state.epoch}
            case "cancel_all":
                try:
                    command = CancelAll.model_validate(
                        {name: request.get(name, "") for name in ("scope", "actor", "reason")}
                    )
                    reply = await self._cancel_all(command)
                except (ValidationError, OmsError) as error:
                    return {"error": str(error)}
                return reply.model_dump(mode="json")
            case "state":
                return {
                    "open": sorted(self.record.open_orders),
                    "gate": self.gate.reason or "open",
                    "lease_s": min(self._gateway.lease.left_s(), 1e9),
                }
            case other:
                return {"error": f"nothing to do: {other!r}"}

    def _verifier(self) -> Verifier:
        """Return the verifier of the risk engine's key, which whoever starts first creates."""
        ring = KeyRing(self.ctx.home / "keys", self.ctx.rng)
        ring.create(APPROVAL_KEY)
        return ring.verifier(APPROVAL_KEY, self.ctx.settings.risk.algorithm)

    def _intake(self) -> Intake:
        settings = self.ctx.settings
        symbols = {symbol for entry in settings.strategies for symbol in entry.symbols}
        return Intake(
            symbols=symbols | set(settings.replay.symbols),
            funds={entry.fund.fund_id for entry in settings.funds},
            inactive={entry.fund.fund_id for entry in settings.funds if not entry.fund.active},
            mode=settings.mode,
            routes=RoutingTable({self._venue.name: self._venue.name}),
        )

    async def _risk_pause(self) -> None:
        await self.ctx.system_clock.sleep(_RISK_RETRY_S)

    async def _serve(self) -> None:
        serve = self.ctx.serve_model
        await serve(CMD_OMS_SUBMIT, SubmitOrder, self._submit)
        await serve(CMD_OMS_CANCEL, CancelOrder, self._cancel)
        await serve(CMD_OMS_CANCEL_ALL, CancelAll, self._cancel_all)
        await serve(CMD_OMS_REPLACE, ReplaceOrder, self._replacer.replace)
        await serve(CMD_OMS_RESOLVE, ResolveOrder, self._resolve)
        await serve(CMD_OMS_ADJUST, AdjustBooks, self._adjuster.adjust)
        await serve(CMD_OMS_ORDERS, OrdersQuery, self._orders)
        await serve(CMD_OMS_BOOK, BookQuery, self._book)

    async def _step(self, step: ReplayStep, mark: Mark) -> None:
        await self._bars.work(step.as_of, mark)
        await self._quarantine.enforce()

    async def _submit(self, command: SubmitOrder) -> SubmitReply:
        if command.algo is None:
            return SubmitReply(order=await self.orders.submit(command.order))
        parent = await self._dispatcher.submit_algo(
            command.order, algo=command.algo, params=command.params
        )
        return SubmitReply(order=parent)

    async def _cancel(self, command: CancelOrder) -> CancelReply:
        return await self._canceller.cancel(
            command.order_id, actor=command.actor, reason=command.reason
        )

    async def _cancel_all(self, command: CancelAll) -> CancelAllReply:
        return await self._canceller.cancel_all(
            command.scope, actor=command.actor, reason=command.reason
        )

    async def _resolve(self, command: ResolveOrder) -> ResolveReply:
        return ResolveReply(order=await self._resolver.resolve(command))

    async def _orders(self, query: OrdersQuery) -> OrdersReply:
        found = tuple(await self.record.find(query))
        return OrdersReply(orders=found, complete=self._restoration.is_made_up)

    async def _book(self, query: BookQuery) -> BookReply:
        whole = self._restoration.is_made_up and self.gate.is_open
        return self.record.book(query).with_(complete=whole)

    async def health(self) -> dict[str, str]:
        """Return the checks of bus, reconciliation and quarantine."""
        armed = {} if self._dead_man is None else {"dead_man": self._dead_man.failing or "ok"}
        waiting = ", ".join("/".join(owner) for owner in sorted(self.record.unhalted))
        return (
            await super().health()
            | armed
            | {
                "reconciliation": self.gate.reason or "ok",
                "doubt": f"nobody knows: {', '.join(self._doubt.waiting)}"
                if self._doubt.waiting
                else "ok",
                "lease": "ok"
                if self._gateway.lease.valid()
                else "expired: operations does not answer",
                "quarantine": f"not halted yet: {waiting}" if waiting else "ok",
            }
        )

    def _take_store(self) -> None:
        try:
            self._lock.take()
        except LockHeld as error:
            raise WriterFenced(
                f"another OMS (process {error.holder}) has this store; end it first, or use "
                "another MTS_HOME"
            ) from error

    def abandon(self) -> None:
        """Let the next OMS have the store."""
        self._lock.release()

    async def stop(self) -> None:
        """Stop taking work, publish what is committed, close venue and record."""
        self.gate.close("the OMS is stopping")
        await self._socket.close()
        await self._tasks.stop()
        await self.ctx.stop_serving()
        await self._dispatcher.stop()
        await self._live.stop()
        await self._pump.close()
        if self.ctx.bus.connected:
            await self._relay.close()
        self._restoration.note()
        if isinstance(self._venue, _Closable):
            await self._venue.close()
        await self._store.close()
        self._lock.release()
