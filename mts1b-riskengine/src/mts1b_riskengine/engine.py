"""The risk engine: one order in, one recorded decision out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from mts1b_foundation import (
    DenyCode,
    NavSnapshot,
    Order,
    RiskDecision,
    RiskEnvelope,
    SoftBlock,
    SoftOverride,
    Symbol,
)
from mts1b_foundation.commands import EnvelopeUpdate
from mts1b_foundation.protocols import RiskGate
from mts1b_platform.clock import Clock
from mts1b_platform.latency import StageLatency, Unmeasured
from mts1b_platform.signing import KeyRing, Signer
from mts1b_platform.store import Store
from mts1b_platform.store.connection import AsyncConnection

from mts1b_riskengine.approval import ApprovalMint
from mts1b_riskengine.book import RiskBook
from mts1b_riskengine.borrow import BorrowDesk
from mts1b_riskengine.context import CheckContext, FactSource, build_context
from mts1b_riskengine.decisions import Found, Recorded, decisions_of
from mts1b_riskengine.denials import denied, denied_before
from mts1b_riskengine.envelopes import Permit
from mts1b_riskengine.funds import OpenBreach
from mts1b_riskengine.gates import default_gates
from mts1b_riskengine.halts import HaltReading, HaltSource
from mts1b_riskengine.overrides import prove_override
from mts1b_riskengine.pipeline import INLINE_FAILURES, GatePipeline, GateRun
from mts1b_riskengine.policy import RiskPolicy, policy_hash
from mts1b_riskengine.recall import recall_flow

__all__ = ["Judgement", "RiskEngine"]


class Judgement(NamedTuple):
    """A decision, with the run of the gates that led to it; None when it was on record."""

    decision: RiskDecision
    run: GateRun | None = None


class RiskEngine:
    """Decide whether orders may leave.

    Reading the book, asking the gates, reserving and recording are one transaction, and
    transactions take turns: no interleaving of checks can overshoot a cap.

    :param store: opened with this package's tables.
    :param signer: signs approvals; only the risk engine holds its key.
    :param halts: the durable halt record.
    :param book: also says which limits and mandates there are.
    :param gates: asked in this order; by default the seven documented ones and those that limits
        and mandates switch on.
    :param borrow: terms of short sales; without it every short sale is denied.
    :param facts: more context for custom gates.
    """

    def __init__(
        self,
        store: Store,
        *,
        book: RiskBook,
        signer: Signer,
        halts: HaltSource,
        clock: Clock,
        policy: RiskPolicy | None = None,
        gates: Sequence[RiskGate] | None = None,
        borrow: BorrowDesk | None = None,
        facts: FactSource | None = None,
        latency: StageLatency | None = None,
        timer: Clock | None = None,
    ) -> None:
        self.policy = policy or RiskPolicy()
        self.book = book
        self._store = store
        self._halts = halts
        self._clock = clock
        self._borrow = borrow
        self._facts = facts
        self._latency = latency or StageLatency(clock)
        self._measures = timer is not None or not isinstance(latency, Unmeasured)
        self._log = decisions_of(store)
        self._checked_at: dict[str, float] | None = None
        chosen = default_gates(limits=book.limits, mandates=book.mandates)
        self._pipeline = GatePipeline(
            chosen if gates is None else gates,
            budget_s=self.policy.gate_budget_s,
            clock=(timer or clock) if self._measures else None,
        )
        self._stages = {name: f"risk.gate.{name}" for name in self._pipeline.names}
        self._policy_hash = policy_hash(
            self.policy,
            self._pipeline.names,
            limits=book.limits,
            mandates=book.mandates.mandates,
        )
        self._mint = ApprovalMint(
            signer, ttl_s=self.policy.approval_ttl_s, policy_hash=self._policy_hash
        )

    @property
    def gate_names(self) -> tuple[str, ...]:
        """Return the gates in the order in which they are asked."""
        return self._pipeline.names

    async def start(self) -> None:
        """Load the book from the store, and what was approved lately."""
        async with self._store.transaction() as tx:
            await self.book.sync(tx)
            if self._store.keeps:
                now, moment = self._clock.now(), self._clock.monotonic()
                await recall_flow(tx, self.book, now=now, moment=moment)

    async def check(
        self,
        order: Order,
        *,
        lease_id: str = "",
        amends: str = "",
        parent: Order | None = None,
    ) -> RiskDecision:
        """Decide on ``order``, record it, and reserve what an approval may use.

        It does not submit. The same order asked again gets its recorded decision; an approval
        that has expired, or was given before a halt or another envelope, is decided anew as long
        as the order was not sent. A denial is final.

        :param lease_id: the lease under which the sender asks; an approval is good under it only.
        :param amends: the open order that ``order``, under an id and key of its own, would take
            the place of. What it holds is counted once, at the larger of both; a decision on a
            change is given once.
        :param parent: the order's parent as the OMS has it on record; its event may come later.
        """
        return (await self.judge(order, lease_id=lease_id, amends=amends, parent=parent)).decision

    async def judge(
        self,
        order: Order,
        *,
        lease_id: str = "",
        amends: str = "",
        parent: Order | None = None,
    ) -> Judgement:
        """Do what :meth:`check` does, and also return the results of the gates with their times."""
        with self._latency.stage("risk.check"):
            envelope = self.book.envelopes.find(order.fund_id)
            prepared = {} if envelope is None else await self._pipeline.prepare(order, envelope)
            async with self._store.transaction() as tx:
                judgement = await self._judge(tx, order, prepared, lease_id, amends, parent)
        if self._measures and judgement.run is not None:
            self._record_latency(judgement.run)
        return judgement

    async def _judge(
        self,
        tx: AsyncConnection,
        order: Order,
        prepared: Mapping[str, Any],
        lease_id: str,
        amends: str,
        parent: Order | None,
    ) -> Judgement:
        if self._checked_at is not None:
            self._checked_at[order.order_id] = self._clock.monotonic()
        reading = self._halts.read()
        await self.book.sync(tx)
        await self.book.funds.follow_halts(tx, reading)
        found = await self._log.find(tx, order)
        recorded = found.recorded
        if recorded is not None and await self._stands(tx, recorded, order, reading, lease_id):
            return Judgement(recorded.decision)
        attempt = recorded.attempt + 1 if recorded else 1
        context = self._context(order, found, reading, prepared, amends, parent)
        if isinstance(context, CheckContext):
            run = await self._pipeline.run(order, context.envelope, context)
        else:
            run = context
        decision = self._decision(order, run, reading, found.decision_id, attempt, lease_id)
        if decision.approved:
            await self._commit(tx, order, context, attempt, amends)
        elif not isinstance(context, GateRun) and context.get("soft_code") == decision.code:
            await self.book.blocks.raise_(
                tx, order, run.results[-1], found.decision_id, decision.decided_at
            )
        await self._log.record(tx, order, decision, found=found, attempt=attempt)
        return Judgement(decision, run)

    async def _commit(
        self,
        tx: AsyncConnection,
        order: Order,
        context: CheckContext | GateRun,
        attempt: int,
        amends: str,
    ) -> None:
        """Reserve and count what an approval may use; spend the overrides that let it pass."""
        book, now = self.book, self._clock.now()
        if amends:
            await book.reservations.amend(tx, amends, order)
            book.resting.forget(amends)
        else:
            await book.reservations.reserve(tx, order)
            if book.resting.on:
                book.resting.note(order)
        if isinstance(context, CheckContext):
            if order.parent_order_id is not None:
                unit_value = context["order_value"] / order.quantity
                await book.parents.approved(tx, order, unit_value, amends)
            for block in context.get("used_blocks", ()):
                await book.blocks.use(tx, block, order)
        if attempt == 1:
            book.flow.approved(order, self._clock.monotonic(), now)

    async def _stands(
        self,
        tx: AsyncConnection,
        recorded: Recorded,
        order: Order,
        reading: HaltReading,
        lease_id: str,
    ) -> bool:
        """Return whether a recorded decision is still the answer.

        An approval whose reservation was given back is not: nothing would hold its exposure.
        """
        approval = recorded.decision.approval
        if approval is None:
            return True
        envelope = self.book.envelopes.find(order.fund_id)
        fresh = (
            self._clock.now() < approval.expires_at
            and approval.halt_epoch == reading.epoch
            and approval.lease_id == lease_id
            and approval.policy_hash == self._policy_hash
            and envelope is not None
            and approval.envelope_version == envelope.version
        )
        held = self.book.reservations.get(order.order_id)
        if held is not None:
            return fresh or held.sent
        closed = await self.book.reservations.find(tx, order.order_id)
        return closed is None or closed.sent or closed.filled != 0

    def _context(
        self,
        order: Order,
        found: Found,
        reading: HaltReading,
        prepared: Mapping[str, Any],
        amends: str,
        parent: Order | None,
    ) -> CheckContext | GateRun:
        """Return the facts of a check, or the denial where there can be none."""
        envelope = self.book.envelopes.find(order.fund_id)
        if envelope is None:
            reason = f"fund {order.fund_id} has no envelope"
            return denied_before("envelope", DenyCode.NO_ENVELOPE, reason)
        amended = self.book.reservations.get(amends) if amends else None
        if amends and (amended is None or not amended.is_of(order)):
            reason = f"no open order {amends} of this fund, strategy, symbol and side"
            return denied_before("amendment", DenyCode.AMENDS_NOTHING, reason)
        if amended is not None and amended.version > order.version:
            reason = f"order {amends} has moved on since this change of it was asked for"
            return denied_before("amendment", DenyCode.AMENDS_NOTHING, reason)
        now = self._clock.now()
        try:
            more = self._facts(order, now) if self._facts is not None else None
            return build_context(
                order,
                envelope,
                self.book,
                now=now,
                moment=self._clock.monotonic(),
                policy=self.policy,
                halts=reading,
                claim=found.claim,
                borrow=self._borrow,
                extra={**more, **prepared} if more else prepared,
                amended=amended,
                told_parent=parent,
            )
        except INLINE_FAILURES as error:
            reason = f"facts could not be gathered: {type(error).__name__}: {error}"
            return denied_before("context", DenyCode.GATE_ERROR, reason)

    def _decision(
        self,
        order: Order,
        run: GateRun,
        reading: HaltReading,
        decision_id: str,
        attempt: int,
        lease_id: str,
    ) -> RiskDecision:
        now, denial = self._clock.now(), run.denial
        if denial is not None:
            return denied(order, run, denial, now)
        approval = self._mint.approve(
            order,
            self.book.envelopes.get(order.fund_id),
            decision_id=decision_id,
            attempt=attempt,
            reference_price=self.book.positions.marks[order.symbol].price,
            epoch=reading.epoch,
            now=now,
            lease_id=lease_id,
        )
        return RiskDecision(
            order_id=order.order_id,
            approved=True,
            gates=run.results,
            approval=approval,
            decided_at=now,
            fund_id=order.fund_id,
            strategy_id=order.strategy_id,
        )

    def _record_latency(self, run: GateRun) -> None:
        self._latency.record("risk.gates", sum(run.seconds))
        record, stages = self._latency.record, self._stages
        for result, seconds in zip(run.results, run.seconds, strict=True):
            record(stages.get(result.gate) or f"risk.gate.{result.gate}", seconds)

    async def observe_nav(self, tx: AsyncConnection, nav: NavSnapshot) -> OpenBreach | None:
        """Take a fund's NAV inside a transaction of the caller's, who has synced the book."""
        await self.book.funds.follow_halts(tx, self._halts.read())
        return await self.book.funds.observe_nav(tx, nav, self.book.envelopes.find(nav.fund_id))

    async def check_nav(self, nav: NavSnapshot) -> OpenBreach | None:
        """Take a NAV snapshot; return the breach of a loss limit that it opens, if it does.

        A snapshot of one strategy changes nothing: loss limits are the fund's.
        """
        if nav.strategy_id is not None:
            return None
        async with self._store.transaction() as tx:
            await self.book.sync(tx)
            return await self.observe_nav(tx, nav)

    async def update_envelope(
        self,
        envelope: RiskEnvelope,
        *,
        word: EnvelopeUpdate | None = None,
        permit: Permit | None = None,
    ) -> RiskEnvelope:
        """Put the next version of a fund's envelope in force; whoever calls may.

        :param word: what an operator signed; it is told with the version.
        :param permit: called with the version in force; it raises where the next one may not be.
        :raises EnvelopeMissing, EnvelopeVersion, EnvelopeLoosened: when it may not be.
        """
        reading = self._halts.read()
        async with self._store.transaction() as tx:
            await self.book.sync(tx)
            await self.book.funds.follow_halts(tx, reading)
            halted = self._is_halted(envelope.fund_id, reading)
            await self.book.envelopes.update(tx, envelope, halted=halted, word=word, permit=permit)
            return self.book.envelopes.get(envelope.fund_id)

    async def seed_envelope(self, envelope: RiskEnvelope) -> None:
        """Take a fund's envelope from the configuration; see :meth:`EnvelopeBook.seed`."""
        async with self._store.transaction() as tx:
            await self.book.sync(tx)
            halted = self._is_halted(envelope.fund_id, self._halts.read())
            await self.book.envelopes.seed(tx, envelope, halted=halted)

    async def take_over(self, envelope: RiskEnvelope) -> bool:
        """Put limits of before in force again; see :meth:`EnvelopeBook.take_over`."""
        async with self._store.transaction() as tx:
            await self.book.sync(tx)
            return await self.book.envelopes.take_over(tx, envelope)

    def _is_halted(self, fund_id: str, reading: HaltReading) -> bool:
        return (
            bool(reading.unreadable)
            or reading.fund_is_halted(fund_id)
            or self.book.funds.get(fund_id).takes_no_risk
        )

    async def release(self, order_id: str) -> bool:
        """Give back what a checked order reserved, when it will never be sent.

        :raises ReservationInUse: when the OMS has reported it.
        """
        async with self._store.transaction() as tx:
            await self.book.sync(tx)
            if released := await self.book.reservations.release(tx, order_id):
                await self.book.parents.release(tx, order_id)
            return released

    def note_checks(self) -> None:
        """Begin to note when each order is checked, and forget when it was until now."""
        self._checked_at = {}

    async def agree(self, order_id: str, told: Order | None, *, asked_at: float) -> bool:
        """Take what the OMS has of an order that is reserved for; None: it has none.

        An order that was checked since holds what it has: the OMS has it now.

        :param asked_at: when the OMS was asked, by the engine's monotonic clock, and after
            :meth:`note_checks`.
        :return: whether anything was reserved, and was not checked since.
        """
        async with self._store.transaction() as tx:
            await self.book.sync(tx)
            checked = self._checked_at or {}
            if checked.get(order_id, asked_at) > asked_at:
                return False
            return await self.book.reservations.agree(tx, order_id, told)

    async def agree_on_position(
        self, whose: tuple[str, str], symbol: Symbol, *, held: Decimal, has: Decimal
    ) -> bool:
        """Take what the OMS has of a position; see :meth:`PositionBook.agree`."""
        async with self._store.transaction() as tx:
            await self.book.sync(tx)
            return await self.book.positions.agree(tx, whose, symbol, held=held, has=has)

    def blocks(self, fund_id: str | None = None) -> tuple[SoftBlock, ...]:
        """Return the soft blocks that wait for operators, or for their order."""
        return self.book.blocks.waiting(fund_id, self._clock.now())

    async def override(self, override: SoftOverride, keys: KeyRing) -> SoftBlock:
        """Let one order with a block's economics pass, as two operators have signed.

        The override of a repeated execution also re-enables the strategy.

        :raises OverrideRefused: naming what does not hold.
        """
        async with self._store.transaction() as tx:
            await self.book.sync(tx)
            block = self.book.blocks.get(override.block_id)
            owner = (block.order.fund_id, block.order.strategy_id)
            prove_override(keys, override, self.book.mandates.find(*owner))
            granted = await self.book.blocks.grant(tx, block, override, self._clock.now())
            if block.code == DenyCode.REPEATED_EXECUTION:
                self.book.flow.forget_repeats(block.order)
            return granted
