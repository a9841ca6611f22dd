"""A stolen key of a service: the bus refuses it, and operations raises the alarm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from mts1b_foundation import nats
from mts1b_foundation.bus_roles import BUS_ROLES
from mts1b_foundation.risk import WatchdogAlert
from mts1b_operations import commands
from mts1b_operations.audit import AuditReader
from mts1b_operations.bus_log import BusLog, refusals_in
from mts1b_operations.tables import METADATA
from mts1b_operations.watchdogs import BusAccess, BusRefusals
from mts1b_platform.clock import SystemClock, VirtualClock
from mts1b_platform.eventbus.nats import NatsBus
from mts1b_platform.eventbus.permissions import ADMINISTRATOR
from mts1b_platform.eventbus.port import Message, NotPermitted
from mts1b_platform.eventbus.server import NatsAddress, NatsServer, make_streams, read_address
from mts1b_platform.store import Store
from operations_world import FUND, START, World, fill

LINE = '[7] 2026/11/26 06:31:58.974457 [ERR] 127.0.0.1:1 - cid:5 - "v2:python3:{name}" - {rest}'
PUBLISH = '"$G/user:research" - Publish Violation - Subject "mts.v1.oms.fills.created"'


@dataclass
class Scene:
    """A system's own bus, operations on it, and what somebody hears who listens for alerts."""

    home: Path
    world: World
    alerts: list[WatchdogAlert] = field(default_factory=list)

    async def bus(self, user: str) -> NatsBus:
        return await NatsBus.connect(lambda: read_address(self.home, {}, user=user), name=user)

    async def hear(self, message: Message) -> None:
        self.alerts.append(WatchdogAlert.model_validate_json(message.data))


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.02)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    server = NatsServer(tmp_path, roles=BUS_ROLES, prepare=make_streams)
    await server.start()
    made = Scene(tmp_path, World(tmp_path, makes_streams=False))
    made.world.bus = await made.bus("operations")
    await made.world.start()
    listener = await made.bus(ADMINISTRATOR)
    await listener.subscribe(nats.watchdog_subject("access"), made.hear)
    yield made
    await made.world.stop()
    await listener.close()
    await made.world.bus.close()
    await server.stop()


def audited(home: Path) -> list[tuple[str, str]]:
    with AuditReader(home) as reader:
        return [(entry.action, entry.subject_id) for entry in reader.entries()]


async def test_k4_a_stolen_key_books_nothing_and_raises_an_alarm(scene: Scene) -> None:
    thief = await scene.bus("research")
    forged = fill(0).model_dump_json().encode()
    with pytest.raises(NotPermitted):
        await thief.publish_durable(
            nats.with_fund(nats.OMS_FILLS_CREATED, FUND), forged, message_id="forged"
        )
    await eventually(lambda: ("watchdog_alert", "user:research") in audited(scene.home))
    await scene.world.service._relay.flush()
    await eventually(lambda: bool(scene.alerts))
    platform = await scene.bus(ADMINISTRATOR)
    assert (await platform.stream_info("OMS")).last_sequence == 0
    assert "fill_created" not in [action for action, _ in audited(scene.home)]
    (alert,) = scene.alerts
    assert (alert.watchdog, alert.scope, alert.threshold) == ("bus_access", "user:research", "1")
    assert "publish on mts.v1.oms.fills.created.fund.paper-momentum" in alert.message
    await thief.close()
    await platform.close()


async def test_k4_a_wrong_password_raises_an_alarm_too(scene: Scene) -> None:
    address = read_address(scene.home, {}, user="oms")
    assert address is not None
    guess = NatsAddress(address.url, user="oms", password="guess")
    with pytest.raises(Exception, match="does not answer"):
        await NatsBus.connect(lambda: guess, patience_s=0.0)
    await eventually(lambda: ("watchdog_alert", "user:oms") in audited(scene.home))


async def test_an_operator_and_the_service_are_refused_nothing(scene: Scene) -> None:
    done = await commands.halt(scene.home, "firm", reason="drill", actor="operator:jane")
    assert done.reached == "bus"
    assert refusals_in((scene.home / "nats" / "server.log").read_text().splitlines()) == []


def test_a_line_tells_who_was_refused_what_and_when() -> None:
    (found,) = refusals_in([LINE.format(name="x", rest=PUBLISH)])
    assert (found.user, found.what) == ("research", "publish on mts.v1.oms.fills.created")
    assert found.at.isoformat() == "2026-11-26T06:31:58.974457+00:00"
    hear = '"$G/user:oms" - Subscription Violation - Subject "_INBOX.>", SID 3'
    assert refusals_in([LINE.format(name="x", rest=hear)])[0].what == "hear _INBOX.>"
    login = "[7] 2026/11/26 06:31:58.974457 [ERR] 127.0.0.1:1 - cid:6 - authentication error"
    assert refusals_in([login, login + ' - User "root"', "[7] x [INF] all well"]) == [
        *refusals_in([login]) * 2
    ]
    assert refusals_in([login])[0].user == "stranger"


def test_the_free_name_of_a_client_blames_nobody_else() -> None:
    name = '" - "$G/user:oms" - Publish Violation - Subject "a.b'
    assert refusals_in([LINE.format(name=name, rest=PUBLISH)])[0].user == "research"


async def test_each_line_counts_once_over_restarts_rotations_and_half_lines(tmp_path: Path) -> None:
    log = tmp_path / "nats" / "server.log"
    log.parent.mkdir()
    store = await Store.open(tmp_path / "s.sqlite", metadata=METADATA, name="operations")
    line = LINE.format(name="x", rest=PUBLISH)

    async def reader() -> BusLog:
        made = BusLog(tmp_path, store, VirtualClock(START))
        await made.start()
        return made

    def counts(log_reader: BusLog) -> list[int]:
        return [seen.count for seen in log_reader.look()]

    first = await reader()
    assert counts(first) == []
    log.write_text(f"{line}\n{line}\n{line[:40]}")
    assert counts(first) == [2]
    async with store.transaction() as tx:
        await first.remember(tx)
    again = await reader()
    assert counts(again) == []
    with log.open("a") as file:
        file.write(f"{line[40:]}\n")
    assert counts(again) == [1]
    assert counts(again) == [0]
    log.rename(log.with_suffix(".1"))
    log.write_text(f"{line}\n")
    assert counts(again) == [1]
    await store.close()


def test_one_alarm_per_burst_and_another_after_a_calm() -> None:
    dog, now = BusAccess(params={"calm": 2}), SystemClock().now()

    def look(count: int) -> int:
        seen = BusRefusals(user="research", count=count, first="publish on x", at=now)
        return len(dog.observe(seen))

    assert [look(count) for count in (3, 9, 0, 1, 0, 0, 1)] == [1, 0, 0, 0, 0, 0, 1]
