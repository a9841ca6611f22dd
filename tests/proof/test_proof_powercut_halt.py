"""Crash images of the halt record: a halt that was acknowledged is in force after a power cut."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from mts1b_platform.halt import HaltStateUnreadable, HaltStore

from tools.proof.images import Disk
from tools.proof.trace import Event, Kind, is_supported, record

linux = pytest.mark.skipif(not is_supported(), reason="tracing needs Linux on x86-64")
HALTS, IMAGES = 12, 400

_WORK = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from mts1b_foundation.risk import ActiveHalt, HaltSeverity
from mts1b_platform.halt import HaltStore

store = HaltStore(Path(sys.argv[1]) / "halt")
for number in range(int(sys.argv[2])):
    store.apply(
        ActiveHalt(
            halt_id=f"h-{number}",
            scope=f"fund:f{number}",
            severity=HaltSeverity.FUND_HALT,
            reason="drill",
            requested_by="operator:ann",
            requested_at=datetime(2026, 1, 2, tzinfo=UTC),
            epoch=1,
        )
    )
    os.write(1, f"{number + 1}\\n".encode())
"""


@pytest.fixture(scope="module")
def halts(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """What a process asks of the kernel that halts one fund after another."""
    folder = tmp_path_factory.mktemp("halts")
    (folder / "halt").mkdir()
    return record([sys.executable, "-c", _WORK, str(folder), str(HALTS)], folder / "halt")


def _forgotten(events: list[Event], folder: Path, seed: int) -> list[str]:
    """Cut the power at random moments; return the acknowledged halts that are not in force."""
    rng, found = random.Random(seed), []
    moments = sorted(rng.randrange(1, len(events) + 1) for _ in range(IMAGES))
    disk, done, said = Disk(), 0, 0
    for number, moment in enumerate(moments):
        for event in events[done:moment]:
            disk.do(event)
            said = int(event.data) if event.kind is Kind.SAID else said
        done = moment
        place = folder / str(number)
        place.mkdir()
        for name, content in disk.image(rng).items():
            (place / name).write_bytes(content)
        found += [f"f{n} after act {moment}" for n in range(said) if not _is_halted(place, f"f{n}")]
    return found


def _is_halted(place: Path, fund: str) -> bool:
    store = HaltStore(place)
    try:
        store.state()
    except HaltStateUnreadable:
        return True  # what can not be read halts everything
    return store.blocked(fund_id=fund, strategy_id="s", reduce_only=False) is not None


@linux
def test_an_acknowledged_halt_survives_a_power_cut(halts: list[Event], tmp_path: Path) -> None:
    """Promise 13 on a disk that forgets what was not synced."""
    assert [event.kind for event in halts].count(Kind.SAID) == HALTS
    assert _forgotten(halts, tmp_path, seed=5) == []


@linux
def test_a_sync_of_the_folder_that_is_left_out_is_found(halts: list[Event], tmp_path: Path) -> None:
    without = [e for e in halts if not (e.kind is Kind.SYNC and e.path == "")]
    assert len(without) == len(halts) - HALTS
    assert _forgotten(without, tmp_path, seed=5)


@linux
def test_a_record_that_is_torn_halts_everything(halts: list[Event], tmp_path: Path) -> None:
    """Even where the file itself is not synced nothing is forgotten: it can not be read."""
    without = [e for e in halts if not (e.kind is Kind.SYNC and e.path)]
    assert len(without) == len(halts) - HALTS
    assert _forgotten(without, tmp_path, seed=5) == []
