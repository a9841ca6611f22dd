"""What the machine itself needs: a request over the bus, a line over TCP, a durable commit.

``python -m tools.proof.floor ECHO_HOME`` answers requests, as a process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from mts1b_deploy.launch import ends_with
from mts1b_platform.eventbus.nats import NatsBus
from mts1b_platform.eventbus.permissions import ADMINISTRATOR
from mts1b_platform.eventbus.port import BusError
from mts1b_platform.eventbus.server import read_address

from tools.proof.percentiles import summary

__all__ = ["Floor", "measure_floor"]

SUBJECT = "proof.echo"
_PAYLOAD = b"x" * 900
_COUNT = 300
_COMMITS = 3
"""Durable commits one after the other between intent and wire: the intent, the risk decision, and
the consumed approval ahead of the send."""


@dataclass(frozen=True, slots=True)
class Floor:
    """Seconds of each sample.

    :ivar request: a request and its reply over NATS, to another process.
    :ivar commit: a row of a kilobyte in SQLite (WAL, synchronous FULL).
    """

    request: list[float]
    commit: list[float]

    def path_ms(self, share: float) -> float:
        """Return what the bare steps from intent to wire take: the intent to the OMS (half a
        request), risk (a request), the wire (half of one), and the commits."""
        requests, commits = summary(self.request), summary(self.commit)
        name = f"p{100 * share:g}"
        return round(2.0 * requests[name] + _COMMITS * commits[name], 3)


async def measure_floor(home: Path) -> Floor:
    """Measure against the bus of ``home``, and on its disk."""
    async with _echo(home):
        bus = await NatsBus.connect(
            lambda: read_address(home, {}, user=ADMINISTRATOR), name="floor"
        )
        try:
            await _until_answered(bus)
            requests = []
            for _ in range(_COUNT):
                begin = time.perf_counter()
                await bus.request(SUBJECT, _PAYLOAD, timeout_s=5.0)
                requests.append(time.perf_counter() - begin)
        finally:
            await bus.close()
    return Floor(requests, _commits(home / "floor.sqlite"))


def _commits(path: Path) -> list[float]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, payload BLOB)")
    found = []
    for _ in range(_COUNT):
        begin = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO rows (payload) VALUES (?)", (_PAYLOAD,))
        connection.execute("COMMIT")
        found.append(time.perf_counter() - begin)
    connection.close()
    for left in path.parent.glob(path.name + "*"):
        left.unlink()
    return found


@asynccontextmanager
async def _echo(home: Path) -> AsyncIterator[None]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tools.proof.floor", str(home), preexec_fn=ends_with(os.getpid())
    )
    try:
        yield
    finally:
        child.kill()
        await child.wait()


async def _until_answered(bus: NatsBus) -> None:
    deadline = time.perf_counter() + 20.0
    while True:
        try:
            await bus.request(SUBJECT, b"", timeout_s=1.0)
        except BusError:
            if time.perf_counter() > deadline:
                raise
            await asyncio.sleep(0.05)
        else:
            return


async def _serve(home: Path) -> None:
    bus = await NatsBus.connect(lambda: read_address(home, {}, user=ADMINISTRATOR), name="echo")

    async def echo(data: bytes) -> bytes:
        return data

    await bus.serve(SUBJECT, echo)
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


if __name__ == "__main__":
    work = _serve(Path(sys.argv[1]))
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)
