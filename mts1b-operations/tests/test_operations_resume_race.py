"""A resume ends the halts that its signers saw, and none that came after."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mts1b_foundation.risk import HaltRequest, ResumeRequest
from mts1b_operations import HaltManager
from mts1b_operations.commands import create_operator_key
from mts1b_operations.errors import ResumeRefused
from mts1b_operations.halt_record import halt_of, put_in_force
from mts1b_platform.clock import VirtualClock
from mts1b_platform.halt import HaltStore
from operations_world import START, day

FUND = "fund:paper-momentum"


def halt(halt_id: str) -> HaltRequest:
    return HaltRequest.model_validate(
        {
            "severity": "FUND_HALT",
            "fund_id": "paper-momentum",
            "reason": f"reason of {halt_id}",
            "requested_by": "operator:jane",
            "requested_at": START,
            "halt_id": halt_id,
        }
    )


def in_force(home: Path) -> list[str]:
    return [item.halt_id for item in HaltStore(home / "halt").state().active]


async def signed(manager: HaltManager, home: Path) -> ResumeRequest:
    create_operator_key(home, "jane")
    return await manager.sign_resume(scope=FUND, reason="seen", cosigned_by="operator:jane")


async def resumed_while(
    manager: HaltManager, request: ResumeRequest, monkeypatch: pytest.MonkeyPatch, *, moment: str
) -> None:
    """Resume, and put a second halt in force just before or after the resume is on record."""
    record = manager.record_resume

    async def interrupted(tx: object, given: ResumeRequest) -> None:
        if moment == "after":
            await record(tx, given)  # type: ignore[arg-type]
        parts = await manager._ready()
        put_in_force(parts.halts, halt_of(halt("second"), day(1)))
        if moment == "before":
            await record(tx, given)  # type: ignore[arg-type]

    monkeypatch.setattr(manager, "record_resume", interrupted)
    await manager.resume_signed(request)
    monkeypatch.undo()


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_halt_that_comes_during_a_resume_stays(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with HaltManager(home=tmp_path, clock=VirtualClock(START)) as manager:
        await manager.request(halt("first"))
        await resumed_while(manager, await signed(manager, tmp_path), monkeypatch, moment=moment)
        assert in_force(tmp_path) == ["second"]
    assert await recovered(tmp_path) == ["second"]


async def died_within_resume(manager: HaltManager, request: ResumeRequest) -> None:
    """Put the resume on record, and go no further."""
    parts = await manager._ready()
    async with parts.store.transaction() as tx:
        await manager.record_resume(tx, request)


async def second_halt(home: Path) -> None:
    """Let another process put a halt in force and on record."""
    async with HaltManager(home=home, clock=VirtualClock(START)) as other:
        await other.request(halt("second"))


async def recovered(home: Path) -> list[str]:
    """Return what is in force after a restart."""
    async with HaltManager(home=home, clock=VirtualClock(START)) as again:
        await again.recover()
    return in_force(home)


async def test_a_halt_on_record_before_the_resume_is_not_marked_resumed(tmp_path: Path) -> None:
    """It came while the proven resume waited its turn."""
    async with HaltManager(home=tmp_path, clock=VirtualClock(START)) as manager:
        await manager.request(halt("first"))
        request = await signed(manager, tmp_path)
        await second_halt(tmp_path)
        await died_within_resume(manager, request)
    assert await recovered(tmp_path) == ["second"]


async def test_a_halt_after_a_crash_within_a_resume_stays(tmp_path: Path) -> None:
    """The resume is on record, the process died, and an operator halts before the restart."""
    async with HaltManager(home=tmp_path, clock=VirtualClock(START)) as manager:
        await manager.request(halt("first"))
        await died_within_resume(manager, await signed(manager, tmp_path))
    await second_halt(tmp_path)
    assert await recovered(tmp_path) == ["second"]


async def test_two_operators_may_resume_at_the_same_moment(tmp_path: Path) -> None:
    """Both saw the same halts, and neither is told of a defect."""
    clock = VirtualClock(START)
    async with HaltManager(home=tmp_path, clock=clock) as manager:
        await manager.request(halt("first"))
        early = await signed(manager, tmp_path)
        clock.advance(0.001)
        late = await signed(manager, tmp_path)
        await died_within_resume(manager, early)
        await manager.resume_signed(late)
        assert in_force(tmp_path) == []


async def test_a_resume_of_an_earlier_run_ends_no_halt_of_this_one(tmp_path: Path) -> None:
    """The epochs of a new record are those of the old one; the keys are the same."""
    first, second = tmp_path / "first", tmp_path / "second"
    async with HaltManager(home=first, clock=VirtualClock(START)) as manager:
        await manager.request(halt("first"))
        old = await signed(manager, first)
    shutil.copytree(first / "keys", second / "keys")
    async with HaltManager(home=second, clock=VirtualClock(day(1))) as manager:
        await manager.request(halt("second").with_(requested_at=day(1)))
        with pytest.raises(ResumeRefused, match="before the halt that it would end"):
            await manager.resume_signed(old)
        assert in_force(second) == ["second"]


async def test_a_clock_that_was_set_back_keeps_nobody_from_resuming(tmp_path: Path) -> None:
    async with HaltManager(home=tmp_path, clock=VirtualClock(START)) as manager:
        await manager.request(halt("ahead").with_(requested_at=day(1)))
        await manager.resume_signed(await signed(manager, tmp_path))
        assert in_force(tmp_path) == []
