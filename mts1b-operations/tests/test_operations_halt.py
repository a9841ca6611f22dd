"""The halt manager as a library, and the log of the running system."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mts1b_foundation.risk import HaltRequest
from mts1b_operations import HaltManager, ResumeRefused, audit_chain
from mts1b_operations.audit import AuditReader, BoundAuditChain
from mts1b_operations.commands import create_operator_key
from mts1b_operations.errors import BadSelection, NotFound
from mts1b_operations.parts import open_parts
from mts1b_platform.clock import VirtualClock
from mts1b_platform.halt import HaltStore
from mts1b_platform.rng import SystemRng
from mts1b_platform.signing import KeyRing
from operations_world import START, day


def request(severity: str = "FUND_HALT", **changes: object) -> HaltRequest:
    base: dict[str, object] = {
        "severity": severity,
        "fund_id": "paper-momentum",
        "reason": "daily PL -3.2% breached -3.0%",
        "requested_by": "mts1b-riskengine",
        "requested_at": START,
    }
    return HaltRequest.model_validate(base | changes)


@pytest.fixture
async def manager(tmp_path: Path) -> AsyncIterator[HaltManager]:
    async with HaltManager(home=tmp_path, clock=VirtualClock(START)) as made:
        yield made


async def test_the_documented_calls(manager: HaltManager, tmp_path: Path) -> None:
    create_operator_key(tmp_path, "mondipsen")
    await manager.request(request())
    status = await manager.status(fund_id="paper-momentum")
    assert status.halted
    assert [halt.scope for halt in await manager.list_active()] == ["fund:paper-momentum"]
    assert not (await manager.status(fund_id="another")).halted
    await manager.resume(fund_id="paper-momentum", cosigned_by="operator:mondipsen")
    assert await manager.list_active() == []
    with AuditReader(tmp_path) as reader:
        trail = reader.trail("fund:paper-momentum")
    assert [entry.action for entry in trail] == ["halt_requested", "halt_resumed"]
    assert trail[1].data["signature"]


async def test_the_manager_works_on_mts_home_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTS_HOME", str(tmp_path))
    manager = HaltManager()
    await manager.request(request("FIRM_HALT", fund_id=None))
    assert (await manager.status(fund_id="any")).halted
    await manager.close()
    entry = await audit_chain.append(
        actor="mts1b-oms",
        action="order_rejected",
        subject_id="ord-abc",
        data={"reason": "drawdown_halt", "envelope_id": "env-001"},
    )
    assert entry.sequence == 1
    assert await audit_chain.get_trail(subject_id="ord-abc") == [entry]
    assert await audit_chain.verify(from_sequence=0)
    await audit_chain.close()


async def test_a_second_home_has_a_second_log(tmp_path: Path) -> None:
    one, two = BoundAuditChain(tmp_path / "one"), BoundAuditChain(tmp_path / "two")
    for chain in (one, two):
        assert (await chain.append(actor="a", action="b", subject_id="c")).sequence == 0
        await chain.close()


async def test_a_halt_is_sticky_over_restarts(tmp_path: Path) -> None:
    for number in range(3):
        async with HaltManager(home=tmp_path, clock=VirtualClock(day(number))) as manager:
            reply = await manager.request(request())
            assert reply.created == (number == 0)
            assert reply.epoch == 1
    with AuditReader(tmp_path) as reader:
        assert [entry.action for entry in reader.trail("fund:paper-momentum")] == ["halt_requested"]


async def test_scopes_are_lifted_one_by_one(manager: HaltManager, tmp_path: Path) -> None:
    create_operator_key(tmp_path, "jane")
    await manager.request(request("FIRM_HALT", fund_id=None))
    await manager.request(request())
    await manager.request(request("STRATEGY_HALT", fund_id=None, strategy_id="s1"))
    await manager.resume(fund_id="paper-momentum", cosigned_by="operator:jane")
    assert [halt.scope for halt in await manager.list_active()] == ["firm", "strategy:s1"]
    assert (await manager.status(fund_id="paper-momentum")).halted  # by the firm
    with pytest.raises(NotFound, match="nothing halts fund:paper-momentum"):
        await manager.resume(fund_id="paper-momentum", cosigned_by="operator:jane")
    with pytest.raises(ResumeRefused, match="two operators"):
        await manager.resume(cosigned_by="operator:jane")
    create_operator_key(tmp_path, "bob")
    await manager.resume(cosigned_by="operator:jane", second_by="operator:bob")
    await manager.resume(strategy_id="s1", cosigned_by="operator:jane")
    assert not (await manager.status()).halted


async def test_who_may_not_resume(manager: HaltManager, tmp_path: Path) -> None:
    create_operator_key(tmp_path, "jane")
    await manager.request(request())
    good = await manager.sign_resume(
        scope="fund:paper-momentum", reason="r", cosigned_by="operator:jane"
    )
    attempts = [
        {"cosigned_by": "operator:mallory"},
        {"cosigned_by": "jane"},
        {"cosigned_by": "operator:jane", "signature": "00" * 64, "key_id": good.key_id},
        {"cosigned_by": "operator:jane", "signature": good.signature, "key_id": "other"},
        {"cosigned_by": "operator:jane", "signature": good.signature, "key_id": good.key_id},
    ]
    for attempt in attempts:
        with pytest.raises(ResumeRefused):
            await manager.resume(fund_id="paper-momentum", reason="other", **attempt)
    assert await manager.list_active()
    with AuditReader(tmp_path) as reader:
        trail = reader.trail("fund:paper-momentum")
    assert [e.action for e in trail[1:]] == ["halt_resume_refused"] * len(attempts)


async def test_a_rotated_key_is_valid_once_more(manager: HaltManager, tmp_path: Path) -> None:
    create_operator_key(tmp_path, "jane")
    await manager.request(request())
    signed = await manager.sign_resume(
        scope="fund:paper-momentum", reason="r", cosigned_by="operator:jane"
    )
    KeyRing(tmp_path / "keys", SystemRng()).rotate("operator-jane")
    await manager.resume_signed(signed)
    assert await manager.list_active() == []


async def test_an_unreadable_record_halts_everything(manager: HaltManager, tmp_path: Path) -> None:
    await manager.request(request())
    (tmp_path / "halt" / "halts.json").write_text("{")
    assert [halt.scope for halt in await manager.list_active()] == ["firm"]
    assert (await manager.status(fund_id="another")).halted
    reply = await manager.request(request("FIRM_HALT", fund_id=None, reason="other"))
    assert reply.active is not None


async def test_a_halt_does_not_wait_for_the_store(tmp_path: Path) -> None:
    path = tmp_path / "db" / "operations.sqlite"
    path.parent.mkdir()
    path.write_bytes(b"this is no database, and longer than a page header is" * 100)
    manager = HaltManager(home=tmp_path, clock=VirtualClock(START))
    with pytest.raises(Exception, match="database"):
        await manager.request(request())
    record = HaltStore(tmp_path / "halt")
    assert record.blocked(fund_id="paper-momentum", strategy_id="s", reduce_only=False)
    path.unlink()
    async with HaltManager(home=tmp_path, clock=VirtualClock(START)) as again:
        await again.recover()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM audit_entries").fetchone() == (1,)
    db.close()


async def test_parts_are_injected_together(tmp_path: Path) -> None:
    parts = await open_parts(tmp_path, clock=VirtualClock(START))
    published: list[str] = []

    async def publish() -> None:
        published.append("now")

    manager = HaltManager(
        store=parts.store,
        halt_store=parts.halts,
        audit=parts.audit,
        keyring=parts.keyring,
        clock=parts.clock,
        publish=publish,
    )
    await manager.request(request())
    assert published == ["now"]
    await manager.close()
    assert await parts.audit.verify()  # what was injected stays open
    with pytest.raises(BadSelection, match="together"):
        await HaltManager(store=parts.store).list_active()
    with pytest.raises(BadSelection, match="one scope"):
        await manager.resume(fund_id="a", strategy_id="b", cosigned_by="operator:jane")
    await manager.close()
    await parts.store.close()
