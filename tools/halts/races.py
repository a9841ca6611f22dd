"""``python -m tools.halts.races``: race halts against orders; exit 1 when one order leaks."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import multiprocessing
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mts1b_platform.rng import SeededRng
from mts1b_platform.simulation import DeterministicLoop, Faults

from tools.halts.world import RaceWorld

__all__ = ["RaceReport", "main", "race"]

_ROUNDS = 25


@dataclass(slots=True)
class RaceReport:
    """What became of the races of one or more seeds."""

    races: int = 0
    sent: int = 0
    leaks: int = 0
    violations: list[str] = field(default_factory=list)
    last_allowed_s: float = 0.0
    counters: Counter[str] = field(default_factory=Counter)
    digest: str = ""

    def add(self, other: RaceReport) -> None:
        """Take over another report."""
        self.races += other.races
        self.sent += other.sent
        self.leaks += other.leaks
        self.violations += other.violations
        self.last_allowed_s = max(self.last_allowed_s, other.last_allowed_s)
        self.counters.update(other.counters)


def race(seed: int, rounds: int = _ROUNDS, *, queues: bool = False) -> RaceReport:
    """Run the races of one seed; equal arguments give equal reports.

    :param queues: plant an adapter that waits between the gateway and the wire; it must leak.
    """
    rng = SeededRng(seed * 31 + 7)
    far = rng.random() < 0.3
    faults = Faults(
        latency_s=rng.uniform(0.0, 0.05) if rng.random() < 0.5 else 0.0,
        bus_loss=0.1 if rng.random() < 0.3 else 0.0,
        venue_timeout=0.2 if rng.random() < 0.3 else 0.0,
    )
    with tempfile.TemporaryDirectory(prefix="mts-halts-", dir=_memory()) as folder:
        loop = DeterministicLoop(seed)
        with asyncio.Runner(loop_factory=lambda: loop) as runner:

            async def run() -> RaceWorld:
                world = RaceWorld(loop, seed, Path(folder), faults=faults, far=far, queues=queues)
                await world.race(rounds)
                return world

            return _report(runner.run(run()), seed, rounds)


def _report(world: RaceWorld, seed: int, rounds: int) -> RaceReport:
    truth = world.truth_of_halts
    return RaceReport(
        races=rounds,
        sent=truth.sent,
        leaks=len(truth.leaks),
        violations=[f"seed {seed}: {world.broken}"] if world.broken else [],
        last_allowed_s=max(truth.allowed_s, default=0.0),
        counters=Counter(world.counters.as_dict()),
        digest=world.trace.digest,
    )


def _memory() -> str | None:
    """Return a folder in memory, where there is one: a commit costs no disk there."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _reports(seeds: range, workers: int) -> Iterator[RaceReport]:
    if workers == 1:
        yield from map(race, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(workers, maxtasksperchild=20) as pool:
        yield from pool.imap_unordered(race, seeds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 when an order left under a halt."""
    parser = argparse.ArgumentParser(prog="python -m tools.halts.races", description=__doc__)
    parser.add_argument("--races", type=int, default=10_000, help="how many halts are raced")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # answers that got lost raise there
    seeds = -(-options.races // _ROUNDS)
    total = RaceReport()
    for report in _reports(range(options.first_seed, options.first_seed + seeds), options.workers):
        total.add(report)
    print(_as_json(total) if options.json else _as_text(total))
    return 1 if total.violations else 0


def _as_json(total: RaceReport) -> str:
    return json.dumps(
        {
            "races": total.races,
            "leaks": total.leaks,
            "sent": total.sent,
            "last_allowed_s": round(total.last_allowed_s, 6),
            "violations": total.violations,
            "counters": dict(sorted(total.counters.items())),
        }
    )


def _as_text(total: RaceReport) -> str:
    bound = 3.0 / total.races if total.races and not total.leaks else 1.0
    lines = [f"  {name:44} {count}" for name, count in sorted(total.counters.items())]
    return "\n".join(
        [
            *lines,
            *total.violations,
            f"{total.races} halt races, {total.sent} orders on the wire, {total.leaks} leaks "
            f"(95 % bound {bound:.1e} per race)",
            f"last send before a far halt took effect: {total.last_allowed_s:.3f} s (lease 2 s)",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
