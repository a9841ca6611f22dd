"""A stopped home that a real service has filled, and the commands run on it as a user does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mts1b_foundation import nats
from mts1b_foundation.risk import HaltRequest, HaltSeverity
from mts1b_operations import HaltManager
from operations_world import FUND, STRATEGY, World, nav
from test_operations_service import ask_halt, fund_halt
from typer.testing import CliRunner, Result

Run = Callable[..., Result]

PROFILE = f"""
bus: {{kind: local}}
funds:
  - fund: {{fund_id: {FUND}, name: Momentum, target_nav_usd: "1000000"}}
    envelope: {{envelope_id: env-1, fund_id: {FUND}, nav_usd: "1000000"}}
strategies:
  - strategy_id: {STRATEGY}
    fund_id: {FUND}
    kind: trend_following
    symbols: [IXIC]
    params: {{target_ann_vol: 0.15}}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a stopped home: one filled, one denied and one halted order, a halt, a resume."""
    (tmp_path / "mts.yaml").write_text(PROFILE)
    asyncio.run(_live(World(tmp_path)))
    return tmp_path


async def _live(world: World) -> None:
    await world.start()
    await world.trade(0)
    await world.publish(nats.OMS_NAV_UPDATED, nav(0, "1000000"))
    await world.tick(0)
    parts = world.service._parts
    async with HaltManager(
        store=parts.store,
        halt_store=parts.halts,
        audit=parts.audit,
        keyring=parts.keyring,
        clock=parts.clock,
    ) as manager:
        parts.keyring.create("operator-early")
        parts.keyring.create("operator-late")
        firm = HaltRequest(severity=HaltSeverity.FIRM_HALT, reason="drill", requested_by="ops")
        await manager.request(firm)
        await manager.resume(cosigned_by="operator:early", second_by="operator:late")
    await world.publish(nats.OMS_NAV_UPDATED, nav(1, "940000"))
    await ask_halt(world, fund_halt(1))
    await world.refuse(1, "static", "MAX_ORDER_NOTIONAL")
    await world.refuse(2, "drawdown_halt", "FUND_HALTED")
    for number in range(1, 6):
        await world.publish(nats.OMS_NAV_UPDATED, nav(number + 1, str(940000 + 1000 * number)))
        await world.tick(number)
    await world.stop()


@pytest.fixture
def mts(home: Path) -> Run:
    def run(group: Any, *arguments: str, code: int = 0) -> Result:
        runner = CliRunner(env={"MTS_HOME": str(home), "NO_COLOR": "1", "COLUMNS": "120"})
        result = runner.invoke(group, list(arguments))
        error = result.exception
        found = getattr(error, "exit_code", result.exit_code) if error else result.exit_code
        assert int(found) == code, (result.output, error)
        return result

    return run
