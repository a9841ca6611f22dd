"""The risk engine as a service: a bus, a home, and an operations that applies halts."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from mts1b_foundation import (
    ActiveHalt,
    FundConfig,
    HaltRequest,
    NavSnapshot,
)
from mts1b_foundation.commands import HaltReply
from mts1b_foundation.nats import (
    CMD_HALT_REQUEST,
    OMS_NAV_UPDATED,
    STREAMS,
    advance_subject,
    bars_subject,
    digest_subject,
    with_fund,
)
from mts1b_foundation.replay import ReplayStep, ReplayStepDone, StateDigest
from mts1b_platform.clock import VirtualClock
from mts1b_platform.config import FundSettings, ReplaySettings, Settings, VenueSettings
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.halt import HaltStore
from mts1b_platform.ids import SequentialIds
from mts1b_platform.logging import get_logger
from mts1b_platform.rng import SeededRng
from mts1b_platform.service.base import ServiceContext
from mts1b_platform.supervision import TaskGroupSupervisor
from mts1b_riskengine import (
    RiskEngineClient,
)
from mts1b_riskengine.service import RiskEngineService
from riskengine_desk import AT, FUND, make_bar, make_envelope, make_nav

DAY = timedelta(days=1)


async def until(condition: Callable[[], object]) -> None:
    """Let the tasks of the service run until the condition holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is awaited has no event of its own
            await asyncio.sleep(0)


@dataclass
class World:
    """A bus, a home, the risk engine, and an operations that applies halts."""

    home: Path
    bus: LocalBus = field(default_factory=LocalBus)
    replay: bool = True
    shorting: bool = False
    venue: VenueSettings = field(default_factory=VenueSettings)
    failures: list[Exception] = field(default_factory=list)
    asked: list[HaltRequest] = field(default_factory=list)
    heads: dict[str, int] = field(default_factory=dict)
    published: list[tuple[str, bytes]] = field(default_factory=list)

    async def start(self) -> None:
        for name in ("MARKETDATA", "OMS"):
            await self.bus.ensure_stream(STREAMS[name])
        self.halts = HaltStore(self.home / "halt")
        await self.bus.serve(CMD_HALT_REQUEST, self._halt)
        await self.start_service()

    async def restart(self) -> None:
        """Lose service and bus; the publishers send what their stores hold on a new stream."""
        await self.stop_service()
        await self.bus.close()
        self.bus, old = LocalBus(), self.published
        self.published = []
        await self.start()
        for subject, data in old:
            await self._send(subject, data)

    async def start_service(self) -> None:
        self.clock = VirtualClock(AT - DAY)
        fund = FundConfig(fund_id=FUND, name="Alpha", target_nav_usd=Decimal(100_000))
        envelope = make_envelope(enable_shorting=self.shorting)
        self.tasks = TaskGroupSupervisor(lambda _, error: self.failures.append(error))
        ctx = ServiceContext(
            name="riskengine",
            home=self.home,
            settings=Settings(
                funds=[FundSettings(fund=fund, envelope=envelope)],
                venue=self.venue,
                replay=ReplaySettings(enabled=self.replay),
            ),
            clock=self.clock,
            ids=SequentialIds(),
            rng=SeededRng(5),
            bus=self.bus,
            log=get_logger("riskengine"),
            tasks=self.tasks,
            replay=self.replay,
        )
        self.service = RiskEngineService(ctx)
        await self.service.start()

    async def stop_service(self) -> None:
        await self.service.stop()
        await self.tasks.stop()

    async def _halt(self, data: bytes) -> bytes:
        request = HaltRequest.model_validate_json(data)
        self.asked.append(request)
        assert request.halt_id
        assert request.requested_at
        state = self.halts.apply(
            ActiveHalt(
                halt_id=request.halt_id,
                scope=request.scope,
                severity=request.severity,
                reason=request.reason,
                requested_by=request.requested_by,
                requested_at=request.requested_at,
                epoch=1,
                reduce_only_allowed=request.reduce_only_allowed,
            )
        )
        reply = HaltReply(active=state.of(request.scope), created=True, epoch=state.epoch)
        return reply.model_dump_json().encode()

    async def publish(self, subject: str, payload: Any) -> None:
        await self._send(subject, payload.model_dump_json().encode())

    async def _send(self, subject: str, data: bytes) -> None:
        number = f"m-{len(self.published)}"
        ack = await self.bus.publish_durable(subject, data, message_id=number)
        self.published.append((subject, data))
        self.heads[ack.stream] = ack.sequence

    async def bar(self, tick: int, close: str = "100") -> None:
        await self.publish(bars_subject("AAPL", "1d"), make_bar(close=close, at=AT + DAY * tick))

    async def nav(self, tick: int, nav: str) -> None:
        snapshot: NavSnapshot = make_nav(nav, AT + DAY * tick)
        await self.publish(with_fund(OMS_NAV_UPDATED, FUND), snapshot)

    async def advance(self, tick: int) -> ReplayStepDone:
        step = ReplayStep(run_id="run", tick=tick, as_of=AT + DAY * tick, upto=dict(self.heads))
        data = step.model_dump_json().encode()
        reply = await self.bus.request(advance_subject("risk"), data, timeout_s=10)
        return ReplayStepDone.model_validate_json(reply)

    async def day(self, tick: int, nav: str = "100000") -> ReplayStepDone:
        await self.bar(tick)
        await self.nav(tick, nav)
        return await self.advance(tick)

    @property
    def client(self) -> RiskEngineClient:
        return RiskEngineClient(bus=self.bus)

    async def digest(self) -> StateDigest:
        reply = await self.bus.request(digest_subject("risk"), b"", timeout_s=5)
        return StateDigest.model_validate_json(reply)
