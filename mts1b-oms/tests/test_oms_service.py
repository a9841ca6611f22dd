"""The service on a bus, with the real risk engine, in lockstep and without."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mts1b_foundation import (
    ActiveHalt,
    Bar,
    FundConfig,
    HaltRequest,
    HaltSeverity,
    OrderStatus,
    RiskEnvelope,
    Side,
    Symbol,
)
from mts1b_foundation.commands import CancelOutcome, HaltReply, LeaseRequest
from mts1b_foundation.nats import (
    CMD_HALT_LEASE,
    CMD_HALT_REQUEST,
    CMD_OMS_ORDERS,
    STREAMS,
    bars_subject,
)
from mts1b_oms.client import OmsClient
from mts1b_oms.errors import WriterFenced
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
from mts1b_platform.eventbus.port import RemoteError
from mts1b_platform.halt import HaltStore, ask, sockets_of
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
    funds = [
        FundSettings(
            fund=FundConfig(fund_id=name, name=name, target_nav_usd=Decimal(1_000_000)),
            envelope=RiskEnvelope(
                envelope_id=f"env-{name}",
                fund_id=name,
                nav_usd=Decimal(1_000_000),
                max_position_pct=0.5,
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
    price = PRICES[day][changes.get("symbol", SPX)][1]
    return order(
        key,
        created_at=DAY0 + timedelta(days=day),
        reference_price=Decimal(price),
        quantity=changes.pop("quantity", Decimal(1000)),
        **changes,
    )


async def replay(system: System, order: Any) -> None:
    client = OmsClient(bus=system.bus)
    await system.tick(0, PRICES[0])
    await client.submit(on(0, order, "a"))
    await client.submit(on(0, order, "b", side=Side.SHORT, fund_id="beta", strategy_id="parity"))
    await client.submit(on(0, order, "too-big", quantity=Decimal(30_000)))
    await system.tick(1, PRICES[1])
    await client.submit(on(1, order, "c", side=Side.SELL, quantity=Decimal(400)))
    await system.tick(2, PRICES[2])


async def test_a_replay_trades_through_risk_and_venue_and_keeps_two_funds_apart(
    tmp_path: Path, order: Any
) -> None:
    async with running(tmp_path, settings_of()) as (system, oms):
        await replay(system, order)
        orders = await OmsClient(bus=system.bus).orders()
        assert [(o.idempotency_key, o.status.value) for o in orders] == [
            ("a", "filled"),
            ("b", "filled"),
            ("too-big", "rejected"),
            ("c", "filled"),
        ]
        assert orders[2].rejected_code == "MAX_ORDER_NOTIONAL"
        alpha = OmsClient(fund_id="alpha", bus=system.bus)
        [held] = await alpha.get_positions()
        assert (held.quantity, held.strategy_id) == (600, "trend")
        [short] = await OmsClient(fund_id="beta", ctx=oms.ctx).get_positions()
        assert short.quantity == -1000
        navs = await alpha.get_nav()
        assert [n.strategy_id for n in navs] == [None, "trend"]
        assert navs[0].as_of == DAY0 + timedelta(days=2)
        assert navs[0].drawdown < 0
        assert oms.record.ledger.quantities() == {SPX: -400}
        assert await oms.health() == {
            "bus": "ok",
            "reconciliation": "ok",
            "quarantine": "ok",
            "doubt": "ok",
            "lease": "ok",
        }
        stages = oms.ctx.latency.summary()
        assert {"oms.submit", "oms.risk", "oms.gateway", "oms.book"} <= set(stages)


async def test_two_runs_end_in_one_digest(tmp_path: Path, order: Any) -> None:
    digests = []
    for name in ("one", "two"):
        async with running(tmp_path / name, settings_of()) as (system, _):
            await replay(system, order)
            digests.append((await system.driver.digests())["oms"])
    assert digests[0].digest == digests[1].digest
    assert digests[0].counts["fills"] == 3
    assert digests[0].last_tick == 2


async def test_what_the_oms_refuses_reaches_the_client_with_its_code(
    tmp_path: Path, order: Any
) -> None:
    async with running(tmp_path, settings_of()) as (system, _):
        await system.tick(0, PRICES[0])
        client = OmsClient(bus=system.bus)
        with pytest.raises(RemoteError, match="configured are NDX, SPX") as caught:
            await client.submit(on(0, order, "x").with_(symbol=Symbol("GONE")))
        assert caught.value.code == "UNKNOWN_SYMBOL"
        await client.submit(on(0, order, "x"))
        with pytest.raises(RemoteError) as caught:
            await client.submit(on(0, order, "x", quantity=Decimal(7)))
        assert caught.value.code == "KEY_REUSE_MISMATCH"
        with pytest.raises(RemoteError) as caught:
            await client.cancel("nothing", actor="operator:ann")
        assert caught.value.code == "UNKNOWN_ORDER"
        reply = await client.cancel("order-x", actor="operator:ann")
        assert reply.outcome is CancelOutcome.CONFIRMED
        assert await client.orders(open_only=True) == ()
        everything = await client.cancel_all(actor="operator:ann")
        assert (everything.canceled, everything.residue) == ((), ())


async def test_a_halt_stops_orders_at_once(tmp_path: Path, order: Any) -> None:
    async with running(tmp_path, settings_of()) as (system, oms):
        await system.tick(0, PRICES[0])
        halt = ActiveHalt(
            halt_id="h",
            scope="fund:alpha",
            severity=HaltSeverity.FUND_HALT,
            reason="stop",
            requested_by="operator:ann",
            requested_at=oms.ctx.clock.now(),
            epoch=1,
        )
        oms._gateway._halts.apply(halt)
        done = await OmsClient(bus=system.bus).submit(on(0, order, "a"))
        assert (done.status, done.rejected_code) == (OrderStatus.REJECTED, "FUND_HALTED")


async def test_an_odd_fill_asks_operations_for_a_halt_until_it_is_confirmed(
    tmp_path: Path, order: Any
) -> None:
    async with running(tmp_path, settings_of()) as (system, oms):
        await system.tick(0, PRICES[0])
        foreign = on(0, order, "foreign", quantity=Decimal(5))
        await oms._venue.submit(foreign)
        await system.tick(1, PRICES[1])
        assert "alpha/trend" in (await oms.health())["quarantine"]
        asked: list[HaltRequest] = []

        async def halt(request: HaltRequest) -> HaltReply:
            asked.append(request)
            return HaltReply(created=True)

        await oms.ctx.serve_model(CMD_HALT_REQUEST, HaltRequest, halt)
        await system.tick(2, PRICES[2])
        [request] = asked
        assert (request.scope, request.requested_by) == ("strategy:trend", "oms")
        assert "external" in request.reason
        assert (await oms.health())["quarantine"] == "ok"


async def test_twap_slices_a_parent_into_children_that_sum_to_it(
    tmp_path: Path, order: Any
) -> None:
    async with running(tmp_path, settings_of()) as (system, oms):
        await system.tick(0, PRICES[0])
        client = OmsClient(bus=system.bus)
        params: dict[str, object] = {"n_slices": 3, "horizon_minutes": 0, "jitter_pct": 0.0}
        params["child_order_type"] = "market"
        parent = await client.submit(on(0, order, "big"), algo="twap", params=params)
        assert parent.status is OrderStatus.ACCEPTED
        while oms._dispatcher._running:
            await oms.ctx.system_clock.sleep(0.01)
        children = [o for o in await client.orders() if o.parent_order_id == parent.order_id]
        assert [c.quantity for c in children] == [333, 334, 333]
        assert all(c.status is OrderStatus.ACCEPTED for c in children)
        await system.tick(1, PRICES[1])
        [done] = await client.orders(order_id=parent.order_id)
        assert (done.status, done.filled_quantity) == (OrderStatus.FILLED, 1000)
        assert done.average_fill_price == Decimal("103.0206"), "the open and 2 bps of slippage"
        with pytest.raises(RemoteError, match="twap, vwap") as caught:
            await client.submit(on(1, order, "other"), algo="magic")
        assert caught.value.code == "UNKNOWN_ALGORITHM"


async def test_without_a_replay_bars_and_fills_are_followed_as_they_come(
    tmp_path: Path, order: Any
) -> None:
    async with running(tmp_path, settings_of(replay=False)) as (system, oms):
        await serve_leases(system)
        client = OmsClient(bus=system.bus)
        now = oms.ctx.clock.now()
        await _live_bar(system, now, "100")
        await _until(oms, lambda: SPX in oms.record.ledger.marks)
        await _until_risk_knows(system)
        sent = await client.submit(
            order("live", created_at=now, reference_price=Decimal(100), quantity=Decimal(10))
        )
        assert sent.status in (OrderStatus.ACCEPTED, OrderStatus.FILLED), sent.rejected_reason
        await _until(oms, lambda: not oms.record.open_orders)
        [done] = await client.orders()
        assert (done.status, done.filled_quantity) == (OrderStatus.FILLED, 10)
        assert done.submitted_at is not None, "also where the fill overtook the answer"
        await oms._live.reconcile()
        assert oms.gate.is_open


async def test_e8_without_a_lease_nothing_leaves_and_with_one_it_goes_on(
    tmp_path: Path, order: Any
) -> None:
    async with running(tmp_path, settings_of(replay=False)) as (system, oms):
        client = OmsClient(bus=system.bus)
        now = oms.ctx.clock.now()
        await _live_bar(system, now, "100")
        await _until(oms, lambda: SPX in oms.record.ledger.marks)
        await _until_risk_knows(system)
        words = {"created_at": now, "reference_price": Decimal(100), "quantity": Decimal(1)}
        held = await client.submit(order("held", **words))
        assert held.rejected_code == "LEASE_EXPIRED"
        assert (await oms.health())["lease"].startswith("expired")
        await serve_leases(system)
        await _until(oms, lambda: oms._gateway.lease.valid())
        sent = await client.submit(order("sent", **words))
        assert sent.status in (OrderStatus.ACCEPTED, OrderStatus.FILLED), sent.rejected_reason
        stored = await oms.record.approval_of(sent.order_id)
        assert stored is not None
        assert stored.lease_id == oms._gateway.lease.current


async def test_h6_the_socket_halts_and_cancels_without_a_bus(tmp_path: Path, order: Any) -> None:
    async with running(tmp_path, settings_of()) as (system, _):
        await system.tick(0, PRICES[0])
        client = OmsClient(bus=system.bus)
        sent = await client.submit(on(0, order, "rests"))
        assert sent.status is OrderStatus.ACCEPTED
        [path] = sockets_of(tmp_path / "run")
        state = await ask(path, {"do": "state"}, timeout_s=2.0)
        assert state["open"] == [sent.order_id]
        halt = {
            "halt_id": "h1",
            "scope": "symbol:SPX",
            "severity": "SYMBOL_HALT",
            "reason": "drill",
            "requested_by": "operator:ann",
            "requested_at": "2026-01-05T00:00:00Z",
            "epoch": 1,
        }
        told = await ask(path, {"do": "halt", "halt": halt}, timeout_s=2.0)
        assert told["halted"] is True
        refused = await client.submit(on(0, order, "later"))
        assert refused.rejected_code == "SYMBOL_HALTED"
        words = {"scope": "venue:paper", "actor": "operator:ann", "reason": "drill"}
        other = await ask(path, {"do": "cancel_all", **words, "scope": "symbol:NDX"}, timeout_s=5.0)
        assert other == {"canceled": [], "residue": []}
        done = await ask(path, {"do": "cancel_all", **words}, timeout_s=5.0)
        assert done == {"canceled": [sent.order_id], "residue": []}
        for request in ({"do": "sing"}, {"do": "halt"}, {"do": "cancel_all", "scope": "moon:1"}):
            assert "error" in await ask(path, request, timeout_s=2.0)


async def test_a9_a_second_oms_is_kept_out(tmp_path: Path) -> None:
    async with running(tmp_path, settings_of()) as (system, oms):
        second = OmsService(system.context("oms"))
        with pytest.raises(WriterFenced, match="another OMS"):
            await second.start()
        await oms.ctx.bus.request(CMD_OMS_ORDERS, b"{}", timeout_s=2.0)


async def serve_leases(system: System) -> None:
    """Stand where operations stands."""
    office = LeaseOffice(HaltStore(system.home / "halt"))

    async def grant(data: bytes) -> bytes:
        request = LeaseRequest.model_validate_json(data)
        return office.grant(request).model_dump_json().encode()

    await system.bus.serve(CMD_HALT_LEASE, grant)
    oms = system.services[-1]
    assert isinstance(oms, OmsService)
    await _until(oms, lambda: oms._gateway.lease.valid())


async def _live_bar(system: System, at: datetime, price: str) -> None:
    value = Decimal(price)
    await system.bus.ensure_stream(STREAMS["MARKETDATA"])
    bar = Bar(
        symbol=SPX, interval="1d", open=value, high=value, low=value, close=value, timestamp=at
    )
    await system.bus.publish_durable(
        bars_subject(SPX, "1d"), bar.model_dump_json().encode(), message_id=at.isoformat()
    )


async def _until_risk_knows(system: System) -> None:
    risk = system.services[0]
    assert isinstance(risk, RiskEngineService)
    await risk.ctx.system_clock.sleep(0.3)


async def _until(oms: OmsService, ready: Any) -> None:
    for _ in range(500):
        if ready():
            return
        await oms.ctx.system_clock.sleep(0.01)
    raise AssertionError("it did not happen within 5 s")


async def test_a_change_passes_the_real_risk_engine_or_leaves_the_order_alone(
    tmp_path: Path, order: Any
) -> None:
    async with running(tmp_path, settings_of()) as (system, oms):
        await system.tick(0, PRICES[0])
        client = OmsClient(bus=system.bus)
        sent = await client.submit(
            on(0, order, "k-1", order_type="limit", limit_price=Decimal(50), tif="gtc")
        )

        made = await client.replace(
            sent.order_id, key="r-1", actor="operator:ann", quantity=Decimal(3_000)
        )
        beyond = await client.replace(
            sent.order_id, key="r-2", actor="operator:ann", quantity=Decimal(9_000)
        )

        assert (made.outcome.value, made.order.quantity) == ("confirmed", 3_000)
        assert (beyond.outcome.value, beyond.order.quantity) == ("refused", 3_000)
        assert beyond.code == "MAX_ORDER_NOTIONAL"
        assert (await client.orders(open_only=True))[0].quantity == 3_000
        assert oms.record.replacing == {}
