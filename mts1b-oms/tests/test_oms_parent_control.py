"""Algorithms under ``children_within_parent``: risk knows a parent as soon as the OMS does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mts1b_foundation import DenyCode, OrderStatus
from mts1b_foundation.limits import RiskLimits
from mts1b_oms.client import OmsClient
from oms_system import running, serve_leases, settings_of, until
from test_oms_algorithms import ICEBERG, big, children_of, half_an_hour

CONTROLLED = settings_of(replay=False).model_copy(
    update={"limits": RiskLimits(children_within_parent=True)}
)
WORK: dict[str, dict[str, Any]] = {
    "twap": {"n_slices": 4, "horizon_minutes": 0.002},
    "vwap": {"n_slices": 4, "horizon_minutes": 0.002},
    "almgren_chriss": {"n_slices": 4, "horizon_minutes": 0.002},
    "iceberg": ICEBERG,
    "pov": {"target_participation": 0.05, "max_horizon_minutes": 30},
}


@pytest.mark.parametrize("algo", WORK)
async def test_every_slice_of_an_algorithm_passes_the_control(
    tmp_path: Path, order: Any, algo: str
) -> None:
    async with running(tmp_path, CONTROLLED) as (system, oms):
        await serve_leases(system)
        now = await half_an_hour(system, oms)
        client = OmsClient(bus=system.bus)
        params = dict(WORK[algo])
        if algo == "pov":
            params["start_at"] = (now - timedelta(minutes=30)).isoformat()
        parent = await client.submit(big(order, now), algo=algo, params=params)
        await until(oms, lambda: not oms.record.open_orders)
        children = await children_of(client, parent)
        assert {child.status for child in children} == {OrderStatus.FILLED}
        [done] = await client.orders(order_id=parent.order_id)
        assert (done.status, done.filled_quantity) == (OrderStatus.FILLED, 1000)


async def test_what_the_oms_has_no_parent_for_stays_denied(tmp_path: Path, order: Any) -> None:
    """Whoever names a parent that the OMS does not work is no algorithm."""
    async with running(tmp_path, CONTROLLED) as (system, oms):
        await serve_leases(system)
        now = await half_an_hour(system, oms)
        client = OmsClient(bus=system.bus)
        plain = await client.submit(big(order, now))
        for number, parent, code in (
            (1, "nobody", DenyCode.PARENT_UNKNOWN),
            (2, plain.order_id, DenyCode.PARENT_MISMATCH),
        ):
            stray = order(f"stray-{number}", created_at=now, parent_order_id=parent)
            denied = await client.submit(stray)
            assert (denied.status, denied.rejected_code) == (OrderStatus.REJECTED, code)
