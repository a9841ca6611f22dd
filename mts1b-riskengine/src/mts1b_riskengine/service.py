"""The risk engine as a service: what it reads, what it answers, what it asks for."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import ClassVar

from mts1b_foundation import HaltRequest, RiskDecision, SoftOverride
from mts1b_foundation.commands import (
    BookQuery,
    BookReply,
    CheckOrder,
    EnvelopeQuery,
    EnvelopeReply,
    EnvelopeUpdate,
    HaltReply,
    OrdersQuery,
    OrdersReply,
    OverrideReply,
    OverridesQuery,
)
from mts1b_foundation.nats import (
    CMD_HALT_REQUEST,
    CMD_OMS_BOOK,
    CMD_OMS_ORDERS,
    CMD_RISK_BLOCKS,
    CMD_RISK_CHECK,
    CMD_RISK_ENVELOPE_GET,
    CMD_RISK_ENVELOPE_UPDATE,
    CMD_RISK_OVERRIDE,
    RISK_GATE_PASSED,
    GatePassed,
)
from mts1b_foundation.replay import ReplayStep
from mts1b_platform.eventbus.port import BusError
from mts1b_platform.halt import HaltStore
from mts1b_platform.lockstep import LockstepParticipant, Mark
from mts1b_platform.pump import EventPump
from mts1b_platform.service.base import Service, ServiceContext
from mts1b_platform.signing import KeyRing
from mts1b_platform.store import Store
from mts1b_platform.supervision import OwnedTasks

from mts1b_riskengine.agreement import LOOK_EVERY_S, OrderAgreement
from mts1b_riskengine.book import RiskBook
from mts1b_riskengine.borrow import desk_of
from mts1b_riskengine.context import FactSource
from mts1b_riskengine.digest import economic_digest
from mts1b_riskengine.engine import Judgement, RiskEngine
from mts1b_riskengine.feed import FEED_STREAMS, RiskFeed, feed_subjects
from mts1b_riskengine.halting import HaltRequester
from mts1b_riskengine.halts import HaltRecord
from mts1b_riskengine.limits_witness import LimitsWitness
from mts1b_riskengine.pipeline import GateRun
from mts1b_riskengine.policy import RiskPolicy
from mts1b_riskengine.position_agreement import PositionAgreement
from mts1b_riskengine.scope import unknown_groups
from mts1b_riskengine.signed_envelopes import require_signed_loosening
from mts1b_riskengine.tables import SCHEMA_VERSION, metadata

__all__ = ["APPROVAL_KEY", "RiskEngineService"]

APPROVAL_KEY = "risk"
"""The name of the key ring's key that signs approvals."""

_HALT_PATIENCE_S = 20.0
_START_PATIENCE_S = 10.0
"""How long a start waits for what was told meanwhile to be read; it goes on in the background."""
_WATCH_S = 0.5
_MOST_UNTOLD = 1000


class RiskEngineService(Service):
    """Answer checks and envelope commands; keep the book; ask for halts on loss breaches."""

    name: ClassVar[str] = "riskengine"
    facts: ClassVar[FactSource | None] = None

    def __init__(self, ctx: ServiceContext) -> None:
        super().__init__(ctx)
        self._background = OwnedTasks(ctx.tasks)
        self._store: Store | None = None
        self._pump: EventPump | None = None
        self._answers = asyncio.Event()
        self.agreed: list[str] = []
        """The orders on which risk had to follow the OMS since the start."""
        self._judged: asyncio.Queue[tuple[str, GateRun]] = asyncio.Queue(_MOST_UNTOLD)

    async def start(self) -> None:
        """Open the store, load the book, take the configured envelopes, then serve."""
        ctx = self.ctx
        store = await ctx.open_store(self.name, metadata, version=SCHEMA_VERSION)
        self._store = store
        self.engine = self._build_engine(store)
        await self.engine.start()
        self._prepare_calendars()
        for line in unknown_groups(ctx.settings):
            ctx.log.warning("a cap counts what it does not know", cap=line)
        self._limits = LimitsWitness(ctx.home / "witness", ctx.log)
        await self._limits.restore(self.engine)
        for entry in ctx.settings.funds:
            await self.engine.seed_envelope(entry.envelope)
            self._limits.keep(self.engine.book.envelopes.get(entry.fund.fund_id))
        relay = await ctx.relay(store, "RISK")
        feed = RiskFeed(self.engine)
        pump = EventPump(
            ctx.bus,
            store,
            name=self.name,
            streams=FEED_STREAMS,
            handler=feed.handle,
            wanted=feed_subjects(ctx.settings.limits),
        )
        await pump.start()
        self._pump = pump
        self._halting = HaltRequester(store, self.engine.book, self._ask_for_halt)
        participant = LockstepParticipant(
            ctx,
            store,
            segment="risk",
            pump=pump,
            relay=relay,
            on_step=self._on_step,
            digest=lambda: economic_digest(store),
        )
        await participant.start()
        # Not earlier: a check before the virtual time is restored would find prices of the future,
        # and one before all is read that was told meanwhile the positions of the past.
        if ctx.replay:
            await self._serve_commands()
            self._answers.set()
        else:
            self._background.start("riskengine.pump", pump.run())
            self._background.start("riskengine.commands", self._answer_when_all_is_read(pump))
            with suppress(TimeoutError):
                async with asyncio.timeout(_START_PATIENCE_S):
                    await self._answers.wait()
            self._background.start("riskengine.breaches", self._watch_breaches())
            self._background.start("riskengine.statistics", self._tell_passed())
            self._background.start("riskengine.agreement", self._compare_with_the_oms())

    @property
    def answers(self) -> bool:
        """Return whether checks are answered: live not before all is read that was told."""
        return self._answers.is_set()

    async def _answer_when_all_is_read(self, pump: EventPump) -> None:
        await pump.catch_up()
        await self._serve_commands()
        self._answers.set()

    def _build_engine(self, store: Store) -> RiskEngine:
        ctx, risk = self.ctx, self.ctx.settings.risk
        return RiskEngine(
            store,
            book=RiskBook.from_settings(ctx.settings, store, clock=ctx.clock),
            signer=self._keys().signer(APPROVAL_KEY, risk.algorithm),
            halts=HaltRecord(HaltStore(ctx.home / "halt")),
            clock=ctx.clock,
            policy=RiskPolicy(approval_ttl_s=risk.approval_ttl_s),
            borrow=desk_of(ctx.settings.venue),
            facts=type(self).facts,
            latency=ctx.latency,
            timer=ctx.system_clock,
        )

    def _prepare_calendars(self) -> None:
        """Build the calendars of all mandates now: the first order shall not wait for them."""
        book = self.engine.book
        listed = (symbol for mandate in book.mandates.mandates for symbol in mandate.symbols)
        facts = (book.instruments.facts(symbol) for symbol in listed)
        names = {one.session for one in facts if one is not None and one.session is not None}
        book.sessions.prepare(tuple(sorted(names)), self.ctx.clock.now())

    def _keys(self) -> KeyRing:
        return KeyRing(self.ctx.home / "keys", self.ctx.rng)

    async def _serve_commands(self) -> None:
        ctx = self.ctx
        await ctx.serve_model(CMD_RISK_CHECK, CheckOrder, self._check)
        await ctx.serve_model(CMD_RISK_ENVELOPE_GET, EnvelopeQuery, self._envelope)
        await ctx.serve_model(CMD_RISK_ENVELOPE_UPDATE, EnvelopeUpdate, self._update)
        await ctx.serve_model(CMD_RISK_BLOCKS, OverridesQuery, self._blocks)
        await ctx.serve_model(CMD_RISK_OVERRIDE, SoftOverride, self._override)

    async def _check(self, request: CheckOrder) -> RiskDecision:
        judgement = await self.engine.judge(
            request.order,
            lease_id=request.lease_id,
            amends=request.amends,
            parent=request.parent,
        )
        if not self.ctx.replay:
            self._note(judgement)
        return judgement.decision

    def _note(self, judgement: Judgement) -> None:
        """Keep a judgement for the statistics, which whoever asked need not wait for."""
        if judgement.run is not None and not self._judged.full():
            self._judged.put_nowait((judgement.decision.order_id, judgement.run))

    async def _tell_passed(self) -> None:
        """Publish what passed, for statistics: at most once, never in a replay."""
        while True:
            order_id, run = await self._judged.get()
            if self.ctx.bus.connected:
                await self._tell_passed_of(order_id, run)

    async def _tell_passed_of(self, order_id: str, run: GateRun) -> None:
        for result, seconds in zip(run.results, run.seconds, strict=True):
            if result.passed:
                passed = GatePassed(
                    order_id=order_id,
                    gate=result.gate,
                    latency_ms=seconds * 1000,
                )
                await self.ctx.bus.publish(RISK_GATE_PASSED, passed.model_dump_json().encode())

    async def _envelope(self, query: EnvelopeQuery) -> EnvelopeReply:
        return EnvelopeReply(envelope=self.engine.book.envelopes.get(query.fund_id))

    async def _update(self, update: EnvelopeUpdate) -> EnvelopeReply:
        done = await self.engine.update_envelope(
            update.envelope,
            word=update,
            permit=lambda current: require_signed_loosening(self._keys(), current, update),
        )
        self._limits.keep(done)
        return EnvelopeReply(envelope=done)

    async def _blocks(self, query: OverridesQuery) -> OverrideReply:
        return OverrideReply(blocks=self.engine.blocks(query.fund_id))

    async def _override(self, override: SoftOverride) -> OverrideReply:
        return OverrideReply(blocks=(await self.engine.override(override, self._keys()),))

    async def _on_step(self, step: ReplayStep, mark: Mark) -> None:
        await self._halting.send_pending()

    async def _ask_for_halt(self, request: HaltRequest) -> HaltReply:
        return await self.ctx.call(
            CMD_HALT_REQUEST, request, HaltReply, patience_s=_HALT_PATIENCE_S
        )

    async def _watch_breaches(self) -> None:
        """Ask for halts as breaches open; when operations is away or refuses, go on asking.

        The breach itself denies new risk meanwhile, and whoever wants to go flat needs an engine.
        """
        while True:
            try:
                await self._halting.send_pending()
            except BusError as error:
                self.ctx.log.error("a halt that a loss asks for is not in force", error=str(error))
            await self.ctx.clock.sleep(_WATCH_S)

    async def _compare_with_the_oms(self) -> None:
        """Compare reservations and positions with what the OMS has, now and then."""
        ctx = self.ctx
        orders = OrderAgreement(self.engine, self._ask_oms, clock=ctx.clock, log=ctx.log)
        positions = PositionAgreement(
            self.engine, self._ask_for_book, has_read_all=self._has_read_all, log=ctx.log
        )
        while True:
            await ctx.system_clock.sleep(LOOK_EVERY_S)
            self.agreed += await orders.look()
            self.agreed += await positions.look()

    async def _ask_oms(self, query: OrdersQuery) -> OrdersReply:
        return await self.ctx.call(CMD_OMS_ORDERS, query, OrdersReply, patience_s=0.0)

    async def _ask_for_book(self, query: BookQuery) -> BookReply:
        return await self.ctx.call(CMD_OMS_BOOK, query, BookReply, patience_s=0.0)

    async def _has_read_all(self) -> bool:
        return self._pump is not None and await self._pump.has_read_all("OMS")

    async def health(self) -> dict[str, str]:
        """Return the checks of every service, and whether a breach waits for its halt."""
        checks = await super().health()
        waiting = [fund.fund_id for fund in self.engine.book.funds.pending()]
        if not self.answers:
            checks["feed"] = "reads what it was told while it was away; then it answers"
        checks["halts"] = f"not confirmed: {', '.join(waiting)}" if waiting else "ok"
        return checks

    async def stop(self) -> None:
        """Stop answering and reading, then close the store."""
        await self.ctx.stop_serving()
        await self._background.stop()
        if self._pump is not None:
            await self._pump.close()
        if self._store is not None:
            await self._store.close()
