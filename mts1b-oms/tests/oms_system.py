"""OMS and risk engine on one bus: the settings, the services, and what drives them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from mts1b_foundation import Bar, FundConfig, RiskEnvelope, Side, Symbol
from mts1b_foundation.commands import LeaseRequest
from mts1b_foundation.nats import CMD_HALT_LEASE, STREAMS, bars_subject
from mts1b_oms.client import OmsClient
from mts1b_oms.service import OmsService
from mts1b_operations.lease import LeaseOffice
from mts1b_platform.clock import SystemClock, VirtualClock
from mts1b_platform.config import (
    FundSettings,
    ReplaySettings,
    RiskSettings,
    Settings,
    StrategySettings,
    VenueSettings,
)
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.halt import HaltStore
from mts1b_platform.ids import SequentialIds
from mts1b_platform.lockstep import LockstepDriver
from mts1b_platform.logging import get_logger
from mts1b_platform.rng import SeededRng
from mts1b_platform.service.base import Service, ServiceContext
from mts1b_platform.supervision import TaskGroupSupervisor
from mts1b_riskengine.service import RiskEngineService

DAY0 = datetime(2020, 1, 2, 21, tzinfo=UTC)

SPX, NDX = Symbol("SPX"), Symbol("NDX")


def settings_of(*, replay: bool = True, **risk: Any) -> Settings:
    """Return two funds on SPX and NDX, of a million each."""
    funds = [
        FundSettings(
            fund=FundConfig(fund_id=name, name=name, target_nav_usd=Decimal(1_000_000)),
            envelope=RiskEnvelope(
                envelope_id=f"env-{name}",
                fund_id=name,
                nav_usd=Decimal(1_000_000),
                max_position_pct=0.5,
                max_sector_pct=1.0,
                max_order_notional_usd=Decimal(400_000),
                enable_shorting=True,
                allowed_brokers=["paper"],
            ),
        )
        for name in ("alpha", "beta")
    ]
    strategies = [
        StrategySettings(strategy_id="trend", fund_id="alpha", kind="t", symbols=[SPX, NDX]),
        StrategySettings(strategy_id="parity", fund_id="beta", kind="p", symbols=[SPX]),
    ]
    return Settings(
        funds=funds,
        strategies=strategies,
        replay=ReplaySettings(enabled=replay),
        risk=RiskSettings(**risk),
        venue=VenueSettings(fill="next_open" if replay else "immediate"),
    )


class System:
    """OMS and risk engine on one bus, with the driver's part played by the test."""

    def __init__(self, home: Path, settings: Settings) -> None:
        self.home, self.settings = home, settings
        self.bus = LocalBus()
        self.failures: list[tuple[str, Exception]] = []
        self.services: list[Service] = []
        self.heads: dict[str, int] = {}
        self.driver = LockstepDriver(
            self.bus, run_id="run", services=["oms", "risk"], attempt_s=20.0, patience_s=0.0
        )

    def context(self, name: str) -> ServiceContext:
        replay = self.settings.replay.enabled
        return ServiceContext(
            name=name,
            home=self.home,
            settings=self.settings,
            clock=VirtualClock(datetime(1970, 1, 1, tzinfo=UTC)) if replay else SystemClock(),
            ids=SequentialIds(),
            rng=SeededRng(7),
            bus=self.bus,
            log=get_logger(name),
            tasks=TaskGroupSupervisor(lambda task, error: self.failures.append((task, error))),
            replay=replay,
        )

    async def start(self) -> OmsService:
        for kind in (RiskEngineService, OmsService):
            service = kind(self.context(kind.name))
            self.services.append(service)
            await service.start()
        oms = self.services[-1]
        assert isinstance(oms, OmsService)
        return oms

    async def stop(self) -> None:
        for service in reversed(self.services):
            await service.stop()
            await service.ctx.tasks.stop()
        await self.bus.close()
        assert self.failures == []

    async def publish(self, day: int, prices: dict[Symbol, tuple[str, str]]) -> datetime:
        at = DAY0 + timedelta(days=day)
        await self.bus.ensure_stream(STREAMS["MARKETDATA"])
        for symbol, (opened, closed) in sorted(prices.items()):
            values = [Decimal(opened), Decimal(closed)]
            bar = Bar(
                symbol=symbol,
                interval="1d",
                open=values[0],
                high=max(values),
                low=min(values),
                close=values[1],
                volume=Decimal(10_000_000),
                timestamp=at,
            )
            ack = await self.bus.publish_durable(
                bars_subject(symbol, "1d"),
                bar.model_dump_json().encode(),
                message_id=f"{symbol}-{at.isoformat()}",
            )
            self.heads["MARKETDATA"] = ack.sequence
        return at

    async def tick(self, day: int, prices: dict[Symbol, tuple[str, str]]) -> None:
        await self.driver.run_tick(day, await self.publish(day, prices), self.heads)


@asynccontextmanager
async def running(home: Path, settings: Settings) -> AsyncIterator[tuple[System, OmsService]]:
    """Start a system, and stop it whatever comes."""
    system = System(home, settings)
    oms = await system.start()
    try:
        yield system, oms
    finally:
        await system.stop()


PRICES = [
    {SPX: ("100", "102"), NDX: ("200", "201")},
    {SPX: ("103", "105"), NDX: ("203", "199")},
    {SPX: ("104", "99"), NDX: ("198", "190")},
]


def on(day: int, order: Any, key: str, **changes: Any) -> Any:
    """Return an order of that day, at its close."""
    price = PRICES[day][changes.get("symbol", SPX)][1]
    return order(
        key,
        created_at=DAY0 + timedelta(days=day),
        reference_price=Decimal(price),
        quantity=changes.pop("quantity", Decimal(1000)),
        **changes,
    )


async def replay(system: System, order: Any) -> None:
    """Play the three days: two opening orders, one too big, one that closes a part."""
    client = OmsClient(bus=system.bus)
    await system.tick(0, PRICES[0])
    await client.submit(on(0, order, "a"))
    await client.submit(on(0, order, "b", side=Side.SHORT, fund_id="beta", strategy_id="parity"))
    await client.submit(on(0, order, "too-big", quantity=Decimal(30_000)))
    await system.tick(1, PRICES[1])
    await client.submit(on(1, order, "c", side=Side.SELL, quantity=Decimal(400)))
    await system.tick(2, PRICES[2])


async def serve_leases(system: System) -> None:
    """Stand where operations stands."""
    office = LeaseOffice(HaltStore(system.home / "halt"))

    async def grant(data: bytes) -> bytes:
        request = LeaseRequest.model_validate_json(data)
        return office.grant(request).model_dump_json().encode()

    await system.bus.serve(CMD_HALT_LEASE, grant)
    oms = system.services[-1]
    assert isinstance(oms, OmsService)
    await until(oms, lambda: oms._gateway.lease.valid())


async def live_bar(system: System, at: datetime, price: str) -> None:
    """Publish one bar of SPX as a feed does."""
    value = Decimal(price)
    await system.bus.ensure_stream(STREAMS["MARKETDATA"])
    bar = Bar(
        symbol=SPX, interval="1d", open=value, high=value, low=value, close=value, timestamp=at
    )
    await system.bus.publish_durable(
        bars_subject(SPX, "1d"), bar.model_dump_json().encode(), message_id=at.isoformat()
    )


async def until_risk_knows(system: System) -> None:
    """Leave the risk engine the time to read what was published."""
    risk = system.services[0]
    assert isinstance(risk, RiskEngineService)
    await risk.ctx.system_clock.sleep(0.3)


async def until(oms: OmsService, ready: Any) -> None:
    """Wait until it is so, 5 s at most."""
    for _ in range(500):
        if ready():
            return
        await oms.ctx.system_clock.sleep(0.01)
    raise AssertionError("it did not happen within 5 s")
