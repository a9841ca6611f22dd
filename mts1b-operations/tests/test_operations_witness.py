"""What is put aside beside the log: it survives torn writes, and no restart overwrites it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from mts1b_operations.audit import AuditReader, ChainIntegrityError
from mts1b_operations.audit.evidence import Witness
from mts1b_operations.parts import Parts
from test_operations_chain import (
    ENTRIES,
    empty,
    open_home,
    record,
    rewrite_to_the_end,
    truncate_with_its_checkpoints,
)

Attack = Callable[[sqlite3.Connection], int]


async def written(home: Path, count: int = ENTRIES) -> None:
    opened = await open_home(home)
    await opened.audit.append_many([record(n) for n in range(count)])
    await opened.audit.checkpoint()
    await opened.store.close()


def attacked(home: Path, attack: Attack) -> int:
    """Do what somebody can who writes the database, and nothing else."""
    with sqlite3.connect(home / "db" / "operations.sqlite") as db:
        index = attack(db)
        db.execute("DELETE FROM audit_checkpoints")
    db.close()
    return index


async def started(home: Path, entries: int = 1) -> Parts:
    """Start as the service does: it appends, and signs the log as it stands."""
    opened = await open_home(home)
    try:
        await opened.audit.append_many([record(n) for n in range(entries)])
        await opened.audit.checkpoint()
    finally:
        await opened.store.close()
    return opened


@pytest.mark.parametrize("attack", [rewrite_to_the_end, truncate_with_its_checkpoints, empty])
@pytest.mark.parametrize("leaves", [True, False])
async def test_a_start_signs_no_log_that_is_not_the_one_it_left(
    tmp_path: Path, attack: Attack, leaves: bool
) -> None:
    await written(tmp_path)
    index = attacked(tmp_path, attack)
    if not leaves:
        (tmp_path / "audit" / "leaves").unlink()
    with pytest.raises(ChainIntegrityError) as caught:
        await started(tmp_path, ENTRIES)
    assert caught.value.index <= index
    assert caught.value.index == index or not leaves
    with AuditReader(tmp_path) as reader, pytest.raises(ChainIntegrityError):
        reader.verify()


async def test_a_backup_that_was_restored_is_no_log_to_go_on_with(tmp_path: Path) -> None:
    await written(tmp_path, 300)
    path = tmp_path / "db" / "operations.sqlite"
    backup = path.read_bytes()
    await started(tmp_path)
    path.write_bytes(backup)
    with pytest.raises(ChainIntegrityError) as caught:
        await started(tmp_path)
    assert caught.value.index == 300


async def test_a_torn_checkpoint_does_not_spoil_the_next(tmp_path: Path) -> None:
    await written(tmp_path, 3)
    path = tmp_path / "audit" / "checkpoints"
    path.write_bytes(path.read_bytes()[:-40])  # the power went
    opened = await open_home(tmp_path)
    await opened.audit.append_many([record(3)])
    await opened.store.close()
    with AuditReader(tmp_path) as reader:
        assert reader.verify()[0] == 4


async def test_a_nearly_full_disk_takes_a_part_of_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda handle, data, at: whole(handle, data[:50], at))
    await written(tmp_path, 20)
    monkeypatch.undo()
    with AuditReader(tmp_path) as reader:
        assert reader.verify()[0] == 20
    assert len(Witness(tmp_path / "audit").leaves()) == 20


def test_the_last_checkpoint_is_found_without_reading_all(tmp_path: Path) -> None:
    """A year of them is some gigabytes: one a second."""
    path = tmp_path / "checkpoints"
    line = b'{"size":%d,"root":"' + b"ab" * 32 + b'","created_at":"2026-01-01T00:00:00Z",'
    line += b'"key_id":"k","signature":"' + b"cd" * 64 + b'"}\n'
    with path.open("wb") as file:
        file.write(line % 1)
        file.seek(1 << 36)  # a hole of 64 GiB
        file.write(b"\n" + line % 7 + b'{"size":8,')
    found = Witness(tmp_path).checkpoint()
    assert found is not None
    assert found.size == 7
