"""A log of years: what a start and a command look at is bounded, in memory and in rows."""

from __future__ import annotations

import sqlite3
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
from mts1b_operations.audit import AuditChain, AuditReader, ChainIntegrityError
from mts1b_operations.audit.evidence import Witness
from mts1b_operations.parts import Parts
from mts1b_operations.store_probe import StoreLook
from mts1b_platform.clock import VirtualClock
from operations_terminal import Run
from operations_world import START
from test_operations_chain import open_home, record
from test_operations_witness import written

ENTRIES = 9
INDEX = "ix_audit_entries_watched"


class Portions(AuditChain):
    """Look through the log three hashes at a time."""

    hashes_at_once: ClassVar[int] = 3


async def appended(home: Path) -> None:
    """Start on a log, and append to it."""
    opened = await open_home(home)
    witness = Witness(home / "audit")
    chain = Portions(opened.store, clock=opened.clock, keyring=opened.keyring, witness=witness)
    try:
        await chain.append_many([record(99)])
    finally:
        await opened.store.close()


def changed(home: Path, *statements: str) -> None:
    """Change the store behind the back of its service."""
    with sqlite3.connect(home / "db" / "operations.sqlite") as db:
        for statement in statements:
            db.execute(statement)
    db.close()


@pytest.mark.parametrize("lacking", [0, 1, 3, 5, ENTRIES])
async def test_a_log_is_put_aside_again_where_a_part_of_it_is_not(
    tmp_path: Path, lacking: int
) -> None:
    await written(tmp_path, ENTRIES)
    leaves = tmp_path / "audit" / "leaves"
    whole = leaves.read_bytes()
    leaves.write_bytes(whole[: len(whole) - 32 * lacking])
    await appended(tmp_path)
    assert leaves.read_bytes()[: len(whole)] == whole
    with AuditReader(tmp_path) as reader:
        assert reader.verify()[0] == ENTRIES + 1


@pytest.mark.parametrize("index", range(ENTRIES))
async def test_an_entry_that_is_not_the_one_put_aside_is_named_in_any_portion(
    tmp_path: Path, index: int
) -> None:
    await written(tmp_path, ENTRIES)
    changed(tmp_path, f"UPDATE audit_entries SET hash = '{'ab' * 32}' WHERE sequence = {index}")
    with pytest.raises(ChainIntegrityError) as caught:
        await appended(tmp_path)
    assert caught.value.index == index


@pytest.mark.parametrize("left", range(ENTRIES))
async def test_a_log_that_was_cut_at_any_place_is_not_gone_on_with(
    tmp_path: Path, left: int
) -> None:
    await written(tmp_path, ENTRIES)
    cut = f"DELETE FROM audit_entries WHERE sequence >= {left}"
    changed(tmp_path, cut, "DELETE FROM audit_checkpoints")
    if left % 2:
        (tmp_path / "audit" / "leaves").unlink()  # the signed size is enough
    with pytest.raises(ChainIntegrityError, match="truncated") as caught:
        await appended(tmp_path)
    assert caught.value.index == left


def test_the_hashes_of_years_fill_no_memory(tmp_path: Path) -> None:
    path, count = tmp_path / "leaves", 10_000_000
    with path.open("wb") as file:
        file.truncate(32 * count)
        file.seek(32 * (count - 1))
        file.write(b"\xab" * 32)
    tracemalloc.start()
    leaves = Witness(tmp_path).leaves()
    assert (len(leaves), leaves[0], leaves[count // 2]) == (count, None, None)
    assert leaves[count - 1] == b"\xab" * 32
    assert leaves[count - 3 : count] == [None, None, b"\xab" * 32]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


Ask = Callable[[AuditReader], object]


@pytest.mark.parametrize(
    "ask",
    [
        lambda log: log.funds(),
        lambda log: list(log.entries(actions=("nav_updated", "fill_created"))),
        lambda log: log.holding("fill_created", "fill_id", "fill-0"),
    ],
)
def test_what_is_asked_of_fills_and_nav_reads_no_other_entry(
    mts: Run, home: Path, ask: Ask
) -> None:
    with AuditReader(home) as reader:
        asked: list[str] = []
        reader._connection.set_trace_callback(asked.append)
        assert ask(reader)
        reader._connection.set_trace_callback(None)
        plan = reader._connection.execute(f"EXPLAIN QUERY PLAN {asked[0]}").fetchall()
    assert INDEX in str(plan)


async def test_a_home_that_was_made_before_there_was_an_index_gets_it(tmp_path: Path) -> None:
    def indexes() -> set[str]:
        with sqlite3.connect(tmp_path / "db" / "operations.sqlite") as db:
            found = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
        db.close()
        return found

    await written(tmp_path, ENTRIES)
    with sqlite3.connect(tmp_path / "db" / "operations.sqlite") as db:
        db.execute(f"DROP INDEX {INDEX}")
    db.close()
    assert INDEX not in indexes()
    await appended(tmp_path)
    assert INDEX in indexes()


async def test_months_of_consumed_events_are_counted_now_and_then(tmp_path: Path) -> None:
    """A count of millions takes a second, in which no halt and no lease is answered."""
    opened: Parts = await open_home(tmp_path)
    await opened.audit.append_many([record(0), record(1)])
    clock = VirtualClock(START)
    look = StoreLook(opened.store, clock)
    seen = []
    for _ in range(4):
        found = await look.probe()
        seen.append(found.consumed_events)
        assert found.audit_entries == 2
        clock.advance(300)
    await opened.store.close()
    assert seen == [0, None, 0, None]
