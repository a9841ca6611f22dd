"""The audit chain on a real store: appending, proving, and a campaign of tampering."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_operations.audit import AuditChain, AuditReader, AuditRecord, ChainIntegrityError
from mts1b_operations.audit.entry import canonical_json, entry_leaf
from mts1b_operations.audit.tree import leaf_hash, root_of
from mts1b_operations.errors import BadSelection
from mts1b_operations.parts import Parts
from mts1b_operations.tables import METADATA
from mts1b_platform.clock import VirtualClock
from mts1b_platform.store import Store

START = datetime(2008, 9, 15, 20, tzinfo=UTC)
ENTRIES = 600


def record(number: int) -> AuditRecord:
    return AuditRecord(
        actor="mts1b-oms",
        action="order_created",
        subject_id=f"ord-{number % 7}",
        data={"quantity": str(number), "note": 'quote " and ü', "flags": [True, None]},
        timestamp=START + timedelta(minutes=number),
    )


async def open_home(home: Path) -> Parts:
    store = await Store.open(
        home / "db" / "operations.sqlite", metadata=METADATA, name="operations"
    )
    return Parts.on(store, home, VirtualClock(START))


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    opened = await open_home(tmp_path)
    yield opened
    await opened.store.close()


@pytest.fixture
async def closed_home(tmp_path: Path) -> Path:
    """Return a home whose log has ENTRIES entries and whose database is one closed file."""
    opened = await open_home(tmp_path)
    for first in range(0, ENTRIES, 100):
        await opened.audit.append_many([record(n) for n in range(first, first + 100)])
    await opened.audit.checkpoint()
    await opened.store.close()
    return tmp_path


async def test_an_entry_is_what_the_reference_shows(parts: Parts) -> None:
    entry = await parts.audit.append(
        actor="mts1b-oms",
        action="order_rejected",
        subject_id="ord-abc",
        data={"reason": "drawdown_halt", "limit": Decimal("0.030")},
    )
    assert (entry.sequence, entry.timestamp, entry.previous_hash) == (0, START, "0" * 64)
    assert entry.data == {"reason": "drawdown_halt", "limit": "0.030"}
    body = {k: v for k, v in entry.as_dict().items() if k != "hash"}
    assert entry.hash == leaf_hash(rfc8785.dumps(body)).hex()
    assert await parts.audit.get_trail(subject_id="ord-abc") == [entry]
    assert await parts.audit.verify(from_sequence=0)


async def test_the_chain_links_and_the_root_is_the_tree_of_its_hashes(parts: Parts) -> None:
    entries = await parts.audit.append_many([record(n) for n in range(300)])
    assert [e.previous_hash for e in entries[1:]] == [e.hash for e in entries[:-1]]
    assert parts.audit.root == root_of([bytes.fromhex(e.hash) for e in entries]).hex()
    trail = await parts.audit.get_trail(subject_id="ord-3")
    assert [e.sequence for e in trail] == list(range(3, 300, 7))


async def test_a_rolled_back_transaction_leaves_no_trace(parts: Parts) -> None:
    await parts.audit.append_many([record(0)])
    with pytest.raises(RuntimeError, match="power"):
        async with parts.store.transaction() as tx:
            await parts.audit.add(tx, [record(1), record(2)])
            raise RuntimeError("power")
    entry = await parts.audit.append(actor="a", action="b", subject_id="c")
    assert entry.sequence == 1
    assert await parts.audit.verify()


async def test_entries_of_one_transaction_and_of_several_before_settling(parts: Parts) -> None:
    for first in (0, 10, 20):
        async with parts.store.transaction() as tx:
            await parts.audit.add(tx, [record(n) for n in range(first, first + 10)])
    parts.audit.settle()
    assert await parts.audit.verify()
    assert parts.audit.size == 30


async def test_two_writers_share_one_log(tmp_path: Path) -> None:
    first, second = await open_home(tmp_path), await open_home(tmp_path)
    for number in range(10):
        writer = (first, second)[number % 2]
        assert (await writer.audit.append_many([record(number)]))[0].sequence == number
    assert await first.audit.verify()
    assert await second.audit.verify()
    await first.store.close()
    await second.store.close()


async def test_a_reopened_log_goes_on(closed_home: Path) -> None:
    opened = await open_home(closed_home)
    entry = await opened.audit.append(actor="a", action="b", subject_id="c")
    assert entry.sequence == ENTRIES
    assert await opened.audit.verify()
    await opened.store.close()


async def test_five_thousand_entries_in_batches_verify(parts: Parts) -> None:
    batches = [[record(n) for n in range(first, first + 500)] for first in range(0, 5000, 500)]
    for batch in batches:
        await parts.audit.append_many(batch)
    assert parts.audit.size == 5000
    assert await parts.audit.verify()


def test_data_that_json_can_not_hold_is_refused() -> None:
    for bad in (float("nan"), 2**60, object(), {1: 2}):
        with pytest.raises((ValueError, TypeError, AttributeError)):
            canonical_json({"value": bad})


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(plain)
@settings(max_examples=50, deadline=None)
def test_the_fast_encoder_writes_the_bytes_of_rfc_8785(value: object) -> None:
    assert canonical_json(value).encode() == rfc8785.dumps(value)  # type: ignore[arg-type]


# The campaign. Each attack gets the closed database and returns the first bad index.

Attack = Callable[[sqlite3.Connection], int]


def change(column: str, value: object) -> Attack:
    def attack(db: sqlite3.Connection) -> int:
        db.execute(f"UPDATE audit_entries SET {column} = ? WHERE sequence = 123", [value])
        return 123

    return attack


def modify_and_rehash(db: sqlite3.Connection) -> int:
    db.execute('UPDATE audit_entries SET data = \'{"quantity":"9"}\' WHERE sequence = 200')
    rehash(db, 200, 201)
    return 200


def rewrite_to_the_end(db: sqlite3.Connection) -> int:
    db.execute("UPDATE audit_entries SET actor = 'nobody' WHERE sequence = 310")
    rehash(db, 310, ENTRIES)
    return 310


def delete(db: sqlite3.Connection) -> int:
    db.execute("DELETE FROM audit_entries WHERE sequence = 77")
    return 77


def delete_and_close_the_gap(db: sqlite3.Connection) -> int:
    db.execute("DELETE FROM audit_entries WHERE sequence = 77")
    shift(db, 78, -1)
    rehash(db, 77, ENTRIES - 1)
    return 77


def insert_well_formed(db: sqlite3.Connection) -> int:
    shift(db, 50, +1)
    old = db.execute("SELECT * FROM audit_entries WHERE sequence = 49").fetchone()
    row = (50, "", old[2], "intruder", old[4], old[5], old[6], old[1])
    db.execute("INSERT INTO audit_entries VALUES (?,?,?,?,?,?,?,?)", row)
    rehash(db, 50, 51)
    return 50


def swap(db: sqlite3.Connection) -> int:
    db.execute("UPDATE audit_entries SET sequence = -1 WHERE sequence = 400")
    db.execute("UPDATE audit_entries SET sequence = 400 WHERE sequence = 401")
    db.execute("UPDATE audit_entries SET sequence = 401 WHERE sequence = -1")
    return 400


def truncate(db: sqlite3.Connection) -> int:
    db.execute(f"DELETE FROM audit_entries WHERE sequence >= {ENTRIES - 1}")
    return ENTRIES - 1


def truncate_with_its_checkpoints(db: sqlite3.Connection) -> int:
    db.execute("DELETE FROM audit_entries WHERE sequence >= 40")
    db.execute("DELETE FROM audit_checkpoints")
    return 40


def empty(db: sqlite3.Connection) -> int:
    db.execute("DELETE FROM audit_entries")
    db.execute("DELETE FROM audit_checkpoints")
    return 0


def shift(db: sqlite3.Connection, first: int, by: int) -> None:
    db.execute("UPDATE audit_entries SET sequence = -sequence - 1 WHERE sequence >= ?", [first])
    db.execute("UPDATE audit_entries SET sequence = -(sequence + 1) + ? WHERE sequence < 0", [by])


def rehash(db: sqlite3.Connection, first: int, end: int) -> None:
    """Do what an attacker who knows the format does: make the chain fit again."""
    previous = db.execute(
        "SELECT hash FROM audit_entries WHERE sequence = ?", [first - 1]
    ).fetchone()[0]
    for sequence in range(first, end):
        row = db.execute("SELECT * FROM audit_entries WHERE sequence = ?", [sequence]).fetchone()
        digest = entry_leaf((*row[:7], previous)).hex()
        db.execute(
            "UPDATE audit_entries SET hash = ?, previous_hash = ? WHERE sequence = ?",
            [digest, previous, sequence],
        )
        previous = digest


CAMPAIGN: dict[str, Attack] = {
    "subject": change("subject_id", "ord-other"),
    "actor": change("actor", "intruder"),
    "action": change("action", "order_filled"),
    "time": change("timestamp", "2008-09-15T22:03:00.000001+00:00"),
    "data": change("data", '{"quantity":"124"}'),
    "data with a blank": change("data", '{"quantity": "123"}'),
    "hash": change("hash", "ab" * 32),
    "no hash": change("hash", "x"),
    "link": change("previous_hash", "cd" * 32),
    "blob": change("subject_id", b"ord-4"),
    "modify and rehash one": modify_and_rehash,
    "rewrite to the end": rewrite_to_the_end,
    "delete": delete,
    "delete and renumber": delete_and_close_the_gap,
    "insert well-formed": insert_well_formed,
    "swap": swap,
    "truncate": truncate,
    "truncate with checkpoints": truncate_with_its_checkpoints,
    "empty": empty,
}


@pytest.mark.parametrize("name", CAMPAIGN)
async def test_tampering_is_found_at_its_first_index(closed_home: Path, name: str) -> None:
    with AuditReader(closed_home) as reader:
        assert reader.verify()[0] == ENTRIES
    with sqlite3.connect(closed_home / "db" / "operations.sqlite") as db:
        index = CAMPAIGN[name](db)
    db.close()
    with AuditReader(closed_home) as reader, pytest.raises(ChainIntegrityError) as caught:
        reader.verify()
    assert caught.value.index == index
    opened = await open_home(closed_home)
    with pytest.raises(ChainIntegrityError) as again:
        await opened.audit.verify()
    assert again.value.index == index
    await opened.store.close()


async def test_without_the_witness_a_full_rewrite_is_found_by_the_signed_root(
    closed_home: Path,
) -> None:
    with sqlite3.connect(closed_home / "db" / "operations.sqlite") as db:
        rewrite_to_the_end(db)
    db.close()
    (closed_home / "audit" / "leaves").unlink()
    with AuditReader(closed_home) as reader, pytest.raises(ChainIntegrityError) as caught:
        reader.verify()
    assert 0 < caught.value.index <= 310
    assert "rewritten" in caught.value.reason


async def test_the_chain_alone_sees_a_link_that_was_made_to_fit(closed_home: Path) -> None:
    with sqlite3.connect(closed_home / "db" / "operations.sqlite") as db:
        row = db.execute("SELECT * FROM audit_entries WHERE sequence = 90").fetchone()
        forged = entry_leaf((*row[:7], "ab" * 32)).hex()
        db.execute(
            "UPDATE audit_entries SET previous_hash = ?, hash = ? WHERE sequence = 90",
            ["ab" * 32, forged],
        )
        rehash(db, 91, ENTRIES)
    db.close()
    opened = await open_home(closed_home)
    with pytest.raises(ChainIntegrityError) as caught:
        await AuditChain(opened.store, clock=opened.clock).verify()
    assert caught.value.index == 90
    await opened.store.close()


async def test_a_forged_checkpoint_is_refused(closed_home: Path) -> None:
    path = closed_home / "audit" / "checkpoints"
    whole = path.read_text()
    forged = json.loads(whole.splitlines()[-1]) | {"size": 10}
    path.write_text(whole + json.dumps(forged) + "\n")
    with (
        AuditReader(closed_home) as reader,
        pytest.raises(ChainIntegrityError, match="not signed by the log's key"),
    ):
        reader.verify()
    path.write_text(whole + "torn")
    with AuditReader(closed_home) as reader:
        assert reader.verify()[0] == ENTRIES
    path.unlink()
    with AuditReader(closed_home) as reader, pytest.raises(ChainIntegrityError, match="gone"):
        reader.verify()


async def test_one_flipped_byte_in_the_file_is_found(closed_home: Path) -> None:
    path = closed_home / "db" / "operations.sqlite"
    intact = path.read_bytes()
    needle = b'"quantity":"234"'
    at = intact.index(needle) + len(needle) - 2
    for bit in (0x01, 0x80):
        damaged = bytearray(intact)
        damaged[at] ^= bit
        path.write_bytes(damaged)
        with AuditReader(closed_home) as reader, pytest.raises(ChainIntegrityError) as caught:
            reader.verify()
        assert caught.value.index == 234
        opened = await open_home(closed_home)
        with pytest.raises(ChainIntegrityError) as again:
            await opened.audit.verify()
        assert again.value.index == 234
        await opened.store.close()
        for extra in ("-wal", "-shm"):
            path.with_name(path.name + extra).unlink(missing_ok=True)


async def test_verify_from_a_sequence_takes_earlier_payloads_as_given(closed_home: Path) -> None:
    with sqlite3.connect(closed_home / "db" / "operations.sqlite") as db:
        change("data", "{}")(db)
    db.close()
    with AuditReader(closed_home) as reader:
        assert reader.verify(200)[0] == ENTRIES
        with pytest.raises(ChainIntegrityError):
            reader.verify(123)


async def test_beyond_the_end_there_is_nothing_to_verify(closed_home: Path) -> None:
    with AuditReader(closed_home) as reader:
        assert reader.verify(ENTRIES - 1)[0] == ENTRIES
        with pytest.raises(BadSelection, match=f"nothing to verify from sequence {ENTRIES} on"):
            reader.verify(ENTRIES)
    opened = await open_home(closed_home)
    with pytest.raises(BadSelection, match=f"holds {ENTRIES} entries"):
        await opened.audit.verify(ENTRIES + 5)
    await opened.store.close()


async def test_a_cut_log_is_cut_also_for_who_asks_beyond_its_end(closed_home: Path) -> None:
    with sqlite3.connect(closed_home / "db" / "operations.sqlite") as db:
        db.execute("DELETE FROM audit_entries WHERE sequence > 100")
    db.close()
    with AuditReader(closed_home) as reader, pytest.raises(ChainIntegrityError, match="truncated"):
        reader.verify(ENTRIES - 1)


async def test_the_chain_needs_a_clock_with_a_zone(parts: Parts) -> None:
    chain = AuditChain(parts.store, clock=parts.clock)
    with pytest.raises(ValueError, match="zone"):
        await chain.append(
            actor="a",
            action="b",
            subject_id="c",
            timestamp=datetime(2008, 1, 1),  # noqa: DTZ001
        )
