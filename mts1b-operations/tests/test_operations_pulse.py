"""An audit log that is away (J4) or silent (J5): nothing new is sent, and somebody is told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mts1b_foundation.commands import LeaseRequest
from mts1b_foundation.risk import HaltRequest, HaltSeverity
from mts1b_operations.halt import HaltManager
from mts1b_operations.lease import LeaseOffice
from mts1b_operations.parts import Parts
from mts1b_operations.pulse import EVERY_S, SILENT_S, AuditPulse
from mts1b_operations.tables import METADATA
from mts1b_platform.clock import VirtualClock
from mts1b_platform.halt import HaltStore
from mts1b_platform.simulation import DeterministicLoop, LoopClock, run
from mts1b_platform.store import Store, StoreError

START = datetime(2026, 1, 5, tzinfo=UTC)
REQUEST = LeaseRequest(holder="oms", incarnation="1", epoch=0)


class Log:
    """A log that hangs when it is wedged, and fails when its store is away."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.wedged = False
        self.away = False

    @property
    def size(self) -> int:
        return len(self.entries)

    async def append(self, *, actor: str, action: str, subject_id: str) -> object:
        if self.wedged:
            await asyncio.get_running_loop().create_future()
        if self.away:
            raise StoreError("store operations: input/output error")
        self.entries.append(action)
        return None


class Told:
    def __init__(self) -> None:
        self.errors: list[str] = []

    def error(self, text: str, **_: Any) -> None:
        self.errors.append(text)


def pulse_of(log: Log, clock: LoopClock, told: Told) -> AuditPulse:
    return AuditPulse(log, clock=clock, actor="operations", report=told)


def test_j5_a_writer_that_is_wedged_is_told_of_and_ends_the_leases(tmp_path: Path) -> None:
    log, told = Log(), Told()

    async def main(loop: DeterministicLoop) -> None:
        pulse = pulse_of(log, loop.clock, told)
        office = LeaseOffice(HaltStore(tmp_path), sound=lambda: pulse.is_sound)
        tasks = [asyncio.create_task(pulse.write()), asyncio.create_task(pulse.watch())]
        await asyncio.sleep(100.0)
        assert 7 <= len(log.entries) <= 10, "a sign of life about every ten seconds"
        assert set(log.entries) == {"audit.heartbeat"}
        assert office.grant(REQUEST).lease_id is not None
        assert (pulse.state, told.errors) == ("ok", [])

        log.wedged = True
        await asyncio.sleep(SILENT_S + EVERY_S + 5.0)
        assert office.grant(REQUEST).lease_id is None, "orders go on without evidence"
        assert "silent for" in pulse.state
        assert told.errors == ["audit log silent"], "told once, not every second"
        for task in tasks:
            task.cancel()

    run(main, seed=1)


def test_j5_what_is_written_anyway_needs_no_sign_of_life() -> None:
    log, told = Log(), Told()

    async def main(loop: DeterministicLoop) -> None:
        pulse = pulse_of(log, loop.clock, told)
        tasks = [asyncio.create_task(pulse.write()), asyncio.create_task(pulse.watch())]
        for _ in range(60):
            log.entries.append("order_created")
            await asyncio.sleep(1.0)
        assert set(log.entries) == {"order_created"}
        for task in tasks:
            task.cancel()

    run(main, seed=2)


def test_j4_a_store_that_fails_ends_the_writer_and_so_the_service() -> None:
    log = Log()
    log.away = True

    async def main(loop: DeterministicLoop) -> None:
        with pytest.raises(StoreError):
            await pulse_of(log, loop.clock, Told()).write()

    run(main, seed=3)


async def test_j4_with_the_audit_store_away_a_halt_is_in_force_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await Store.open(
        tmp_path / "db" / "operations.sqlite", metadata=METADATA, name="operations"
    )
    parts = Parts.on(store, tmp_path, VirtualClock(START))
    manager = HaltManager(
        store=store,
        halt_store=parts.halts,
        audit=parts.audit,
        keyring=parts.keyring,
        clock=VirtualClock(START),
    )

    def away(*_: object, **__: object) -> None:
        raise StoreError("store operations: input/output error")

    monkeypatch.setattr(store, "transaction", away)
    request = HaltRequest(
        halt_id="h-1",
        severity=HaltSeverity.FIRM_HALT,
        reason="the log is away",
        requested_by="operator:ann",
        requested_at=START,
    )
    with pytest.raises(StoreError):
        await manager.request(request)

    assert [halt.halt_id for halt in parts.halts.state().active] == ["h-1"]
    blocked = parts.halts.blocked(
        fund_id="f", strategy_id="s", venue="v", symbol="X", reduce_only=False
    )
    assert blocked is not None
    assert LeaseOffice(parts.halts).grant(REQUEST).active, "senders hear of it with their lease"
    monkeypatch.undo()
    await manager.recover()
    assert "halt_requested" in [entry.action for entry in await parts.audit.entries()]
    await store.close()
