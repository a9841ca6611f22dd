"""Crash images of the store: what was acknowledged is there, and lesser settings show losses."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.proof.images import SECTOR, Disk
from tools.proof.powercut import cut, trace_of
from tools.proof.trace import Event, Kind, is_supported, record

linux = pytest.mark.skipif(not is_supported(), reason="tracing needs Linux on x86-64")
COMMITS, IMAGES = 20, 40


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """The trace of a writer under the store's own setting."""
    return trace_of(tmp_path_factory.mktemp("full"), setting="FULL", commits=COMMITS)


@linux
def test_power_cut_at_any_moment_loses_nothing_acknowledged(full: list[Event]) -> None:
    """Promise 15; the long form is ``make powercut``."""
    found = cut(full, setting="FULL", images=IMAGES, seed=3)
    assert (found.images, found.lost, found.broken) == (IMAGES, 0, 0), found.examples
    assert max(found.opened_s) < 2.0


@linux
@pytest.mark.parametrize("setting", ["NORMAL", "OFF"])
def test_a_lesser_setting_shows_losses(tmp_path: Path, setting: str) -> None:
    events = trace_of(tmp_path, setting=setting, commits=COMMITS)
    assert cut(events, setting=setting, images=IMAGES, seed=3).lost > 0


@linux
def test_a_sync_that_is_left_out_is_found(full: list[Event]) -> None:
    """The same writes without the syncs of the log."""
    without = [e for e in full if not (e.kind is Kind.SYNC and e.path.endswith("-wal"))]
    assert cut(without, setting="FULL", images=IMAGES, seed=3).lost > 0


@linux
def test_the_trace_tells_what_a_process_did(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "os.chdir(sys.argv[1])\n"
        "with open('a.part', 'wb') as f: f.write(b'one'); f.flush(); os.fsync(f.fileno())\n"
        "os.rename('a.part', 'a')\n"
        "with open('b', 'wb') as f: f.write(b'two')\n"
        "os.unlink('b')\n"
        "os.write(1, b'done')\n"
    )
    events = record([sys.executable, "-c", script, str(tmp_path)], tmp_path)
    assert [(e.kind, e.path) for e in events] == [
        (Kind.CREATE, "a.part"),
        (Kind.WRITE, "a.part"),
        (Kind.SYNC, "a.part"),
        (Kind.RENAME, "a.part"),
        (Kind.CREATE, "b"),
        (Kind.WRITE, "b"),
        (Kind.UNLINK, "b"),
        (Kind.SAID, ""),
    ]
    assert (events[1].data, events[3].data, events[7].data) == (b"one", b"a", b"done")


@given(
    writes=st.lists(
        st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=1500)), max_size=8
    ),
    synced=st.integers(0, 8),
    seed=st.integers(0, 1000),
)
@settings(max_examples=50, deadline=None)
def test_an_image_has_what_was_synced_and_nothing_that_was_not_written(
    writes: list[tuple[int, bytes]], synced: int, seed: int
) -> None:
    disk = Disk()
    before, after = bytearray(), bytearray()
    for number, (place, data) in enumerate(writes):
        disk.do(Event(Kind.WRITE, "f", place, data))
        for content in (before, after) if number < synced else (after,):
            content.extend(bytes(max(0, place - len(content))))
            content[place : place + len(data)] = data
        if number < synced:
            disk.do(Event(Kind.SYNC, "f"))
            disk.do(Event(Kind.SYNC, ""))
    image = disk.image(random.Random(seed)).get("f")
    if image is None:
        assert synced == 0 or not writes
        return
    assert len(image) >= len(before)
    unsynced = {i for place, data in writes[synced:] for i in range(place, place + len(data))}
    known = before + bytes(len(image) - len(before))
    assert all(image[i] == known[i] for i in range(len(image)) if i not in unsynced)


def test_a_name_is_there_once_its_folder_was_synced() -> None:
    disk = Disk()
    disk.do(Event(Kind.CREATE, "f"))
    disk.do(Event(Kind.WRITE, "f", 0, b"x" * SECTOR))
    disk.do(Event(Kind.SYNC, "f"))
    assert {len(disk.image(random.Random(seed))) for seed in range(20)} == {0, 1}
    disk.do(Event(Kind.SYNC, ""))
    assert all(disk.image(random.Random(seed)) == {"f": b"x" * SECTOR} for seed in range(20))
