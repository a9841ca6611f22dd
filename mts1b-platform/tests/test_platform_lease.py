"""Leases end by the monotonic clock; halts travel with them; sockets need no bus."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mts1b_foundation.commands import LeaseGrant, LeaseRequest
from mts1b_foundation.risk import ActiveHalt, HaltSeverity
from mts1b_platform.clock import VirtualClock
from mts1b_platform.eventbus.port import BusError, RequestTimeout
from mts1b_platform.halt import (
    HaltSocket,
    HaltStateUnreadable,
    HaltStore,
    LeaseKeeper,
    SendLease,
    SocketSilent,
    ask,
    sockets_of,
)
from structlog.testing import CapturingLogger

START = datetime(2026, 1, 5, tzinfo=UTC)
Ask = Callable[[LeaseRequest], Awaitable[LeaseGrant]]


def halt(name: str = "h1", scope: str = "firm") -> ActiveHalt:
    return ActiveHalt(
        halt_id=name,
        scope=scope,
        severity=HaltSeverity.FIRM_HALT,
        reason="drill",
        requested_by="operator:ann",
        requested_at=START,
        epoch=1,
    )


class TestLease:
    """What a sender may do, and for how long."""

    def test_it_counts_from_the_question(self) -> None:
        clock = VirtualClock(START)
        lease = SendLease(clock)
        assert not lease.valid()
        asked = clock.monotonic()
        clock.advance(1.5)  # the reply was long on its way
        lease.grant(LeaseGrant(lease_id="l1", seconds=2.0, epoch=0), asked_at=asked)
        assert lease.valid()
        assert lease.current == "l1"
        assert lease.left_s() == pytest.approx(0.5)
        clock.advance(0.5)
        assert not lease.valid()

    def test_a_late_reply_does_not_shorten_it(self) -> None:
        clock = VirtualClock(START)
        lease = SendLease(clock)
        grant = LeaseGrant(lease_id="l1", seconds=2.0, epoch=0)
        lease.grant(grant, asked_at=clock.monotonic() + 0.0)
        clock.advance(1.0)
        lease.grant(grant, asked_at=clock.monotonic())
        lease.grant(grant, asked_at=clock.monotonic() - 1.0)
        assert lease.left_s() == pytest.approx(2.0)

    def test_a_late_reply_under_another_id_is_good_for_no_longer_than_it_says(self) -> None:
        clock = VirtualClock(START)
        lease = SendLease(clock)
        lease.grant(LeaseGrant(lease_id="l1", seconds=2.0, epoch=0), asked_at=clock.monotonic())
        late = clock.monotonic() - 1.5
        lease.grant(LeaseGrant(lease_id="l2", seconds=2.0, epoch=0), asked_at=late)
        assert lease.current == "l2"
        assert lease.left_s() == pytest.approx(0.5)

    def test_a_refusal_ends_it_at_once(self) -> None:
        clock = VirtualClock(START)
        lease = SendLease(clock)
        lease.grant(LeaseGrant(lease_id="l1", seconds=2.0, epoch=0), asked_at=clock.monotonic())
        lease.grant(LeaseGrant(epoch=0), asked_at=clock.monotonic())
        assert not lease.valid()
        assert lease.current == ""

    def test_unlimited(self) -> None:
        lease = SendLease.unlimited()
        assert lease.valid()
        assert lease.current == ""
        assert lease.left_s() == float("inf")


class Office:
    """Answer as scripted."""

    def __init__(self) -> None:
        self.asked: list[LeaseRequest] = []
        self.answer: LeaseGrant | BusError = LeaseGrant(lease_id="l1", seconds=2.0, epoch=0)

    async def __call__(self, request: LeaseRequest) -> LeaseGrant:
        self.asked.append(request)
        if isinstance(self.answer, BusError):
            raise self.answer
        return self.answer


def keeper(
    home: Path, office: Ask, clock: VirtualClock, log: CapturingLogger | None = None
) -> tuple[LeaseKeeper, SendLease]:
    lease = SendLease(clock)
    made = LeaseKeeper(
        office,
        lease,
        HaltStore(home),
        clock=clock,
        holder="oms",
        incarnation="0007",
        log=log or CapturingLogger(),
    )
    return made, lease


async def test_silence_lets_the_lease_run_out(tmp_path: Path) -> None:
    clock, office = VirtualClock(START), Office()
    renewing, lease = keeper(tmp_path, office, clock)
    assert await renewing.renew()
    office.answer = RequestTimeout("no reply")
    for _ in range(3):
        clock.advance(0.5)
        assert await renewing.renew()
    clock.advance(0.5)
    assert not await renewing.renew()
    assert not lease.valid()
    office.answer = LeaseGrant(lease_id="l1", seconds=2.0, epoch=0)
    assert await renewing.renew()
    assert {(r.holder, r.incarnation) for r in office.asked} == {("oms", "0007")}


async def test_a_keeper_counts_from_its_question(tmp_path: Path) -> None:
    clock = VirtualClock(START)

    async def slowly(request: LeaseRequest) -> LeaseGrant:
        clock.advance(1.5)
        return LeaseGrant(lease_id="l1", seconds=2.0, epoch=0)

    renewing, lease = keeper(tmp_path, slowly, clock)
    assert await renewing.renew()
    assert lease.left_s() == pytest.approx(0.5)


async def test_silence_is_told_once_and_again_after_an_answer(tmp_path: Path) -> None:
    office, log = Office(), CapturingLogger()
    renewing, _ = keeper(tmp_path, office, VirtualClock(START), log=log)
    granted, silence = office.answer, RequestTimeout("no reply")
    for office.answer in (silence, silence, granted, silence, silence):
        await renewing.renew()
    assert [call.kwargs["error"] for call in log.calls] == ["no reply", "no reply"]


async def test_halts_come_with_the_grant(tmp_path: Path) -> None:
    clock, office = VirtualClock(START), Office()
    renewing, _ = keeper(tmp_path, office, clock)
    office.answer = LeaseGrant(lease_id="l1", seconds=2.0, epoch=4, active=(halt(),))
    await renewing.renew()
    await renewing.renew()
    record = HaltStore(tmp_path)
    assert [item.halt_id for item in record.state().active] == ["h1"]
    assert office.asked[-1].epoch == record.state().epoch == 1
    record.lift("firm")
    await renewing.renew()  # a reply that is older than the resume does not halt again
    assert record.state().active == ()


async def test_h8_a_record_that_is_gone_stays_halted(tmp_path: Path) -> None:
    record = HaltStore(tmp_path)
    assert record.state().active == ()
    record.apply(halt())
    (tmp_path / "halts.json").unlink()
    with pytest.raises(HaltStateUnreadable, match="gone"):
        HaltStore(tmp_path).state()
    clock, office = VirtualClock(START), Office()
    renewing, _ = keeper(tmp_path, office, clock)
    office.answer = LeaseGrant(lease_id="l1", seconds=2.0, epoch=0, active=(halt("h2"),))
    await renewing.renew()
    assert not (tmp_path / "halts.json").exists()


class TestSockets:
    """The path without a bus."""

    async def test_ask_and_answer(self, tmp_path: Path) -> None:
        async def echo(request: Mapping[str, Any]) -> Mapping[str, Any]:
            return {"heard": request["do"]}

        before, socket = (HaltSocket(tmp_path, "oms", echo) for _ in range(2))
        before.path.write_text("")  # as a backup leaves it, put back without sockets
        await before.start()
        await socket.start()  # a successor takes the place
        assert sockets_of(tmp_path) == [socket.path]
        assert stat.S_IMODE(socket.path.stat().st_mode) == 0o600
        assert await ask(socket.path, {"do": "state"}, timeout_s=2.0) == {"heard": "state"}
        await socket.close()
        assert sockets_of(tmp_path) == []
        await before.close()

    async def test_a_long_home_has_a_socket_too(self, tmp_path: Path) -> None:
        async def yes(request: Mapping[str, Any]) -> Mapping[str, Any]:
            return {"ok": True}

        folder = tmp_path / ("long" * 30) / "run"
        socket = HaltSocket(folder, "oms", yes)
        await socket.start()
        assert await ask(socket.path, {"do": "state"}, timeout_s=2.0) == {"ok": True}
        await socket.close()

    async def test_nobody_there_and_nobody_awake(self, tmp_path: Path) -> None:
        with pytest.raises(SocketSilent):
            await ask(tmp_path / "halt-none.sock", {}, timeout_s=0.2)
        frozen = asyncio.Event()

        async def never(request: Mapping[str, Any]) -> Mapping[str, Any]:
            await frozen.wait()
            return {}

        socket = HaltSocket(tmp_path, "oms", never)
        await socket.start()
        with pytest.raises(SocketSilent, match="TimeoutError"):
            await ask(socket.path, {"do": "halt"}, timeout_s=0.1)
        frozen.set()
        await socket.close()

    async def test_garbage_is_answered_and_harms_nothing(self, tmp_path: Path) -> None:
        async def yes(request: Mapping[str, Any]) -> Mapping[str, Any]:
            return {"ok": True}

        socket = HaltSocket(tmp_path, "oms", yes)
        await socket.start()
        for line in (b"{\n", b"[1]\n"):
            reader, writer = await asyncio.open_unix_connection(str(socket.path))
            writer.write(line)
            assert b"error" in await reader.readline()
            writer.close()
        assert await ask(socket.path, {"do": "x"}, timeout_s=2.0) == {"ok": True}
        await socket.close()


def test_scopes_from_wide_to_narrow(tmp_path: Path) -> None:
    record = HaltStore(tmp_path)
    place = {"fund_id": "f", "strategy_id": "s", "venue": "v", "symbol": "X", "reduce_only": False}
    scopes = ("symbol:X", "venue:v", "strategy:s", "fund:f", "firm")
    for number, scope in enumerate(scopes):
        moment = START + timedelta(seconds=number)
        record.apply(halt(f"h{number}", scope).with_(requested_at=moment))
        found = record.blocked(**place)  # type: ignore[arg-type]
        assert found is not None
        assert found.scope == scope
    assert record.blocked(fund_id="", strategy_id="", reduce_only=True) is not None
