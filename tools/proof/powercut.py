"""``python -m tools.proof.powercut``: cut the power at every kind of moment, and look what is left.

A process writes through the real store and says after each commit that it is done. What it asks of
the kernel is traced; from the trace, images of the disk are built as they may be found after the
power went, and each is opened by the real store. Nothing that was said to be done may be missing.
With a safety setting of SQLite turned down, losses must show: else the images would prove nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from mts1b_foundation.nats import OMS_ORDERS_SUBMITTED
from mts1b_platform.store import Store, StoreError
from mts1b_platform.store.inline import SqliteFile

from tools.proof.images import Disk, Image
from tools.proof.percentiles import percentile
from tools.proof.trace import Event, Kind, is_supported, record

__all__ = ["SETTINGS", "Cuts", "cut", "main", "trace_of"]

SETTINGS = ("FULL", "NORMAL", "OFF")
_CHECKPOINT_PAGES = 40
"""Small, so that checkpoints and a log that starts over happen often; the store's own is 2000."""

_metadata = sa.MetaData()
_rows = sa.Table(
    "proof_rows",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("payload", sa.Text, nullable=False),
)
_last = sa.Table("proof_last", _metadata, sa.Column("id", sa.Integer, nullable=False))


def _payload(number: int) -> str:
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    return (digest * 60)[: 20 + number * 379 % 3500]


async def _work(folder: Path, commits: int) -> None:
    """Commit one row after another, with an event in the outbox; say so after each."""
    store = await Store.open(folder / "proof.sqlite", metadata=_metadata, name="proof")
    async with store.transaction() as tx:
        await tx.execute(sa.insert(_last).values(id=0))
    for number in range(1, commits + 1):
        async with store.transaction() as tx:
            await tx.execute(sa.insert(_rows).values(id=number, payload=_payload(number)))
            await tx.execute(sa.update(_last).values(id=number))
            await store.outbox.add(
                tx, event_id=f"e{number}", subject=OMS_ORDERS_SUBMITTED, payload=b"{}"
            )
        os.write(1, f"{number}\n".encode())
    await store.close()


def _turn_down(setting: str) -> None:
    """Give every connection that is opened from now on another safety setting."""
    SqliteFile.durable = (
        "journal_mode=WAL",
        f"synchronous={setting}",
        f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
    )


def trace_of(folder: Path, *, setting: str, commits: int) -> list[Event]:
    """Run a writer in ``folder`` and return what it asked of the kernel."""
    command = [sys.executable, "-m", "tools.proof.powercut", "--work", str(folder)]
    return record([*command, "--setting", setting, "--commits", str(commits)], folder)


@dataclass
class Cuts:
    """What was found in the images of one setting.

    :ivar lost: images in which a commit is missing that was said to be done, and the most that
        were missing in one.
    :ivar broken: images that the store does not open, or whose content is not sound.
    """

    setting: str
    images: int = 0
    events: int = 0
    syncs: int = 0
    lost: int = 0
    most_lost: int = 0
    broken: int = 0
    opened_s: list[float] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures."""
        figures = asdict(self)
        del figures["opened_s"]
        figures["open_p99_ms"] = round(1000 * percentile(self.opened_s, 0.99), 2)
        figures["open_max_ms"] = round(1000 * max(self.opened_s, default=0.0), 2)
        return figures


def cut(events: Sequence[Event], *, setting: str, images: int, seed: int) -> Cuts:
    """Build ``images`` images at random moments of a trace, and open each of them."""
    rng, found = random.Random(seed), Cuts(setting, events=len(events))
    found.syncs = sum(event.kind is Kind.SYNC for event in events)
    moments = sorted(rng.randrange(1, len(events) + 1) for _ in range(images))
    disk, done, said = Disk(), 0, 0
    with tempfile.TemporaryDirectory(prefix="mts-powercut-") as folder:
        for number, moment in enumerate(moments):
            for event in events[done:moment]:
                disk.do(event)
                said = int(event.data) if event.kind is Kind.SAID else said
            done = moment
            image, place = disk.image(rng), Path(folder) / str(number)
            _look(found, place, image, said=said, moment=moment)
    return found


def _look(found: Cuts, place: Path, image: Image, *, said: int, moment: int) -> None:
    _write(place, image)
    found.images += 1
    begin = time.perf_counter()
    try:
        rows, fault = asyncio.run(_read(place))
    except (StoreError, sqlite3.Error, sa.exc.SQLAlchemyError, OSError) as error:
        rows, fault = 0, f"{type(error).__name__}: {error}"
    found.opened_s.append(time.perf_counter() - begin)
    if fault:
        found.broken += 1
    elif rows < said:
        found.lost += 1
        found.most_lost = max(found.most_lost, said - rows)
        fault = f"{rows} commits are there, {said} were said to be done"
    if fault and len(found.examples) < 3:
        found.examples.append(f"cut after act {moment}: {fault}"[:300])
    for path in place.iterdir():
        path.unlink()


def _write(place: Path, image: Image) -> None:
    place.mkdir()
    for name, content in image.items():
        if not name.endswith("-shm"):  # shared memory: not on the disk, made anew at the opening
            (place / name).write_bytes(content)


async def _read(place: Path) -> tuple[int, str]:
    """Open an image with the real store; return how many commits it has, and what is wrong.

    It must also take another commit.
    """
    store = await Store.open(place / "proof.sqlite", metadata=_metadata, name="proof")
    try:
        async with store.read() as tx:
            rows = [(row.id, row.payload) for row in await tx.execute(sa.select(_rows))]
            last = (await tx.execute(sa.select(_last.c.id))).scalar()
            events = (await tx.execute(sa.text("SELECT count(*) FROM outbox"))).scalar()
            sound = (await tx.execute(sa.text("PRAGMA integrity_check(1)"))).scalar()
        async with store.transaction() as tx:
            await tx.execute(sa.insert(_rows).values(id=10**9, payload=""))
    finally:
        with contextlib.suppress(sqlite3.Error, sa.exc.SQLAlchemyError):
            await store.close()
    if sound != "ok":
        return len(rows), f"integrity_check: {sound}"
    if sorted(rows) != [(n, _payload(n)) for n in range(1, len(rows) + 1)]:
        return len(rows), "the commits have a hole, or a row is not what was written"
    if len(rows) != (last or 0) or len(rows) != events:
        return len(rows), f"half a commit: {len(rows)} rows, last {last}, {events} events"
    return len(rows), ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 when FULL loses something, or a lesser setting does not."""
    parser = argparse.ArgumentParser(prog="python -m tools.proof.powercut", description=__doc__)
    parser.add_argument("--images", type=int, default=5000, help="of each setting")
    parser.add_argument("--commits", type=int, default=200, help="that are traced")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--setting", choices=SETTINGS, default="FULL", help="of --work")
    parser.add_argument("--work", type=Path, help="be the writer, in this folder")
    options = parser.parse_args(arguments)
    if options.work is not None:
        _turn_down(options.setting)
        asyncio.run(_work(options.work, options.commits))
        return 0
    if not is_supported():
        print("crash images need Linux on x86-64; nothing was shown", file=sys.stderr)
        return 1
    held = True
    for setting in SETTINGS:
        with tempfile.TemporaryDirectory(prefix="mts-powercut-") as folder:
            events = trace_of(Path(folder), setting=setting, commits=options.commits)
        found = cut(events, setting=setting, images=options.images, seed=options.seed)
        print(json.dumps(found.as_dict()), flush=True)
        safe = found.lost == found.broken == 0
        held = held and (safe if setting == "FULL" else not safe)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
