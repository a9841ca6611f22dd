"""The operations service over a local bus: audit, watchdogs, halts, restarts, digest."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mts1b_foundation import nats
from mts1b_foundation.commands import HaltReply
from mts1b_foundation.orders import OrderStatus
from mts1b_foundation.risk import HaltRequest, HaltSeverity, ResumeRequest
from mts1b_operations.audit import AuditReader
from mts1b_operations.halt import active_halts
from mts1b_operations.probes import _get
from mts1b_operations.resume import sign_resume
from mts1b_operations.watchdogs import WatchdogRunner
from mts1b_operations.watchdogs.settings import watchdog_settings
from mts1b_platform.config import WatchdogSettings
from mts1b_platform.eventbus.port import RemoteError
from mts1b_platform.halt import HaltStore
from mts1b_platform.pump import Event
from mts1b_platform.rng import SystemRng
from mts1b_platform.signing import KeyRing
from operations_world import FUND, SETTINGS, World, day, fill, nav, order


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    await made.start()
    yield made
    await made.stop()


def actions(home: Path) -> list[str]:
    with AuditReader(home) as reader:
        return [entry.action for entry in reader.entries()]


def fund_halt(number: int, fund: str = FUND) -> HaltRequest:
    return HaltRequest(
        severity=HaltSeverity.FUND_HALT,
        fund_id=fund,
        reason="daily loss 5.2 % above 3.0 %",
        requested_by="mts1b-riskengine",
        requested_at=day(number),
        halt_id=f"halt-{fund}-{number}",
        reduce_only_allowed=True,
    )


async def ask_halt(world: World, request: HaltRequest) -> HaltReply:
    return await world.ctx.call(nats.CMD_HALT_REQUEST, request, HaltReply)


async def test_every_event_becomes_one_entry_at_its_business_time(world: World) -> None:
    await world.trade(0)
    await world.publish(nats.OMS_NAV_UPDATED, nav(1, "990000"))
    await world.tick(0)
    assert actions(world.home) == [
        "service.started",
        "signal_published",
        "intent_decided",
        "order_approved",
        "order_created",
        "order_accepted",
        "fill_created",
        "order_filled",
        "nav_updated",
    ]
    with AuditReader(world.home) as reader:
        trail = reader.trail("ord-0")
        assert [entry.timestamp for entry in trail] == [day(0), day(0), day(0), day(1), day(1)]
        assert {entry.actor for entry in trail} == {"mts1b-oms", "mts1b-riskengine"}
        assert "signature" not in trail[0].data["approval"]
        assert reader.verify()[0] == 9


async def test_a_tick_and_an_event_count_once(world: World) -> None:
    await world.trade(0)
    await world.tick(0)
    before = actions(world.home)
    await world.tick(0)
    assert actions(world.home) == before
    await world.tick(1)
    assert actions(world.home) == before


async def test_a_restart_in_the_middle_gives_the_same_digest(tmp_path: Path) -> None:
    digests = []
    for name, restarts in (("straight", ()), ("broken", (2, 5, 6))):
        world = World(tmp_path / name)
        await world.start()
        for number in range(9):
            await world.trade(number)
            await world.publish(nats.OMS_NAV_UPDATED, nav(number, str(1_000_000 - number * 999)))
            if number == 3:
                await ask_halt(world, fund_halt(number))
            await world.tick(number)
            if number in restarts:
                await world.restart()
        digests.append(await world.digest())
        await world.stop()
    assert digests[0] == digests[1]
    assert digests[0].counts["halt_resumed"] == 1


async def test_another_story_gives_another_digest(tmp_path: Path) -> None:
    found = set()
    for value in ("1000000", "1000000.01"):
        world = World(tmp_path / value)
        await world.start()
        await world.publish(nats.OMS_NAV_UPDATED, nav(0, value))
        await world.tick(0)
        found.add((await world.digest()).digest)
        await world.stop()
    assert len(found) == 2


async def test_the_script_ends_no_halt_that_a_person_asked_for(world: World) -> None:
    """A resume ends every halt of its scope, so the fund waits for a person."""
    await ask_halt(world, fund_halt(0))
    by_hand = fund_halt(0).with_(halt_id="by-hand", requested_by="operator:ann")
    await ask_halt(world, by_hand)
    for number in range(6):
        await world.tick(number)
    held = {halt.halt_id for halt in HaltStore(world.home / "halt").state().active}
    assert "by-hand" in held


async def test_a_fund_stays_halted_until_the_scripted_operator_signs(world: World) -> None:
    reply = await ask_halt(world, fund_halt(0))
    assert reply.created
    again = await ask_halt(world, fund_halt(0))
    assert again.active == reply.active
    assert not again.created
    record = HaltStore(world.home / "halt")
    for number in range(3):
        await world.tick(number)
        assert record.blocked(fund_id=FUND, strategy_id="s", reduce_only=False) is not None
    await world.tick(3)
    assert record.blocked(fund_id=FUND, strategy_id="s", reduce_only=False) is None
    with AuditReader(world.home) as reader:
        asked, ended = reader.trail(f"fund:{FUND}")
    assert (asked.action, asked.actor) == ("halt_requested", "mts1b-riskengine")
    assert (ended.action, ended.actor) == ("halt_resumed", "operator:scripted")
    assert ended.timestamp == day(3)
    late = await ask_halt(world, fund_halt(0))
    assert late.active is None
    assert not record.state().active


async def test_halt_and_resume_are_published_in_order(world: World) -> None:
    await ask_halt(world, fund_halt(0))
    for number in range(4):
        done = await world.tick(number)
    assert done.heads["OPERATIONS"] == 2
    consumer = await world.bus.consumer("OPERATIONS", "test")
    messages = await consumer.fetch(10, timeout_s=0.1)
    assert [message.subject for message in messages] == [
        nats.OPERATIONS_HALT_REQUESTED,
        nats.OPERATIONS_HALT_RESUMED,
    ]


async def test_a_resume_over_the_bus_needs_a_registered_key(world: World) -> None:
    await ask_halt(world, fund_halt(0))
    ring = KeyRing(world.home / "keys", SystemRng())
    ring.create("operator-jane")
    words = {"scope": f"fund:{FUND}", "reason": "looked at it", "requested_at": day(0)}
    good = sign_resume(ring, **words, cosigned_by="operator:jane", epoch=1)
    bad = {
        "unsigned": good.with_(signature="", key_id=""),
        "another reason": good.with_(reason="because"),
        "another operator": good.with_(cosigned_by="operator:scripted"),
        "an unknown operator": good.with_(cosigned_by="operator:mallory"),
        "an old epoch": sign_resume(ring, **words, cosigned_by="operator:jane", epoch=0),
    }
    for request in bad.values():
        with pytest.raises(RemoteError) as caught:
            await world.ctx.call(nats.CMD_HALT_RESUME, request, HaltReply)
        assert caught.value.code == "RESUME_REFUSED"
    refused = [a for a in actions(world.home) if a == "halt_resume_refused"]
    assert len(refused) == len(bad)
    await world.ctx.call(nats.CMD_HALT_RESUME, good, HaltReply)
    assert active_halts(HaltStore(world.home / "halt")) == ()
    await ask_halt(world, fund_halt(1))
    with pytest.raises(RemoteError):  # the signature was for the halt before
        await world.ctx.call(nats.CMD_HALT_RESUME, good, HaltReply)


async def test_a_halt_that_only_the_local_record_knows_is_audited_at_start(world: World) -> None:
    from mts1b_foundation.risk import ActiveHalt

    await world.stop()
    HaltStore(world.home / "halt").apply(
        ActiveHalt(
            halt_id="halt-local",
            scope="firm",
            severity=HaltSeverity.FIRM_HALT,
            reason="the bus is down",
            requested_by="operator:jane",
            requested_at=day(0),
            epoch=1,
        )
    )
    world.forget_servers()
    await world.start()
    with AuditReader(world.home) as reader:
        assert [entry.actor for entry in reader.trail("firm")] == ["operator:jane"]


async def test_a_resume_on_record_is_carried_out_at_start(world: World) -> None:
    await ask_halt(world, fund_halt(0))
    parts = world.service._parts
    ring = parts.keyring
    ring.create("operator-jane")
    request = sign_resume(
        ring,
        scope=f"fund:{FUND}",
        reason="r",
        cosigned_by="operator:jane",
        requested_at=day(0),
        epoch=1,
    )
    async with parts.store.transaction() as tx:  # and then the process dies
        await world.service._manager.record_resume(tx, ResumeRequest.model_validate(request))
    assert parts.halts.state().active
    await world.restart()
    assert not HaltStore(world.home / "halt").state().active


async def test_watchdogs_alert_in_the_log_and_on_their_subject(tmp_path: Path) -> None:
    dog = WatchdogSettings(params={"target": 0.1, "window": 5})
    settings = SETTINGS.model_copy(update={"watchdogs": {"portfolio_vol_dd": dog}})
    world = World(tmp_path, settings)
    await world.start()
    for number in range(20):
        wild = 1_000_000 if number % 2 else 950_000
        await world.publish(nats.OMS_NAV_UPDATED, nav(number, str(wild)))
        await world.tick(number)
        if number == 8:
            await world.restart()
    assert actions(tmp_path).count("watchdog_alert") == 1
    with AuditReader(tmp_path) as reader:
        alert = next(e for e in reader.entries(actions=["watchdog_alert"]))
    assert alert.subject_id == f"fund:{FUND}"
    assert alert.timestamp == day(5)
    consumer = await world.bus.consumer("OPERATIONS", "test")
    messages = await consumer.fetch(10, timeout_s=0.1)
    assert [m.subject for m in messages] == [nats.watchdog_subject("vol_dd")]
    assert json.loads(messages[0].data)["alert_id"] == alert.data["alert_id"]
    await world.stop()


async def test_health_and_the_public_port(world: World) -> None:
    checks = {"bus": "ok", "outbox": "ok", "halt_record": "ok"}
    assert await world.service.health() == checks
    await world.publish(nats.OMS_NAV_UPDATED, nav(0, "990000"))
    await world.tick(0)
    place = json.loads((world.home / "run" / "operations-api.json").read_text())
    assert place["host"] == "127.0.0.1"
    status, body = await _get(place["port"], "/v1/funds")
    assert status == 200
    assert json.loads(body)[0]["nav_usd"] == "990000"
    (world.home / "halt").mkdir(exist_ok=True)
    (world.home / "halt" / "halts.json").write_text("{")
    assert (await world.service.health())["halt_record"] == "unreadable"
    assert (await _get(place["port"], "/v1/healthz"))[0] == 503
    assert [halt.scope for halt in await world.service._active_halts()] == ["firm"]


async def test_a_filled_order_has_the_time_of_its_last_fill_also_after_a_restart(
    world: World,
) -> None:
    await world.publish(nats.OMS_FILLS_CREATED, fill(0, 3))
    await world.tick(0)
    await world.restart()
    await world.publish(nats.OMS_ORDERS_FILLED, order(0, OrderStatus.FILLED))
    await world.tick(1)
    with AuditReader(world.home) as reader:
        assert [entry.timestamp for entry in reader.trail("ord-0")] == [day(3), day(3)]


async def test_a_rolled_back_event_is_forgotten_by_the_watchdogs(world: World) -> None:
    for number in range(3):
        await world.publish(nats.OMS_NAV_UPDATED, nav(number, str(1_000_000 + number)))
        await world.tick(number)
    service = world.service
    event = Event(
        subject=nats.OMS_NAV_UPDATED,
        base_subject=nats.OMS_NAV_UPDATED,
        fund_id=FUND,
        payload=nav(3, "1"),
        message_id="m",
        stream="OMS",
        sequence=9,
    )
    with pytest.raises(RuntimeError, match="power"):
        async with service._parts.store.transaction() as tx:
            await service._on_event(tx, event)
            raise RuntimeError("power")
    for number in range(3, 6):
        await world.publish(nats.OMS_NAV_UPDATED, nav(number, str(1_000_000 + number)))
        await world.tick(number)
    seen = [dog.model_dump() for dog in service._runner.status()]
    fresh = WatchdogRunner(watchdog_settings(SETTINGS))
    with AuditReader(world.home) as reader:
        fresh.remember(reader.entries())
    assert seen == [dog.model_dump() for dog in fresh.status()]
    assert service._runner._watchdogs[0]._funds[FUND].past.count == 5
