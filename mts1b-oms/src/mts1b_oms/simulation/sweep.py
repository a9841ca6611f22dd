"""Many seeds, on every core, and what they showed together."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Protocol

from mts1b_platform.simulation import Counters, Faults

from mts1b_oms.simulation.world import Outcome, run_seed

__all__ = ["Shrunk", "SweepReport", "shrink", "sweep"]

_AT_ONCE = 4
"""Seeds in the queue of each process: a sweep of a million holds few results in memory."""


@dataclass(slots=True)
class SweepReport:
    """What a sweep saw. ``violations`` holds (seed, what was violated).

    :ivar before: how many of the seeds an earlier run had done.
    :ivar seconds: how long the others took.
    """

    orders: int
    seeds: int = 0
    before: int = 0
    seconds: float = 0.0
    virtual_s: float = 0.0
    counters: Counters = field(default_factory=Counters)
    violations: list[tuple[int, str]] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Take in one seed."""
        self.seeds += 1
        self.virtual_s += outcome.virtual_s
        self.counters.add(outcome.counters)
        if outcome.violation:
            self.violations.append((outcome.seed, outcome.violation))

    @property
    def bound(self) -> float:
        """Return the largest probability of a violation in a seed that 0 in n leaves possible.

        At 95 % confidence: the rule of three, 3/n (Hanley and Lippman-Hand 1983).
        """
        return 3.0 / self.seeds if self.seeds else 1.0

    def lines(self, *, wanted: int = 100) -> list[str]:
        """Return the report; counters below ``wanted`` are marked."""
        now = self.seeds - self.before
        rate = now / self.seconds if self.seconds > 0 else 0.0
        said = [
            f"{self.seeds} seeds of {self.orders} orders, {len(self.violations)} violations",
            f"{rate:.2f} seeds/s, {self.virtual_s / 3600:.1f} simulated hours",
        ]
        if self.before:
            said.insert(1, f"{self.before} of them before, {now} now, by the same code")
        if not self.violations:
            said.append(f"a seed violates with a probability below {self.bound:.2g} (3/n, 95 %)")
        said += [f"seed {seed}: {what}" for seed, what in sorted(self.violations)]
        said += [
            f"{count:>10}  {name}{'' if count >= wanted else '  (seldom)'}"
            for name, count in self.counters.as_dict().items()
        ]
        return said


def sweep(
    seeds: Iterable[int],
    *,
    orders: int,
    jobs: int,
    now: Callable[[], float],
    seen: Callable[[Outcome], None] = lambda outcome: None,
    known: Mapping[int, Outcome] | None = None,
) -> SweepReport:
    """Run seeds in ``jobs`` processes.

    :param now: seconds of a clock, for the rate.
    :param seen: called with each outcome as it comes.
    :param known: seeds that were run before; they are counted, and not run again.
    """
    report, known = SweepReport(orders), known or {}
    seeds = list(seeds)
    for seed in seeds:
        if seed in known:
            report.add(known[seed])
    report.before = report.seeds
    begun = now()
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_look_at_less) as pool:
        waiting: dict[Future[Outcome], int] = {}
        for seed in (one for one in seeds if one not in known):
            waiting[pool.submit(run_seed, seed, orders=orders)] = seed
            while len(waiting) >= jobs * _AT_ONCE:
                _take(waiting, report, seen)
        while waiting:
            _take(waiting, report, seen)
    report.seconds = now() - begun
    return report


def _look_at_less() -> None:
    """Let the collector of a new process alone with what the modules hold, and look more rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _take(
    waiting: dict[Future[Outcome], int], report: SweepReport, seen: Callable[[Outcome], None]
) -> None:
    done = next(as_completed(waiting))
    seed, error = waiting.pop(done), done.exception()
    outcome = done.result() if error is None else Outcome(seed, f"raised {error!r}")
    report.add(outcome)
    seen(outcome)


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest failing run that was found: ``faults`` is what is left of them."""

    outcome: Outcome
    orders: int
    faults: Faults
    tries: int


class RunSeed(Protocol):
    """Run one seed, as :func:`run_seed` does."""

    def __call__(self, seed: int, *, orders: int, faults: Faults) -> Outcome:
        """Return what became of it."""
        ...


def shrink(
    seed: int, *, orders: int, faults: Faults, most: int = 60, run: RunSeed = run_seed
) -> Shrunk | None:
    """Take away faults and orders while the seed still fails; None when it does not fail.

    :param most: how many runs to spend.
    """
    found = run(seed, orders=orders, faults=faults)
    if not found.violation:
        return None
    tries = 1
    for name in tuple(faults.active()):
        if tries >= most:
            break
        tries += 1
        less = run(seed, orders=orders, faults=faults.without(name))
        if less.violation:
            found, faults = less, faults.without(name)
    while orders > 1 and tries < most:
        tries += 1
        less = run(seed, orders=orders // 2, faults=faults)
        if not less.violation:
            break
        found, orders = less, orders // 2
    return Shrunk(found, orders, faults, tries)
