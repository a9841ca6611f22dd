"""The operator's commands over a real NATS server, against a running operations service."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest
from mts1b_foundation import nats
from mts1b_foundation.commands import (
    BookReply,
    CancelAll,
    CancelAllReply,
    HaltReply,
    SubmitOrder,
    SubmitReply,
)
from mts1b_foundation.orders import Order, OrderStatus, Side
from mts1b_foundation.positions import Position
from mts1b_operations import commands
from mts1b_operations.audit import AuditReader
from mts1b_operations.errors import NothingRuns, ResumeRefused
from mts1b_operations.probes import SERVICES
from mts1b_platform.eventbus.nats import NatsBus
from mts1b_platform.eventbus.server import NatsServer
from mts1b_platform.halt import HaltStore
from operations_world import FUND, STRATEGY, World, day


@dataclass
class Desk:
    """Stand where the OMS stands: answer its commands, and keep what was asked."""

    submitted: list[Order] = field(default_factory=list)
    canceled: list[CancelAll] = field(default_factory=list)
    refuse: bool = False

    async def book(self, data: bytes) -> bytes:
        held = [("IXIC", "135"), ("SPX", "-7"), ("FLAT", "0")]
        positions = tuple(
            Position(
                symbol=symbol,
                quantity=Decimal(quantity),
                last_price=Decimal(100),
                fund_id=FUND,
                strategy_id=STRATEGY,
                as_of=day(0),
            )
            for symbol, quantity in held
        )
        return BookReply(positions=positions).model_dump_json().encode()

    async def submit(self, data: bytes) -> bytes:
        order = SubmitOrder.model_validate_json(data).order
        self.submitted.append(order)
        status = OrderStatus.REJECTED if self.refuse else OrderStatus.ACCEPTED
        return SubmitReply(order=order.with_(status=status)).model_dump_json().encode()

    async def cancel_all(self, data: bytes) -> bytes:
        self.canceled.append(CancelAll.model_validate_json(data))
        return CancelAllReply(canceled=("o1",), residue=("o2",)).model_dump_json().encode()


@dataclass
class Running:
    """A home with a NATS server, the operations service and a desk."""

    home: Path
    world: World
    desk: Desk


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    server = NatsServer(tmp_path)
    address = await server.start()
    bus = await NatsBus.connect(lambda: address)
    world, desk = World(tmp_path, bus=bus), Desk()
    await world.start()
    await bus.serve(nats.CMD_OMS_BOOK, desk.book)
    await bus.serve(nats.CMD_OMS_SUBMIT, desk.submit)
    await bus.serve(nats.CMD_OMS_CANCEL_ALL, desk.cancel_all)
    yield Running(tmp_path, world, desk)
    await world.stop()
    await bus.close()
    await server.stop()


async def test_halt_and_resume_through_the_service(running: Running) -> None:
    home = running.home
    active, reached = await commands.halt(home, "firm", reason="drill", actor="operator:jane")
    assert reached == "bus"
    assert HaltStore(home / "halt").state().active == (active,)
    with pytest.raises(ResumeRefused, match="no key of operator:jane"):
        await commands.resume(home, "firm", operator="jane", reason="over")
    commands.create_operator_key(home, "jane")
    await commands.resume(home, "firm", operator="jane", reason="over")
    assert not HaltStore(home / "halt").state().active
    with AuditReader(home) as reader:
        trail = [entry.action for entry in reader.trail("firm")]
        reader.verify()
    assert trail == ["halt_requested", "halt_resume_refused", "halt_resumed"]


async def test_the_local_record_is_written_before_anybody_is_asked(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    address = await server.start()
    bus = await NatsBus.connect(lambda: address)
    seen: list[bool] = []

    async def slow(data: bytes) -> bytes:
        seen.append(bool(HaltStore(tmp_path / "halt").state().active))
        return HaltReply().model_dump_json().encode()

    await bus.serve(nats.CMD_HALT_REQUEST, slow)
    await commands.halt(tmp_path, "firm", reason="drill", actor="operator:jane")
    assert seen == [True]
    await bus.close()
    await server.stop()


async def test_cancel_all_names_what_may_still_be_open(running: Running) -> None:
    reply = await commands.cancel_all(
        running.home, scope=f"fund:{FUND}", reason="news", actor="operator:jane"
    )
    assert reply.residue == ("o2",)
    assert running.desk.canceled[0].scope == f"fund:{FUND}"
    with AuditReader(running.home) as reader:
        (entry,) = reader.trail(f"fund:{FUND}")
    assert (entry.actor, entry.data["residue"]) == ("operator:jane", ["o2"])


async def test_flatten_closes_each_position_once(running: Running) -> None:
    for _ in range(2):
        await commands.flatten_paper(running.home, reason="end", actor="operator:jane")
    first, second, *again = running.desk.submitted
    assert (first.side, first.quantity, first.reduce_only) == (Side.SELL, 135, True)
    assert (second.side, second.quantity) == (Side.COVER, 7)
    assert again == [first, second]
    running.desk.refuse = True
    orders = await commands.flatten_paper(running.home, reason="end", actor="operator:jane")
    assert commands.left_open(orders) == orders


async def _announce(home: Path, name: str, pid: int) -> None:
    path = home / "run" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"pid": pid, "health_port": 1}))


async def _supervise(home: Path, names: list[str]) -> None:
    """Do what the supervisor does: when a process ends, start and announce a new one."""
    while True:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "import signal; signal.pause()"
        )
        try:
            for name in names:
                await _announce(home, name, child.pid)
            await child.wait()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()


async def test_restart_all_waits_for_each_new_process(tmp_path: Path) -> None:
    with pytest.raises(NothingRuns, match="mts up"):
        await commands.restart_all(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "supervisor.json").write_text("{}")
    groups = [[SERVICES[0], SERVICES[1]], *([name] for name in SERVICES[2:])]
    tasks = [asyncio.create_task(_supervise(tmp_path, group)) for group in groups]
    done = await commands.restart_all(tmp_path)
    assert list(done) == list(SERVICES)
    assert all(old != new for old, new in done.values())
    assert done[SERVICES[0]] == done[SERVICES[1]]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
