"""A halt record that was lost or can not be read: everything is halted until two people say so."""

from __future__ import annotations

from pathlib import Path

import pytest
from mts1b_foundation.risk import HaltRequest, ResumeRequest
from mts1b_operations import HaltManager
from mts1b_operations.commands import create_operator_key
from mts1b_operations.errors import ResumeRefused
from mts1b_platform.clock import VirtualClock
from mts1b_platform.halt import HaltState, HaltStore
from operations_world import START

PLACE = {"fund_id": "f", "strategy_id": "s", "reduce_only": True}


def halt(number: int, scope: str = "strategy:s") -> HaltRequest:
    kind, _, name = scope.partition(":")
    return HaltRequest.model_validate(
        {
            "severity": f"{kind.upper()}_HALT",
            f"{kind}_id": name,
            "reason": f"reason {number}",
            "requested_by": "operator:jane",
            "requested_at": START,
            "halt_id": f"halt-{number}",
        }
    )


def manager_of(home: Path) -> HaltManager:
    return HaltManager(home=home, clock=VirtualClock(START))


def record(home: Path) -> HaltState:
    return HaltStore(home / "halt").state()


async def filled(home: Path) -> ResumeRequest:
    """Halt twice and resume once; return the signed resume."""
    create_operator_key(home, "jane")
    create_operator_key(home, "bob")
    async with manager_of(home) as manager:
        await manager.request(halt(1))
        old = await manager.resume(scope="strategy:s", cosigned_by="operator:jane")
        await manager.request(halt(2, "fund:f"))
    return old


def empty(home: Path) -> None:
    (home / "halt" / "halts.json").write_bytes(b"")


def remove(home: Path) -> None:
    (home / "halt" / "halts.json").unlink()


@pytest.mark.parametrize("lose", [empty, remove])
async def test_the_next_start_makes_the_record_anew_with_the_firm_halted(
    tmp_path: Path, lose: object
) -> None:
    await filled(tmp_path)
    before = record(tmp_path).epoch
    lose(tmp_path)  # type: ignore[operator]
    async with manager_of(tmp_path) as manager:
        await manager.recover()
        found = record(tmp_path)
        assert [item.scope for item in found.active] == ["fund:f", "firm"]
        assert found.epoch > before
        assert HaltStore(tmp_path / "halt").blocked(**PLACE) is not None  # type: ignore[arg-type]
        with pytest.raises(ResumeRefused, match="two operators"):
            await manager.resume(cosigned_by="operator:jane")
        await manager.resume(cosigned_by="operator:jane", second_by="operator:bob")
        assert [item.scope for item in record(tmp_path).active] == ["fund:f"]


async def test_a_record_may_be_lost_again_and_again(tmp_path: Path) -> None:
    await filled(tmp_path)
    for _ in range(3):
        empty(tmp_path)
        async with manager_of(tmp_path) as manager:
            await manager.recover()
            assert "firm" in [item.scope for item in record(tmp_path).active]
            await manager.resume(cosigned_by="operator:jane", second_by="operator:bob")
    assert [item.scope for item in record(tmp_path).active] == ["fund:f"]


async def test_what_was_signed_before_is_good_for_nothing_after(tmp_path: Path) -> None:
    old = await filled(tmp_path)
    empty(tmp_path)
    async with manager_of(tmp_path) as manager:
        await manager.recover()
        await manager.request(halt(3))
        with pytest.raises(ResumeRefused, match="signed at halt epoch"):
            await manager.resume_signed(old)


async def test_a_record_that_began_again_by_hand_can_be_resumed(tmp_path: Path) -> None:
    """Its epochs are those of before: what is written of the second resume is not the first's."""
    await filled(tmp_path)
    (tmp_path / "halt" / "halts.json").unlink()
    (tmp_path / "halt" / "halts.kept").unlink()
    async with HaltManager(home=tmp_path, clock=VirtualClock(START.replace(hour=21))) as manager:
        await manager.request(halt(4))
        await manager.resume(scope="strategy:s", cosigned_by="operator:jane")
    assert record(tmp_path).active == ()
