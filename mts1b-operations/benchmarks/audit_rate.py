"""Rate and latency of the audit log on this disk, beside the bare commits that it needs.

python mts1b-operations/benchmarks/audit_rate.py [--entries 5000] [--batch 500]
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from time import perf_counter

from mts1b_operations.audit.chain import AuditChain, AuditRecord
from mts1b_operations.tables import METADATA
from mts1b_platform.clock import SystemClock
from mts1b_platform.store import Store


def record(number: int) -> AuditRecord:
    """Return an entry as the OMS makes them."""
    data = {"quantity": str(number), "symbol": "AAA", "price": "101.25", "flags": [True, None]}
    return AuditRecord(
        actor="mts1b-oms", action="order_created", subject_id=f"ord-{number % 97}", data=data
    )


async def timed(act: Callable[[], Awaitable[object]]) -> float:
    """Return how long an act takes, s."""
    begin = perf_counter()
    await act()
    return perf_counter() - begin


def show(what: str, seconds: list[float], each: int = 1) -> None:
    """Print percentiles of the acts, and entries a second."""
    ordered, rate = sorted(seconds), each * len(seconds) / sum(seconds)
    p50, p99 = (1e6 * ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.99))
    print(f"{what:34} p50 {p50:9.1f} us   p99 {p99:9.1f} us   {rate:12,.0f} entries/s")


def bare_commits(path: Path, count: int) -> list[float]:
    """Return how long a durable commit of one row takes here, s each."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE rows (payload BLOB)")
    found = []
    for _ in range(count):
        begin = perf_counter()
        connection.execute("INSERT INTO rows VALUES (?)", (b"x" * 300,))
        found.append(perf_counter() - begin)
    connection.close()
    return found


async def measure(home: Path, entries: int, batch: int) -> None:
    """Append one by one, append in batches, verify."""
    store = await Store.open(home / "audit.sqlite", metadata=METADATA, name="operations")
    audit = AuditChain(store, clock=SystemClock())
    singles = [[record(n)] for n in range(min(entries, 1000))]
    show("bare commit", bare_commits(home / "floor.sqlite", len(singles)))
    show(
        "append, one entry",
        [await timed(partial(audit.append_many, one)) for one in singles],
    )
    many = [[record(n) for n in range(at, at + batch)] for at in range(0, entries, batch)]
    show(
        f"append, {batch} entries",
        [await timed(partial(audit.append_many, some)) for some in many],
        batch,
    )
    size = audit.size
    took = await timed(audit.verify)
    print(f"{'verify':34} {size / took:,.0f} entries/s on one core")
    await store.close()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=5000)
    parser.add_argument("--batch", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mts-audit-") as folder:
        asyncio.run(measure(Path(folder), options.entries, options.batch))


if __name__ == "__main__":
    main()
