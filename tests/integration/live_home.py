"""A real system that runs live on paper, for the integration tests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from mts1b_foundation import Bar, Order, Symbol
from mts1b_foundation import nats as subjects
from mts1b_foundation.commands import OrdersQuery, OrdersReply
from mts1b_platform.eventbus.nats import NatsBus
from mts1b_platform.eventbus.port import BusError, EventBus
from mts1b_platform.eventbus.server import read_address

from tests.integration.replay_home import MTS, environment

PATIENCE_S = 60.0


def live_settings(strategy: dict[str, Any], *, nav: str = "1000000", **more: Any) -> dict[str, Any]:
    """Return a fund with one strategy, on a venue that fills at once."""
    fund = {"fund_id": "f1", "name": "f1", "target_nav_usd": nav}
    envelope = {
        "envelope_id": "env-f1",
        "fund_id": "f1",
        "nav_usd": nav,
        "max_position_pct": 1.0,
        "max_sector_pct": 1.0,
        "max_order_notional_usd": "400000",
        "allowed_brokers": ["paper"],
    }
    return {
        "mode": "paper",
        "venue": {"fill": "immediate"},
        "funds": [{"fund": fund | {"strategies": [strategy["strategy_id"]]}, "envelope": envelope}],
        "strategies": [strategy | {"fund_id": "f1"}],
    } | more


def write_home(home: Path, settings: dict[str, Any]) -> None:
    home.mkdir()
    (home / "mts.yaml").write_text(yaml.safe_dump(settings))


@contextlib.asynccontextmanager
async def system_up(home: Path) -> AsyncIterator[None]:
    """Run ``mts up`` over a home, as long as the body runs."""
    log = home.with_suffix(".log").open("wb")
    system = await asyncio.create_subprocess_exec(
        *(MTS, "up", "--layout", "one"), env=environment(home), stdout=log, stderr=log
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not (home / "run" / "marketdata.json").exists():  # the last to be ready
                assert system.returncode is None, home.with_suffix(".log").read_text()
                await asyncio.sleep(0.05)
        yield
    finally:
        if system.returncode is None:
            system.terminate()
        await asyncio.wait_for(system.wait(), PATIENCE_S)
        log.close()


async def connected(home: Path, user: str) -> NatsBus:
    return await NatsBus.connect(lambda: read_address(home, {}, user=user), name=user)


async def until(found: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await found():  # noqa: ASYNC110 (another process does not tell)
            await asyncio.sleep(0.1)


async def orders_of(bus: EventBus, strategy_id: str) -> tuple[Order, ...]:
    query = OrdersQuery(strategy_id=strategy_id).model_dump_json().encode()
    try:
        reply = await bus.request(subjects.CMD_OMS_ORDERS, query, timeout_s=5.0)
    except BusError:
        return ()
    return OrdersReply.model_validate_json(reply).orders


async def publish_bar(home: Path, symbol: Symbol, price: str = "100") -> datetime:
    """Publish a minute that ends now, as the market-data service does; return its end."""
    bus, value, end = await connected(home, "marketdata"), Decimal(price), datetime.now(UTC)
    bar = Bar(
        symbol=symbol,
        interval="1m",
        open=value,
        high=value,
        low=value,
        close=value,
        volume=Decimal(1_000_000),
        timestamp=end,
    )
    await bus.publish_durable(
        subjects.bars_subject(symbol, "1m"),
        bar.model_dump_json().encode(),
        message_id=f"bar-{end.isoformat()}",
    )
    await bus.close()
    return end
