"""The NATS service of this package: bars in, orders out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar

import sqlalchemy as sa
from mts1b_foundation.commands import (
    BookQuery,
    BookReply,
    OrdersQuery,
    OrdersReply,
    SubmitOrder,
    SubmitReply,
)
from mts1b_foundation.market_data import Bar
from mts1b_foundation.nats import (
    CMD_OMS_BOOK,
    CMD_OMS_ORDERS,
    CMD_OMS_SUBMIT,
    MARKETDATA_BARS,
    OPERATIONS_SIGNALS_RECEIVED,
)
from mts1b_foundation.orders import Order
from mts1b_foundation.positions import Position
from mts1b_foundation.replay import ReplayStep
from mts1b_foundation.risk import ActiveHalt
from mts1b_foundation.signals import Signal
from mts1b_platform.halt import HaltStore
from mts1b_platform.lockstep import LockstepParticipant, Mark, digest_rows
from mts1b_platform.pump import Event, EventPump
from mts1b_platform.service.base import Service, ServiceContext
from mts1b_platform.store import OutboxRelay, Store
from mts1b_platform.store.connection import AsyncConnection

from mts1b_research.history import BarHistory
from mts1b_research.inbound import InboundSignals
from mts1b_research.live_bars import LiveBars, interval_of
from mts1b_research.registry import StrategyRegistry
from mts1b_research.runner import Sleeve, StrategyRunner
from mts1b_research.sleeves import sleeves_of
from mts1b_research.strategy import StrategyBook
from mts1b_research.tables import bars, metadata, plans
from mts1b_research.unwatched import UnwatchedPositions

__all__ = ["ResearchService"]

_PATIENCE_S = 90.0


class ResearchService(Service):
    """Run the configured strategies on every bar.

    :param registry: knows the kinds of strategies; by default those of entry points.
    """

    name: ClassVar[str] = "research"

    _store: Store
    _relay: OutboxRelay
    _pump: EventPump
    _runner: StrategyRunner

    def __init__(self, ctx: ServiceContext, *, registry: StrategyRegistry | None = None) -> None:
        super().__init__(ctx)
        self._registry = registry if registry is not None else StrategyRegistry()
        self._unwatched: UnwatchedPositions | None = None

    async def start(self) -> None:
        """Restore the history, attach to the bars, answer the replay."""
        ctx = self.ctx
        self._store = await ctx.open_store("research", metadata)
        self._history = await self._kept_bars()
        self._relay = await ctx.relay(self._store, "RESEARCH")
        halts = HaltStore(ctx.home / "halt")

        def halt_of(fund_id: str, strategy_id: str) -> ActiveHalt | None:
            return halts.blocked(fund_id=fund_id, strategy_id=strategy_id, reduce_only=False)

        sleeves = sleeves_of(ctx.settings, self._registry)
        self._runner = StrategyRunner(
            self._store,
            self._history,
            sleeves,
            submit=self._submit,
            read_book=self._read_book,
            halt_of=halt_of,
        )
        turn = asyncio.Lock()
        self._inbound = InboundSignals(
            self._store,
            self._history,
            self._runner,
            sleeves,
            read_book=self._read_book,
            clock=ctx.clock,
            turn=turn,
            report=ctx.log,
        )
        unwatched = self._unwatched = await self._watch_over(sleeves)
        self._live_bars = self._live(sleeves, turn, unwatched)
        takes_signals = self._inbound.wanted and not ctx.replay
        self._pump = EventPump(
            ctx.bus,
            self._store,
            name="research",
            streams=["MARKETDATA", "OPERATIONS"] if takes_signals else ["MARKETDATA"],
            handler=self._on_event,
            wanted=frozenset({MARKETDATA_BARS, OPERATIONS_SIGNALS_RECEIVED}),
        )
        await self._pump.start()
        if ctx.replay:
            await self._follow_replay()
            return
        ctx.tasks.start("research.pump", self._pump.run())
        ctx.tasks.start("research.unwatched", unwatched.run())
        if self._live_bars is not None:
            ctx.tasks.start("research.bars", self._live_bars.run())
        if takes_signals:
            ctx.tasks.start("research.inbound", self._inbound.run())

    async def _follow_replay(self) -> None:
        participant = LockstepParticipant(
            self.ctx,
            self._store,
            segment="research",
            pump=self._pump,
            relay=self._relay,
            on_step=self._on_step,
            digest=self._digest,
            lazy=True,
        )
        await participant.start()

    async def _kept_bars(self) -> BarHistory:
        """Return the bars of before, if they are of the interval that is read now."""
        if not self.ctx.replay:
            interval = interval_of(self.ctx.settings)
            async with self._store.transaction() as tx:
                forgotten = await BarHistory.keep_to(tx, interval)
            if forgotten:
                self.ctx.log.warning(
                    "bars of another interval forgotten", bars=forgotten, interval=interval
                )
        history = BarHistory()
        async with self._store.read() as connection:
            await history.load(connection)
        return history

    def _live(
        self, sleeves: Sequence[Sleeve], turn: asyncio.Lock, unwatched: UnwatchedPositions
    ) -> LiveBars | None:
        """Return what acts on bars where no replay says when."""
        ctx = self.ctx
        if ctx.replay:
            return None
        return LiveBars(
            self._history,
            self._runner,
            sleeves,
            interval=interval_of(ctx.settings),
            read_book=self._read_book,
            clock=ctx.clock,
            turn=turn,
            report=ctx.log,
            retired=lambda: unwatched.retired,
        )

    async def _watch_over(self, sleeves: Sequence[Sleeve]) -> UnwatchedPositions:
        """Return what finds the positions that none of these sleeves watches."""
        async with self._store.read() as connection:
            traded = await connection.execute(sa.select(plans.c.strategy_id).distinct())
            ours = {row.strategy_id for row in traded}
        ctx = self.ctx
        return UnwatchedPositions(
            settings=ctx.settings,
            sleeves=sleeves,
            ours=ours | {entry.strategy_id for entry in ctx.settings.strategies},
            read_positions=self._read_positions,
            clock=ctx.clock,
            report=ctx.log,
        )

    async def _on_event(self, tx: AsyncConnection, event: Event) -> None:
        if isinstance(event.payload, Bar):
            if self._live_bars is None or self._live_bars.wants(event.payload):
                await self._add(tx, event.payload)
        elif isinstance(event.payload, Signal):
            await self._inbound.take(tx, event.payload)

    async def _add(self, tx: AsyncConnection, bar: Bar) -> None:
        if not await self._history.add(tx, bar):
            self.ctx.log.warning(
                "a bar came again with other values; strategies see the first",
                symbol=str(bar.symbol),
                ended=bar.timestamp.isoformat(),
                close=str(bar.close),
            )

    async def _on_step(self, step: ReplayStep, mark: Mark) -> None:
        if not step.final:
            with self.ctx.latency.stage("research.decide"):
                await self._runner.on_bar(step.as_of)

    async def _submit(self, order: Order) -> Order:
        reply = await self.ctx.call(
            CMD_OMS_SUBMIT, SubmitOrder(order=order), SubmitReply, patience_s=_PATIENCE_S
        )
        return reply.order

    async def _read_book(self, fund_id: str, strategy_id: str) -> StrategyBook:
        """Return positions and open orders of one moment.

        A fill between two answers would be in both or in neither, and be traded again; so what is
        open is asked for before the positions and after them, until nothing has moved.
        """
        query = BookQuery(fund_id=fund_id, strategy_id=strategy_id)
        before = await self._open_orders(fund_id, strategy_id)
        while True:
            book = await self.ctx.call(CMD_OMS_BOOK, query, BookReply, patience_s=_PATIENCE_S)
            # Where nothing was open, nothing can have filled.
            after = await self._open_orders(fund_id, strategy_id) if before else before
            if _left(before) == _left(after):
                return StrategyBook.of(strategy_id, book, after)
            before = after

    async def _read_positions(self) -> tuple[Position, ...]:
        """Return the positions of every fund and strategy."""
        reply = await self.ctx.call(CMD_OMS_BOOK, BookQuery(), BookReply, patience_s=_PATIENCE_S)
        return reply.positions

    async def _open_orders(self, fund_id: str, strategy_id: str) -> tuple[Order, ...]:
        query = OrdersQuery(fund_id=fund_id, strategy_id=strategy_id, open_only=True)
        reply = await self.ctx.call(CMD_OMS_ORDERS, query, OrdersReply, patience_s=_PATIENCE_S)
        return reply.orders

    async def _digest(self) -> tuple[str, dict[str, int]]:
        async with self._store.read() as connection:
            planned = (
                await connection.execute(
                    sa.select(plans.c.plan_id, plans.c.orders).order_by(
                        plans.c.as_of, plans.c.strategy_id
                    )
                )
            ).all()
            count = await connection.scalar(sa.select(sa.func.count()).select_from(bars))
        return digest_rows(planned), {"plans": len(planned), "bars": int(count or 0)}

    async def health(self) -> dict[str, str]:
        """Return the checks of the bus, and of positions that no strategy watches."""
        checks = await super().health()
        if self._unwatched is None:  # it has not started
            return checks
        return checks | {"positions": self._unwatched.health()}

    async def stop(self) -> None:
        """Publish what is committed, then close."""
        await self._relay.close()
        await self._pump.close()
        await self._store.close()


def _left(orders: Sequence[Order]) -> list[tuple[str, Decimal]]:
    return [(order.order_id, order.remaining_quantity) for order in orders]
