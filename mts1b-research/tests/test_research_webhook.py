"""Signals from outside, traded by research: on the one path, once each, at a price of our own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from mts1b_foundation import Bar, Order, OrderStatus, Side, Symbol
from mts1b_foundation import nats as subjects
from mts1b_foundation.commands import (
    BookReply,
    OrdersReply,
    SubmitOrder,
    SubmitReply,
)
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
from mts1b_research.errors import StrategyConfigError
from mts1b_research.service import ResearchService
from mts1b_research.strategies import Webhook
from mts1b_research.tables import inbound
from research_desk import view_of

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
AAA, BBB = Symbol("AAA"), Symbol("BBB")
SETTINGS = Settings.model_validate(
    {
        "funds": [
            {
                "fund": {"fund_id": "f1", "name": "f", "target_nav_usd": "100000"},
                "envelope": {"envelope_id": "e", "fund_id": "f1", "nav_usd": "100000"},
            }
        ],
        "strategies": [
            {"strategy_id": "hook", "fund_id": "f1", "kind": "webhook", "symbols": ["AAA"]},
            {
                "strategy_id": "off",
                "fund_id": "f1",
                "kind": "webhook",
                "symbols": ["AAA"],
                "enabled": False,
            },
        ],
        "api": {"signals": [{"source": "s", "strategy_id": "hook"}]},
    }
)


def sent(number: int = 1, weight: float = 0.5, price: str = "100", **changes: Any) -> Signal:
    known = Signal(
        signal_id=f"sig-{number}",
        agent_id="webhook:s",
        symbol=AAA,
        strategy="hook",
        thesis="a line was crossed",
        direction=(weight > 0) - (weight < 0),
        confidence=1.0,
        expected_return=0.0,
        horizon_minutes=60,
        created_at=NOW,
        reference_price=Decimal(price),
        fund_id="f1",
        target_weight=weight,
    )
    return known.with_(**changes)


@dataclass
class OmsOnTheBus:
    """Answer as the OMS does; fill at once; be away while ``away``."""

    taken: dict[str, Order] = field(default_factory=dict)
    asked: int = 0
    away: bool = False

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
            strategy_id="hook",
            as_of=NOW,
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
    service: ResearchService | None = None
    tasks: TaskGroupSupervisor | None = None

    async def open(self) -> None:
        self.tasks = TaskGroupSupervisor(lambda name, error: pytest.fail(f"{name}: {error!r}"))
        self.service = ResearchService(
            ServiceContext(
                name="research",
                home=self.home,
                settings=SETTINGS,
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

    async def bar(self, close: str = "100", symbol: Symbol = AAA) -> None:
        price = Decimal(close)
        bar = Bar(
            symbol=symbol,
            interval="1m",
            open=price,
            high=price,
            low=price,
            close=price,
            volume=Decimal(1),
            timestamp=NOW,
        )
        await self.bus.publish_durable(
            subjects.bars_subject(symbol, "1m"), bar.model_dump_json().encode(), message_id="b"
        )
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


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    made = Office(tmp_path, LocalBus(), OmsOnTheBus(), VirtualClock(NOW + timedelta(seconds=1)))
    handlers: dict[str, Callable[[bytes], Awaitable[bytes]]] = {
        subjects.CMD_OMS_SUBMIT: made.oms.submit,
        subjects.CMD_OMS_BOOK: made.oms.book,
        subjects.CMD_OMS_ORDERS: made.oms.orders,
    }
    for subject, handler in handlers.items():
        await made.bus.serve(subject, handler)
    await made.open()
    yield made
    await made.shut()


async def test_k2_a_signal_becomes_an_order_sized_by_our_own_price(office: Office) -> None:
    await office.bar("102")
    await office.send(sent(price="100"))
    (decision,) = await office.decided()
    (order,) = office.oms.taken.values()
    assert (order.side, order.quantity, order.reference_price) == (Side.BUY, 490, Decimal("102.0"))
    assert (order.strategy_id, order.fund_id, order.signal_id) == ("hook", "f1", "sig-1")
    assert (decision.outcome, decision.order_ids) == ("ORDERED", (order.order_id,))


async def test_k2_the_same_signal_again_is_traded_once(office: Office) -> None:
    await office.bar()
    for _ in range(4):
        await office.send(sent())
    await office.decided()
    await office.send(sent(2, weight=0.8))
    assert len(await office.decided(2)) == 2
    assert [order.quantity for order in office.oms.taken.values()] == [500, 300]
    assert office.oms.asked == 2


async def test_the_target_that_is_held_already_makes_no_order(office: Office) -> None:
    await office.bar()
    await office.send(sent())
    await office.send(sent(2))
    decisions = await office.decided(2)
    assert [decision.outcome for decision in decisions] == ["ORDERED", "NO_CHANGE"]
    assert office.oms.asked == 1


async def test_an_oms_that_is_away_gets_the_order_that_was_decided(office: Office) -> None:
    await office.bar()
    office.oms.away = True
    await office.send(sent())
    await eventually(lambda: office.oms.asked >= 1)
    await office.shut()  # and a restart in between
    office.oms.away = False
    office.clock.advance_to(NOW + timedelta(hours=1))  # too late for a new signal, not for a plan
    await office.open()
    (decision,) = await office.decided()
    (order,) = office.oms.taken.values()
    assert decision.order_ids == (order.order_id,)


@pytest.mark.parametrize(
    ("signal", "bar", "outcome"),
    [
        (sent(price="94"), "100", "SIGNAL_PRICE_GAP"),
        (sent(price="106"), "100", "SIGNAL_PRICE_GAP"),
        (sent(weight=1.5), "100", "SIGNAL_WEIGHT"),
        (sent(weight=-1.5), "100", "SIGNAL_WEIGHT"),
        (sent(created_at=NOW - timedelta(seconds=300)), "100", "SIGNAL_STALE"),
        (sent(symbol=BBB), "100", "SIGNAL_NO_PRICE"),
        (sent(), None, "SIGNAL_NO_PRICE"),
    ],
)
async def test_a_signal_that_can_not_be_trusted_leads_to_no_order(
    office: Office, signal: Signal, bar: str | None, outcome: str
) -> None:
    if bar is not None:
        await office.bar(bar)
    await office.send(signal)
    (decision,) = await office.decided()
    assert (decision.outcome, decision.order_ids) == (outcome, ())
    assert office.oms.asked == 0


async def test_a_symbol_without_a_mandate_is_refused_as_ever(office: Office) -> None:
    await office.bar(symbol=BBB)
    await office.send(sent(symbol=BBB))
    (decision,) = await office.decided()
    assert decision.outcome == "MANDATE_SYMBOL"
    assert office.oms.asked == 0


async def test_a_strategy_that_is_off_trades_nothing(office: Office) -> None:
    await office.bar()
    await office.send(sent(strategy="off"))
    await office.send(sent(2))
    (decision,) = await office.decided()
    assert decision.signal_id == "sig-2"


def test_it_never_acts_on_a_bar_and_its_parameters_are_checked() -> None:
    strategy = Webhook.configure("hook", [AAA], {"max_weight": 2, "max_age_s": 10.0})
    assert not any(strategy.is_due(bars) for bars in range(5))
    assert strategy.generate_intents(view_of([100.0], [AAA])) == []
    with pytest.raises(StrategyConfigError, match="max_weight"):
        Webhook.configure("hook", [AAA], {"max_weigth": 2})
