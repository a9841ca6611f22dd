"""The service over a real bus: commands, lockstep, halts, the client, the command line."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa
from mts1b_foundation import (
    DenyCode,
    Fill,
    Order,
    OrderStatus,
    RiskDecision,
    Side,
)
from mts1b_foundation.commands import CheckOrder
from mts1b_foundation.nats import (
    CMD_RISK_CHECK,
    OMS_FILLS_CREATED,
    OMS_ORDERS_SUBMITTED,
    RISK_ENVELOPE_SIGNED,
    RISK_GATE_PASSED,
    GatePassed,
    with_fund,
)
from mts1b_foundation.replay import StateDigest
from mts1b_platform.clock import VirtualClock
from mts1b_platform.config import VenueSettings
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.eventbus.port import EventBus, Message, RemoteError
from mts1b_platform.rng import SeededRng
from mts1b_platform.signing import KeyRing
from mts1b_platform.store.tables import outbox
from mts1b_riskengine import (
    EnvelopeConflict,
    EnvelopeLoosened,
    EnvelopeMissing,
    EnvelopeUnsigned,
    EnvelopeVersion,
    RiskEngineClient,
    sign_envelope,
)
from riskengine_desk import AT, FUND, make_envelope, make_halt, make_order
from riskengine_world import DAY, World, until


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    await made.start()
    yield made
    await made.stop_service()
    await made.bus.close()
    assert made.failures == []


async def test_the_client_gets_the_decision_of_the_engine(world: World) -> None:
    await world.day(0)
    order = make_order()
    over_the_bus = await world.client.check_order(order)
    assert over_the_bus.approved
    assert await world.service.engine.check(order) == over_the_bus
    assert await RiskEngineClient(world.service.ctx).check_order(order) == over_the_bus


class Hears:
    """A bus that keeps what it is asked, and has no answer."""

    def __init__(self) -> None:
        self.asked: list[CheckOrder] = []

    async def request(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        self.asked.append(CheckOrder.model_validate_json(data))
        raise RemoteError("GONE", f"{subject} in {timeout_s:g} s")


async def test_the_client_leaves_nothing_out_of_its_question() -> None:
    bus, order, parent = Hears(), make_order(1), make_order("p")
    client = RiskEngineClient(bus=cast("EventBus", bus), timeout_s=0.5)
    with pytest.raises(RemoteError, match=rf"{CMD_RISK_CHECK} in 0\.5 s"):
        await client.check_order(order, lease_id="lease-7", amends="o-0", parent=parent)
    whole = CheckOrder(order=order, lease_id="lease-7", amends="o-0", parent=parent)
    assert bus.asked == [whole]


async def test_the_client_reads_and_updates_envelopes(world: World) -> None:
    client = world.client
    current = await client.get_envelope(fund_id=FUND)
    assert current == make_envelope()
    second = current.with_(version=2, max_position_pct=0.2)
    assert await client.update_envelope(second) == second
    with pytest.raises(EnvelopeVersion, match="version 3"):
        await client.update_envelope(current.with_(version=9))
    with pytest.raises(EnvelopeMissing, match="gamma"):
        await client.get_envelope(fund_id="gamma")
    looser = second.with_(version=3, max_position_pct=0.9)
    with pytest.raises(EnvelopeUnsigned, match="max_position_pct"):
        await client.update_envelope(looser)
    ring = KeyRing(world.home / "keys", SeededRng(9))
    ring.create("operator-ann")
    word = sign_envelope(ring, looser, signed_by="operator:ann", reason="more", requested_at=AT)
    assert await client.update_envelope(word) == looser
    signed = with_fund(RISK_ENVELOPE_SIGNED, FUND)
    async with world.service.engine._store.read() as tx:
        told = (await tx.execute(sa.select(outbox.c.subject))).scalars().all()
    assert signed in told
    world.halts.apply(make_halt())
    wider = looser.with_(version=4, max_position_pct=1.0)
    with pytest.raises(EnvelopeLoosened, match="max_position_pct"):
        await client.update_envelope(
            sign_envelope(ring, wider, signed_by="operator:ann", reason="more", requested_at=AT)
        )


async def test_a_check_under_other_limits_than_those_in_force_is_refused(world: World) -> None:
    await world.day(0)
    with pytest.raises(EnvelopeConflict):
        await world.client.check_order(make_order(), make_envelope(max_position_pct=0.9))
    assert (await world.client.check_order(make_order(), make_envelope())).approved


async def test_an_update_lowers_what_the_next_order_may_do(world: World) -> None:
    await world.day(0)
    assert (await world.client.check_order(make_order(1))).approved
    tight = make_envelope(version=2, max_position_usd=Decimal(1500))
    await world.client.update_envelope(tight)
    assert (await world.client.check_order(make_order(2))).code == DenyCode.MAX_POSITION_USD


async def test_a_step_reads_bars_fills_and_orders_and_publishes_decisions(world: World) -> None:
    await world.day(0)
    order = make_order()
    await world.client.check_order(order)
    submitted: Order = order.with_(status=OrderStatus.SUBMITTED)
    await world.publish(with_fund(OMS_ORDERS_SUBMITTED, FUND), submitted)
    fill = Fill(
        fill_id="f-1",
        order_id=order.order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=Decimal(4),
        price=Decimal(101),
        venue="paper",
        timestamp=AT + DAY,
        fund_id=FUND,
        strategy_id="trend",
    )
    await world.publish(with_fund(OMS_FILLS_CREATED, FUND), fill)
    done = await world.day(1)
    assert done.heads["RISK"] == 2  # the configured envelope and the decision
    held = world.service.engine.book.positions.of_fund(FUND).get(("trend", order.symbol))
    assert held is not None
    assert (held.quantity, held.open_buy) == (4, 6)


async def test_a_breach_leads_to_one_halt_and_a_resume_to_a_new_beginning(world: World) -> None:
    await world.day(0)
    await world.day(1, "96800")
    await world.day(2, "90000")
    (request,) = world.asked
    assert request.reason == "daily PL -3.2% breached -3.0%"
    assert request.requested_by == "mts1b-riskengine"
    assert request.reduce_only_allowed
    denied = await world.client.check_order(make_order(1))
    assert denied.code == DenyCode.FUND_HALTED
    world.halts.lift(f"fund:{FUND}")
    assert (await world.client.check_order(make_order(2))).approved
    await world.day(3, "89000")
    assert len(world.asked) == 1
    await world.day(4, "80000")
    assert len(world.asked) == 2


async def test_a_step_that_is_asked_again_changes_nothing(world: World) -> None:
    await world.day(0)
    await world.day(1, "90000")
    before = await world.digest()
    await world.advance(1)
    assert await world.digest() == before
    assert len(world.asked) == 1


class Watched(LocalBus):
    """A bus that calls back when a command is served."""

    def __init__(self, served: Callable[[str], None]) -> None:
        super().__init__()
        self._served = served

    async def serve(self, subject: str, handler: Any, *, queue: str | None = None) -> Any:
        self._served(subject)
        return await super().serve(subject, handler, queue=queue)


async def test_no_check_is_answered_before_the_time_is_restored(tmp_path: Path) -> None:
    served: dict[str, datetime] = {}
    world = World(tmp_path)
    await world.start()
    await world.day(0)
    await world.day(1)
    await world.stop_service()
    await world.bus.close()
    world.bus = Watched(lambda subject: served.update({subject: world.clock.now()}))
    world.clock = VirtualClock(AT - DAY)
    await world.start()
    assert served[CMD_RISK_CHECK] == AT + DAY
    await world.stop_service()
    await world.bus.close()


async def run_days(home: Path, *, restarts: bool) -> tuple[StateDigest, list[str | None]]:
    world = World(home)
    await world.start()
    for tick, nav in enumerate(("100000", "99000", "95000", "94000", "94500")):
        await world.day(tick, nav)
        await world.client.check_order(make_order(tick, quantity=Decimal(tick + 1)))
        if restarts:
            await world.restart()
            await world.client.check_order(make_order(tick, quantity=Decimal(tick + 1)))
    result = await world.digest(), [request.halt_id for request in world.asked]
    await world.stop_service()
    await world.bus.close()
    return result


async def test_a_run_with_restarts_ends_in_the_same_state(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    plain = await run_days(tmp_path_factory.mktemp("plain"), restarts=False)
    restarted = await run_days(tmp_path_factory.mktemp("restarted"), restarts=True)
    assert plain == restarted
    assert plain[0].counts["decisions"] == 5
    assert len(plain[1]) == 1


async def test_a_bad_request_is_an_error_and_no_decision(world: World) -> None:
    with pytest.raises(RemoteError):
        await world.bus.request(CMD_RISK_CHECK, b"{}", timeout_s=2)
    assert (await world.digest()).counts["decisions"] == 0


async def test_live_the_pump_follows_the_streams_and_passes_are_told(tmp_path: Path) -> None:
    world = World(tmp_path, replay=False)
    passed: asyncio.Queue[GatePassed] = asyncio.Queue()
    told = asyncio.Event()

    async def collect(message: Message) -> None:
        passed.put_nowait(GatePassed.model_validate_json(message.data))

    async def announce(message: Message) -> None:
        told.set()

    await world.bus.subscribe(RISK_GATE_PASSED, collect)
    await world.bus.subscribe("mts.v1.risk.orders.>", announce)
    await world.start()
    world.clock.advance_to(AT)
    await world.bar(0)
    await until(lambda: world.service.engine.book.positions.marks)
    request = CheckOrder(order=make_order()).model_dump_json().encode()
    reply = await world.bus.request(CMD_RISK_CHECK, request, timeout_s=5)
    decision = RiskDecision.model_validate_json(reply)
    assert decision.approved
    async with asyncio.timeout(5):
        names = [(await passed.get()).gate for _ in decision.gates]
        await told.wait()  # the relay has published the decision by itself
    told_of = [name for name in world.service.engine.gate_names if name != "mandate"]
    assert names == told_of  # what only follows from the configuration passes without a line
    await world.nav(0, "100000")
    await world.nav(1, "90000")

    def asked() -> bool:
        world.clock.advance(1)
        return bool(world.asked) and not world.service.engine.book.funds.pending()

    await until(asked)
    async with world.service.engine._store.transaction():
        pass  # what made the condition true has been committed
    assert await world.service.health() == {
        "bus": "ok",
        "outbox": "ok",
        "halts": "ok",
    }
    await world.stop_service()
    await world.bus.close()
    assert world.failures == []


@pytest.mark.parametrize("replay", [True, False])
@pytest.mark.parametrize("fee", [None, "25", "201"])
async def test_a_simulated_venue_lends_at_the_fee_of_the_settings(
    tmp_path: Path, fee: str | None, replay: bool
) -> None:
    venue = VenueSettings(borrow_fee_bps=None if fee is None else Decimal(fee))
    world = World(tmp_path, replay=replay, shorting=True, venue=venue)
    await world.start()
    if replay:
        await world.day(0)
    else:
        world.clock.advance_to(AT)
        await world.bar(0)
        await until(lambda: world.service.engine.book.positions.marks)
    decision = await world.service.engine.check(make_order(side=Side.SHORT))
    assert decision.code == ("" if fee == "25" else DenyCode.BORROW_FEE_TOO_HIGH)
    await world.stop_service()
    await world.bus.close()


def test_the_gates_command_prints_the_table() -> None:
    from mts1b_riskengine import GATE_TABLE
    from mts1b_riskengine.cli import app
    from typer.testing import CliRunner

    plain = CliRunner().invoke(app, ["gates"])
    assert plain.exit_code == 0
    assert all(card.gate in plain.output for card in GATE_TABLE)
    rows = json.loads(CliRunner().invoke(app, ["gates", "--json"]).output)["items"]
    assert [row["gate"] for row in rows] == [card.gate for card in GATE_TABLE]
    assert "DUPLICATE_KEY" in rows[0]["codes"]


def test_the_envelope_command_shows_what_is_in_force_and_refuses_nonsense(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mts1b_platform.errors import DataError, RetryLater
    from mts1b_platform.store import StoreError
    from mts1b_riskengine.cli import _read, app
    from typer.testing import CliRunner

    monkeypatch.setenv("MTS_HOME", str(tmp_path))
    runner = CliRunner()
    missing = runner.invoke(app, ["envelope", "show", FUND])
    assert isinstance(missing.exception, StoreError)

    async def fill_store() -> None:
        world = World(tmp_path)
        await world.start()
        await world.client.update_envelope(make_envelope(version=2, max_position_pct=0.2))
        await world.stop_service()
        await world.bus.close()

    asyncio.run(fill_store())
    shown = json.loads(runner.invoke(app, ["envelope", "show", FUND, "--json"]).output)
    assert (shown["version"], shown["max_position_pct"]) == (2, 0.2)
    every = json.loads(runner.invoke(app, ["envelope", "show", FUND, "--history", "--json"]).output)
    assert [item["version"] for item in every["items"]] == [1, 2]
    assert isinstance(runner.invoke(app, ["envelope", "show", "gamma"]).exception, EnvelopeMissing)

    for kind, more in (("yaml", []), ("json", ["--json"])):
        kept = tmp_path / f"shown.{kind}"
        kept.write_text(runner.invoke(app, ["envelope", "show", FUND, *more]).output)
        assert _read(kept) == make_envelope(version=2, max_position_pct=0.2)

    bad = tmp_path / "bad.yaml"
    bad.write_text("fund_id: alpha\nmax_position_pct: 7\n")
    assert isinstance(runner.invoke(app, ["envelope", "update", str(bad)]).exception, DataError)
    good = tmp_path / "good.json"
    good.write_text(make_envelope(version=3).model_dump_json())
    (tmp_path / "mts.yaml").write_text("bus: {kind: local}\n")
    away = runner.invoke(app, ["envelope", "update", str(good)])
    assert isinstance(away.exception, RetryLater)
