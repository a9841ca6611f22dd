"""A real system, live on paper: a signed signal becomes one order that risk let through."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from mts1b_foundation import Bar, Order, OrderStatus, Symbol
from mts1b_foundation import nats as subjects
from mts1b_foundation.commands import OrdersQuery, OrdersReply
from mts1b_operations.audit import AuditReader
from mts1b_platform.eventbus.nats import NatsBus
from mts1b_platform.eventbus.port import BusError, EventBus, NotPermitted
from mts1b_platform.eventbus.server import read_address

from tests.integration.replay_home import MTS, environment, mts

SYMBOL = Symbol("AAA")
PATIENCE_S = 60.0
SETTINGS: dict[str, Any] = {
    "mode": "paper",
    "venue": {"fill": "immediate"},
    "funds": [
        {
            "fund": {
                "fund_id": "f1",
                "name": "f1",
                "target_nav_usd": "1000000",
                "strategies": ["hook"],
            },
            "envelope": {
                "envelope_id": "env-f1",
                "fund_id": "f1",
                "nav_usd": "1000000",
                "max_position_pct": 1.0,
                "max_order_notional_usd": "400000",
                "allowed_brokers": ["paper"],
            },
        }
    ],
    "strategies": [
        {"strategy_id": "hook", "fund_id": "f1", "kind": "webhook", "symbols": [str(SYMBOL)]}
    ],
    "api": {"signals": [{"source": "chart-tool", "strategy_id": "hook"}]},
}


@dataclass
class Live:
    """A running system, seen by an operator, and the sender of signals."""

    home: Path
    secret: bytes

    async def bus(self, user: str) -> NatsBus:
        return await NatsBus.connect(lambda: read_address(self.home, {}, user=user), name=user)

    async def post(self, **content: Any) -> httpx2.Response:
        where = json.loads((self.home / "run" / "operations-api.json").read_text())
        body = json.dumps({"symbol": SYMBOL, "price": "100"} | content).encode()
        stamp = str(time.time())
        signed = hmac.new(self.secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        async with httpx2.AsyncClient() as client:
            return await client.post(
                f"http://127.0.0.1:{where['port']}/v1/signals/chart-tool",
                content=body,
                headers={"MTS-Timestamp": stamp, "MTS-Signature": signed},
            )

    def audited(self, action: str) -> list[dict[str, Any]]:
        with AuditReader(self.home) as reader:
            return [dict(entry.data) for entry in reader.entries() if entry.action == action]


async def until(found: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await found():  # noqa: ASYNC110 (another process does not tell)
            await asyncio.sleep(0.1)


async def orders(bus: EventBus) -> tuple[Order, ...]:
    query = OrdersQuery(strategy_id="hook").model_dump_json().encode()
    try:
        reply = await bus.request(subjects.CMD_OMS_ORDERS, query, timeout_s=5.0)
    except BusError:
        return ()
    return OrdersReply.model_validate_json(reply).orders


async def price(live: Live) -> None:
    """Publish a bar as the market-data service does."""
    bus, value = await live.bus("marketdata"), Decimal(100)
    bar = Bar(
        symbol=SYMBOL,
        interval="1m",
        open=value,
        high=value,
        low=value,
        close=value,
        volume=Decimal(1_000_000),
        timestamp=datetime.now(UTC),
    )
    await bus.publish_durable(
        subjects.bars_subject(SYMBOL, "1m"),
        bar.model_dump_json().encode(),
        message_id=f"bar-{bar.timestamp.isoformat()}",
    )
    await bus.close()


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    home = tmp_path / "home"
    home.mkdir()
    (home / "mts.yaml").write_text(yaml.safe_dump(SETTINGS))
    told = json.loads(mts(home, "cmd", "signal-key", "chart-tool", "--json").stdout)
    log = (tmp_path / "up.log").open("wb")
    system = await asyncio.create_subprocess_exec(
        *(MTS, "up", "--layout", "one"), env=environment(home), stdout=log, stderr=log
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not (home / "run" / "marketdata.json").exists():  # the last to be ready
                assert system.returncode is None, (tmp_path / "up.log").read_text()
                await asyncio.sleep(0.05)
        yield Live(home, bytes.fromhex(Path(told["file"]).read_text()))
    finally:
        system.terminate()
        await asyncio.wait_for(system.wait(), PATIENCE_S)
        log.close()


async def test_k2_k4_signals_are_traded_once_risk_decides_and_a_stolen_key_books_nothing(
    live: Live,
) -> None:
    operator = await live.bus("operator")
    await price(live)

    async def trades(count: int) -> bool:
        return len(await orders(operator)) >= count

    answers = [await live.post(id="a-1", target_weight=0.3) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [202, 200, 200, 200, 200]
    await until(lambda: trades(1))
    assert (await live.post(id="a-2", target_weight=0.9)).status_code == 202
    await until(lambda: trades(2))  # 600,000 USD more: beyond what risk lets one order be worth

    async def settled() -> bool:
        return all(order.is_terminal for order in await orders(operator))

    await until(settled)
    first, second = sorted(await orders(operator), key=lambda order: order.created_at)
    assert (first.status, first.quantity) == (OrderStatus.FILLED, 3000)
    assert second.status is OrderStatus.REJECTED
    assert "NOTIONAL" in (second.rejected_code or "")

    thief = await live.bus("research")
    with pytest.raises(NotPermitted):
        await thief.publish_durable(
            subjects.with_fund(subjects.OMS_ORDERS_ACCEPTED, "f1"), b"{}", message_id="forged"
        )
    await thief.close()

    async def alarmed() -> bool:
        return bool(live.audited("watchdog_alert"))

    await until(alarmed)
    (alert,) = live.audited("watchdog_alert")
    assert (alert["watchdog"], alert["scope"]) == ("bus_access", "user:research")
    assert len(live.audited("signal_received")) == 2
    assert len(await orders(operator)) == 2
    await operator.close()
