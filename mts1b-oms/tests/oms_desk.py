"""A whole OMS on real parts: SQLite, the paper venue, signed approvals, a virtual clock.

``Desk`` can be killed at any of its checkpoints and opened again on the same directory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from mts1b_brokers.paper import PaperClient, VenueProfile
from mts1b_foundation import Bar, ExecutionMode, Order, Side, Symbol
from mts1b_foundation.commands import ReconciliationReport
from mts1b_foundation.nats import OMS_RECONCILIATION_CHANGED
from mts1b_oms.cancels import Canceller
from mts1b_oms.digest import state_digest
from mts1b_oms.gate import ReconciliationGate
from mts1b_oms.gateway import Gateway
from mts1b_oms.intake import Intake
from mts1b_oms.ledger import Owner
from mts1b_oms.orders import OrderService
from mts1b_oms.reconcile import Reconciler
from mts1b_oms.record import OmsRecord
from mts1b_oms.recovery import Recovery, RecoveryReport, restore_clock
from mts1b_oms.replaces import Replacer
from mts1b_oms.restored import Restoration
from mts1b_oms.router import RoutingTable
from mts1b_oms.tables.store import metadata
from mts1b_oms.tick import BarWork
from mts1b_oms.venue_sync import VenueSync
from mts1b_oms.witness import Witness
from mts1b_platform.clock import VirtualClock
from mts1b_platform.halt import HaltStore
from mts1b_platform.latency import StageLatency
from mts1b_platform.logging import get_logger
from mts1b_platform.pump import Event
from mts1b_platform.signing import Ed25519Signer, Ed25519Verifier
from mts1b_platform.store import Store
from mts1b_platform.store.tables import lockstep, outbox
from oms_fuse import Fuse, FusedRecord
from oms_risk import SEED, Risk
from oms_venue import Venue
from sqlalchemy.ext.asyncio import AsyncConnection

START = datetime(2020, 1, 2, 21, tzinfo=UTC)

SPX, NDX = Symbol("SPX"), Symbol("NDX")

CAPITAL: dict[Owner, Decimal] = {
    ("alpha", "trend"): Decimal(600_000),
    ("beta", "parity"): Decimal(400_000),
}


async def comes_about(true: Callable[[], bool]) -> None:
    """Let other tasks run until something is so."""
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came about")


class Desk:
    """One life of an OMS on a directory. ``reopen`` is the next life."""

    def __init__(self, home: Path, clock: VirtualClock, risk: Risk, fuse: Fuse) -> None:
        self.home, self.clock, self.risk, self.fuse = home, clock, risk, fuse
        self.halts = HaltStore(home / "halt")
        self.gate = ReconciliationGate()
        self.pauses = 0
        self.closed = False
        self.lives: list[Desk] = [self]
        self.report = RecoveryReport()
        self.recovered = 0

    async def open(
        self,
        *,
        wait: bool = False,
        recover: bool = True,
        cash: Decimal = Decimal(1_000_000),
        pause: Callable[[], Awaitable[None]] | None = None,
        profile: VenueProfile | None = None,
        lag_s: float = 0.0,
    ) -> Desk:
        profile = profile or VenueProfile(fee_bps_per_side=Decimal(5), initial_cash=cash)
        paper = PaperClient(profile=profile, home=self.home, clock=self.clock)
        self.venue = Venue(paper, self.fuse)
        self.venue.lag_s = lag_s
        self.store = await Store.open(self.home / "db" / "oms.sqlite", metadata=metadata)
        FusedRecord.fuse = Fuse()
        self.record: OmsRecord = await FusedRecord.open(
            self.store, self.clock, venue="paper", capital=CAPITAL
        )
        FusedRecord.fuse = self.fuse
        self.gateway = Gateway(
            venue=self.venue,
            verifier=Ed25519Verifier([Ed25519Signer(SEED).public]),
            halts=self.halts,
            clock=self.clock,
            mode=ExecutionMode.PAPER,
        )
        self.orders = OrderService(
            record=self.record,
            gateway=self.gateway,
            risk=self.risk,
            intake=Intake(
                symbols={SPX, NDX},
                funds={"alpha", "beta"},
                mode=ExecutionMode.PAPER,
                routes=RoutingTable({"paper": "paper"}),
            ),
            gate=self.gate,
            latency=StageLatency(self.clock),
            risk_pause=(pause or self._pause) if wait else None,
        )
        self.sync = VenueSync(self.record, self.venue, self.gateway)
        self.canceller = Canceller(service=self.orders, gateway=self.gateway, sync=self.sync)
        self.replacer = Replacer(service=self.orders, gateway=self.gateway, sync=self.sync)
        self.restoration = Restoration(
            self.record, self.gateway, Witness(self.home / "witness"), log=get_logger("test")
        )
        self.orders.before_send = self.restoration.note_ahead
        self.reconciler = Reconciler(
            record=self.record,
            venue=self.venue,
            sync=self.sync,
            gate=self.gate,
            restoration=self.restoration,
            gateway=self.gateway,
        )
        self.bars = BarWork(
            record=self.record,
            venue=self.venue,
            sync=self.sync,
            latency=StageLatency(self.clock),
        )
        await restore_clock(self.store, self.clock)
        await self.restoration.detect()
        if recover:
            await self.recover()
        return self

    async def recover(self, **options: Any) -> RecoveryReport:
        recovery = Recovery(
            record=self.record,
            service=self.orders,
            replacer=self.replacer,
            reconciler=self.reconciler,
            gate=self.gate,
            **options,
        )
        self.report = await recovery.run()
        self.recovered += 1
        return self.report

    async def _pause(self) -> None:
        self.pauses += 1

    async def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.fuse.blow_at = 0
            await self.venue.paper.close()
            await self.store.close()

    async def reopen(self, fuse: Fuse | None = None, **options: Any) -> Desk:
        await self.close()
        clock = VirtualClock(START)
        next_life = Desk(self.home, clock, self.risk, fuse or Fuse())
        self.risk._clock = clock
        next_life.lives = self.lives
        self.lives.append(next_life)
        self.risk._fuse = next_life.fuse
        return await next_life.open(**options)

    async def tick(self, day: int, prices: dict[Symbol, tuple[str, str]]) -> int:
        """Do one replay tick, unless it is done: one session's bars (open, close)."""
        async with self.store.read() as tx:
            done = (await tx.execute(sa.select(lockstep.c.tick))).scalar()
        if done is not None and done >= day:
            return 0
        at = START + timedelta(days=day)
        self.clock.advance_to(at)
        async with self.store.transaction() as tx:
            for number, (symbol, (opened, closed)) in enumerate(sorted(prices.items())):
                await self.bars.keep(tx, _event(_bar(symbol, opened, closed, at), number))

        async def mark(tx: AsyncConnection) -> None:
            await tx.execute(sa.delete(lockstep))
            row = {"service": "oms", "run_id": "run", "tick": day, "as_of": at}
            await tx.execute(sa.insert(lockstep), row)

        return await self.bars.work(at, mark)

    async def events(self) -> list[tuple[str, str]]:
        """Return (event id, subject) of all that was published of orders and books, in order."""
        orders = outbox.c.subject != OMS_RECONCILIATION_CHANGED
        async with self.store.read() as tx:
            rows = await tx.execute(sa.select(outbox).where(orders).order_by(outbox.c.position))
            return [(row.event_id, row.subject) for row in rows]

    async def reports(self) -> list[ReconciliationReport]:
        """Return the reports of reconciliation that were published, in order."""
        reports = outbox.c.subject == OMS_RECONCILIATION_CHANGED
        async with self.store.read() as tx:
            rows = await tx.execute(sa.select(outbox).where(reports).order_by(outbox.c.position))
            return [ReconciliationReport.model_validate_json(row.payload) for row in rows]

    async def verbs(self) -> list[str]:
        """Return the noun and verb of every published event, in order."""
        return [".".join(s.split(".fund.")[0].split(".")[-2:]) for _, s in await self.events()]

    async def digest(self) -> str:
        return (await state_digest(self.record))[0]


def _bar(symbol: Symbol, opened: str, closed: str, at: datetime) -> Bar:
    prices = [Decimal(opened), Decimal(closed)]
    return Bar(
        symbol=symbol,
        interval="1d",
        open=prices[0],
        high=max(prices),
        low=min(prices),
        close=prices[1],
        timestamp=at,
    )


def _event(bar: Bar, number: int) -> Event:
    subject = f"mts.v1.marketdata.bars.{bar.symbol}.1d"
    return Event(subject, subject, None, bar, f"{bar.symbol}-{bar.timestamp}", "MARKETDATA", number)


def make_order(key: str = "k-1", **changes: Any) -> Order:
    terms: dict[str, Any] = {
        "order_id": f"order-{key}",
        "idempotency_key": key,
        "symbol": SPX,
        "side": Side.BUY,
        "quantity": Decimal(10),
        "fund_id": "alpha",
        "strategy_id": "trend",
        "created_at": START,
        "reference_price": Decimal(100),
    }
    return Order(**(terms | changes))
