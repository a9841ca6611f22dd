"""The operator's commands over a real NATS server, against a running operations service."""

from __future__ import annotations

import asyncio
import errno
import json
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mts1b_foundation import nats
from mts1b_foundation.commands import (
    BookReply,
    CancelAll,
    CancelAllReply,
    HaltReply,
    LeaseGrant,
    LeaseRequest,
    SubmitOrder,
    SubmitReply,
)
from mts1b_foundation.orders import Order, OrderStatus, Side
from mts1b_foundation.positions import Position
from mts1b_foundation.risk import ResumeRequest
from mts1b_operations import asking, commands, flatten, restart
from mts1b_operations.audit import AuditReader
from mts1b_operations.errors import HaltNotInForce, NothingRuns, ResumeRefused
from mts1b_operations.probes import SERVICES
from mts1b_platform.config import ConfigError
from mts1b_platform.eventbus.nats import NatsBus
from mts1b_platform.eventbus.server import NatsServer
from mts1b_platform.exit_codes import ExitCode
from mts1b_platform.halt import HaltSocket, HaltStore
from mts1b_platform.store import StoreError
from operations_world import FUND, STRATEGY, World, day

STRATEGY_SCOPE = f"strategy:{STRATEGY}"


@dataclass
class Desk:
    """Stand where the OMS stands: answer its commands, and keep what was asked."""

    submitted: list[Order] = field(default_factory=list)
    canceled: list[CancelAll] = field(default_factory=list)
    refuse: bool = False
    answers: int | None = None

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
        if self.answers is not None and len(self.submitted) > self.answers:
            await asyncio.sleep(1)
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
    done = await commands.halt(home, "firm", reason="drill", actor="operator:jane")
    assert (done.reached, done.confirmed, done.silent) == ("bus", (), ())
    assert HaltStore(home / "halt").state().active == (done.active,)
    with pytest.raises(ResumeRefused, match="no key of operator:jane"):
        await commands.resume(home, "firm", operator="jane", reason="over")
    commands.create_operator_key(home, "jane")
    with pytest.raises(ResumeRefused, match="two operators"):
        await commands.resume(home, "firm", operator="jane", reason="over")
    commands.create_operator_key(home, "bob")
    await commands.resume(home, "firm", operator="jane", cosigner="bob", reason="over")
    assert not HaltStore(home / "halt").state().active
    with AuditReader(home) as reader:
        trail = [entry.action for entry in reader.trail("firm")]
        reader.verify()
    refused = ["halt_resume_refused"] * 2
    assert trail == ["halt_requested", *refused, "halt_resumed"]


class Sender:
    """What an OMS does behind its halt socket; each cancel leaves one order fewer open."""

    def __init__(self, home: Path, open_orders: int) -> None:
        self.told: list[str] = []
        self.left = [f"o{number}" for number in range(open_orders)]
        self.none_left = asyncio.Event()
        self.socket = HaltSocket(home / "run", "oms", self.handle)

    async def handle(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        if request["do"] == "halt":
            self.told.append(request["halt"]["scope"])
            return {"halted": True, "epoch": request["halt"]["epoch"]}
        canceled = (self.left.pop(),) if self.left else ()
        if not self.left:
            self.none_left.set()
        reply = CancelAllReply(canceled=canceled, residue=tuple(self.left))
        return reply.model_dump(mode="json")


async def test_h2_h6_with_the_bus_down_the_sender_is_told_and_cancels_until_none_is_left(
    tmp_path: Path,
) -> None:
    sender = Sender(tmp_path, 3)
    await sender.socket.start()
    done = await commands.halt(tmp_path, "firm", reason="drill", actor="operator:jane")
    assert done.reached == "local"
    assert done.confirmed == ("oms",)
    assert sender.told == ["firm"]
    assert sorted(done.canceled) == ["o0", "o1", "o2"]
    assert done.residue == ()
    reply = await commands.cancel_all(tmp_path, scope="firm", reason="x", actor="operator:jane")
    assert reply.residue == ()
    await sender.socket.close()


async def test_broken_settings_keep_no_halt_from_cancelling_and_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "mts.yaml").write_text("rsk: {}\n")
    sender = Sender(tmp_path, 3)
    await sender.socket.start()
    done = await commands.halt(tmp_path, "firm", reason="drill", actor="operator:jane")
    assert (done.reached, done.confirmed, len(done.canceled)) == ("record", ("oms",), 3)
    assert "rsk" in done.unaudited
    await sender.socket.close()


async def test_a_store_that_can_not_be_opened_keeps_no_halt_from_cancelling(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "operations.sqlite").write_text("this is no database " * 99)
    sender = Sender(tmp_path, 1)
    await sender.socket.start()
    done = await commands.halt(tmp_path, "firm", reason="drill", actor="operator:jane")
    assert (done.reached, done.canceled) == ("record", ("o0",))
    assert done.unaudited
    await sender.socket.close()


async def test_a_halt_that_no_record_takes_is_an_error_once_the_orders_are_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*parts: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(commands, "put_in_force", full)
    (tmp_path / "mts.yaml").write_text("rsk: {}\n")
    sender = Sender(tmp_path, 3)
    await sender.socket.start()
    with pytest.raises(HaltNotInForce, match=r"NO halt of firm is on record.*oms said") as caught:
        await commands.halt(tmp_path, "firm", reason="drill", actor="operator:jane")
    assert isinstance(caught.value.__cause__, ConfigError)
    assert caught.value.exit_code == ExitCode.UNAVAILABLE
    assert (sender.told, sender.left) == (["firm"], [])
    await sender.socket.close()
    with pytest.raises(HaltNotInForce, match=r"NO halt of firm is on record.*nobody said"):
        await commands.halt(tmp_path, "firm", reason="drill", actor="operator:jane")


async def test_orders_are_cancelled_while_a_service_that_hangs_is_waited_for(
    tmp_path: Path,
) -> None:
    server = NatsServer(tmp_path)
    address = await server.start()
    bus = await NatsBus.connect(lambda: address)
    sender = Sender(tmp_path, 2)
    await sender.socket.start()

    async def answers_once_all_is_cancelled(data: bytes) -> bytes:
        await sender.none_left.wait()
        return HaltReply().model_dump_json().encode()

    await bus.serve(nats.CMD_HALT_REQUEST, answers_once_all_is_cancelled)
    done = await commands.halt(tmp_path, "firm", reason="drill", actor="operator:jane")
    assert (done.reached, done.residue) == ("bus", ())
    await sender.socket.close()
    await bus.close()
    await server.stop()


async def test_what_is_left_after_the_patience_is_named(tmp_path: Path) -> None:
    sender = Sender(tmp_path, 9)
    await sender.socket.start()
    done = await commands.halt(
        tmp_path, "venue:paper", reason="drill", actor="operator:jane", patience_s=0.3
    )
    assert done.residue
    assert set(done.residue) | set(done.canceled) == {f"o{number}" for number in range(9)}
    kept = await commands.halt(
        tmp_path, "firm", reason="drill", actor="operator:jane", cancel=False
    )
    assert (kept.canceled, kept.residue) == ((), ())
    await sender.socket.close()


async def test_h5_a_sender_that_does_not_answer_is_named(tmp_path: Path) -> None:
    frozen = asyncio.Event()

    async def never(request: Mapping[str, Any]) -> Mapping[str, Any]:
        await frozen.wait()
        return {}

    socket = HaltSocket(tmp_path / "run", "oms", never)
    await socket.start()
    (tmp_path / "run" / "halt-dead.sock").touch()
    done = await commands.halt(tmp_path, "firm", reason="drill", actor="operator:jane")
    assert done.silent == ("dead", "oms")
    assert done.confirmed == ()
    frozen.set()
    await socket.close()


async def test_leases_are_granted_to_the_newest_incarnation_alone(running: Running) -> None:
    async def ask(incarnation: str) -> LeaseGrant:
        request = LeaseRequest(holder="oms", incarnation=incarnation, epoch=0)
        data = await running.world.bus.request(
            nats.CMD_HALT_LEASE, request.model_dump_json().encode(), timeout_s=5.0
        )
        return LeaseGrant.model_validate_json(data)

    first = await ask("0001")
    assert first.lease_id is not None
    assert first.seconds == 2.0
    assert (await ask("0001")).lease_id == first.lease_id
    second = await ask("0002")
    assert second.lease_id not in (None, first.lease_id)
    assert (await ask("0001")).lease_id is None
    done = await commands.halt(running.home, "symbol:SPX", reason="x", actor="operator:jane")
    assert (await ask("0002")).active == (done.active,)
    (running.home / "halt" / "halts.json").write_text("{")
    assert (await ask("0002")).lease_id is None


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
        await flatten.flatten_paper(running.home, reason="end", actor="operator:jane")
    first, second, *again = running.desk.submitted
    assert (first.side, first.quantity, first.reduce_only) == (Side.SELL, 135, True)
    assert (second.side, second.quantity) == (Side.COVER, 7)
    assert again == [first, second]
    running.desk.refuse = True
    orders = await flatten.flatten_paper(running.home, reason="end", actor="operator:jane")
    assert flatten.left_open(orders) == orders


async def test_a_flatten_that_the_oms_leaves_half_done_says_what_was_sent(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_REPLY_S", 0.3)
    running.desk.answers = 1
    with pytest.raises(NothingRuns, match="1 closing orders were sent, one more may have been"):
        await flatten.flatten_paper(running.home, reason="end", actor="operator:jane")
    with AuditReader(running.home) as reader:
        (entry,) = [e for e in reader.trail("firm") if e.action == "operator_flatten_paper"]
    assert entry.data["order_ids"] == [running.desk.submitted[0].order_id]


async def test_a_resume_that_nobody_answers_is_not_told_as_refused(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service hangs with the store locked: it may carry the resume out when it goes on."""
    home = running.home
    await commands.halt(home, STRATEGY_SCOPE, reason="drill", actor="operator:jane")
    commands.create_operator_key(home, "jane")
    hangs, done = asyncio.Event(), asyncio.Event()
    carry_out = running.world.service._manager.resume_signed

    async def after_a_while(request: ResumeRequest) -> HaltReply:
        await hangs.wait()
        reply = await carry_out(request)
        done.set()
        return reply

    def locked(*parts: object) -> None:
        raise StoreError("the database is locked")

    monkeypatch.setattr(running.world.service._manager, "resume_signed", after_a_while)
    monkeypatch.setattr(asking, "_REPLY_S", 0.2)
    monkeypatch.setattr(commands, "_manager", locked)
    with pytest.raises(NothingRuns, match="not known") as caught:
        await commands.resume(home, STRATEGY_SCOPE, operator="jane", reason="over")
    assert "locked" in str(caught.value)
    hangs.set()
    await done.wait()
    assert not HaltStore(home / "halt").state().active


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
        await restart.restart_all(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "supervisor.json").write_text("{}")
    groups = [[SERVICES[0], SERVICES[1]], *([name] for name in SERVICES[2:])]
    tasks = [asyncio.create_task(_supervise(tmp_path, group)) for group in groups]
    done = await restart.restart_all(tmp_path)
    assert list(done) == list(SERVICES)
    assert all(old != new for old, new in done.values())
    assert done[SERVICES[0]] == done[SERVICES[1]]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
