"""Time an order from intent to venue within one process: real OMS, risk engine and paper venue on
the local bus, durable stores, one order after another.

    python mts1b-oms/benchmarks/order_latency.py [--count 2000] [--profile]

Prints the whole path, each stage and each gate as the services record them, and beside them what
the bare commits of such a path take on this disk. ``--profile`` prints where the time goes.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import sqlite3
import tempfile
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from mts1b_foundation import Bar, FundConfig, RiskEnvelope, Side, Symbol
from mts1b_foundation.commands import SubmitOrder
from mts1b_foundation.nats import CMD_OMS_SUBMIT, STREAMS, bars_subject
from mts1b_foundation.orders import Order
from mts1b_oms.service import OmsService
from mts1b_platform.clock import SystemClock
from mts1b_platform.config import (
    FundSettings,
    LogSettings,
    Settings,
    StrategySettings,
    VenueSettings,
)
from mts1b_platform.config.settings import HaltSettings
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.ids import SystemIds
from mts1b_platform.logging import configure_logging, get_logger
from mts1b_platform.rng import SystemRng
from mts1b_platform.service.base import Service, ServiceContext
from mts1b_platform.supervision import TaskGroupSupervisor
from mts1b_riskengine.service import RiskEngineService

SYMBOL, PRICE = Symbol("AAA"), Decimal(100)
NAV = Decimal(1_000_000_000)
COMMITS = 3


def settings() -> Settings:
    """Return limits that do not bind; no lease, since no operations run here."""
    envelope = RiskEnvelope(
        envelope_id="env",
        fund_id="alpha",
        nav_usd=NAV,
        max_position_pct=1.0,
        max_sector_pct=1.0,
        max_order_notional_usd=Decimal(1_000_000),
        allowed_brokers=["paper"],
    )
    fund = FundConfig(fund_id="alpha", name="alpha", target_nav_usd=NAV)
    return Settings(
        funds=[FundSettings(fund=fund, envelope=envelope)],
        strategies=[
            StrategySettings(strategy_id="s1", fund_id="alpha", kind="x", symbols=[str(SYMBOL)])
        ],
        venue=VenueSettings(fill="immediate"),
        halt=HaltSettings(lease="off"),
    )


def context(name: str, home: Path, bus: LocalBus, tasks: TaskGroupSupervisor) -> ServiceContext:
    """Return what a service is given."""
    return ServiceContext(
        name=name,
        home=home,
        settings=settings(),
        clock=SystemClock(),
        ids=SystemIds(),
        rng=SystemRng(),
        bus=bus,
        log=get_logger(name),
        tasks=tasks,
        sockets=False,
    )


def order(number: int) -> bytes:
    """Return the command that submits one small order."""
    wanted = Order(
        order_id=f"o-{number}",
        idempotency_key=f"k-{number}",
        symbol=SYMBOL,
        side=Side.BUY,
        quantity=Decimal(1 + number % 9),
        fund_id="alpha",
        strategy_id="s1",
        created_at=datetime.now(UTC),
        reference_price=PRICE,
    )
    return SubmitOrder(order=wanted).model_dump_json().encode()


async def price(bus: LocalBus) -> None:
    """Let risk and venue have a fresh price."""
    now = datetime.now(UTC)
    names = dict.fromkeys(("open", "high", "low", "close"), PRICE)
    bar = Bar(symbol=SYMBOL, interval="1m", timestamp=now, **names)
    data = bar.model_dump_json().encode()
    await bus.publish_durable(bars_subject(SYMBOL, "1m"), data, message_id=now.isoformat())


async def run(home: Path, count: int) -> None:
    """Submit ``count`` orders one after another and print the figures."""
    bus = LocalBus()
    tasks = TaskGroupSupervisor(lambda name, error: print(f"{name} failed: {error!r}"))
    await bus.ensure_stream(STREAMS["MARKETDATA"])
    services: list[Service] = [
        kind(context(kind.name, home, bus, tasks)) for kind in (RiskEngineService, OmsService)
    ]
    for service in services:
        await service.start()
    await price(bus)
    await asyncio.sleep(0.5)
    took = []
    for number in range(count):
        if number % 500 == 499:
            await price(bus)
        data, begin = order(number), time.perf_counter()
        await bus.request(CMD_OMS_SUBMIT, data, timeout_s=5.0)
        took.append(time.perf_counter() - begin)
    show("submit, to the venue's answer on record", took)
    show(f"bare floor: {COMMITS} commits", [COMMITS * one for one in commits(home, 300)])
    for service in services:
        for name, figures in service.ctx.latency.summary().items():
            print(f"{name:44} p50 {figures['p50_us']:8.1f} us   p99 {figures['p99_us']:8.1f} us")
    for service in reversed(services):
        await service.stop()
    await tasks.stop()
    await bus.close()


def commits(home: Path, count: int) -> list[float]:
    """Return how long a durable commit of one row takes here."""
    connection = sqlite3.connect(home / "floor.sqlite", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE rows (payload BLOB)")
    found = []
    for _ in range(count):
        begin = time.perf_counter()
        connection.execute("INSERT INTO rows VALUES (?)", (b"x" * 900,))
        found.append(time.perf_counter() - begin)
    connection.close()
    return found


def show(name: str, seconds: list[float]) -> None:
    """Print percentiles."""
    ordered = sorted(seconds)
    p50, p99 = (1e6 * ordered[int(share * (len(ordered) - 1))] for share in (0.50, 0.99))
    print(f"{name:44} p50 {p50:8.1f} us   p99 {p99:8.1f} us")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    configure_logging(LogSettings(level="ERROR"))
    profile = cProfile.Profile()
    with tempfile.TemporaryDirectory(prefix="mts-order-") as folder:
        if options.profile:
            profile.enable()
        asyncio.run(run(Path(folder), options.count))
        profile.disable()
    if options.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    main()
