"""A small real world for the tests: a home, a bus, a clock, and events to publish."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from mts1b_foundation import nats
from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.model import FrozenModel
from mts1b_foundation.orders import (
    ExecutionMode,
    Fill,
    Order,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from mts1b_foundation.replay import ReplayStep, ReplayStepDone, StateDigest
from mts1b_foundation.risk import GateResult, RiskApproval, RiskDecision
from mts1b_foundation.signals import IntentDecision, Signal
from mts1b_operations.service import OperationsService
from mts1b_platform.clock import VirtualClock
from mts1b_platform.config import Settings
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.eventbus.port import EventBus
from mts1b_platform.ids import SequentialIds
from mts1b_platform.logging import get_logger
from mts1b_platform.rng import SystemRng
from mts1b_platform.service import ServiceContext
from mts1b_platform.supervision import TaskGroupSupervisor

START = datetime(2008, 9, 15, 20, tzinfo=UTC)
FUND, STRATEGY = "paper-momentum", "trend-ixic"
SETTINGS = Settings.model_validate(
    {"replay": {"enabled": True}, "operator": {"script": True, "resume_after_sessions": 3}}
)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def signal(number: int) -> Signal:
    return Signal(
        signal_id=f"sig-{number}",
        agent_id=STRATEGY,
        symbol="IXIC",
        strategy=STRATEGY,
        thesis="price above its 200-day mean",
        direction=1,
        confidence=0.8,
        expected_return=0.02,
        horizon_minutes=1440,
        created_at=day(number),
        reference_price=Decimal("2000"),
        fund_id=FUND,
        target_weight=0.5,
    )


def intent(number: int) -> IntentDecision:
    return IntentDecision(
        signal_id=f"sig-{number}",
        fund_id=FUND,
        strategy_id=STRATEGY,
        symbol="IXIC",
        outcome="ordered",
        reason="the target differs from the position",
        order_ids=(f"ord-{number}",),
        decided_at=day(number),
    )


def order(number: int, status: OrderStatus = OrderStatus.CREATED, **changes: object) -> Order:
    base = Order(
        order_id=f"ord-{number}",
        idempotency_key=f"key-{number}",
        symbol="IXIC",
        side=Side.BUY,
        quantity=Decimal("10"),
        fund_id=FUND,
        strategy_id=STRATEGY,
        created_at=day(number),
        signal_id=f"sig-{number}",
        status=status,
    )
    return base.with_(**changes)


def approval(number: int) -> RiskApproval:
    return RiskApproval(
        approval_id=f"app-{number}",
        order_id=f"ord-{number}",
        idempotency_key=f"key-{number}",
        fund_id=FUND,
        strategy_id=STRATEGY,
        mode=ExecutionMode.PAPER,
        broker="paper",
        symbol="IXIC",
        side=Side.BUY,
        quantity=Decimal("10"),
        order_type=OrderType.MARKET,
        tif=TimeInForce.DAY,
        reference_price=Decimal("2000"),
        envelope_id="env-1",
        envelope_version=1,
        reservation_id=f"res-{number}",
        halt_epoch=0,
        policy_hash="ph",
        issued_at=day(number),
        expires_at=day(number) + timedelta(seconds=2),
        nonce="n-1",
        key_id="k-1",
        algorithm="ed25519",
        signature="5ec2e7",
    )


def approved(number: int) -> RiskDecision:
    gate = GateResult(gate="position_risk", passed=True, limit="1000000", value="20000")
    return RiskDecision(
        order_id=f"ord-{number}",
        approved=True,
        gates=(GateResult(gate="schema", passed=True), gate),
        approval=approval(number),
        decided_at=day(number),
        fund_id=FUND,
        strategy_id=STRATEGY,
    )


def denied(number: int, gate: str = "static", code: str = "MAX_ORDER_NOTIONAL") -> RiskDecision:
    last = GateResult(
        gate=gate, passed=False, code=code, reason="too large", limit="1000", value="20000"
    )
    return RiskDecision(
        order_id=f"ord-{number}",
        approved=False,
        rejecting_gate=gate,
        code=code,
        reason="too large",
        gates=(GateResult(gate="schema", passed=True), last),
        decided_at=day(number),
        fund_id=FUND,
        strategy_id=STRATEGY,
    )


def fill(number: int, at: int | None = None, quantity: str = "10") -> Fill:
    return Fill(
        fill_id=f"fill-{number}",
        order_id=f"ord-{number}",
        symbol="IXIC",
        side=Side.BUY,
        quantity=Decimal(quantity),
        price=Decimal("2001.50"),
        fees=Decimal("2.00"),
        venue="paper",
        timestamp=day(number + 1 if at is None else at),
        broker_order_id=f"b-{number}",
        fund_id=FUND,
        strategy_id=STRATEGY,
    )


def nav(number: int, value: str, strategy_id: str | None = None) -> NavSnapshot:
    peak = Decimal("1000000")
    return NavSnapshot(
        fund_id=FUND,
        strategy_id=strategy_id,
        as_of=day(number),
        nav_usd=Decimal(value),
        cash_usd=Decimal(value) / 2,
        gross_exposure_usd=Decimal(value) / 2,
        net_exposure_usd=Decimal(value) / 2,
        peak_nav_usd=peak,
        drawdown=min(Decimal(value) / peak - 1, Decimal(0)),
    )


class World:
    """One operations service on a local bus, driven tick by tick as the replay does."""

    def __init__(
        self,
        home: Path,
        settings: Settings = SETTINGS,
        bus: EventBus | None = None,
        *,
        makes_streams: bool = True,
    ) -> None:
        self._makes_streams = makes_streams
        self.home = home
        self.settings = settings
        self.bus = bus or LocalBus()
        self.failures: list[tuple[str, Exception]] = []
        self.heads: dict[str, int] = {}
        self._published = 0
        self.service: OperationsService
        self.ctx: ServiceContext

    async def start(self) -> None:
        for spec in nats.STREAMS.values() if self._makes_streams else ():
            await self.bus.ensure_stream(spec)
        self.ctx = ServiceContext(
            name="operations",
            home=self.home,
            settings=self.settings,
            clock=VirtualClock(START - timedelta(days=1)),
            ids=SequentialIds(),
            rng=SystemRng(),
            bus=self.bus,
            log=get_logger("operations"),
            tasks=TaskGroupSupervisor(lambda name, error: self.failures.append((name, error))),
            replay=True,
        )
        self.service = OperationsService(self.ctx)
        await self.service.start()

    async def stop(self) -> None:
        await self.service.stop()
        await self.ctx.tasks.stop()
        assert not self.failures

    async def restart(self) -> None:
        """Start anew from the store, on the same bus, as after a kill."""
        await self.stop()
        self.forget_servers()
        await self.start()

    def forget_servers(self) -> None:
        """Drop the request handlers of a service that is gone, as its connection would."""
        assert isinstance(self.bus, LocalBus)
        self.bus._servers.clear()

    async def publish(self, subject: str, payload: FrozenModel) -> None:
        self._published += 1
        ack = await self.bus.publish_durable(
            nats.with_fund(subject, FUND),
            payload.model_dump_json().encode(),
            message_id=f"m-{self._published}",
        )
        self.heads[ack.stream] = ack.sequence

    async def trade(self, number: int) -> None:
        """Publish everything that one filled order leaves behind."""
        accepted = {"accepted_at": day(number), "broker_order_id": f"b-{number}"}
        done = {"filled_quantity": Decimal(10), "average_fill_price": Decimal("2001.50")}
        await self.publish(nats.RESEARCH_SIGNALS_PUBLISHED, signal(number))
        await self.publish(nats.RESEARCH_INTENTS_DECIDED, intent(number))
        await self.publish(nats.OMS_ORDERS_CREATED, order(number))
        await self.publish(nats.RISK_ORDERS_APPROVED, approved(number))
        await self.publish(
            nats.OMS_ORDERS_ACCEPTED, order(number, OrderStatus.ACCEPTED, **accepted)
        )
        await self.publish(nats.OMS_FILLS_CREATED, fill(number))
        await self.publish(
            nats.OMS_ORDERS_FILLED, order(number, OrderStatus.FILLED, **accepted, **done)
        )

    async def refuse(self, number: int, gate: str, code: str) -> None:
        """Publish everything that one denied order leaves behind."""
        await self.publish(nats.RESEARCH_SIGNALS_PUBLISHED, signal(number))
        await self.publish(nats.OMS_ORDERS_CREATED, order(number))
        await self.publish(nats.RISK_ORDERS_DENIED, denied(number, gate, code))
        rejected = {"rejected_code": code, "rejected_reason": "too large"}
        await self.publish(
            nats.OMS_ORDERS_REJECTED, order(number, OrderStatus.REJECTED, **rejected)
        )

    async def tick(self, number: int, *, final: bool = False) -> ReplayStepDone:
        step = ReplayStep(run_id="run-1", tick=number, as_of=day(number), upto=self.heads)
        data = step.with_(final=final).model_dump_json().encode()
        reply = await self.bus.request(nats.advance_subject("operations"), data, timeout_s=20)
        return ReplayStepDone.model_validate_json(reply)

    async def digest(self) -> StateDigest:
        reply = await self.bus.request(nats.digest_subject("operations"), b"", timeout_s=20)
        return StateDigest.model_validate_json(reply)
