"""Parents worked by algorithms that look: POV at the bars, the iceberg at its children."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from mts1b_foundation import Bar, Order, OrderStatus
from mts1b_foundation.nats import STREAMS, bars_subject
from mts1b_oms.client import OmsClient
from mts1b_oms.service import OmsService
from oms_system import (
    SPX,
    System,
    running,
    serve_leases,
    settings_of,
    until,
    until_risk_knows,
)
from oms_works import Works, resting, with_iceberg

ICEBERG = {
    "display_qty": 400,
    "refill_threshold": 50,
    "limit_price": "101",
    "check_seconds": 0.02,
}


async def half_an_hour(system: System, oms: OmsService) -> datetime:
    """Publish thirty bars of a thousand that end now; return now."""
    now = oms.ctx.clock.now().replace(microsecond=0)
    await system.bus.ensure_stream(STREAMS["MARKETDATA"])
    for minute in range(29, -1, -1):
        at = now - timedelta(minutes=minute)
        price = Decimal(100)
        bar = Bar(
            symbol=SPX,
            interval="1m",
            open=price,
            high=price,
            low=price,
            close=price,
            volume=Decimal(1000),
            timestamp=at,
        )
        await system.bus.publish_durable(
            bars_subject(SPX, "1m"), bar.model_dump_json().encode(), message_id=at.isoformat()
        )
    hour = timedelta(hours=1)
    await until(oms, lambda: oms._tape.volume(SPX, start=now - hour, end=now) == 30_000)
    await until(oms, lambda: SPX in oms.record.ledger.marks)
    await until_risk_knows(system)
    return now


async def children_of(client: OmsClient, parent: Order) -> list[Order]:
    found = [o for o in await client.orders() if o.parent_order_id == parent.order_id]
    return sorted(found, key=lambda o: int(o.idempotency_key.rpartition("/")[2]))


def is_shown(works: Works) -> bool:
    """Return whether one child is at the venue, and no other on its way."""
    return [(c.quantity, c.status) for c in works.children()] == [(400, OrderStatus.ACCEPTED)]


def big(order: Any, now: datetime) -> Order:
    words = {"reference_price": Decimal(101), "quantity": Decimal(1000), "created_at": now}
    made: Order = order("big", **words)
    return made


async def test_an_iceberg_refills_as_its_children_fill(tmp_path: Path, order: Any) -> None:
    async with running(tmp_path, settings_of(replay=False)) as (system, oms):
        await serve_leases(system)
        now = await half_an_hour(system, oms)
        client = OmsClient(bus=system.bus)
        parent = await client.submit(big(order, now), algo="iceberg", params=dict(ICEBERG))
        await until(oms, lambda: not oms.record.open_orders)
        assert [c.quantity for c in await children_of(client, parent)] == [400, 400, 200]
        [done] = await client.orders(order_id=parent.order_id)
        assert (done.status, done.filled_quantity) == (OrderStatus.FILLED, 1000)


async def test_an_iceberg_that_rests_goes_on_after_a_restart_and_shows_no_more(
    new_desk: Any, order: Any
) -> None:
    works = with_iceberg(await new_desk())
    parent = await works.begin(
        resting(order, quantity=Decimal(1000)), "iceberg", display_qty=400, refill_threshold=50
    )
    await works.until(lambda: is_shown(works))
    await works.dispatcher.stop()

    again = with_iceberg(await works.desk.reopen())
    began = again.desk.clock.now()
    await again.dispatcher.resume()
    await again.until(lambda: again.desk.clock.now() - began > timedelta(minutes=1))
    assert is_shown(again)

    await again.desk.canceller.cancel(parent.order_id, actor="operator:ann", reason="enough")
    await again.until(lambda: not again.desk.record.open_orders)
    await again.dispatcher.stop()
    [child] = await again.desk.record.children(parent.order_id)
    assert (child.quantity, child.status) == (400, OrderStatus.CANCELED)


async def test_pov_takes_its_share_of_the_bars_that_the_oms_sees(
    tmp_path: Path, order: Any
) -> None:
    async with running(tmp_path, settings_of(replay=False)) as (system, oms):
        await serve_leases(system)
        now = await half_an_hour(system, oms)
        client = OmsClient(bus=system.bus)
        params = {
            "target_participation": 0.05,
            "max_horizon_minutes": 30,
            "start_at": (now - timedelta(minutes=30)).isoformat(),
        }
        parent = await client.submit(big(order, now), algo="pov", params=params)
        await until(oms, lambda: not oms.record.open_orders)
        assert [c.quantity for c in await children_of(client, parent)] == [50] * 20
        [done] = await client.orders(order_id=parent.order_id)
        assert (done.status, done.filled_quantity) == (OrderStatus.FILLED, 1000)
