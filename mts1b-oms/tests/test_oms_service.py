"""The service on a bus, with the real risk engine, in lockstep and without."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mts1b_foundation import ActiveHalt, HaltRequest, HaltSeverity, OrderStatus, Side, Symbol
from mts1b_foundation.commands import BookReply, CancelOutcome, HaltReply
from mts1b_foundation.nats import CMD_HALT_REQUEST, CMD_OMS_BOOK, CMD_OMS_ORDERS
from mts1b_oms.client import OmsClient
from mts1b_oms.errors import WriterFenced
from mts1b_oms.service import OmsService
from mts1b_platform.eventbus.port import RemoteError
from mts1b_platform.halt import ask, sockets_of
from oms_system import (
    DAY0,
    PRICES,
    SPX,
    live_bar,
    on,
    replay,
    running,
    serve_leases,
    settings_of,
    until,
    until_risk_knows,
)


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
            "outbox": "ok",
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


async def test_a_fund_that_is_not_active_only_reduces(tmp_path: Path, order: Any) -> None:
    settings = settings_of()
    async with running(tmp_path, settings) as (system, _):
        await replay(system, order)
    alpha, beta = settings.funds
    asleep = alpha.model_copy(update={"fund": alpha.fund.with_(active=False)})
    async with running(tmp_path, settings.model_copy(update={"funds": [asleep, beta]})) as (
        system,
        _,
    ):
        client = OmsClient(bus=system.bus)
        with pytest.raises(RemoteError, match="fund alpha is not active") as caught:
            await client.submit(on(2, order, "more"))
        assert caught.value.code == "FUND_INACTIVE"
        less = on(2, order, "less", side=Side.SELL, quantity=Decimal(600), reduce_only=True)
        assert (await client.submit(less)).rejected_code != "FUND_INACTIVE"


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
        accepted = OrderStatus.ACCEPTED
        await until(
            oms, lambda: [o.status for o in oms.record.open_orders.values()] == [accepted] * 4
        )
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
        await live_bar(system, now, "100")
        await until(oms, lambda: SPX in oms.record.ledger.marks)
        await until_risk_knows(system)
        sent = await client.submit(
            order("live", created_at=now, reference_price=Decimal(100), quantity=Decimal(10))
        )
        assert sent.status in (OrderStatus.ACCEPTED, OrderStatus.FILLED), sent.rejected_reason
        await until(oms, lambda: not oms.record.open_orders)
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
        await live_bar(system, now, "100")
        await until(oms, lambda: SPX in oms.record.ledger.marks)
        await until_risk_knows(system)
        words = {"created_at": now, "reference_price": Decimal(100), "quantity": Decimal(1)}
        held = await client.submit(order("held", **words))
        assert held.rejected_code == "LEASE_EXPIRED"
        assert (await oms.health())["lease"].startswith("expired")
        await serve_leases(system)
        await until(oms, lambda: oms._gateway.lease.valid())
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


async def test_books_say_whether_they_agree_with_the_venue(tmp_path: Path) -> None:
    async with running(tmp_path, settings_of()) as (system, oms):
        await system.tick(0, PRICES[0])

        async def whole() -> bool:
            data = await oms.ctx.bus.request(CMD_OMS_BOOK, b"{}", timeout_s=2.0)
            return BookReply.model_validate_json(data).complete

        assert await whole()
        oms.gate.close("the books differ")
        assert not await whole()
        oms.gate.open()
        oms.record.orders_lost = True
        assert not await whole()


async def test_a9_a_second_oms_is_kept_out(tmp_path: Path) -> None:
    async with running(tmp_path, settings_of()) as (system, oms):
        second = OmsService(system.context("oms"))
        with pytest.raises(WriterFenced, match="another OMS"):
            await second.start()
        await oms.ctx.bus.request(CMD_OMS_ORDERS, b"{}", timeout_s=2.0)


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
