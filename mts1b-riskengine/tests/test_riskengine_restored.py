"""A store of risk that was put back from a backup: what was told since is read before an answer."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from mts1b_foundation import Fill, Side, Symbol
from mts1b_foundation.nats import CMD_RISK_CHECK, OMS_FILLS_CREATED
from mts1b_platform.eventbus.port import NoResponders
from mts1b_platform.logging import get_logger
from mts1b_riskengine.limits_witness import LimitsWitness
from riskengine_desk import AT, FUND, Desk, make_envelope, make_order
from riskengine_world import World, until
from structlog.testing import CapturingLogger

KEY = ("trend", Symbol("AAPL"))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path, replay=False)
    await made.start()
    made.clock.advance_to(AT)
    yield made
    await made.stop_service()
    await made.bus.close()
    assert made.failures == []


def fill(number: int) -> Fill:
    return Fill(
        fill_id=f"f-{number}",
        order_id=f"o-{number}",
        symbol=Symbol("AAPL"),
        side=Side.BUY,
        quantity=Decimal(1),
        price=Decimal(100),
        venue="paper",
        timestamp=AT,
        fund_id=FUND,
        strategy_id="trend",
    )


def held(world: World) -> Decimal:
    line = world.service.engine.book.positions.of_fund(FUND).get(KEY)
    return line.quantity if line is not None else Decimal(0)


async def put_back(world: World, *, fills: int) -> None:
    """Back the store up, let things happen, and put the backup back."""
    await world.stop_service()
    shutil.copytree(world.home / "db", world.home / "backup")
    await world.start_service()
    tight = make_envelope(version=2, max_position_usd=Decimal(1500))
    await world.client.update_envelope(tight)
    for number in range(fills):
        await world.publish(OMS_FILLS_CREATED, fill(number))
    await until(lambda: held(world) == fills)
    await world.stop_service()
    shutil.rmtree(world.home / "db")
    shutil.copytree(world.home / "backup", world.home / "db")


async def test_d7_risk_answers_with_what_was_told_since_and_under_the_limits_in_force(
    world: World,
) -> None:
    await put_back(world, fills=300)
    await world.start_service()
    assert world.service.answers
    assert held(world) == 300
    limits = world.service.engine.book.envelopes.get(FUND)
    assert (limits.version, limits.max_position_usd) == (2, Decimal(1500))
    assert (await world.client.get_envelope(fund_id=FUND)) == limits


async def test_d7_nothing_is_answered_before_it_is_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mts1b_riskengine.service._START_PATIENCE_S", 0.05)
    await put_back(world, fills=3)
    unread = asyncio.Event()
    take = world.bus.consumer

    async def slow(*args: object, **terms: object) -> object:
        consumer = await take(*args, **terms)
        fetch = consumer.fetch

        async def later(most: int, *, timeout_s: float) -> object:
            await unread.wait()
            return await fetch(most, timeout_s=timeout_s)

        consumer.fetch = later
        return consumer

    monkeypatch.setattr(world.bus, "consumer", slow)
    await world.start_service()
    assert "reads what it was told" in (await world.service.health())["feed"]
    request = make_order().model_dump_json().encode()
    with pytest.raises(NoResponders):
        await world.bus.request(CMD_RISK_CHECK, request, timeout_s=1)
    unread.set()
    await until(lambda: world.service.answers)
    assert held(world) == 3
    assert "feed" not in await world.service.health()


async def test_a_new_store_begins_with_its_configuration(world: World) -> None:
    await put_back(world, fills=1)
    shutil.rmtree(world.home / "db")
    await world.start_service()
    assert world.service.engine.book.envelopes.get(FUND) == make_envelope()


async def test_d7_the_limits_of_every_fund_are_kept(desk: Desk, tmp_path: Path) -> None:
    beta = make_envelope(envelope_id="env-beta", fund_id="beta")
    await desk.engine.seed_envelope(beta)
    later = [make_envelope(version=3), beta.with_(version=2)]
    witness = LimitsWitness(tmp_path / "witness", get_logger("test"))
    for envelope in later:
        witness.keep(envelope)
    again = LimitsWitness(tmp_path / "witness", get_logger("test"))
    assert await again.restore(desk.engine) == later
    assert await again.restore(desk.engine) == []


def test_a_witness_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "witness").write_text("no folder")
    log = CapturingLogger()
    witness = LimitsWitness(tmp_path / "witness", log)
    witness.keep(make_envelope())
    assert [call.args for call in log.calls] == [("the witness of limits can not be written",)]
    (tmp_path / "witness").unlink()
    witness.keep(make_envelope())  # the same limits, sent again
    assert (tmp_path / "witness" / "limits.json").exists()


async def test_a_witness_that_can_not_be_read_is_no_reason_to_stop(world: World) -> None:
    await put_back(world, fills=1)
    (world.home / "witness" / "limits.json").write_text("{")
    await world.start_service()
    assert world.service.engine.book.envelopes.get(FUND).version == 1
    await world.client.update_envelope(make_envelope(version=2, max_position_pct=0.1))
    assert '"version": 2' in (world.home / "witness" / "limits.json").read_text()
