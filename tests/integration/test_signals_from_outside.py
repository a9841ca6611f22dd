"""A real system, live on paper: a signed signal becomes one order that risk let through."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mts1b_foundation import OrderStatus, Symbol
from mts1b_foundation import nats as subjects
from mts1b_operations.audit import AuditReader
from mts1b_platform.eventbus.port import NotPermitted

from tests.integration.live_home import (
    connected,
    live_settings,
    orders_of,
    publish_bar,
    system_up,
    until,
    write_home,
)
from tests.integration.replay_home import mts

SYMBOL = Symbol("AAA")
SETTINGS = live_settings(
    {"strategy_id": "hook", "kind": "webhook", "symbols": [str(SYMBOL)]},
    api={"signals": [{"source": "chart-tool", "strategy_id": "hook"}]},
)


@dataclass
class Live:
    """A running system, and the sender of signals."""

    home: Path
    secret: bytes

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


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    home = tmp_path / "home"
    write_home(home, SETTINGS)
    told = json.loads(mts(home, "cmd", "signal-key", "chart-tool", "--json").stdout)
    async with system_up(home):
        yield Live(home, bytes.fromhex(Path(told["file"]).read_text()))


async def test_k2_k4_signals_are_traded_once_risk_decides_and_a_stolen_key_books_nothing(
    live: Live,
) -> None:
    operator = await connected(live.home, "operator")
    await publish_bar(live.home, SYMBOL)

    async def trades(count: int) -> bool:
        return len(await orders_of(operator, "hook")) >= count

    answers = [await live.post(id="a-1", target_weight=0.3) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [202, 200, 200, 200, 200]
    await until(lambda: trades(1))
    assert (await live.post(id="a-2", target_weight=0.9)).status_code == 202
    await until(lambda: trades(2))  # 600,000 USD more: beyond what risk lets one order be worth

    async def settled() -> bool:
        return all(order.is_terminal for order in await orders_of(operator, "hook"))

    await until(settled)
    first, second = sorted(await orders_of(operator, "hook"), key=lambda order: order.created_at)
    assert (first.status, first.quantity) == (OrderStatus.FILLED, 3000)
    assert second.status is OrderStatus.REJECTED
    assert "NOTIONAL" in (second.rejected_code or "")

    thief = await connected(live.home, "research")
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
    assert len(await orders_of(operator, "hook")) == 2
    await operator.close()
