"""The research service, live on a local bus, beside an OMS that fills at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from mts1b_foundation import Bar, Order, OrderStatus, Symbol
from mts1b_foundation import nats as subjects
from mts1b_foundation.commands import BookReply, OrdersReply, SubmitOrder, SubmitReply
from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.signals import IntentDecision, Signal
from mts1b_platform.clock import VirtualClock
from mts1b_platform.config import Settings
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.ids import SequentialIds
from mts1b_platform.logging import get_logger
from mts1b_platform.rng import SystemRng
from mts1b_platform.service import ServiceContext
from mts1b_platform.store.tables import outbox
from mts1b_platform.supervision import TaskGroupSupervisor
from mts1b_research.service import ResearchService
from mts1b_research.tables import inbound

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
AAA, BBB = Symbol("AAA"), Symbol("BBB")


@dataclass
class OmsOnTheBus:
    """Answer as the OMS does, with a NAV of ``struck``; fill at once; be away while ``away``."""

    taken: dict[str, Order] = field(default_factory=dict)
    asked: int = 0
    away: bool = False
    struck: datetime = NOW
    strategy_id: str = "hook"

    async def submit(self, data: bytes) -> bytes:
        self.asked += 1
        if self.away:
            raise RuntimeError("away")
        order = SubmitOrder.model_validate_json(data).order
        self.taken.setdefault(order.idempotency_key, order)
        reply = SubmitReply(order=order.with_(status=OrderStatus.ACCEPTED))
        return reply.model_dump_json().encode()

    async def book(self, data: bytes) -> bytes:
        nav = NavSnapshot(
            fund_id="f1",
            strategy_id=self.strategy_id,
            as_of=self.struck,
            nav_usd=Decimal(100_000),
            cash_usd=Decimal(100_000),
            gross_exposure_usd=Decimal(0),
            net_exposure_usd=Decimal(0),
            peak_nav_usd=Decimal(100_000),
            drawdown=Decimal(0),
        )
        return BookReply(navs=(nav,)).model_dump_json().encode()

    async def orders(self, data: bytes) -> bytes:
        return OrdersReply(orders=tuple(self.taken.values())).model_dump_json().encode()


@dataclass
class Office:
    """The research service, live, on a local bus with an OMS."""

    home: Path
    bus: LocalBus
    oms: OmsOnTheBus
    clock: VirtualClock
    settings: Settings
    service: ResearchService | None = None
    tasks: TaskGroupSupervisor | None = None

    async def open(self) -> None:
        self.tasks = TaskGroupSupervisor(lambda name, error: pytest.fail(f"{name}: {error!r}"))
        self.service = ResearchService(
            ServiceContext(
                name="research",
                home=self.home,
                settings=self.settings,
                clock=self.clock,
                ids=SequentialIds(),
                rng=SystemRng(),
                bus=self.bus,
                log=get_logger("research"),
                tasks=self.tasks,
            )
        )
        await self.service.start()

    async def shut(self) -> None:
        assert self.service is not None
        assert self.tasks is not None
        await self.tasks.stop()
        await self.service.stop()

    async def publish(
        self, close: str = "100", symbol: Symbol = AAA, *, at: datetime = NOW, interval: str = "1m"
    ) -> None:
        price = Decimal(close)
        bar = Bar(
            symbol=symbol,
            interval=interval,
            open=price,
            high=price,
            low=price,
            close=price,
            volume=Decimal(1),
            timestamp=at,
        )
        await self.bus.publish_durable(
            subjects.bars_subject(symbol, interval),
            bar.model_dump_json().encode(),
            message_id=f"{symbol}-{interval}-{at.isoformat()}",
        )

    async def bar(self, close: str = "100", symbol: Symbol = AAA) -> None:
        await self.publish(close, symbol)
        await eventually(lambda: self.service is not None and self.service._history.knows(symbol))

    async def send(self, signal: Signal) -> None:
        await self.bus.publish_durable(
            subjects.with_fund(subjects.OPERATIONS_SIGNALS_RECEIVED, "f1"),
            signal.model_dump_json().encode(),
            message_id=signal.signal_id,
        )

    async def decisions(self) -> list[IntentDecision]:
        assert self.service is not None
        async with self.service._store.read() as connection:
            rows = await connection.execute(
                sa.select(outbox.c.payload)
                .where(outbox.c.subject.contains("intents.decided"))
                .order_by(outbox.c.position)
            )
            return [IntentDecision.model_validate_json(row.payload) for row in rows]

    async def decided(self, count: int = 1) -> list[IntentDecision]:
        async with asyncio.timeout(10):
            while len(found := await self.decisions()) < count or await self._waiting():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return found

    async def _waiting(self) -> int:
        assert self.service is not None
        async with self.service._store.read() as connection:
            waiting = sa.select(sa.func.count()).where(sa.not_(inbound.c.done))
            return int(await connection.scalar(waiting) or 0)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def open_office(home: Path, settings: Settings, oms: OmsOnTheBus) -> AsyncIterator[Office]:
    made = Office(home, LocalBus(), oms, VirtualClock(NOW + timedelta(seconds=1)), settings)
    handlers: dict[str, Callable[[bytes], Awaitable[bytes]]] = {
        subjects.CMD_OMS_SUBMIT: oms.submit,
        subjects.CMD_OMS_BOOK: oms.book,
        subjects.CMD_OMS_ORDERS: oms.orders,
    }
    for subject, handler in handlers.items():
        await made.bus.serve(subject, handler)
    await made.open()
    yield made
    await made.shut()


def fund_settings(*strategies: dict[str, Any], **more: Any) -> Settings:
    fund = {"fund_id": "f1", "name": "f", "target_nav_usd": "100000"}
    envelope = {"envelope_id": "e", "fund_id": "f1", "nav_usd": "100000"}
    known = {"funds": [{"fund": fund, "envelope": envelope}], "strategies": list(strategies)}
    return Settings.model_validate(known | more)
